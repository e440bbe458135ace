// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqVision

@Suite struct AnchorDecodingTests {
    @Test func `a box becomes corners with its best class`() throws {
        let found = try decode([[100, 200, 40, 20, 0.3, 0.8, 0.1]], classCount: 3)
        #expect(
            found == [
                Prediction(classIndex: 1, confidence: 0.8, box: Box(x1: 80, y1: 190, x2: 120, y2: 210))
            ]
        )
    }

    @Test func `nothing found is an empty list`() throws {
        #expect(try decode([[100, 200, 40, 20, 0.1]], classCount: 1).isEmpty)
        #expect(try decodeTensor(shape: [1, 5, 0], [], card: card(classCount: 1)).isEmpty)
    }

    @Test func `a confidence must be above the threshold, in Float32`() throws {
        #expect(try decode([[100, 200, 40, 20, 0.25]], classCount: 1).isEmpty)
        #expect(try decode([[100, 200, 40, 20, Float(0.25).nextUp]], classCount: 1).count == 1)
        // Float(0.1) is above 0.1 as Double, and torch compares in Float32.
        #expect(try decode([[100, 200, 40, 20, 0.1]], classCount: 1) { $0.confidenceThreshold = 0.1 }.isEmpty)
        #expect(try decode([[100, 200, 40, 20, 0]], classCount: 1) { $0.confidenceThreshold = 0 }.isEmpty)
    }

    @Test func `of equal classes the first wins`() throws {
        let found = try decode([[100, 200, 40, 20, 0.1, 0.6, 0.6, 0.6]], classCount: 4)
        #expect(found.map(\.classIndex) == [1])
    }

    @Test func `equal confidences keep the order of the anchors`() throws {
        let anchors: [[Float]] = (0..<50).map { [Float(10 * $0), 300, 8, 8, $0 % 10 == 9 ? 0.9 : 0.5] }
        let found = try decode(anchors, classCount: 1)
        let expected = (0..<50).filter { $0 % 10 == 9 } + (0..<50).filter { $0 % 10 != 9 }
        #expect(found.map { Int($0.box.x1 + 4) / 10 } == expected)
    }

    @Test func `the class filter comes after the choice of the best class`() throws {
        let anchors: [[Float]] = [[100, 100, 20, 20, 0.6, 0.9], [300, 300, 20, 20, 0.5, 0.4]]
        let found = try decode(anchors, classCount: 2) { $0.classes = [0] }
        #expect(found.map(\.confidence) == [0.5])
        #expect(try decode(anchors, classCount: 2) { $0.classes = [1, 1] }.map(\.confidence) == [0.9])
    }

    @Test func `a filtered box suppresses nothing`() throws {
        let anchors: [[Float]] = [[100, 100, 20, 20, 0.1, 0.9], [100, 100, 20, 20, 0.5, 0.4]]
        let found = try decode(anchors, classCount: 2) {
            $0.classes = [0]
            $0.isClassAgnostic = true
        }
        #expect(found.map(\.confidence) == [0.5])
    }

    @Test func `max_det keeps the best`() throws {
        let anchors: [[Float]] = (0..<20).map { [Float(30 * $0), 300, 8, 8, 0.5 + 0.01 * Float($0)] }
        let found = try decode(anchors, classCount: 1) { $0.maxDetections = 3 }
        #expect(found.map { Int($0.box.x1 + 4) / 30 } == [19, 18, 17])
    }

    @Test func `a NaN confidence is never kept, wherever it stands`() throws {
        for scores in [[.nan, 0.9, 0.8], [0.9, .nan, 0.8], [0.9, 0.8, .nan], [.nan, .nan, .nan]] as [[Float]] {
            let found = try decode([[100, 100, 20, 20] + scores, [300, 300, 20, 20, 0.5, 0, 0]], classCount: 3) {
                $0.confidenceThreshold = 0
            }
            #expect(found.map(\.confidence) == [0.5])
        }
    }

    @Test func `boxes of infinity are clipped and boxes of NaN are an error`() throws {
        let wide = try decode([[320, 320, .infinity, 20, 0.5]], classCount: 1)
        #expect(wide.map(\.box) == [Box(x1: 0, y1: 310, x2: 640, y2: 330)])
        for box in [[.nan, 0, 1, 1], [.infinity, 0, .infinity, 1]] as [[Float]] {
            let refused = error { () throws(VisionError) in _ = try decode([box + [0.5]], classCount: 1) }
            #expect(refused?.code == .badOutput)
        }
    }

    @Test func `a box of no size is kept`() throws {
        #expect(try decode([[320, 320, 0, 0, 0.5], [320, 320, 0, 0, 0.5]], classCount: 1).count == 2)
    }

    @Test func `infinite confidence is best`() throws {
        let found = try decode([[10, 10, 4, 4, 1], [90, 90, 4, 4, .infinity]], classCount: 1)
        #expect(found.map(\.confidence) == [.infinity, 1])
    }

    @Test func `random tensors agree with anchor-by-anchor decoding`() throws {
        var random = SeededGenerator(seed: 6)
        // Around the block size and with a rest.
        for (anchorCount, classCount) in [(1, 1), (5, 3), (1023, 2), (1024, 5), (1025, 4), (2100, 80), (40, 1000)] {
            let anchors = (0..<anchorCount).map { _ in
                (0..<4).map { _ in Float.random(in: 1...600, using: &random) }
                    + (0..<classCount).map { _ in Float(Int.random(in: 0...40, using: &random)) / 40 }
            }
            let found = try decode(anchors, classCount: classCount) {
                $0.confidenceThreshold = 0.6
                $0.iouThreshold = 1
                $0.maxDetections = 30_000
            }
            let expected = anchors.map { best(of: Array($0[4...])) }.filter { $0.score > 0.6 }
            // IoU never exceeds 1, so all stay, in the order of their confidence and then of the anchors.
            let order = expected.indices.sorted { (-expected[$0].score, $0) < (-expected[$1].score, $1) }
            #expect(found.map(\.confidence) == order.map { expected[$0].score })
            #expect(found.map(\.classIndex) == order.map { expected[$0].classIndex })
        }
    }

    @Test func `more than 30000 candidates are decoded`() throws {
        // 100 classes, so that each box meets few others of its own.
        let (count, classCount) = (33_600, 100)
        var values = [Float](repeating: 0, count: (4 + classCount) * count)
        for anchor in 0..<count {
            values[anchor] = Float(anchor % 640)
            values[count + anchor] = Float(anchor / 640) * 10
            values[2 * count + anchor] = 1
            values[3 * count + anchor] = 1
            values[(4 + anchor % classCount) * count + anchor] = 0.5
        }
        let found = try decodeTensor(shape: [1, 4 + classCount, count], values, card: card(classCount: classCount)) {
            $0.maxDetections = 30_000
        }
        #expect(found.count == 30_000)
    }

    @Test func `a tensor that does not fit the card is an error`() {
        func code(_ shape: [Int], _ count: Int) -> VisionError.Code? {
            error { () throws(VisionError) in
                _ = try decodeTensor(
                    shape: shape,
                    [Float](repeating: 0, count: count),
                    card: card(classCount: 3)
                )
            }?.code
        }
        #expect(code([1, 7, 10], 70) == nil)
        #expect(code([1, 8, 10], 80) == .badOutput)
        #expect(code([1, 7, 10], 69) == .badOutput)
        #expect(code([2, 7, 10], 140) == .badOutput)
        #expect(code([7, 10], 70) == .badOutput)
        #expect(code([1, -7, -10], 70) == .badOutput)
        #expect(
            error { () throws(VisionError) in
                let size = ImageSize(height: 64, width: 64)
                let letterbox = Letterbox(source: size, target: size, mode: .full, stride: 32)
                _ = try decodePredictions([], card: card(classCount: 3), parameters: .init(), letterbox: letterbox)
            }?.code == .badOutput
        )
    }

    @Test func `absent classes are refused`() {
        let absent = error { () throws(VisionError) in _ = try decode([], classCount: 2) { $0.classes = [2] } }
        #expect(absent?.code == .badParameters)
        #expect(absent?.message.contains("classes 0 to 1") == true)
    }

    private func best(of scores: [Float]) -> (score: Float, classIndex: Int) {
        let best = scores.max() ?? 0
        return (best, scores.firstIndex(of: best) ?? 0)
    }

    /// Lays anchors, each `[cx, cy, w, h, scores…]`, out in columns.
    private func decode(
        _ anchors: [[Float]],
        classCount: Int,
        _ change: (inout PredictionParameters) -> Void = { _ in }
    ) throws(VisionError) -> [Prediction] {
        let values = (0..<4 + classCount).flatMap { row in anchors.map { $0[row] } }
        return try decodeTensor(
            shape: [1, 4 + classCount, anchors.count],
            values,
            card: card(classCount: classCount),
            change
        )
    }
}

