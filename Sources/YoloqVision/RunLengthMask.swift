// SPDX-License-Identifier: Apache-2.0

/// A mask of an image's pixels as COCO's run lengths.
///
/// The pixels go column by column, each from top to bottom, and the runs are of 0 and 1 in turn. A mask has one such
/// form only: no run but the first is of length 0, so equal masks compare equal.
public struct RunLengthMask: Sendable, Hashable {
    /// Size of the image in pixels, each side at least 1.
    public let size: ImageSize
    /// Lengths of the runs, the first one of zeros (it may be 0); their sum is the number of pixels.
    public let counts: [Int]

    /// Makes a mask from run lengths that somebody else wrote.
    ///
    /// Runs of length 0 are taken, and their neighbours joined.
    ///
    /// - Parameters:
    ///   - size: Size of the image in pixels.
    ///   - counts: Lengths of the runs, column by column, of zeros first.
    /// - Throws: `MaskFormatError` if a side is below 1, a run negative, or the runs are not as many pixels as the image.
    public init(size: ImageSize, counts: [Int]) throws(MaskFormatError) {
        var runs = try ColumnRuns(untrusted: size)
        for count in counts { try runs.append(untrusted: count) }
        try self.init(untrusted: runs)
    }

    /// Makes a mask from a bitmap of one rectangle; outside of it every pixel is 0.
    ///
    /// Costs a pass over the rectangle and memory for the runs, whatever the size of the image.
    ///
    /// - Parameters:
    ///   - size: Size of the image in pixels.
    ///   - rectangle: The pixels that the bitmap has; inside the image.
    ///   - bitmap: One byte a pixel of the rectangle, row by row; 0 stays 0, all else counts as 1.
    public init(size: ImageSize, rectangle: PixelRectangle, bitmap: [UInt8]) {
        precondition(bitmap.count == rectangle.pixelCount, "a bitmap has a byte for each pixel of its rectangle")
        let width = rectangle.columns.count
        self.init(size: size, rectangle: rectangle) { y, row in
            let start = (y - rectangle.rows.lowerBound) * width
            for x in 0..<width { row[x] = bitmap[start + x] == 0 ? 0 : 1 }
        }
    }

    /// Makes a mask of zeros.
    ///
    /// - Parameter size: Size of the image in pixels.
    public init(emptyOf size: ImageSize) {
        self.init(ColumnRuns(size))
    }

    /// Takes over runs, filled up with zeros.
    init(_ runs: consuming ColumnRuns) {
        runs.fillUp()
        size = runs.size
        counts = runs.counts
    }

    init(untrusted runs: consuming ColumnRuns) throws(MaskFormatError) {
        guard runs.length == runs.size.height * runs.size.width else {
            throw MaskFormatError("its runs are \(runs.length) pixels, and \(runs.size) are another number")
        }
        size = runs.size
        counts = runs.counts
    }
}

extension RunLengthMask {
    /// Whether no pixel is 1.
    public var isEmpty: Bool { counts.count == 1 }

    /// How many pixels are 1.
    public var area: Int {
        stride(from: 1, to: counts.count, by: 2).reduce(0) { $0 + counts[$1] }
    }

    /// The smallest rectangle with all the ones; empty if there are none.
    public var boundingBox: PixelRectangle {
        var box = PixelRectangle(columns: 0..<0, rows: 0..<0)
        forEachRun { start, end in
            let (first, last) = (start / size.height, (end - 1) / size.height)
            let rows = first == last ? start - first * size.height..<end - first * size.height : 0..<size.height
            if box.isEmpty {
                box = PixelRectangle(columns: first..<last + 1, rows: rows)
            } else {
                box.columns = box.columns.lowerBound..<last + 1
                box.rows =
                    min(box.rows.lowerBound, rows.lowerBound)..<max(box.rows.upperBound, rows.upperBound)
            }
        }
        return box
    }

    /// Calls `body` for each run of ones with the numbers of its first pixel and of that behind its last.
    private func forEachRun(_ body: (_ start: Int, _ end: Int) -> Void) {
        var position = 0
        for index in stride(from: 1, to: counts.count, by: 2) {
            let start = position + counts[index - 1]
            position = start + counts[index]
            body(start, position)
        }
    }

    /// Calls `body` for each run of ones, cut where a column ends.
    func forEachColumnRun(_ body: (_ column: Int, _ rows: Range<Int>) -> Void) {
        forEachRun { start, end in
            var column = start / size.height
            var row = start - column * size.height
            var rest = end - start
            while rest > 0 {
                let count = min(rest, size.height - row)
                body(column, row..<row + count)
                rest -= count
                row = 0
                column += 1
            }
        }
    }
}
