// SPDX-License-Identifier: Apache-2.0

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

    private let columns: [Column]  // (width)
    private let rows: [Row]  // (height)

    /// Where one output column comes from.
    private struct Column {
        let byteOffset: Int32  // of pixel s in its row
        let weights: SIMD2<Int16>  // of pixels s and s + 1; the second is 0 at the right edge
    }

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
        let isIdentity = sourceWidth == width && sourceHeight == height
        columns = isIdentity ? [] : Self.columns(from: sourceWidth, to: width)
        rows = isIdentity ? [] : Self.rows(from: sourceHeight, to: height)
    }

    /// The source position of an output position: the sample before it, and the distance from there, 0..<1.
    ///
    /// Double up to the difference, then `Float`, as OpenCV computes it.
    private static func position(of index: Int, scale: Double) -> (sample: Int, fraction: Float) {
        let position = Float((Double(index) + 0.5) * scale - 0.5)
        let floor = position.rounded(.down)
        return (Int(floor), position - floor)
    }

    /// The weights in units of 1/2048.
    private static func weights(_ fraction: Float) -> (first: Int16, second: Int16) {
        (
            Int16(((1 - fraction) * 2048).rounded(.toNearestOrEven)),
            Int16((fraction * 2048).rounded(.toNearestOrEven))
        )
    }

    /// Columns clamp the weight: at the edges the whole weight is on the edge's pixel.
    private static func columns(from source: Int, to count: Int) -> [Column] {
        let scale = Double(source) / Double(count)
        return (0..<count).map { index in
            var (sample, fraction) = position(of: index, scale: scale)
            if sample < 0 { (sample, fraction) = (0, 0) }
            if sample >= source - 1 { (sample, fraction) = (source - 1, 0) }
            let (first, second) = weights(fraction)
            return Column(byteOffset: Int32(3 * sample), weights: SIMD2(first, second))
        }
    }

    /// Rows clamp the index and keep both weights, each truncated for itself: the last bit can differ from columns'.
    private static func rows(from source: Int, to count: Int) -> [Row] {
        let scale = Double(source) / Double(count)
        return (0..<count).map { index in
            let (sample, fraction) = position(of: index, scale: scale)
            let (first, second) = weights(fraction)
            return Row(
                first: Int32(min(max(sample, 0), source - 1)),
                second: Int32(min(max(sample + 1, 0), source - 1)),
                firstWeight: first,
                secondWeight: second
            )
        }
    }

    /// Scales an image row by row.
    ///
    /// - Parameters:
    ///   - image: An image of `sourceWidth` × `sourceHeight` pixels.
    ///   - body: Called once for each output row, top to bottom, with its index and its `3 * width` interleaved RGB
    ///     bytes, valid during the call. If the sizes are equal they are the image's own.
    public func forEachRow(
        of image: borrowing RGBImage,
        _ body: (_ y: Int, _ row: UnsafeBufferPointer<UInt8>) -> Void
    ) {
        precondition(
            image.width == sourceWidth && image.height == sourceHeight,
            "the resizer is made for \(sourceWidth)×\(sourceHeight) pixels, the image has \(image.width)×\(image.height)"
        )
        let stride = 3 * width
        image.withUnsafePixels { pixels in
            if columns.isEmpty {
                for y in 0..<height { body(y, UnsafeBufferPointer(rebasing: pixels[y * stride..<(y + 1) * stride])) }
                return
            }
            guard let source = pixels.baseAddress else { return }
            // Two scaled rows, each with room for the fourth lane of its last pixel, and the row that goes out.
            withUnsafeTemporaryAllocation(of: Int16.self, capacity: 2 * (stride + 1)) { scaled in
                withUnsafeTemporaryAllocation(of: UInt8.self, capacity: stride) { output in
                    guard let scaled = scaled.baseAddress, let target = output.baseAddress else { return }
                    forEachRow(from: source, scaled: scaled, target: target, body)
                }
            }
        }
    }

    private func forEachRow(
        from source: UnsafePointer<UInt8>,
        scaled: UnsafeMutablePointer<Int16>,
        target: UnsafeMutablePointer<UInt8>,
        _ body: (_ y: Int, _ row: UnsafeBufferPointer<UInt8>) -> Void
    ) {
        let stride = 3 * width
        var upper = ScaledRow(values: scaled), lower = ScaledRow(values: scaled + stride + 1)
        columns.withUnsafeBufferPointer { columns in
            func scale(_ index: Int32, into row: inout ScaledRow) {
                scaleRow(source + 3 &* sourceWidth &* Int(index), columns, into: row.values)
                row.index = index
            }
            for (y, row) in rows.enumerated() {
                // The second row of one output is often the first of the next: each source row is scaled once.
                if upper.index != row.first { swap(&upper, &lower) }
                if upper.index != row.first { scale(row.first, into: &upper) }
                if row.second != row.first && lower.index != row.second { scale(row.second, into: &lower) }
                blendRows(
                    upper.values,
                    row.firstWeight,
                    row.second == row.first ? upper.values : lower.values,
                    row.secondWeight,
                    into: target,
                    count: stride
                )
                body(y, UnsafeBufferPointer(start: target, count: stride))
            }
        }
    }

    /// One source row, scaled along x: `D >> 4`, (width, 3), 0…32655.
    private struct ScaledRow {
        let values: UnsafeMutablePointer<Int16>
        var index: Int32 = -1
    }

    /// Scales one row along x.
    ///
    /// Two neighbouring pixels are loaded as eight bytes, and three channels stored as four lanes: hence `tail` after
    /// an image's pixels, and one value more than `3 * width` in the target.
    private func scaleRow(
        _ source: UnsafePointer<UInt8>,
        _ columns: UnsafeBufferPointer<Column>,
        into target: UnsafeMutablePointer<Int16>
    ) {
        let source = UnsafeRawPointer(source)
        var target = UnsafeMutableRawPointer(target)
        for column in columns {
            let bytes = source.loadUnaligned(fromByteOffset: Int(column.byteOffset), as: SIMD8<UInt8>.self)
            let first = SIMD4<Int32>(
                Int32(bytes[0]),
                Int32(bytes[1]),
                Int32(bytes[2]),
                Int32(bytes[3])
            )
            let second = SIMD4<Int32>(
                Int32(bytes[3]),
                Int32(bytes[4]),
                Int32(bytes[5]),
                Int32(bytes[6])
            )
            let sum = first &* Int32(column.weights.x) &+ second &* Int32(column.weights.y)
            target.storeBytes(of: SIMD4<Int16>(truncatingIfNeeded: sum &>> 4), as: SIMD4<Int16>.self)
            target += 3 * MemoryLayout<Int16>.stride
        }
    }
}

/// Weighs two scaled rows into bytes: `((b0 * d0) >> 16 + (b1 * d1) >> 16 + 2) >> 2`.
///
/// A plain loop over 16-bit values, which the compiler turns into vector code: the high half of a 16-bit product is
/// one instruction everywhere.
private func blendRows(
    _ first: UnsafePointer<Int16>,
    _ firstWeight: Int16,
    _ second: UnsafePointer<Int16>,
    _ secondWeight: Int16,
    into target: UnsafeMutablePointer<UInt8>,
    count: Int
) {
    let firstWeight = Int32(firstWeight), secondWeight = Int32(secondWeight)
    for i in 0..<count {
        let high0 = Int16(truncatingIfNeeded: (Int32(first[i]) &* firstWeight) &>> 16)
        let high1 = Int16(truncatingIfNeeded: (Int32(second[i]) &* secondWeight) &>> 16)
        target[i] = UInt8(truncatingIfNeeded: (high0 &+ high1 &+ 2) &>> 2)
    }
}
