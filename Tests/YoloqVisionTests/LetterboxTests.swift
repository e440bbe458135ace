// SPDX-License-Identifier: Apache-2.0
import Testing
import YoloqImages

@testable import YoloqVision

@Suite struct LetterboxTests {
    @Test func `bus is padded left and right`() throws {
        let box = try letterbox(ImageSize(height: 1080, width: 810), .full)
        #expect(box.input == ImageSize(height: 640, width: 640))
        #expect((box.scaledWidth, box.scaledHeight, box.left, box.top) == (480, 640, 80, 0))
        let rect = try letterbox(ImageSize(height: 1080, width: 810), .auto)
        #expect(rect.input == ImageSize(height: 640, width: 480))
        #expect(rect.fit == .rect)
        #expect((rect.left, rect.top) == (0, 0))
    }

    @Test func `zidane is padded above and below`() throws {
        let box = try letterbox(ImageSize(height: 720, width: 1280), .full)
        #expect((box.scaledWidth, box.scaledHeight, box.left, box.top) == (640, 360, 0, 140))
        let rect = try letterbox(ImageSize(height: 720, width: 1280), .rect)
        #expect(rect.input == ImageSize(height: 384, width: 640))
        #expect(rect.top == 12)
    }

    @Test func `halves round to even`() throws {
        // 721 * 0.5 = 360.5
        #expect(try letterbox(ImageSize(height: 721, width: 1280), .full).scaledHeight == 360)
        #expect(try letterbox(ImageSize(height: 723, width: 1280), .full).scaledHeight == 362)
    }

    @Test func `a line keeps at least one pixel`() throws {
        let box = try letterbox(ImageSize(height: 1, width: 4000), .rect)
        #expect((box.scaledWidth, box.scaledHeight) == (640, 1))
        #expect(box.input == ImageSize(height: 32, width: 640))
    }

    @Test func `imgsz rounds up to the stride`() throws {
        let box = try letterbox(ImageSize(height: 100, width: 100), .full) { $0.imageSize = 321 }
        #expect(box.input == ImageSize(height: 352, width: 352))
    }

    @Test func `a static model is always full and takes its own size only`() throws {
        let fixed = card(classCount: 1, isDynamic: false)
        let bus = ImageSize(height: 1080, width: 810)
        #expect(try letterbox(bus, .auto, fixed).input == ImageSize(height: 640, width: 640))
        #expect(try letterbox(bus, .auto, fixed).fit == .full)
        #expect(try letterbox(bus, .auto, fixed) { $0.imageSize = 630 }.input == fixed.imageSize)
        let imgsz = error { () throws(VisionError) in _ = try letterbox(bus, .auto, fixed) { $0.imageSize = 320 } }
        #expect(imgsz?.code == .badParameters)
        #expect(imgsz?.message.contains("exported for 640x640 (height x width) only") == true)
        let rect = error { () throws(VisionError) in _ = try letterbox(bus, .rect, fixed) }
        #expect(rect?.code == .badParameters)
        #expect(rect?.message.contains("640x480") == true)
    }