@Suite struct EndToEndDecodingTests {
    private let rows: [[Float]] = [
        [10, 20, 30, 40, 0.9, 1], [11, 20, 30, 40, 0.8, 0], [10, 20, 30, 40, 0.8, 1], [50, 60, 70, 80, 0.25, 1],
        [0, 0, 0, 0, 0, 0],
    ]

    @Test func `rows above the threshold are kept as they come, without suppression`() throws {
        let found = try decode(rows)
        #expect(found.map(\.confidence) == [0.9, 0.8, 0.8])
        #expect(found.map(\.classIndex) == [1, 0, 1])
        #expect(found[0].box == Box(x1: 10, y1: 20, x2: 30, y2: 40))
        #expect(try decode(rows.reversed()).map(\.classIndex) == [1, 0, 1])
    }

    @Test func `the class filter comes before max_det`() throws {
        let found = try decode(rows) {
            $0.classes = [1]
            $0.maxDetections = 2
        }
        #expect(found.map(\.confidence) == [0.9, 0.8])
        #expect(try decode(rows) { $0.maxDetections = 1 }.count == 1)
    }

    @Test func `undefined confidences are skipped and impossible classes refused`() throws {
        #expect(try decode([[1, 1, 2, 2, .nan, .nan]]).isEmpty)
        for classIndex in [-1, 2, .nan, .infinity, 1e30] as [Float] {
            let refused = error { () throws(VisionError) in _ = try decode([[1, 1, 2, 2, 0.5, classIndex]]) }
            #expect(refused?.code == .badOutput)
        }
    }

    @Test func `no rows are no predictions, and rows of another length an error`() throws {
        #expect(try decode([]).isEmpty)
        let model = card(classCount: 2, head: .endToEnd)
        let refused = error { () throws(VisionError) in
            _ = try decodeTensor(shape: [1, 1, 7], [Float](repeating: 0, count: 7), card: model)
        }
        #expect(refused?.code == .badOutput)
    }

    private func decode(
        _ rows: [[Float]],
        _ change: (inout PredictionParameters) -> Void = { _ in }
    ) throws(VisionError) -> [Prediction] {
        try decodeTensor(
            shape: [1, rows.count, 6],
            rows.flatMap { $0 },
            card: card(classCount: 2, head: .endToEnd),
            change
        )
    }
}
