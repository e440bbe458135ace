// SPDX-License-Identifier: Apache-2.0

/// Whole pixels of an image: some columns of some rows.
public struct PixelRectangle: Sendable, Hashable {
    /// Columns, from 0.
    public var columns: Range<Int>
    /// Rows, from 0.
    public var rows: Range<Int>

    /// Makes a rectangle.
    ///
    /// - Parameters:
    ///   - columns: Columns, from 0.
    ///   - rows: Rows, from 0.
    public init(columns: Range<Int>, rows: Range<Int>) {
        self.columns = columns
        self.rows = rows
    }

    /// All of an image.
    ///
    /// - Parameter size: The image's size.
    public init(_ size: ImageSize) {
        self.init(columns: 0..<size.width, rows: 0..<size.height)
    }

    /// The pixels that a mask keeps of a box: column c if `c >= x1 && c < x2`, rows likewise (`crop_mask` in
    /// `ultralytics/utils/ops.py`, 8.4.190).
    ///
    /// - Parameters:
    ///   - box: In pixels of the image; may reach beyond it. NaN keeps nothing.
    ///   - size: The image's size, each side at most 2^24.
    public init(cropping box: Box, to size: ImageSize) {
        self.init(
            columns: wholeNumbers(from: box.x1, to: box.x2, below: size.width),
            rows: wholeNumbers(from: box.y1, to: box.y2, below: size.height)
        )
    }

    /// Whether it has no pixel.
    public var isEmpty: Bool { columns.isEmpty || rows.isEmpty }

    /// How many pixels it has.
    public var pixelCount: Int { columns.count * rows.count }

    func isInside(_ size: ImageSize) -> Bool {
        columns.lowerBound >= 0 && columns.upperBound <= size.width
            && rows.lowerBound >= 0 && rows.upperBound <= size.height
    }
}

/// The whole numbers i of `0..<bound` with `Float(i) >= lower && Float(i) < upper`.
private func wholeNumbers(from lower: Float, to upper: Float, below bound: Int) -> Range<Int> {
    // Up to 2^24 a Float holds every whole number, so that rounding up finds what comparing one by one would.
    precondition(bound <= 1 << 24, "a side is too long")
    guard lower < upper, lower <= Float(bound), upper > 0 else { return 0..<0 }  // NaN too
    let first = Int(max(lower.rounded(.up), 0))
    let end = Int(min(upper.rounded(.up), Float(bound)))
    return first < end ? first..<end : 0..<0
}
