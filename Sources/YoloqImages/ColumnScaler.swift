// SPDX-License-Identifier: Apache-2.0
internal import CYoloqPixels

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

/// Scales rows of RGB pixels along x, eight output pixels at a time.
///
/// Wanted is `D >> 4` with `D = p * a0 + q * a1`, which has 19 bits. Where `a0 + a1 == 2048`, the same number is
/// `((p + q) << 6) + (((q - p) * (a1 - 1024)) >> 4)`, and the second term is the high half of the 16-bit product
/// `((q - p) << 7) * ((a1 - 1024) << 5)`. `a1 == 2048` does not fit: it is told as the next sample with `a1 == 0`.
/// In targets wider than 8,192, where a fraction can come next to a rounding tie, `a0 + a1` can be off by one (9301 to
/// 8207 pixels is the narrowest found); such columns are done over.
struct ColumnScaler: Sendable {
    /// How many values a channel of a target has room for: whole vectors.
    let capacity: Int
    private let octets: [yoloq_columns]  // (capacity / 8)
    private let irregular: [Column]  // nearly always empty

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
        capacity = (count + 7) / 8 * 8
        octets = stride(from: 0, to: capacity, by: 8).map { start in
            var octet = yoloq_columns()
            withUnsafeMutableBytes(of: &octet) { bytes in
                let offsets = bytes.baseAddress?.assumingMemoryBound(to: Int32.self)
                let weights = (bytes.baseAddress.map { $0 + 32 })?.assumingMemoryBound(to: Int16.self)
                for lane in 0..<8 {
                    let column = columns[min(start + lane, count - 1)]
                    offsets?[lane] = column.byteOffset
                    for turn in 0..<4 { weights?[lane / 2 * 8 + 2 * turn + lane % 2] = column.weight }
                }
            }
            return octet
        }
        irregular = columns.filter { !$0.isRegular }
    }

    /// Scales one row, and takes its channels apart.
    ///
    /// - Parameters:
    ///   - source: The row's first byte. Five bytes beyond its last pixel are read, and weigh nothing.
    ///   - target: Gets `D >> 4`, (3, `capacity`), 0…32655; what lies beyond the row's own pixels has no meaning.
    func scale(_ source: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Int16>) {
        yoloq_scale_columns(source, octets, octets.count, target, capacity)
        for column in irregular {
            for channel in 0..<3 {
                let p = Int32(source[3 * column.sample + channel])
                let q = Int32(source[3 * column.sample + channel + 3])
                target[channel * capacity + column.index] = Int16(
                    (p * Int32(column.first) + q * Int32(column.second)) >> 4
                )
            }
        }
    }
}
