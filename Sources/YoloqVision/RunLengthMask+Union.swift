// SPDX-License-Identifier: Apache-2.0

extension RunLengthMask {
    /// The mask as a part of a larger image that is 0 elsewhere.
    ///
    /// Costs a pass over the runs and columns, whatever the image's size.
    ///
    /// - Parameters:
    ///   - rectangle: Where the mask lies; of the mask's size, inside the image.
    ///   - image: Size of the image in pixels.
    /// - Returns: A mask of the image.
    public func placed(in rectangle: PixelRectangle, of image: ImageSize) -> RunLengthMask {
        precondition(rectangle.isInside(image), "the mask lies inside the image")
        precondition(
            size == ImageSize(height: rectangle.rows.count, width: rectangle.columns.count),
            "the rectangle is of the mask's size"
        )
        var runs = ColumnRuns(image)
        forEachColumnRun { column, rows in
            let start =
                (rectangle.columns.lowerBound + column) * image.height + rectangle.rows.lowerBound + rows.lowerBound
            runs.append(start - runs.length, isOne: false)
            runs.append(rows.count, isOne: true)
        }
        return RunLengthMask(runs)
    }

    /// The pixels that are in one of two masks, or in both.
    ///
    /// - Parameter other: Of the same size.
    /// - Returns: Of that size too.
    public func union(_ other: RunLengthMask) -> RunLengthMask {
        precondition(size == other.size, "masks of one image are of one size")
        var runs = ColumnRuns(size)
        var (first, second) = (RunReader(counts), RunReader(other.counts))
        // Both have as many pixels, so they end together.
        while first.rest > 0 {
            let count = min(first.rest, second.rest)
            runs.append(count, isOne: first.isOne || second.isOne)
            first.skip(count)
            second.skip(count)
        }
        return RunLengthMask(runs)
    }

    /// The outline as one polygon, in pixels of the mask's own frame; empty if the mask is.
    var outline: [Point] {
        mergedContour(outerContours()).map { Point(x: Float($0.x), y: Float($0.y)) }
    }
}

/// Reads runs a piece at a time.
private struct RunReader {
    private let counts: [Int]
    private var index = 0
    /// How much of the current run is left; 0 at the end.
    private(set) var rest: Int

    init(_ counts: [Int]) {
        self.counts = counts
        rest = counts[0]
        if rest == 0 { next() }
    }

    var isOne: Bool { !index.isMultiple(of: 2) }

    mutating func skip(_ count: Int) {
        rest -= count
        if rest == 0 { next() }
    }

    private mutating func next() {
        index += 1
        rest = index < counts.count ? counts[index] : 0
    }
}
