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

    private let isIdentity: Bool
    private let columns: ColumnScaler
    private let rows: [Row]  // (height)

    /// Where one output row comes from.
    private struct Row {
        let first: Int32, second: Int32  // source rows; the same one at the edges
        let firstWeight: SIMD8<Int16>, secondWeight: SIMD8<Int16>  // each in every lane
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
                firstWeight: SIMD8(repeating: first),
                secondWeight: SIMD8(repeating: second)
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
            if isIdentity {
                for y in 0..<height { body(y, UnsafeBufferPointer(rebasing: pixels[y * stride..<(y + 1) * stride])) }
                return
            }
            // Two scaled rows and the one that goes out, each with room for whole vectors.
            let capacity = stride + ColumnScaler.margin
            withUnsafeTemporaryAllocation(of: Int16.self, capacity: 2 * capacity) { scaled in
                withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { target in
                    scaled.initialize(repeating: 0)
                    guard let source = pixels.baseAddress, let scaled = scaled.baseAddress,
                        let target = target.baseAddress
                    else { return }
                    forEachRow(
                        from: source,
                        upper: ScaledRow(values: scaled),
                        lower: ScaledRow(values: scaled + capacity),
                        target: target,
                        body
                    )
                }
            }
        }
    }

    /// One source row, scaled along x: `D >> 4`, (width, 3), 0…32655.
    private struct ScaledRow {
        let values: UnsafeMutablePointer<Int16>
        var index: Int32 = -1
    }

    private func forEachRow(
        from source: UnsafePointer<UInt8>,
        upper: ScaledRow,
        lower: ScaledRow,
        target: UnsafeMutablePointer<UInt8>,
        _ body: (_ y: Int, _ row: UnsafeBufferPointer<UInt8>) -> Void
    ) {
        let stride = 3 * width
        var upper = upper, lower = lower
        func scale(_ index: Int32, into row: inout ScaledRow) {
            columns.scale(source + 3 &* sourceWidth &* Int(index), into: row.values)
            row.index = index
        }
        rows.withUnsafeBufferPointer { rows in
            guard var row = rows.baseAddress else { return }
            for y in 0..<height {
                // The second row of one output is often the first of the next: each source row is scaled once.
                let (first, second) = (row.pointee.first, row.pointee.second)
                if upper.index != first { swap(&upper, &lower) }
                if upper.index != first { scale(first, into: &upper) }
                if second != first && lower.index != second { scale(second, into: &lower) }
                blend(upper.values, second == first ? upper.values : lower.values, as: row, into: target, count: stride)
                body(y, UnsafeBufferPointer(start: target, count: stride))
                row += 1
            }
        }
    }

    /// Weighs two scaled rows into bytes: `((b0 * d0) >> 16 + (b1 * d1) >> 16 + 2) >> 2`.
    ///
    /// Works on whole vectors, up to seven values beyond `count`. The weights come through a pointer, and are
    /// so read anew for each vector, on purpose: from a value kept over the loop the compiler no longer knows that it
    /// has 16 bits, and misses the instruction that gives the high half of a 16-bit product.
    private func blend(
        _ first: UnsafePointer<Int16>,
        _ second: UnsafePointer<Int16>,
        as row: UnsafePointer<Row>,
        into target: UnsafeMutablePointer<UInt8>,
        count: Int
    ) {
        var start = 0
        while start < count {
            let high0 = load(first + start).highHalf(ofProductWith: row.pointee.firstWeight)
            let high1 = load(second + start).highHalf(ofProductWith: row.pointee.secondWeight)
            let bytes = ((high0 &+ high1 &+ 2) &>> 2).lowBytes
            UnsafeMutableRawPointer(target + start).storeBytes(of: bytes, as: SIMD8<UInt8>.self)
            start &+= SIMD8<Int16>.scalarCount
        }
    }

    @inline(__always)
    private func load(_ values: UnsafePointer<Int16>) -> SIMD8<Int16> {
        UnsafeRawPointer(values).loadUnaligned(as: SIMD8<Int16>.self)
    }
}
