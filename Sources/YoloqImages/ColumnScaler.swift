// SPDX-License-Identifier: Apache-2.0

/// The positions and weights of OpenCV's `INTER_LINEAR` along one axis.
struct Axis {
    private let scale: Double

    init(from source: Int, to count: Int) {
        scale = Double(source) / Double(max(count, 1))
    }

    /// The two samples that an output position lies between, and their weights in units of 1/2048.
    ///
    /// The position is computed in `Double` up to the difference, then `Float`, as OpenCV does.
    ///
    /// - Parameter index: The output position.
    /// - Returns: The first sample, which may be -1 or the last one, and the weights of it and the next.
    func sample(_ index: Int) -> (sample: Int, first: Int16, second: Int16) {
        let position = Float((Double(index) + 0.5) * scale - 0.5)
        let floor = position.rounded(.down)
        let fraction = position - floor
        return (
            Int(floor),
            Int16(((1 - fraction) * 2048).rounded(.toNearestOrEven)),
            Int16((fraction * 2048).rounded(.toNearestOrEven))
        )
    }
}

/// Scales rows of RGB pixels along x, four output pixels at a time in vectors of eight 16-bit lanes.
///
/// Four pixels are loaded as four 32-bit words (r, g, b and a neighbour's byte); red and blue are the even bytes, green
/// the odd ones, so masks and shifts widen them, without shuffling bytes.
///
/// Wanted is `D >> 4` with `D = p * a0 + q * a1`, which has 19 bits. Where `a0 + a1 == 2048`, the same number is
/// `((p + q) << 6) + (((q - p) * (a1 - 1024)) >> 4)`, and the second term is the high half of the 16-bit product
/// `((q - p) << 7) * ((a1 - 1024) << 5)`. `a1 == 2048` does not fit: it is told as the next sample with `a1 == 0`.
/// In targets wider than 8,192, where a fraction can come next to a rounding tie, `a0 + a1` can be off by one (9301 to
/// 8207 pixels is the narrowest found); such columns are done over.
struct ColumnScaler: Sendable {
    /// Values that a target needs room for beyond its own.
    static let margin = 16

    private let quads: [Quad]  // (count / 4), rounded up
    private let irregular: [Column]  // nearly always empty

    /// Four neighbouring output pixels.
    private struct Quad {
        let byteOffsets: SIMD4<Int32>  // of their sample's first byte in its row
        let weights: SIMD8<Int16>  // (4, 2): `(a1 - 1024) << 5`, twice each
    }

    private struct Column {
        let index: Int, sample: Int
        let first: Int16, second: Int16

        var isRegular: Bool { first + second == 2048 }
        var byteOffset: Int32 { Int32(3 * sample) }
        var weight: Int16 { isRegular ? (second - 1024) << 5 : 0 }
    }

    /// Makes the tables for rows of `source` pixels that become rows of `count`.
    init(from source: Int, to count: Int) {
        let axis = Axis(from: source, to: count)
        let columns = (0..<count).map { index in
            let (sample, first, second) = axis.sample(index)
            // Columns clamp the weight: at the edges the whole of it is on the edge's pixel.
            if sample < 0 { return Column(index: index, sample: 0, first: 2048, second: 0) }
            if sample >= source - 1 { return Column(index: index, sample: source - 1, first: 2048, second: 0) }
            if first == 0 && second == 2048 { return Column(index: index, sample: sample + 1, first: 2048, second: 0) }
            return Column(index: index, sample: sample, first: first, second: second)
        }
        quads = stride(from: 0, to: count, by: 4).map { index in
            var offsets = SIMD4<Int32>(), weights = SIMD8<Int16>()
            for lane in 0..<4 {
                let column = columns[min(index + lane, count - 1)]
                offsets[lane] = column.byteOffset
                (weights[2 * lane], weights[2 * lane + 1]) = (column.weight, column.weight)
            }
            return Quad(byteOffsets: offsets, weights: weights)
        }
        irregular = columns.filter { !$0.isRegular }
    }

