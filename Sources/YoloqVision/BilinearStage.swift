// SPDX-License-Identifier: Apache-2.0

/// Resizes part of a Float32 plane row by row: first along x, then two such rows along y, as torch does it.
///
/// Holds two rows; asked for rows from top to bottom it scales each source row once.
final class BilinearStage {
    private let rows: BilinearAxis
    private let columns: BilinearAxis
    /// Two source rows scaled along x: (2, columns), source row s at s & 1.
    private let scaled: UnsafeMutablePointer<Float>
    /// Which source rows they are, counted from the first of `rows.sources`.
    private var held = (-1, -1)

    init(rows: BilinearAxis, columns: BilinearAxis) {
        self.rows = rows
        self.columns = columns
        scaled = .allocate(capacity: 2 * columns.targets.count)
        scaled.initialize(repeating: 0, count: 2 * columns.targets.count)
    }

    deinit {
        scaled.deallocate()
    }

    /// How many pixels its rows have.
    var width: Int { columns.targets.count }

    /// Writes one row.
    ///
    /// - Parameters:
    ///   - target: Which, of `rows.targets`.
    ///   - output: Takes a number for each of `columns.targets`.
    ///   - source: Gives a row of the source by its index, counted from the first of `rows.sources`, from the first of
    ///     `columns.sources` on; valid until the next call.
    func write(
        _ target: Int,
        to output: UnsafeMutablePointer<Float>,
        from source: (_ row: Int) -> UnsafePointer<Float>
    ) {
        let tap = rows.tap(of: target)
        let first = scaledRow(Int(tap.first), source)
        let second = scaledRow(Int(tap.second), source)
        mix(first, tap.firstWeight, second, tap.secondWeight, to: output, width)
    }

    /// Writes for one row where its numbers are above a bound.
    ///
    /// - Parameters:
    ///   - target: Which, of `rows.targets`.
    ///   - bound: What they are compared with.
    ///   - output: Takes a 1 or 0 for each of `columns.targets`; NaN gives 0.
    ///   - source: As with `write`.
    func writeSigns(
        _ target: Int,
        above bound: Float = 0,
        to output: UnsafeMutablePointer<UInt8>,
        from source: (_ row: Int) -> UnsafePointer<Float>
    ) {
        let tap = rows.tap(of: target)
        let first = scaledRow(Int(tap.first), source)
        let second = scaledRow(Int(tap.second), source)
        mixSigns(first, tap.firstWeight, second, tap.secondWeight, above: bound, to: output, width)
    }

    private func scaledRow(_ row: Int, _ source: (_ row: Int) -> UnsafePointer<Float>) -> UnsafePointer<Float> {
        let place = scaled + (row & 1) * width
        guard (row & 1 == 0 ? held.0 : held.1) != row else { return UnsafePointer(place) }
        scale(source(row), columns.taps, to: place)
        if row & 1 == 0 { held.0 = row } else { held.1 = row }
        return UnsafePointer(place)
    }
}

private func scale(_ row: UnsafePointer<Float>, _ taps: [BilinearAxis.Tap], to output: UnsafeMutablePointer<Float>) {
    taps.withUnsafeBufferPointer { taps in
        for x in 0..<taps.count {
            let tap = taps[x]
            output[x] = row[Int(tap.first)] * tap.firstWeight + row[Int(tap.second)] * tap.secondWeight
        }
    }
}

private func mix(
    _ first: UnsafePointer<Float>,
    _ firstWeight: Float,
    _ second: UnsafePointer<Float>,
    _ secondWeight: Float,
    to output: UnsafeMutablePointer<Float>,
    _ count: Int
) {
    for x in 0..<count { output[x] = first[x] * firstWeight + second[x] * secondWeight }
}

private func mixSigns(
    _ first: UnsafePointer<Float>,
    _ firstWeight: Float,
    _ second: UnsafePointer<Float>,
    _ secondWeight: Float,
    above bound: Float,
    to output: UnsafeMutablePointer<UInt8>,
    _ count: Int
) {
    for x in 0..<count { output[x] = first[x] * firstWeight + second[x] * secondWeight > bound ? 1 : 0 }
}
