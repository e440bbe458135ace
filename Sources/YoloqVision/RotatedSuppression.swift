// SPDX-License-Identifier: Apache-2.0
#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// A rotated box above the confidence threshold, not yet suppressed.
struct RotatedCandidate: Hashable {
    /// In pixels of the model's input.
    var box: RotatedBox
    var classIndex: Int
    /// Above 0 and not NaN.
    var confidence: Float
}

/// Suppression of rotated boxes as the reference does it: a box is dropped if its probabilistic IoU with *any* better one
/// is above the threshold, even with one that is dropped itself.
///
/// Classes are kept apart by moving the centres, as with upright boxes. The best 30000 candidates take part; equal
/// confidences keep their order. The threshold is compared in Float32, as torch compares a tensor with a number. No
/// matrix is held: memory is linear, and time at worst that of each pair, of which those clearly apart cost a few
/// multiplications.
///
/// - Parameters:
///   - candidates: In the order of the network's anchors.
///   - iouThreshold: 0…1.
///   - isClassAgnostic: Whether classes suppress each other.
///   - limit: How many to keep.
/// - Returns: Indices of the kept candidates, best first.
func suppressOverlaps(
    _ candidates: [RotatedCandidate],
    iouThreshold: Double,
    isClassAgnostic: Bool,
    limit: Int
) -> [Int] {
    let order = bestFirst(candidates.lazy.map(\.confidence)).prefix(PredictionParameters.maxCandidates)
    var better = BetterBoxes(threshold: Float(iouThreshold), capacity: order.count)
    var kept: [Int] = []
    for index in order {
        guard kept.count < limit else { break }
        let candidate = candidates[index]
        let offset = isClassAgnostic ? 0 : Float(candidate.classIndex) * classOffset
        let box = MovedRotatedBox(candidate.box, by: offset)
        if !better.overlap(box) { kept.append(index) }
        better.append(box)
    }
    return kept
}

/// A box moved by its class.
private struct MovedRotatedBox {
    let x: Float
    let y: Float
    let shape: Covariance

    init(_ box: RotatedBox, by offset: Float) {
        x = box.centerX + offset
        y = box.centerY + offset
        shape = Covariance(box)
    }
}

/// All boxes looked at so far, eight to a vector.
private struct BetterBoxes {
    private typealias Lanes = SIMD8<Float>

    private struct Block {
        var x = Lanes.zero
        var y = Lanes.zero
        var a = Lanes.zero
        var b = Lanes.zero
        var c = Lanes.zero
    }

    private let threshold: Float
    /// Boxes whose centres alone are further apart than this (as a term of the Bhattacharyya distance) are not above the
    /// threshold.
    private let farApart: Float
    private var blocks: [Block] = []
    private var count = 0

    init(threshold: Float, capacity: Int) {
        self.threshold = threshold
        // 1 - sqrt(1 - exp(-d)) = threshold, solved for d; no overlap is above 0 from where exp(-d) is lost beside 1.
        let distance = -log(1 - (1 - threshold) * (1 - threshold))
        farApart = min(distance, 17) + 0.2
        blocks.reserveCapacity((capacity + 7) / 8)
    }

    mutating func append(_ box: MovedRotatedBox) {
        let lane = count % 8
        if lane == 0 { blocks.append(Block()) }
        let last = blocks.count - 1
        blocks[last].x[lane] = box.x
        blocks[last].y[lane] = box.y
        blocks[last].a[lane] = box.shape.a
        blocks[last].b[lane] = box.shape.b
        blocks[last].c[lane] = box.shape.c
        count += 1
    }

    /// Whether one of the boxes overlaps `box` by more than the threshold.
    ///
    /// Pairs are passed over only where rounding cannot matter. Let D be the determinant of the sum of both covariances,
    /// and AB the product of its diagonal. Where D > AB / 100 the first two terms of the distance are right to a
    /// thousandth. The third is never negative but for rounding and for the epsilons in it, and above -0.07 here: the
    /// determinants are wrong by 3e-7 of their diagonals' product, so 4 times the root of their product by at most
    /// 0.0011 AB, and where D > 1e-5 an epsilon is less than a hundredth of it.
    func overlap(_ box: MovedRotatedBox) -> Bool {
        for (index, block) in blocks.enumerated() {
            let (dx, dy) = (block.x - box.x, block.y - box.y)
            let (a, b, c) = (block.a + box.shape.a, block.b + box.shape.b, block.c + box.shape.c)
            let diagonal = a * b
            let determinant = diagonal - c * c
            let numerator = 0.25 * (a * (dy * dy) + b * (dx * dx)) - 0.5 * (c * dx * dy)
            let isExact = (determinant .> diagonal * 0.01) .& (determinant .> 1e-5)
            let isApart = isExact .& (numerator .> (determinant + 1e-7) * farApart)
            guard !all(isApart) else { continue }
            for lane in 0..<min(8, count - 8 * index) where !isApart[lane] {
                let other = Covariance(a: block.a[lane], b: block.b[lane], c: block.c[lane])
                let overlap = probabilisticIoU(other, box.shape, dx: dx[lane], dy: dy[lane])
                if overlap > threshold { return true }
            }
        }
        return false
    }
}
