// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import YoloqVision

/// What each layout means, by hand: one or two boxes whose numbers are worked out in the comments.
struct LayoutTests {
    private let size = ImageSize(height: 640, width: 640)

    private func card(
        _ head: HeadLayout,
        classes: Int = 2,
        task: VisionTask = .detect,
        outputs: [[Int?]] = [[nil, nil, nil]],
        keypoints: KeypointShape? = nil,
        imageSize: ImageSize? = nil
    ) -> ModelCard {
        ModelCard(
            task: task,
            classNames: (0..<classes).map { "class\($0)" },
            imageSize: imageSize ?? size,
            isDynamic: false,
            outputShapes: outputs,
            head: head,
            keypointShape: keypoints
        )
    }

    /// Decodes outputs of an image of some size.
    private func decode(
        _ outputs: [(shape: [Int], values: [Float])],
        _ card: ModelCard,
        source: ImageSize? = nil,
        _ change: (inout PredictionParameters) -> Void = { _ in }
    ) throws -> [Prediction] {
        var parameters = PredictionParameters()
        change(&parameters)
        let letterbox = try Letterbox(source: source ?? card.imageSize, card: card, parameters: parameters)
        let buffers = outputs.map { output in
            let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: output.values.count)
            _ = copy.initialize(from: output.values)
            return (output.shape, copy)
        }
        defer { for (_, buffer) in buffers { buffer.deallocate() } }
        return try decodePredictions(
            buffers.map { OutputTensor(shape: $0, values: UnsafeBufferPointer($1)) },
            card: card,
            parameters: parameters,
            letterbox: letterbox
        )
    }

    @Test func `YOLOv5 multiplies objectness and class, and filters on objectness first`() throws {
        let rows: [Float] = [
            100, 100, 20, 40, 0.8, 0.5, 0.75,  // 0.8 · 0.75 = 0.6, class 1
            300, 300, 20, 40, 0.2, 1, 1,  // objectness below 0.25
            500, 500, 20, 40, 0.5, 0.4, 0.3,  // 0.5 · 0.4 = 0.2: below 0.25
            102, 100, 20, 40, 0.9, 0.1, 0.5,  // overlaps the first by more than 0.45, weaker
        ]
        let found = try decode([([1, 4, 7], rows)], card(.objectness)) { $0.iouThreshold = 0.45 }
        #expect(
            found == [Prediction(classIndex: 1, confidence: 0.8 * 0.75, box: Box(x1: 90, y1: 80, x2: 110, y2: 120))]
        )
    }

    @Test func `YOLOX decodes boxes from their cells, does not clip them, and lies in the corner`() throws {
        // A 32x64 input has 8·4 cells at stride 8, 4·2 at 16 and 2·1 at 32.
        let input = ImageSize(height: 32, width: 64)
        let card = card(.grid, imageSize: input)
        var rows = [Float](repeating: 0, count: 42 * 7)
        // Cell 9 is column 1 of row 1 at stride 8: ((0.5 + 1) · 8, (0.25 + 1) · 8) = (12, 10); e^ln 2 · 8 = 16.
        rows.replaceSubrange(9 * 7..<10 * 7, with: [0.5, 0.25, log(2), log(1), 0.5, 1, 0.2])
        // Cell 41 is column 1 of row 0 at stride 32: ((1 + 1) · 32, 0) = (64, 0); 64 wide: it reaches beyond the image.
        rows.replaceSubrange(41 * 7..<42 * 7, with: [1, 0, log(2), 0, 1, 0, 0.9])
        // The image is twice as large as the input in one direction: everything doubles, from the upper left corner.
        let found = try decode([([1, 42, 7], rows)], card, source: ImageSize(height: 60, width: 128))
        #expect(found.map(\.classIndex) == [1, 0])
        #expect(found[0].box == Box(x1: 64, y1: -32, x2: 192, y2: 32))
        #expect(abs(found[1].box.x1 - 8) < 1e-4 && abs(found[1].box.x2 - 40) < 1e-4, "\(found[1].box)")
        #expect(abs(found[1].box.y1 - 12) < 1e-4 && abs(found[1].box.y2 - 28) < 1e-4, "\(found[1].box)")
        #expect(throws: VisionError.self) { try decode([([1, 41, 7], Array(rows.dropLast(7)))], card) }
    }

    @Test func `YOLOX that decodes by itself gives pixels`() throws {
        let rows: [Float] = [100, 100, 20, 40, 1, 0.5, 0.75]
        let found = try decode([([1, 1, 7], rows)], card(.decodedGrid))
        #expect(found == [Prediction(classIndex: 1, confidence: 0.75, box: Box(x1: 90, y1: 80, x2: 110, y2: 120))])
    }

    @Test func `RT-DETR gives parts of the image, which is stretched, best first`() throws {
        let rows: [Float] = [
            0.5, 0.5, 0.5, 0.25, 0.3, 0.1,
            0.25, 0.5, 0.5, 0.5, 0.2, 0.9,
            0.5, 0.5, 0.5, 0.25, 0.3, 0.1,  // the same again: nothing is suppressed
        ]
        let found = try decode([([1, 3, 6], rows)], card(.queries), source: ImageSize(height: 80, width: 400))
        #expect(found.map(\.classIndex) == [1, 0, 0])
        #expect(found[0].box == Box(x1: 0, y1: 20, x2: 200, y2: 60))
        #expect(found[1].box == Box(x1: 100, y1: 30, x2: 300, y2: 50))
    }

    @Test func `an RT-DETR that has chosen gives its rows in its own order, beyond the image too`() throws {
        let rows: [Float] = [
            0.25, 0.5, 0.5, 0.5, 0.3, 1,
            0.75, 0.25, 0.75, 0.25, 0.9, 0,
            0.25, 0.5, 0.5, 0.5, 0.3, 0,  // the same query again, with another class
            0.5, 0.5, 0.5, 0.5, 0.2, 0,
        ]
        let source = ImageSize(height: 80, width: 400)
        let found = try decode([([1, 4, 6], rows)], card(.chosenQueries), source: source)
        #expect(found.map(\.classIndex) == [1, 0, 0])
        #expect(found[0].box == Box(x1: 0, y1: 20, x2: 200, y2: 60))
        #expect(found[1].box == Box(x1: 150, y1: 10, x2: 450, y2: 30))
        #expect(
            throws: VisionError.self
        ) { try decode([([1, 1, 6], [0, 0, 1, 1, 0.5, 2])], card(.chosenQueries)) }
    }

    @Test func `YOLOv5 takes boxes back with one gain and half a pixel of padding`() throws {
        // 500x333 into 640x640: the gain is 1.28, and 333 · 1.28 = 426.24, so 106.88 rows of padding are above; the
        // picture itself is 426 high and 107 rows down.
        let source = ImageSize(height: 333, width: 500)
        let rows: [Float] = [320, 320, 128, 128, 1, 0.5, 0.75]
        let found = try decode([([1, 1, 7], rows)], card(.objectness), source: source)
        let box = try #require(found.first?.box)
        for (value, expected) in [(box.x1, 200), (box.y1, 116.5), (box.x2, 300), (box.y2, 216.5)] as [(Float, Float)] {
            #expect(abs(value - expected) < 1e-4)
        }
        let others = try decode([([1, 6, 1], [320, 320, 128, 128, 0.5, 0.75])], card(.anchors), source: source)
        #expect(abs((others.first?.box.y1 ?? 0) - (256 - 107) / (426 / 333)) < 1e-4)
    }

    @Test(arguments: [HeadLayout.anchors, .endToEnd])
    func `keypoints come back to the image, with their visibility`(head: HeadLayout) throws {
        let shape = KeypointShape(count: 2, dimensions: 3)
        let card = card(head, classes: 1, task: .pose, keypoints: shape)
        let extra: [Float] = [100, 170, 0.9, -5, 700, 0.2]
        // 1280x720 at 640: halved, 140 rows of padding above.
        let source = ImageSize(height: 720, width: 1280)
        let (numbers, tensor): ([Float], [Int]) =
            head == .anchors
            ? ([100, 200, 20, 40, 0.5] + extra, [1, 11, 1]) : ([90, 180, 110, 220, 0.5, 0] + extra, [1, 1, 12])
        let found = try decode([(tensor, numbers)], card, source: source)
        #expect(found.map(\.box) == [Box(x1: 180, y1: 80, x2: 220, y2: 160)])
        #expect(
            found.first?.keypoints == [
                Keypoint(x: 200, y: 60, visibility: 0.9), Keypoint(x: 0, y: 720, visibility: 0.2),
            ]
        )
    }

    @Test(arguments: [HeadLayout.anchors, .endToEnd])
    func `oriented boxes come back to the image unclipped`(head: HeadLayout) throws {
        let card = card(head, classes: 1, task: .obb)
        let source = ImageSize(height: 720, width: 1280)
        let angle = Float.pi / 2
        let (numbers, tensor): ([Float], [Int]) =
            head == .anchors
            ? ([10, 200, 60, 20, 0.5, angle], [1, 6, 1]) : ([10, 200, 60, 20, 0.5, 0, angle], [1, 1, 7])
        let found = try decode([(tensor, numbers)], card, source: source)
        let box = try #require(found.first?.rotatedBox)
        #expect(box == RotatedBox(centerX: 20, centerY: 120, width: 120, height: 40, angle: angle))
        // Turned by a right angle it is 40 wide and 120 high, and stands across the left edge.
        let around = try #require(found.first?.box)
        for (value, expected) in [(around.x1, 0), (around.y1, 60), (around.x2, 40), (around.y2, 180)]
            as [(Float, Float)]
        {
            #expect(abs(value - expected) < 1e-3)
        }
    }

    @Test(arguments: [HeadLayout.anchors, .endToEnd, .objectness])
    func `masks are made of prototypes, and a detection without pixels is dropped`(head: HeadLayout) throws {
        // One prototype, 4x4 for a 16x16 input: positive in its left half.
        let prototype: [Float] = (0..<16).map { $0 % 4 < 2 ? 1 : -1 }
        let input = ImageSize(height: 16, width: 16)
        let outputs: [[Int?]] = [[nil, nil, nil], [1, 1, 4, 4]]
        let card = card(head, classes: 1, task: .segment, outputs: outputs, imageSize: input)
        // The second box lies where the mask is not.
        let rows: [[Float]] =
            switch head {
            case .endToEnd: [[0, 0, 16, 16, 0.9, 0, 1], [9, 0, 16, 16, 0.8, 0, 1]]
            case .objectness: [[8, 8, 16, 16, 1, 0.9, 1], [12.5, 8, 7, 16, 1, 0.8, 1]]
            default: [[8, 8, 16, 16, 0.9, 1], [12.5, 8, 7, 16, 0.8, 1]]
            }
        let width = rows[0].count
        let values =
            head == .anchors ? (0..<width).flatMap { index in rows.map { $0[index] } } : rows.flatMap(\.self)
        let shape = head == .anchors ? [1, width, 2] : [1, 2, width]
        let found = try decode([(shape, values), ([1, 1, 4, 4], prototype)], card)
        let mask = try #require(found.first?.mask)
        #expect(found.count == 1)
        // Bilinear from 4 to 16: the sign changes in the middle, between columns 7 and 8.
        #expect(mask.runs.area == 8 * 16 && mask.frame == .input)
        #expect(mask.polygon.map(\.x).max() == 7 && mask.polygon.map(\.y).max() == 15)
    }

    @Test func `a classifier gives its five best, equal ones in their order`() throws {
        let scores: [Float] = [0.1, 0.05, 0.3, 0.1, 0.4, 0.02, 0.03]
        let card = card(.scores, classes: 7, task: .classify)
        let found = try decode([([1, 7], scores)], card, source: ImageSize(height: 10, width: 30))
        #expect(found.map(\.classIndex) == [4, 2, 0, 3, 1])
        #expect(found.map(\.confidence) == [0.4, 0.3, 0.1, 0.1, 0.05])
        #expect(found.allSatisfy { $0.box == Box(x1: 0, y1: 0, x2: 30, y2: 10) })
        #expect(throws: VisionError.self) { try decode([([1, 6], Array(scores.dropLast()))], card) }
        #expect(throws: VisionError.self) { try decode([([1, 7], [.nan] + scores.dropFirst())], card) }
    }

    @Test(arguments: HeadLayout.allCases.filter { $0 != .scores })
    func `nothing, scores that are no numbers, and infinite boxes do no harm`(head: HeadLayout) throws {
        let card = card(head, imageSize: ImageSize(height: 32, width: 32))
        let width = head.namesClass ? 6 : head.leadCount + 2
        let cells = head == .grid ? 21 : 5
        func output(_ values: [Float]) -> (shape: [Int], values: [Float]) {
            (head == .anchors ? [1, width, cells] : [1, cells, width], values)
        }
        let count = width * cells
        #expect(try decode([output(Array(repeating: 0, count: count))], card).isEmpty)
        if !head.namesClass {
            #expect(try decode([output(Array(repeating: .nan, count: count))], card).isEmpty)
        }
        // Whatever becomes of it, it ends.
        _ = try? decode([output(Array(repeating: .infinity, count: count))], card)
        _ = try? decode([output(Array(repeating: 1, count: count))], card)
        if head != .grid {
            let none = head == .anchors ? [1, width, 0] : [1, 0, width]
            #expect(try decode([(none, [])], card).isEmpty)
        }
    }
}
