// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

@Suite struct RotatedBoxTests {
    @Test func `corners begin at the lower right and go against the clock`() {
        let box = RotatedBox(centerX: 10, centerY: 20, width: 6, height: 4, angle: 0)
        #expect(box.corners == [(13, 22), (13, 18), (7, 18), (7, 22)].map { Point(x: $0, y: $1) })
        let turned = RotatedBox(centerX: 10, centerY: 20, width: 6, height: 4, angle: .pi / 2)
        for (corner, expected) in zip(turned.corners, [(8, 23), (12, 23), (12, 17), (8, 17)] as [(Float, Float)]) {
            #expect(abs(corner.x - expected.0) < 1e-5 && abs(corner.y - expected.1) < 1e-5)
        }
    }

    /// Expected: a direct transcription of the formula in numpy, float32.
    @Test(
        arguments: [
            ([100, 100, 40, 20, 0.3], [104, 98, 42, 19, 0.35], 0.777_764_2, 1e-5),
            ([100, 100, 40, 20, 0.3], [120, 110, 60, 10, 1.2], 0.181_711_2, 1e-5),
            ([614_500, 614_420, 30, 30, 0], [614_503, 614_421, 28, 33, 2.1], 0.864_048_8, 1e-5),
            ([0, 0, 50, 50, 0], [40, 0, 50, 50, 0], 0.214_438_3, 1e-5),
            // So small that the epsilons rule: the last bit of `exp` shows.
            ([10, 10, 0.01, 0.01, 0], [10.005, 10, 0.01, 0.01, 0], 0.999_600_5, 1e-4),
            // So thin that a few bits of the determinants are left.
            ([100, 100, 200, 2, 0.7], [101, 101, 200, 2, 0.7], 0.925_720_4, 0.01),
        ] as [([Float], [Float], Float, Float)]
    )
    func `the probabilistic IoU is the formula's`(a: [Float], b: [Float], expected: Float, tolerance: Float) {
        #expect(abs(box(a).probabilisticIoU(box(b)) - expected) <= tolerance)
        #expect(abs(box(b).probabilisticIoU(box(a)) - expected) <= tolerance)
    }

    @Test func `boxes far apart have no overlap, equal ones nearly 1, undefined ones NaN`() {
        let box = RotatedBox(centerX: 0, centerY: 0, width: 30, height: 20, angle: 1)
        var other = box
        #expect(box.probabilisticIoU(other) > 0.999)
        other.centerX = 7680
        #expect(box.probabilisticIoU(other) <= 0)
        other.width = .nan
        #expect(box.probabilisticIoU(other).isNaN)
    }
}

@Suite(.enabled(if: Shared.has("golden/obb"), "needs ../shared/golden"))
struct RotatedBoxGoldenTests {
    private struct Golden: Decodable {
        struct Found: Decodable {
            var xywhr: [Float]
            var corners: [[Float]]
        }
        var obb: [Found]
    }

    @Test func `corners are the reference's in its order`() throws {
        let folder = Shared.root.appendingPathComponent("golden/obb").path
        var boxCount = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            for found in try JSONDecoder().decode(Golden.self, from: Shared.bytes("golden/obb/\(name)")).obb {
                for (corner, expected) in zip(box(found.xywhr).corners, found.corners) {
                    #expect(abs(corner.x - expected[0]) < 1e-3 && abs(corner.y - expected[1]) < 1e-3)
                }
                boxCount += 1
            }
        }
        #expect(boxCount > 0)
    }
}

