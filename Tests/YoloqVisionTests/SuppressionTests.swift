// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqVision

@Suite struct SuppressionTests {
    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func `suppression agrees with the quadratic reference on random boxes with ties`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        // Every fourth run has boxes that reach beyond the class offset.
        let extent: Float = seed % 4 == 0 ? 20_000 : 300
        let candidates = (0..<Int.random(in: 0...120, using: &random)).map { _ in
            randomCandidate(extent: extent, &random)
        }
        for threshold in [0, 0.3, 0.5, 0.7, 1] {
            for isClassAgnostic in [false, true] {
                let expected = reference(candidates, threshold, isClassAgnostic)
                for limit in [1, 7, 300] {
                    let kept = suppressOverlaps(
                        candidates,
                        iouThreshold: threshold,
                        isClassAgnostic: isClassAgnostic,
                        limit: limit
                    )
                    #expect(kept == Array(expected.prefix(limit)))
                }
            }
        }
    }

    @Test func `an overlap equal to the threshold stays`() {
        // IoU 1/2 exactly.
        let pair = [
            Candidate(box: Box(x1: 0, y1: 0, x2: 10, y2: 10), classIndex: 0, confidence: 0.9),
            Candidate(box: Box(x1: 0, y1: 0, x2: 10, y2: 5), classIndex: 0, confidence: 0.8),
        ]
        #expect(suppressOverlaps(pair, iouThreshold: 0.5, isClassAgnostic: false, limit: 9) == [0, 1])
        #expect(suppressOverlaps(pair, iouThreshold: 0.4999999, isClassAgnostic: false, limit: 9) == [0])
    }

    @Test func `the threshold is a Double and the overlap a Float`() {
        // 60 / 100 in Float32 is 0.60000002…: above 0.6, and not above Float(0.6), which is the same number.
        let pair = [
            Candidate(box: Box(x1: 0, y1: 0, x2: 10, y2: 10), classIndex: 0, confidence: 0.9),
            Candidate(box: Box(x1: 0, y1: 0, x2: 10, y2: 6), classIndex: 0, confidence: 0.8),
        ]
        #expect(suppressOverlaps(pair, iouThreshold: 0.6, isClassAgnostic: false, limit: 9) == [0])
        #expect(suppressOverlaps(pair, iouThreshold: Double(Float(0.6)), isClassAgnostic: false, limit: 9) == [0, 1])
    }

    @Test func `boxes of different classes suppress each other only if asked`() {
        let box = Box(x1: 0, y1: 0, x2: 10, y2: 10)
        let pair = [
            Candidate(box: box, classIndex: 3, confidence: 0.5), Candidate(box: box, classIndex: 2, confidence: 0.5),
        ]
        #expect(suppressOverlaps(pair, iouThreshold: 0.7, isClassAgnostic: false, limit: 9) == [0, 1])
        #expect(suppressOverlaps(pair, iouThreshold: 0.7, isClassAgnostic: true, limit: 9) == [0])
    }

    @Test func `only the best 30000 take part`() {
        var candidates = (0..<30_010).map { index in
            Candidate(box: Box(x1: 0, y1: 0, x2: 1, y2: 1), classIndex: index % 7, confidence: 0.9)
        }
        // Lone boxes: one that ties with the crowd but comes last, one that is better.
        let lone = Box(x1: 50, y1: 50, x2: 60, y2: 60)
        candidates.append(Candidate(box: lone, classIndex: 8, confidence: 0.9))
        candidates.append(Candidate(box: lone, classIndex: 9, confidence: 0.95))
        let kept = suppressOverlaps(candidates, iouThreshold: 0.7, isClassAgnostic: false, limit: 30_000)
        #expect(kept == [30_011, 0, 1, 2, 3, 4, 5, 6])
    }

    @Test func `infinite, empty, inverted and undefined boxes are survived`() {
        let boxes = [
            Box(x1: -.infinity, y1: 0, x2: .infinity, y2: 10), Box(x1: 5, y1: 5, x2: 5, y2: 5),
            Box(x1: 9, y1: 9, x2: 1, y2: 1), Box(x1: .nan, y1: 0, x2: 10, y2: 10), Box(x1: 0, y1: 0, x2: 10, y2: 10),
        ]
        let candidates = boxes.map { Candidate(box: $0, classIndex: 1, confidence: 0.5) }
        for isClassAgnostic in [false, true] {
            let kept = suppressOverlaps(candidates, iouThreshold: 0, isClassAgnostic: isClassAgnostic, limit: 9)
            #expect(kept == reference(candidates, 0, isClassAgnostic))
        }
    }
}

/// torchvision's greedy NMS word for word: all pairs, nothing clever.
private func reference(_ candidates: [Candidate], _ threshold: Double, _ isClassAgnostic: Bool) -> [Int] {
    let boxes = candidates.map { candidate in
        let offset = isClassAgnostic ? 0 : Float(candidate.classIndex) * 7680
        return [candidate.box.x1, candidate.box.y1, candidate.box.x2, candidate.box.y2].map { $0 + offset }
    }
    let order = candidates.indices.sorted {
        (-candidates[$0].confidence, $0) < (-candidates[$1].confidence, $1)
    }
    var isSuppressed = [Bool](repeating: false, count: candidates.count)
    var kept: [Int] = []
    for (place, i) in order.enumerated() where !isSuppressed[i] {
        kept.append(i)
        for j in order[(place + 1)...] where Double(iou(boxes[i], boxes[j])) > threshold { isSuppressed[j] = true }
    }
    return kept
}

private func iou(_ a: [Float], _ b: [Float]) -> Float {
    let width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    let height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    let intersection = width * height
    return intersection / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection)
}

private func randomCandidate(extent: Float, _ random: inout SeededGenerator) -> Candidate {
    // Whole and half pixels and few confidences: many equal ones.
    let x = (Float.random(in: 0...extent, using: &random) * 2).rounded() / 2
    let y = (Float.random(in: 0...300, using: &random) * 2).rounded() / 2
    let width = Float(Int.random(in: 0...Int(extent / 3), using: &random))
    return Candidate(
        box: Box(x1: x, y1: y, x2: x + width, y2: y + Float(Int.random(in: 0...100, using: &random))),
        classIndex: Int.random(in: 0...2, using: &random),
        confidence: Float(Int.random(in: 1...20, using: &random)) / 20
    )
}
