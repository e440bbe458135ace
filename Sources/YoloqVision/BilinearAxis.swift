// SPDX-License-Identifier: Apache-2.0

/// Where the pixels of one axis come from when it is resized bilinearly in Float32.
///
/// The numbers of torch's `interpolate(mode="bilinear", align_corners=False)` on a CPU (`aten/src/ATen/native/UpSample.h`
/// and `cpu/UpSampleKernel.cpp`): target i lies at `(i + 0.5) * source / target - 0.5`, not below 0.
struct BilinearAxis {
    /// Which targets the tables have.
    let targets: Range<Int>
    /// Which sources they come from.
    let sources: Range<Int>
    /// For each target: two sources, counted from the first of `sources`, and their weights.
    let taps: [Tap]

    struct Tap {
        let first: Int32
        let second: Int32
        let firstWeight: Float
        let secondWeight: Float
    }

    /// Makes the tables for some targets.
    ///
    /// - Parameters:
    ///   - sourceCount: Length of the axis that is read.
    ///   - targetCount: Length of the axis that is made.
    ///   - targets: Which of its pixels are asked for; at least one.
    init(from sourceCount: Int, to targetCount: Int, targets: Range<Int>) {
        precondition(sourceCount > 0 && !targets.isEmpty && targets.upperBound <= targetCount, "there are targets")
        let scale = Float(sourceCount) / Float(targetCount)
        func place(_ target: Int) -> (first: Int, second: Int, weight: Float) {
            guard sourceCount != targetCount else { return (target, target, 0) }
            let place = max(scale * (Float(target) + 0.5) - 0.5, 0)
            let first = min(Int(place), sourceCount - 1)
            return (first, min(first + 1, sourceCount - 1), min(max(place - Float(first), 0), 1))
        }
        let lowest = place(targets.lowerBound).first
        self.targets = targets
        sources = lowest..<place(targets.upperBound - 1).second + 1
        taps = targets.map { target in
            let (first, second, weight) = place(target)
            return Tap(
                first: Int32(first - lowest),
                second: Int32(second - lowest),
                firstWeight: 1 - weight,
                secondWeight: weight
            )
        }
    }

    func tap(of target: Int) -> Tap { taps[target - targets.lowerBound] }
}
