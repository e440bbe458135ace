// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import YoloqVision

/// Tiles of large images, and what becomes of things found in several of them.
struct SlicingTests {
    @Test(arguments: 0..<200 as Range<UInt64>)
    func `tiles cover the image, lie in it, are of one size and overlap enough`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let slicing = Slicing(
            size: .random(in: 32...700, using: &random),
            overlap: .random(in: 0...0.6, using: &random)
        )
        let source = ImageSize(
            height: .random(in: 1...3000, using: &random),
            width: .random(in: 1...3000, using: &random)
        )
        let tiles = try slicing.tiles(of: source)
        for (ranges, length) in [
            (Set(tiles.map(\.rows)), source.height), (Set(tiles.map(\.columns)), source.width),
        ] {
            let ranges = ranges.sorted { $0.lowerBound < $1.lowerBound }
            #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == length)
            #expect(ranges.allSatisfy { $0.count == min(slicing.size, length) })
            for (first, second) in zip(ranges, ranges.dropFirst()) {
                #expect(first.upperBound - second.lowerBound >= Int(Double(slicing.size) * slicing.overlap))
            }
        }
        #expect(tiles.count == Set(tiles.map(\.rows)).count * Set(tiles.map(\.columns)).count)
    }

    @Test func `tiles without end are refused`() throws {
        let huge = ImageSize(height: 20_000, width: 20_000)
        let refused = try #require(error { () throws(VisionError) in _ = try Slicing(size: 32).tiles(of: huge) })
        #expect(refused.code == .badParameters)
        #expect(refused.message.contains("larger slice"))
        #expect(try Slicing(size: 640).tiles(of: huge).count == 39 * 39)
    }

    @Test func `a thing in the overlap of two tiles is one, and another class is another thing`() {
        let found = merged(.nms) {
            $0.add([thing(100, 100, score: 0.8), thing(10, 10, score: 0.6)], of: tile(0))
            $0.add([thing(20, 101, score: 0.9), thing(20, 100, score: 0.7, class: 1)], of: tile(80))
        }
        // IoU 20 · 19 / (2 · 400 - 380) = 0.905: the tile that begins at column 80 has it more surely.
        #expect(
            found == [
                thing(100, 101, score: 0.9), thing(100, 100, score: 0.7, class: 1), thing(10, 10, score: 0.6),
            ]
        )
    }

    @Test func `classes suppress each other if asked to, and no more are kept than that`() {
        let found = merged(.nms) {
            $0.isClassAgnostic = true
            $0.maxDetections = 2
        } adding: {
            $0.add([thing(100, 100, score: 0.8), thing(10, 10, score: 0.6), thing(50, 50, score: 0.5)], of: tile(0))
            $0.add([thing(20, 100, score: 0.7, class: 1)], of: tile(80))
        }
        #expect(found == [thing(100, 100, score: 0.8), thing(10, 10, score: 0.6)])
    }

    @Test func `classes stay apart in images that are wider than the reference's offset`() {
        let size = ImageSize(height: 200, width: 20_000)
        var slices = SlicedPredictions(of: size, merging: .nms, parameters: PredictionParameters())
        slices.add([thing(7690, 100, score: 0.9), thing(10, 7780, score: 0.8, class: 1)], of: PixelRectangle(size))
        #expect(slices.merged().count == 2)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `suppression is that of ten quadratic lines`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let size = ImageSize(height: 400, width: 400)
        var slices = SlicedPredictions(of: size, merging: .nms, parameters: PredictionParameters())
        var all: [Prediction] = []
        for _ in 0..<10 {
            let left = Int.random(in: 0..<200, using: &random)
            let found = (0..<20).map { _ in
                // Whole numbers, so that moving a box changes nothing.
                thing(
                    Float(Int.random(in: 0...180, using: &random)),
                    Float(Int.random(in: 0...180, using: &random)),
                    score: .random(in: 0.3...1, using: &random),
                    class: .random(in: 0...1, using: &random)
                )
            }
            slices.add(found, of: PixelRectangle(columns: left..<left + 200, rows: 0..<200))
            all += found.map { thing($0.box.x1 + Float(left), $0.box.y1, score: $0.confidence, class: $0.classIndex) }
        }
        var kept: [Prediction] = []
        for one in all.sorted(by: { $0.confidence > $1.confidence })
        where !kept.contains(where: { $0.classIndex == one.classIndex && overlap($0.box, one.box) > 0.7 }) {
            kept.append(one)
        }
        let merged = slices.merged()
        #expect(merged.count == kept.count && zip(merged, kept).allSatisfy(==))
    }

    @Test func `oriented boxes suppress each other by their own overlap`() {
        func oriented(_ x: Float, score: Float, class index: Int = 0) -> Prediction {
            var found = thing(x, 50, score: score, class: index)
            found.rotatedBox = RotatedBox(centerX: x + 10, centerY: 60, width: 40, height: 10, angle: 0.5)
            return found
        }
        let found = merged(.nms) {
            $0.add([oriented(100, score: 0.8), oriented(20, score: 0.5)], of: tile(0))
            $0.add([oriented(20, score: 0.9), oriented(20, score: 0.7, class: 3)], of: tile(80))
        }
        #expect(found == [oriented(100, score: 0.9), oriented(100, score: 0.7, class: 3), oriented(20, score: 0.5)])
    }

    @Test func `keypoints move with their tile`() {
        var person = thing(10, 10, score: 0.9)
        person.keypoints = [Keypoint(x: 12, y: 13, visibility: 0.5)]
        let found = merged(.nms) { $0.add([person], of: tile(80)) }
        #expect(found.first?.keypoints == [Keypoint(x: 92, y: 13, visibility: 0.5)])
    }

    @Test func `what a cut went through is joined, and its neighbour is not`() {
        // A thing over columns 60 to 150 of rows 40 to 60, seen in two tiles that both end within it.
        let left = Prediction(classIndex: 0, confidence: 0.7, box: Box(x1: 60, y1: 40, x2: 120, y2: 60))
        let right = Prediction(classIndex: 0, confidence: 0.9, box: Box(x1: 0, y1: 40, x2: 70, y2: 60))
        let beside = Prediction(classIndex: 0, confidence: 0.8, box: Box(x1: 60, y1: 60, x2: 120, y2: 80))
        let found = merged(.nmm) {
            $0.iouThreshold = 0.5
        } adding: {
            // 40 of the left one's 60 columns lie in the right one.
            $0.add([left, beside], of: tile(0))
            $0.add([right], of: tile(80))
        }
        #expect(
            found == [
                Prediction(classIndex: 0, confidence: 0.9, box: Box(x1: 60, y1: 40, x2: 150, y2: 60)), beside,
            ]
        )
    }

    @Test func `joined masks are all pixels of their parts, with one outline`() throws {
        func masked(_ columns: Range<Int>, score: Float) -> Prediction {
            let rectangle = PixelRectangle(columns: columns, rows: 40..<60)
            let runs = RunLengthMask(
                size: ImageSize(height: 120, width: 120),
                rectangle: rectangle,
                bitmap: [UInt8](repeating: 1, count: rectangle.pixelCount)
            )
            var found = Prediction(
                classIndex: 0,
                confidence: score,
                box: Box(x1: Float(columns.lowerBound), y1: 40, x2: Float(columns.upperBound), y2: 60)
            )
            found.mask = InstanceMask(runs: runs, frame: .image, polygon: runs.outline)
            return found
        }
        let found = merged(.nmm) {
            $0.iouThreshold = 0.5
        } adding: {
            $0.add([masked(60..<120, score: 0.7)], of: tile(0))
            $0.add([masked(0..<70, score: 0.9)], of: tile(80))
        }
        let mask = try #require(found.first?.mask)
        #expect(found.count == 1)
        #expect(mask.runs.boundingBox == PixelRectangle(columns: 60..<150, rows: 40..<60))
        #expect(mask.runs.area == 90 * 20)
        #expect(
            Set(mask.polygon) == [
                Point(x: 60, y: 40), Point(x: 149, y: 40), Point(x: 149, y: 59), Point(x: 60, y: 59),
            ]
        )
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `masks are placed and united pixel by pixel`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let image = ImageSize(height: .random(in: 1...40, using: &random), width: .random(in: 1...40, using: &random))
        var expected = [UInt8](repeating: 0, count: image.height * image.width)
        var united = RunLengthMask(emptyOf: image)
        for _ in 0..<3 {
            let (top, left) = (
                Int.random(in: 0..<image.height, using: &random), Int.random(in: 0..<image.width, using: &random)
            )
            let size = ImageSize(
                height: .random(in: 1...image.height - top, using: &random),
                width: .random(in: 1...image.width - left, using: &random)
            )
            let bitmap = (0..<size.height * size.width).map { _ in UInt8.random(in: 0...1, using: &random) }
            let part = RunLengthMask(size: size, rectangle: PixelRectangle(size), bitmap: bitmap)
            let place = PixelRectangle(columns: left..<left + size.width, rows: top..<top + size.height)
            united = united.union(part.placed(in: place, of: image))
            for y in 0..<size.height {
                for x in 0..<size.width {
                    expected[(top + y) * image.width + left + x] |= bitmap[y * size.width + x]
                }
            }
            #expect(united.bitmap() == expected)
            #expect(united == RunLengthMask(size: image, rectangle: PixelRectangle(image), bitmap: expected))
        }
    }

    @Test func `no more candidates are held than suppression looks at`() {
        var parameters = PredictionParameters()
        parameters.maxDetections = 30_000
        let size = ImageSize(height: 7000, width: 7000)
        var slices = SlicedPredictions(of: size, merging: .nms, parameters: parameters)
        for tile in 0..<9 {
            // None overlaps another of its class; the later ones are surer.
            let found = (0..<10_000).map { index in
                thing(
                    Float(index % 100) * 23,
                    Float(index / 100) * 23,
                    score: Float(tile * 10_000 + index + 1) / 100_000,
                    class: index % 100
                )
            }
            let (left, top) = (tile % 3 * 2330, tile / 3 * 2330)
            slices.add(found, of: PixelRectangle(columns: left..<left + 2330, rows: top..<top + 2330))
        }
        let kept = slices.merged()
        #expect(kept.count == 30_000)
        #expect(kept.last?.confidence == 60_001 / 100_000 as Float)
    }

    @Test func `parameters with tiles survive JSON, and those left out take their defaults`() throws {
        var parameters = PredictionParameters()
        parameters.slicing = Slicing(size: 512, overlap: 0.25, merging: .nmm)
        let json = try JSONEncoder().encode(parameters)
        #expect(try JSONDecoder().decode(PredictionParameters.self, from: json) == parameters)
        let short = Data(#"{"slice": {"size": 320}}"#.utf8)
        #expect(try JSONDecoder().decode(PredictionParameters.self, from: short).slicing == Slicing(size: 320))
    }

    @Test(arguments: [
        (VisionTask.classify, Slicing(size: 640), "whole image"), (.pose, Slicing(size: 640, merging: .nmm), "nms"),
        (.obb, Slicing(size: 640, merging: .nmm), "nms"), (.detect, Slicing(size: 31), "slice 31"),
        (.segment, Slicing(size: 7681), "slice 7681"), (.detect, Slicing(size: 64, overlap: 0.91), "overlap 0.91"),
        (.detect, Slicing(size: 64, overlap: .nan), "overlap nan"),
    ])
    func `tiles that a task cannot have are refused`(_ task: VisionTask, _ slicing: Slicing, _ word: String) throws {
        var parameters = PredictionParameters()
        parameters.slicing = slicing
        let card = ModelCard(task: task, classNames: ["a"])
        let refused = try #require(error { () throws(VisionError) in try parameters.validate(for: card) })
        #expect(refused.code == .badParameters)
        #expect(refused.message.contains(word), "\(refused)")
    }
}

