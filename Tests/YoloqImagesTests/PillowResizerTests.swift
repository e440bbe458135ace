// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqImages

/// One line of what Pillow and torchvision's rules make of an image.
struct ClassifierInputHash: Sendable {
    let source: (width: Int, height: Int)
    let input: (width: Int, height: Int)
    let scaled: (width: Int, height: Int)
    let corner: (left: Int, top: Int)
    let hash: UInt64

    init(
        _ source: (width: Int, height: Int),
        _ input: (width: Int, height: Int),
        _ scaled: (width: Int, height: Int),
        _ corner: (left: Int, top: Int),
        _ hash: UInt64
    ) {
        (self.source, self.input, self.scaled, self.corner, self.hash) = (source, input, scaled, corner, hash)
    }

    var geometry: CenterCropGeometry {
        CenterCropGeometry(
            sourceWidth: source.width,
            sourceHeight: source.height,
            width: input.width,
            height: input.height
        )
    }
}

@Suite struct PillowResizerTests {
    @Test(arguments: pillowHashes)
    func `bytes are Pillow's`(_ item: (sourceWidth: Int, sourceHeight: Int, width: Int, height: Int, hash: UInt64)) {
        let image = RGBImage(noise: 1, width: item.sourceWidth, height: item.sourceHeight)
        let resizer = PillowResizer(
            sourceWidth: item.sourceWidth,
            sourceHeight: item.sourceHeight,
            width: item.width,
            height: item.height
        )
        #expect(fnv1a(resizer.resize(image).bytes) == item.hash)
    }

    @Test(arguments: classifierInputHashes)
    func `a classifier's input is torchvision's`(_ item: ClassifierInputHash) {
        let geometry = item.geometry
        #expect(geometry.scaledWidth == item.scaled.width && geometry.scaledHeight == item.scaled.height)
        #expect(geometry.left == item.corner.left && geometry.top == item.corner.top)
        let image = RGBImage(noise: 1, width: item.source.width, height: item.source.height)
        let input = PillowResizer(geometry).resize(image)
        #expect(input.width == item.input.width && input.height == item.input.height)
        #expect(fnv1a(input.bytes) == item.hash)
    }

    @Test func `a part is what scaling and then cropping gives`() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<80 {
            func random(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &generator) }
            let (sourceWidth, sourceHeight) = (random(1...70), random(1...70))
            let (width, height) = (random(1...90), random(1...90))
            let left = random(0...width - 1), top = random(0...height - 1)
            let columns = left..<random(left + 1...width), rows = top..<random(top + 1...height)
            let image = RGBImage(noise: generator.next(), width: sourceWidth, height: sourceHeight)
            let whole = PillowResizer(
                sourceWidth: sourceWidth,
                sourceHeight: sourceHeight,
                width: width,
                height: height
            ).resize(image)
            let part = PillowResizer(
                sourceWidth: sourceWidth,
                sourceHeight: sourceHeight,
                scaledWidth: width,
                scaledHeight: height,
                columns: columns,
                rows: rows
            ).resize(image)
            let expected = whole.cropped(rows: rows, columns: columns)?.bytes
            #expect(part.bytes == expected, "\(sourceWidth)×\(sourceHeight) to \(width)×\(height)")
        }
    }

    @Test func `equal sizes pass the pixels through`() {
        let image = RGBImage(noise: 4, width: 19, height: 7)
        #expect(
            PillowResizer(sourceWidth: 19, sourceHeight: 7, width: 19, height: 7).resize(image).bytes == image.bytes
        )
    }

    @Test func `white stays white however many pixels are weighed`() {
        for width in [1, 2, 3, 1000, 70_000] {
            let image = RGBImage(width: width, height: 2, filledWith: RGBColor(red: 255, green: 255, blue: 255))
            for target in [1, 2, 3, 17] {
                let resizer = PillowResizer(sourceWidth: width, sourceHeight: 2, width: target, height: 1)
                #expect(resizer.resize(image).bytes.allSatisfy { $0 == 255 }, "\(width) to \(target)")
            }
        }
    }

    @Test func `a thin image costs no more than its crop`() {
        // Scaled whole it would have 640 million rows.
        let geometry = CenterCropGeometry(sourceWidth: 1, sourceHeight: 1_000_000, width: 640, height: 640)
        #expect(geometry.scaledHeight == 640_000_000)
        #expect(geometry.top == 319_999_680)
        let image = RGBImage(noise: 2, width: 1, height: 1_000_000)
        let input = PillowResizer(geometry).resize(image)
        #expect(input.width == 640 && input.height == 640)
    }

    @Test func `rows come once each, top to bottom`() {
        let image = RGBImage(noise: 5, width: 9, height: 9)
        var seen: [Int] = []
        PillowResizer(sourceWidth: 9, sourceHeight: 9, width: 4, height: 30).forEachRow(of: image) { y, row in
            seen.append(y)
            #expect(row.count == 4)
        }
        #expect(seen == Array(0..<30))
    }

    @Test(arguments: [
        (640, 480, 224, 298, 224, 37, 0), (480, 640, 224, 224, 298, 0, 37), (101, 75, 224, 301, 224, 38, 0),
        (224, 227, 224, 224, 227, 0, 2), (224, 225, 224, 224, 225, 0, 0), (10, 10, 7, 7, 7, 0, 0),
    ])
    func `halves of a pixel go to the even offset`(
        _ item: (width: Int, height: Int, input: Int, scaledWidth: Int, scaledHeight: Int, left: Int, top: Int)
    ) {
        let geometry = CenterCropGeometry(
            sourceWidth: item.width,
            sourceHeight: item.height,
            width: item.input,
            height: item.input
        )
        #expect(geometry.scaledWidth == item.scaledWidth && geometry.scaledHeight == item.scaledHeight)
        #expect(geometry.left == item.left && geometry.top == item.top)
    }
}
