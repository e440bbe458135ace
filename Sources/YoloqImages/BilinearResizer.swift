// SPDX-License-Identifier: Apache-2.0
internal import CYoloqPixels

/// Scales RGB images to one size with OpenCV's `INTER_LINEAR` on 8 bits, bit for bit.
///
/// Weights have 11 bits, as in `modules/imgproc/src/resize.cpp` (OpenCV 4 and 5). A row is first scaled along x,
/// `D = p[s] * a0 + p[s + 1] * a1`, then two such rows along y:
/// `(((b0 * (D0 >> 4)) >> 16) + ((b1 * (D1 >> 4)) >> 16) + 2) >> 2`. The two truncations are part of the result.
/// Halving both sides, where OpenCV takes the mean of 2×2 pixels, gives the same bytes this way.
///
/// The tables are made once; a resizer may be used for many images of its size, by many threads.
public struct BilinearResizer: Sendable {
    /// Width of the images that are read, in pixels.
    public let sourceWidth: Int
    /// Height of the images that are read, in pixels.
    public let sourceHeight: Int
    /// Width of the rows that come out, in pixels.
    public let width: Int
    /// Number of rows that come out.
    public let height: Int

    private let isIdentity: Bool
    private let columns: ColumnScaler
    private let rows: [Row]  // (height)

    /// Where one output row comes from.
    private struct Row {
        let first: Int32, second: Int32  // source rows; the same one at the edges
        let firstWeight: Int16, secondWeight: Int16
    }

    /// Makes a resizer from one size to another, all at least 1 pixel.
    ///
    /// - Parameters:
    ///   - sourceWidth: Width of the images to read.
    ///   - sourceHeight: Height of the images to read.
    ///   - width: Width to make.
    ///   - height: Height to make.
    public init(sourceWidth: Int, sourceHeight: Int, width: Int, height: Int) {
        precondition(sourceWidth > 0 && sourceHeight > 0 && width > 0 && height > 0, "sizes are at least 1 pixel")
        precondition(max(sourceWidth, sourceHeight, width, height) <= Int(Int32.max) / 3, "a side is too long")
        self.sourceWidth = sourceWidth
        self.sourceHeight = sourceHeight
        self.width = width
        self.height = height
        isIdentity = sourceWidth == width && sourceHeight == height
        columns = ColumnScaler(from: sourceWidth, to: isIdentity ? 0 : width)
        let axis = Axis(from: sourceHeight, to: height)
        rows = (0..<(isIdentity ? 0 : height)).map { index in
            // Rows clamp the index and keep both weights, each truncated for itself, where columns clamp the weight.
            let (sample, first, second) = axis.sample(index)
            return Row(
                first: Int32(min(max(sample, 0), sourceHeight - 1)),
                second: Int32(min(max(sample + 1, 0), sourceHeight - 1)),
                firstWeight: first,
                secondWeight: second
            )
        }
    }

    /// Scales an image row by row.
    ///
    /// - Parameters:
    ///   - image: An image of `sourceWidth` × `sourceHeight` pixels.
    ///   - body: Called once for each output row, top to bottom, with its index and its `width` pixels.
    public func forEachRow(of image: borrowing RGBImage, _ body: (_ y: Int, _ row: PlanarRow) -> Void) {
        precondition(
            image.width == sourceWidth && image.height == sourceHeight,
            "the resizer is made for \(sourceWidth)×\(sourceHeight) pixels, the image has \(image.width)×\(image.height)"
        )
        image.withUnsafePixels { pixels in
            guard let first = pixels.baseAddress else { return }
            forEachRow(of: { first + 3 &* sourceWidth &* $0 }, body)
        }
    }

    /// Scales rows as they come.
    ///
    /// - Parameters:
    ///   - source: Gives a source row: RGB, (sourceWidth, 3), and five bytes more that are read and weigh nothing. Asked from
    ///     top to bottom, at most once for each, and not for rows that nothing comes of; must be valid until it is asked again.
    ///   - body: Called once for each output row, top to bottom, with its index and its `width` pixels.
    /// - Throws: What `source` throws.
    public func forEachRow<E: Error>(
        of source: (_ y: Int) throws(E) -> UnsafePointer<UInt8>,
        _ body: (_ y: Int, _ row: PlanarRow) -> Void
    ) throws(E) {
        // Two scaled rows and the one that goes out.
        let capacity = isIdentity ? width : columns.capacity
        let values = UnsafeMutablePointer<Int16>.allocate(capacity: 6 * capacity)
        let target = UnsafeMutablePointer<UInt8>.allocate(capacity: 3 * capacity)
        defer {
            values.deallocate()
            target.deallocate()
        }
        let out = PlanarRow(target, count: width, capacity: capacity)
        if isIdentity {
            for y in 0..<height {
                split(try source(y), count: width, into: target, capacity: capacity)
                body(y, out)
            }
            return
        }
        var upper = ScaledRow(values: values), lower = ScaledRow(values: values + 3 * capacity)
        func scale(_ index: Int32, into row: inout ScaledRow) throws(E) {
            columns.scale(try source(Int(index)), into: row.values)
            row.index = index
        }
        for y in 0..<height {
            // The second row of one output is often the first of the next: each source row is scaled once.
            let row = rows[y]
            if upper.index != row.first { swap(&upper, &lower) }
            if upper.index != row.first { try scale(row.first, into: &upper) }
            let isEdge = row.second == row.first
            if !isEdge && lower.index != row.second { try scale(row.second, into: &lower) }
            let below = isEdge ? upper.values : lower.values
            yoloq_blend_rows(upper.values, below, row.firstWeight, row.secondWeight, 3 * capacity, target)
            body(y, out)
        }
    }

    /// One source row, scaled along x: `D >> 4`, (3, capacity), 0…32655.
    private struct ScaledRow {
        let values: UnsafeMutablePointer<Int16>
        var index: Int32 = -1
    }
}
