// SPDX-License-Identifier: Apache-2.0

/// Collects run lengths in COCO's order and joins runs of one value.
struct ColumnRuns {
    let size: ImageSize
    /// As in `RunLengthMask.counts`.
    private(set) var counts: [Int] = []
    /// How many pixels the runs have so far.
    private(set) var length = 0
    /// Whether the next untrusted run is of ones.
    private var isNextOne = false

    init(_ size: ImageSize) {
        precondition(size.height > 0 && size.width > 0, "an image has at least one pixel")
        self.size = size
    }

    init(untrusted size: ImageSize) throws(MaskFormatError) {
        guard size.height > 0, size.width > 0, !size.height.multipliedReportingOverflow(by: size.width).overflow else {
            throw MaskFormatError("no image is of size \(size)")
        }
        self.size = size
    }

    /// Appends a run; nothing if it is of length 0.
    mutating func append(_ count: Int, isOne: Bool) {
        guard count > 0 else { return }
        length += count
        if counts.isEmpty, isOne { counts.append(0) }
        // The last of an odd number of runs is of zeros.
        if !counts.isEmpty, counts.count.isMultiple(of: 2) == isOne {
            counts[counts.count - 1] += count
        } else {
            counts.append(count)
        }
    }

    /// Appends a run of the value that the run before did not have.
    mutating func append(untrusted count: Int) throws(MaskFormatError) {
        guard count >= 0 else { throw MaskFormatError("a run has length \(count)") }
        guard count <= size.height * size.width - length else {
            throw MaskFormatError("its runs are more pixels than the \(size.height * size.width) of \(size)")
        }
        append(count, isOne: isNextOne)
        isNextOne.toggle()
    }

    /// Appends zeros for all pixels that are left.
    mutating func fillUp() {
        append(size.height * size.width - length, isOne: false)
    }
}

extension RunLengthMask {
    /// Makes a mask from the rows of one rectangle, made one after the other; outside of it every pixel is 0.
    ///
    /// Rows become runs of columns without a bitmap: a row is compared with the one above it, and where they differ a
    /// run begins or ends. These places are few; they are sorted by column at the end.
    ///
    /// - Parameters:
    ///   - size: Size of the image in pixels.
    ///   - rectangle: Inside the image.
    ///   - row: Called for each row of the rectangle, top to bottom; writes a 0 or 1 for each of its columns.
    init(size: ImageSize, rectangle: PixelRectangle, row: (_ y: Int, _ pixels: UnsafeMutablePointer<UInt8>) -> Void) {
        precondition(rectangle.isInside(size), "the rectangle is inside the image")
        guard !rectangle.isEmpty else {
            self.init(emptyOf: size)
            return
        }
        var changes = ColumnChanges(rectangle)
        changes.read(row)
        self.init(changes.runs(of: size))
    }
}

/// Where the pixels of a rectangle differ from the ones above them.
private struct ColumnChanges {
    private let rectangle: PixelRectangle
    /// Column (from the rectangle's first) in the upper half, row in the lower; in the order of rows.
    private var places: [UInt64] = []
    /// How many places each column has.
    private var countOfColumn: [Int]

    init(_ rectangle: PixelRectangle) {
        self.rectangle = rectangle
        countOfColumn = [Int](repeating: 0, count: rectangle.columns.count)
    }

    /// Reads all rows, and as the last one a row of zeros, so that every column ends with a 0.
    mutating func read(_ row: (_ y: Int, _ pixels: UnsafeMutablePointer<UInt8>) -> Void) {
        let wordCount = (rectangle.columns.count + 7) / 8
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * wordCount) { words in
            words.initialize(repeating: 0)
            guard var above = words.baseAddress else { return }
            var current = above + wordCount
            for y in rectangle.rows {
                current.withMemoryRebound(to: UInt8.self, capacity: 8 * wordCount) { row(y, $0) }
                compare(current, above, wordCount, y)
                swap(&above, &current)
            }
            current.update(repeating: 0, count: wordCount)
            compare(current, above, wordCount, rectangle.rows.upperBound)
        }
    }

    private mutating func compare(
        _ row: UnsafePointer<UInt64>,
        _ above: UnsafePointer<UInt64>,
        _ wordCount: Int,
        _ y: Int
    ) {
        for word in 0..<wordCount {
            // A 1 in each byte that differs, the first pixel in the lowest.
            var differing = UInt64(littleEndian: row[word] ^ above[word])
            while differing != 0 {
                let column = 8 * word + differing.trailingZeroBitCount / 8
                differing &= differing - 1
                places.append(UInt64(column) << 32 | UInt64(y))
                countOfColumn[column] += 1
            }
        }
    }

    consuming func runs(of size: ImageSize) -> ColumnRuns {
        var next = 0
        for column in countOfColumn.indices {
            next += countOfColumn[column]
            countOfColumn[column] = next - countOfColumn[column]
        }
        // Each column's places are in the order of rows already.
        var sorted = [Int](repeating: 0, count: places.count)
        for place in places {
            let column = Int(place >> 32)
            sorted[countOfColumn[column]] =
                (rectangle.columns.lowerBound + column) * size.height + Int(place & 0xFFFF_FFFF)
            countOfColumn[column] += 1
        }
        var runs = ColumnRuns(size)
        var isOne = false
        for place in sorted {
            // A column that ends in a 1 and the next that begins with one make one run.
            runs.append(place - runs.length, isOne: isOne)
            isOne.toggle()
        }
        return runs
    }
}