    /// Scales one row.
    ///
    /// - Parameters:
    ///   - source: The row's first byte. Five bytes beyond its last pixel are read, and weigh nothing.
    ///   - target: Gets `D >> 4`, (count, 3), 0…32655, and up to `margin` values more of no meaning.
    func scale(_ source: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Int16>) {
        let source = UnsafeRawPointer(source)
        quads.withUnsafeBufferPointer { quads in
            var out = UnsafeMutableRawPointer(target)
            for quad in quads {
                let (p, q) = loadPixels(source, quad.byteOffsets)
                let redBlue = mix(p & 0xFF, q & 0xFF, quad.weights)
                let green = mix(p &>> 8, q &>> 8, quad.weights)
                var pixels = (SIMD8<Int16>(), SIMD8<Int16>())
                (pixels.0.evenHalf, pixels.0.oddHalf) = (redBlue.lowHalf, green.lowHalf)
                (pixels.1.evenHalf, pixels.1.oddHalf) = (redBlue.highHalf, green.highHalf)
                // The fourth lane of each store is overwritten by the next.
                out.storeBytes(of: pixels.0.lowHalf, as: SIMD4<Int16>.self)
                out.storeBytes(of: pixels.0.highHalf, toByteOffset: 6, as: SIMD4<Int16>.self)
                out.storeBytes(of: pixels.1.lowHalf, toByteOffset: 12, as: SIMD4<Int16>.self)
                out.storeBytes(of: pixels.1.highHalf, toByteOffset: 18, as: SIMD4<Int16>.self)
                out += 24
            }
        }
        for column in irregular {
            for channel in 0..<3 {
                let p = Int32(source.load(fromByteOffset: 3 * column.sample + channel, as: UInt8.self))
                let q = Int32(source.load(fromByteOffset: 3 * column.sample + channel + 3, as: UInt8.self))
                target[3 * column.index + channel] = Int16((p * Int32(column.first) + q * Int32(column.second)) >> 4)
            }
        }
    }

    /// Four pixels and their right neighbours, each in two lanes: red below green, blue below a byte of no meaning.
    @inline(__always)
    private func loadPixels(
        _ source: UnsafeRawPointer,
        _ offsets: SIMD4<Int32>
    ) -> (p: SIMD8<UInt16>, q: SIMD8<UInt16>) {
        let low = SIMD2(
            source.loadUnaligned(fromByteOffset: Int(offsets[0]), as: UInt64.self),
            source.loadUnaligned(fromByteOffset: Int(offsets[1]), as: UInt64.self)
        )
        let high = SIMD2(
            source.loadUnaligned(fromByteOffset: Int(offsets[2]), as: UInt64.self),
            source.loadUnaligned(fromByteOffset: Int(offsets[3]), as: UInt64.self)
        )
        return (lowWords(low, high), lowWords(low &>> 24, high &>> 24))
    }

    @inline(__always)
    private func lowWords(_ low: SIMD2<UInt64>, _ high: SIMD2<UInt64>) -> SIMD8<UInt16> {
        let words = SIMD4(
            lowHalf: unsafeBitCast(low, to: SIMD4<UInt32>.self).evenHalf,
            highHalf: unsafeBitCast(high, to: SIMD4<UInt32>.self).evenHalf
        )
        return unsafeBitCast(words, to: SIMD8<UInt16>.self)
    }

    /// `D >> 4` of samples 0…255, see above.
    @inline(__always)
    private func mix(_ p: SIMD8<UInt16>, _ q: SIMD8<UInt16>, _ weights: SIMD8<Int16>) -> SIMD8<Int16> {
        let difference = unsafeBitCast((q &- p) &<< 7, to: SIMD8<Int16>.self)
        return unsafeBitCast((p &+ q) &<< 6, to: SIMD8<Int16>.self) &+ difference.highHalf(ofProductWith: weights)
    }
}

extension SIMD8<Int16> {
    /// The upper 16 bits of the 32-bit products, lane by lane: one instruction on x86-64.
    ///
    /// Spelt out, because the generic conversions between vectors are not reliably inlined.
    @inline(__always)
    func highHalf(ofProductWith other: SIMD8<Int16>) -> SIMD8<Int16> {
        @inline(__always)
        func lane(_ index: Int) -> Int16 {
            Int16(truncatingIfNeeded: (Int32(self[index]) &* Int32(other[index])) &>> 16)
        }
        return SIMD8(lane(0), lane(1), lane(2), lane(3), lane(4), lane(5), lane(6), lane(7))
    }

    /// The lower bytes of the lanes.
    @inline(__always)
    var lowBytes: SIMD8<UInt8> {
        @inline(__always)
        func lane(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: self[index]) }
        return SIMD8<UInt8>(lane(0), lane(1), lane(2), lane(3), lane(4), lane(5), lane(6), lane(7))
    }
}