/// A box of 20 by 20 pixels.
private func thing(_ x: Float, _ y: Float, score: Float, class index: Int = 0) -> Prediction {
    Prediction(classIndex: index, confidence: score, box: Box(x1: x, y1: y, x2: x + 20, y2: y + 20))
}

/// A tile of an image of 200 by 120 pixels, 120 wide.
private func tile(_ left: Int) -> PixelRectangle {
    PixelRectangle(columns: left..<left + 120, rows: 0..<120)
}

private func merged(
    _ merging: Slicing.Merging,
    _ change: (inout PredictionParameters) -> Void = { _ in },
    adding: (inout SlicedPredictions) -> Void
) -> [Prediction] {
    var parameters = PredictionParameters()
    change(&parameters)
    var slices = SlicedPredictions(
        of: ImageSize(height: 120, width: 200),
        merging: merging,
        parameters: parameters
    )
    adding(&slices)
    return slices.merged()
}

private func overlap(_ first: Box, _ second: Box) -> Double {
    let width = max(min(first.x2, second.x2) - max(first.x1, second.x1), 0)
    let height = max(min(first.y2, second.y2) - max(first.y1, second.y1), 0)
    func area(_ box: Box) -> Float { (box.x2 - box.x1) * (box.y2 - box.y1) }
    return Double(width * height / (area(first) + area(second) - width * height))
}