@Suite struct RotatedSuppressionTests {
    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func `suppression agrees with all pairs looked at`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let candidates = (0..<Int.random(in: 0...150, using: &random)).map { _ in
            randomCandidate(seed, &random)
        }
        for threshold in [0, 0.1, 0.45, 0.7, 0.95, 1] {
            for isClassAgnostic in [false, true] {
                let expected = reference(candidates, threshold, isClassAgnostic)
                for limit in [1, 7, 300] {
                    let kept = suppressOverlaps(
                        candidates,
                        iouThreshold: threshold,
                        isClassAgnostic: isClassAgnostic,
                        limit: limit
                    )
                    #expect(kept == Array(expected.prefix(limit)), "threshold \(threshold)")
                }
            }
        }
    }

    /// Found by search: further apart by their centres than the threshold allows, were it not for what rounding makes of
    /// the determinants.
    @Test(
        arguments: [
            (
                0.1, [2450.0073, 0.271_730_33, 1.044_125_3],
                [0.970_195_53, 0.983_401_3, 2604.6099, 0.160_660_65, 1.044_125_3]
            ),
            (
                0.45, [959.93, 0.227_011_28, 0.888_459],
                [-1.414_447_5, -1.891_506_9, 878.4416, 0.237_658_58, 0.888_459]
            ),
            (
                0.7, [2545.6426, 0.315_384_98, 1.195_292],
                [0.853_239_54, 1.791_191_6, 2754.173, 0.418_785_24, 1.195_292]
            ),
        ] as [(Double, [Float], [Float])]
    )
    func `boxes as thin as hairs are suppressed by what the formula gives`(threshold: Double, a: [Float], b: [Float]) {
        let candidates = [[0, 0] + a, b].map {
            RotatedCandidate(box: box($0), classIndex: 0, confidence: 0.5)
        }
        let kept = suppressOverlaps(candidates, iouThreshold: threshold, isClassAgnostic: false, limit: 9)
        #expect(kept == reference(candidates, threshold, false))
    }

    @Test func `a dropped box drops others all the same`() {
        // Each overlaps the next by 0.85 and the one after by 0.7.
        let chain = (0..<4).map { candidate(x: 3 * Float($0), confidence: 0.9 - Float($0) / 10) }
        let (near, far) = (chain[0].box.probabilisticIoU(chain[1].box), chain[0].box.probabilisticIoU(chain[2].box))
        let threshold = Double(near + far) / 2
        #expect(suppressOverlaps(chain, iouThreshold: threshold, isClassAgnostic: false, limit: 9) == [0])
    }

    @Test func `an overlap equal to the threshold stays`() {
        let pair = [candidate(x: 0, confidence: 0.9), candidate(x: 3, confidence: 0.8)]
        let overlap = pair[0].box.probabilisticIoU(pair[1].box)
        #expect(suppressOverlaps(pair, iouThreshold: Double(overlap), isClassAgnostic: true, limit: 9) == [0, 1])
        let below = Double(overlap.nextDown)
        #expect(suppressOverlaps(pair, iouThreshold: below, isClassAgnostic: true, limit: 9) == [0])
    }

    @Test func `classes suppress each other only if asked`() {
        var pair = [candidate(x: 0, confidence: 0.5), candidate(x: 0, confidence: 0.5)]
        pair[0].classIndex = 3
        #expect(suppressOverlaps(pair, iouThreshold: 0.7, isClassAgnostic: false, limit: 9) == [0, 1])
        #expect(suppressOverlaps(pair, iouThreshold: 0.7, isClassAgnostic: true, limit: 9) == [0])
    }

    @Test func `only the best 30000 take part, and no pair of them is stored`() {
        // A matrix of all pairs would be 3.6 GB.
        var candidates = (0..<30_010).map { index in
            var candidate = candidate(x: 0, confidence: 0.9)
            candidate.classIndex = index % 7
            return candidate
        }
        candidates.append(candidate(x: 300, confidence: 0.9))
        candidates.append(candidate(x: 600, confidence: 0.95))
        let kept = suppressOverlaps(candidates, iouThreshold: 0.7, isClassAgnostic: false, limit: 30_000)
        #expect(kept == [30_011, 0, 1, 2, 3, 4, 5, 6])
    }
}

private func box(_ values: [Float]) -> RotatedBox {
    RotatedBox(centerX: values[0], centerY: values[1], width: values[2], height: values[3], angle: values[4])
}

private func candidate(x: Float, confidence: Float) -> RotatedCandidate {
    RotatedCandidate(
        box: RotatedBox(centerX: x, centerY: 50, width: 40, height: 30, angle: 0.5),
        classIndex: 1,
        confidence: confidence
    )
}

/// Crowds, with boxes of every form that a network could give by the seed: thin as a hair, tiny, huge, undefined.
private func randomCandidate(_ seed: UInt64, _ random: inout SeededGenerator) -> RotatedCandidate {
    let extent: Float = [10, 60, 300, 20_000][Int(seed % 4)]
    func side(_ random: inout SeededGenerator) -> Float {
        switch (seed / 4 % 6, Int.random(in: 0...9, using: &random)) {
        case (1, 0...4): 0.001
        case (2, 0...4): Float.random(in: 0...0.5, using: &random)
        case (3, 0...2): 3000
        case (4, 0): .infinity
        case (4, 1): .nan
        case (5, 0...1): 0
        default: Float.random(in: 5...50, using: &random)
        }
    }
    return RotatedCandidate(
        box: RotatedBox(
            centerX: Float.random(in: 0...extent, using: &random),
            centerY: Float.random(in: 0...60, using: &random),
            width: side(&random),
            height: side(&random),
            angle: Float.random(in: -.pi...(.pi), using: &random)
        ),
        classIndex: Int.random(in: 0...2, using: &random),
        confidence: Float(Int.random(in: 1...20, using: &random)) / 20
    )
}

/// The reference's matrix of all pairs.
private func reference(_ candidates: [RotatedCandidate], _ threshold: Double, _ isClassAgnostic: Bool) -> [Int] {
    let order = candidates.indices.sorted {
        (-candidates[$0].confidence, $0) < (-candidates[$1].confidence, $1)
    }
    let boxes = order.map { index in
        var box = candidates[index].box
        let offset = isClassAgnostic ? 0 : Float(candidates[index].classIndex) * 7680
        box.centerX += offset
        box.centerY += offset
        return box
    }
    return boxes.indices.filter { j in
        !boxes[..<j].contains { $0.probabilisticIoU(boxes[j]) > Float(threshold) }
    }.map { order[$0] }
}