    @Test func `rect is fine on a static model where it changes nothing`() throws {
        let fixed = card(classCount: 1, isDynamic: false, imageSize: ImageSize(height: 384, width: 640))
        #expect(try letterbox(ImageSize(height: 720, width: 1280), .rect, fixed).input == fixed.imageSize)
        #expect(try letterbox(ImageSize(height: 720, width: 1280), .auto, fixed).top == 12)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `toSource undoes the full letterbox on random sizes`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            let source = ImageSize(
                height: Int.random(in: 1...5000, using: &random),
                width: Int.random(in: 1...5000, using: &random)
            )
            let side = Int.random(in: 1...1400, using: &random)
            let box = try letterbox(source, .full) { $0.imageSize = side }
            expectInverse(box)
        }
    }

    @Test func `toSource undoes rect, but for the case where the reference does not`() throws {
        var random = SeededGenerator(seed: 9)
        for _ in 0..<3000 {
            let source = ImageSize(
                height: Int.random(in: 1...3000, using: &random),
                width: Int.random(in: 1...3000, using: &random)
            )
            let box = try letterbox(source, .rect)
            let isTight = box.input == ImageSize(height: box.scaledHeight, width: box.scaledWidth)
            if !isTight { expectInverse(box) }
        }
    }

    @Test func `without padding and rounded down, rect maps back as the reference does`() throws {
        // 753 * 640 / 1003 = 480.48: rounded down to 480 = 15 strides, so nothing is padded, and scale_boxes takes
        // min(480 / 753, 640 / 1003) for the scale and 639 for the width.
        let box = try letterbox(ImageSize(height: 753, width: 1003), .rect)
        #expect(box.input == ImageSize(height: 480, width: 640))
        let corner = box.toSource(Box(x1: 0, y1: 0, x2: 320, y2: 480))
        #expect(corner.x2 == 320 / Float(639.0 / 1003.0))
        #expect(corner.y2 == 753)
    }

    @Test func `toSource clips to the image`() throws {
        let box = try letterbox(ImageSize(height: 720, width: 1280), .full)
        let clipped = box.toSource(Box(x1: -10, y1: 0, x2: .infinity, y2: 640))
        #expect(clipped == Box(x1: 0, y1: 0, x2: 1280, y2: 720))
        #expect(box.toSource(Box(x1: .nan, y1: 140, x2: 0, y2: 140)).x1.isNaN)
    }

    @Test func `the tensor holds the padded image by planes, divided by 255`() throws {
        var random = SeededGenerator(seed: 4)
        for (height, width) in [(50, 70), (70, 50), (64, 64), (1, 1), (3, 200)] {
            let image = randomImage(height: height, width: width, &random)
            for mode in [LetterboxMode.full, .rect] {
                let box = try letterbox(ImageSize(height: height, width: width), mode) { $0.imageSize = 64 }
                let tensor = write(box, image)
                let pixels = pixels(of: tensor)
                let plane = box.input.height * box.input.width
                let expected = (0..<3 * plane).map { Float(pixels[3 * ($0 % plane) + $0 / plane]) / 255 }
                #expect(tensor == expected)
                let resizer = BilinearResizer(
                    sourceWidth: width,
                    sourceHeight: height,
                    width: box.scaledWidth,
                    height: box.scaledHeight
                )
                var differing: [Int] = []
                resizer.forEachRow(of: image) { y, row in
                    let start = (box.top + y) * box.input.width + box.left
                    let isSame = (0..<row.count).allSatisfy { x in
                        pixels[(3 * (start + x))..<(3 * (start + x + 1))] == [row.red[x], row.green[x], row.blue[x]]
                    }
                    if !isSame { differing.append(y) }
                }
                #expect(differing.isEmpty)
                let isCovered =
                    (box.top..<box.top + box.scaledHeight).contains(0)
                    && (box.left..<box.left + box.scaledWidth).contains(0)
                #expect(isCovered || pixels[0...2] == [114, 114, 114])
            }
        }
    }

    @Test func `an image of the input's size passes unchanged`() throws {
        var random = SeededGenerator(seed: 5)
        let image = randomImage(height: 64, width: 64, &random)
        let box = try letterbox(ImageSize(height: 64, width: 64), .full) { $0.imageSize = 64 }
        #expect(pixels(of: write(box, image)) == image.withUnsafePixels { Array($0) })
    }
}

private func letterbox(
    _ source: ImageSize,
    _ mode: LetterboxMode,
    _ model: ModelCard = card(classCount: 1),
    _ change: (inout PredictionParameters) -> Void = { _ in }
) throws(VisionError) -> Letterbox {
    var parameters = PredictionParameters()
    parameters.letterbox = mode
    change(&parameters)
    return try Letterbox(source: source, card: model, parameters: parameters)
}

/// The image's corners and a point within go into the input by the letterbox's own figures and must come back.
private func expectInverse(_ box: Letterbox) {
    let (width, height) = (Float(box.source.width), Float(box.source.height))
    for part in [0, 0.3, 1] as [Float] {
        let x = Float(box.left) + part * Float(box.scaledWidth)
        let y = Float(box.top) + part * Float(box.scaledHeight)
        let back = box.toSource(Box(x1: x, y1: y, x2: x, y2: y))
        #expect(abs(back.x1 - part * width) <= 1e-3 * max(width, 1), "\(box)")
        #expect(abs(back.y1 - part * height) <= 1e-3 * max(height, 1), "\(box)")
    }
}

private func randomImage(height: Int, width: Int, _ random: inout SeededGenerator) -> RGBImage {
    var image = RGBImage(width: width, height: height)
    image.withUnsafeMutablePixels { pixels in
        for index in pixels.indices { pixels[index] = UInt8.random(in: 0...255, using: &random) }
    }
    return image
}

/// The tensor of one image; what is not written is NaN.
func write(_ letterbox: Letterbox, _ image: borrowing RGBImage) -> [Float] {
    let count = 3 * letterbox.input.height * letterbox.input.width
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        buffer.initialize(repeating: .nan)
        letterbox.write(image, into: buffer)
        initialized = count
    }
}

/// The bytes that became a tensor: RGB, (height, width, 3).
func pixels(of tensor: [Float]) -> [UInt8] {
    let plane = tensor.count / 3
    return (0..<tensor.count).map { UInt8((tensor[$0 % 3 * plane + $0 / 3] * 255).rounded()) }
}
