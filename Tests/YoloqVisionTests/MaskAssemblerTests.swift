// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqVision

@Suite struct MaskAssemblerTests {
    @Test(arguments: MaskFrame.allCases)
    func `masks equal those of the whole planes bit for bit`(frame: MaskFrame) throws {
        var factors: Set<Int> = []
        for seed in 1...60 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            let scene = Scene(&random)
            let planes = WholePlanes(scene, frame)
            factors.insert(planes.factor)
            try scene.withAssembler(frame) { assembler in
                #expect(assembler.size == planes.size)
                for box in scene.boxes(in: assembler.size, &random) {
                    let mask = assembler.mask(coefficients: scene.coefficients, box: box)
                    #expect(mask == planes.mask(box), "seed \(seed), \(box)")
                }
            }
        }
        #expect(factors == (frame == .input ? [1] : [1, 2, 4]))
    }

    @Test func `a box keeps the pixels whose number is at least its lower and below its upper edge`() throws {
        let scene = Scene(constant: 1)
        try scene.withAssembler(.input) { assembler in
            func kept(_ x1: Float, _ y1: Float, _ x2: Float, _ y2: Float) -> PixelRectangle {
                assembler.mask(coefficients: [1], box: Box(x1: x1, y1: y1, x2: x2, y2: y2)).boundingBox
            }
            #expect(kept(3, 4, 6, 8) == PixelRectangle(columns: 3..<6, rows: 4..<8))
            #expect(kept(2.1, 3.9, 5.1, 7.001) == PixelRectangle(columns: 3..<6, rows: 4..<8))
            #expect(kept(-9, -0.5, 1e9, .infinity) == PixelRectangle(columns: 0..<64, rows: 0..<64))
            #expect(kept(-.infinity, 63, 0.5, 70) == PixelRectangle(columns: 0..<1, rows: 63..<64))
        }
    }

    @Test(arguments: [
        Box(x1: 5, y1: 5, x2: 5, y2: 9), Box(x1: 9, y1: 9, x2: 2, y2: 2), Box(x1: .nan, y1: 0, x2: 9, y2: 9),
        Box(x1: 0, y1: 0, x2: 9, y2: .nan), Box(x1: 64, y1: 0, x2: 90, y2: 9), Box(x1: -9, y1: 0, x2: 0, y2: 9),
        Box(x1: 5.1, y1: 0, x2: 5.9, y2: 9), Box(x1: .infinity, y1: 0, x2: .infinity, y2: 9),
    ])
    func `a box without pixels gives an empty mask`(box: Box) throws {
        let scene = Scene(constant: 1)
        for frame in MaskFrame.allCases {
            try scene.withAssembler(frame) { #expect($0.mask(coefficients: [1], box: box).isEmpty) }
        }
    }

    @Test(arguments: [-1, 0, .nan, -.infinity] as [Float])
    func `logits that are not above 0 give an empty mask`(coefficient: Float) throws {
        let scene = Scene(constant: 1)
        for frame in MaskFrame.allCases {
            try scene.withAssembler(frame) { assembler in
                let mask = assembler.mask(coefficients: [coefficient], box: Box(x1: 0, y1: 0, x2: 64, y2: 64))
                #expect(mask == RunLengthMask(emptyOf: assembler.size))
            }
        }
    }

    @Test func `an image of gigapixels costs no more than the box`() throws {
        // As one plane of Float32 it would be 640 GB.
        let source = ImageSize(height: 400_000, width: 400_000)
        let scene = Scene(
            source: source,
            target: ImageSize(height: 64, width: 64),
            prototype: [Float](repeating: 1, count: 256)
        )
        try scene.withAssembler(.image) { assembler in
            let box = Box(x1: 399_990, y1: 1000, x2: 400_000, y2: 1007)
            let mask = assembler.mask(coefficients: [0.5], box: box)
            #expect(mask.size == source)
            #expect(mask.area == 70)
            #expect(mask.boundingBox == PixelRectangle(columns: 399_990..<400_000, rows: 1000..<1007))
        }
    }

    @Test(arguments: [[1, 2, 3], [2, 1, 16, 16], [1, 0, 16, 16], [1, 1, 16, 17], []])
    func `prototypes of another shape are refused`(shape: [Int]) {
        let values = [Float](repeating: 1, count: 256)
        let size = ImageSize(height: 64, width: 64)
        let letterbox = Letterbox(source: size, target: size, mode: .full, stride: 32)
        let thrown = error { () throws(VisionError) in
            try values.withUnsafeBufferPointer { values throws(VisionError) in
                let output = OutputTensor(shape: shape, values: values)
                _ = try MaskAssembler(prototypes: output, letterbox: letterbox, frame: .input)
            }
        }
        #expect(thrown?.code == .badOutput)
    }
}

/// An image, its letterbox, random prototypes and one detection's coefficients.
private struct Scene {
    let letterbox: Letterbox
    let plane: ImageSize
    let prototypes: [Float]
    let coefficients: [Float]

    init(_ random: inout SeededGenerator) {
        let target = ImageSize(
            height: 32 * Int.random(in: 1...3, using: &random),
            width: 32 * Int.random(in: 1...3, using: &random)
        )
        // As long as the target or odd; larger and smaller ones.
        let source = ImageSize(
            height: Bool.random(using: &random) ? target.height : Int.random(in: 1...150, using: &random),
            width: Int.random(in: 1...150, using: &random)
        )
        letterbox = Letterbox(source: source, target: target, mode: .full, stride: 32)
        let plane = ImageSize(height: letterbox.input.height / 4, width: letterbox.input.width / 4)
        self.plane = plane
        let count = [1, 4, 7, 32].randomElement(using: &random) ?? 32
        prototypes = (0..<count * plane.height * plane.width).map { _ in Float.random(in: -1...1, using: &random) }
        coefficients = (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
    }

    init(source: ImageSize, target: ImageSize, prototype: [Float]) {
        letterbox = Letterbox(source: source, target: target, mode: .full, stride: 32)
        plane = ImageSize(height: target.height / 4, width: target.width / 4)
        prototypes = prototype
        coefficients = [1]
    }

    init(constant: Float) {
        let size = ImageSize(height: 64, width: 64)
        self.init(source: size, target: size, prototype: [Float](repeating: constant, count: 256))
    }

    func withAssembler(_ frame: MaskFrame, _ body: (MaskAssembler) throws -> Void) throws {
        try prototypes.withUnsafeBufferPointer { values in
            let output = OutputTensor(shape: [1, coefficients.count, plane.height, plane.width], values: values)
            try body(MaskAssembler(prototypes: output, letterbox: letterbox, frame: frame))
        }
    }

    /// The whole frame, and some boxes that may reach beyond it.
    func boxes(in size: ImageSize, _ random: inout SeededGenerator) -> [Box] {
        let (width, height) = (Float(size.width), Float(size.height))
        return [Box(x1: 0, y1: 0, x2: width, y2: height)]
            + (0..<4).map { _ in
                let (x, y) = (
                    Float.random(in: -9...width, using: &random), Float.random(in: -9...height, using: &random)
                )
                return Box(
                    x1: x,
                    y1: y,
                    x2: x + Float.random(in: 0...width, using: &random),
                    y2: y + Float.random(in: 0...height, using: &random)
                )
            }
    }
}

/// The reference's way word for word: whole planes, one step after the other.
private struct WholePlanes {
    let size: ImageSize
    let factor: Int
    private let scaled: Plane

    init(_ scene: Scene, _ frame: MaskFrame) {
        var logits = Plane(scene.plane)
        for (channel, coefficient) in scene.coefficients.enumerated() {
            let start = channel * scene.plane.height * scene.plane.width
            for index in logits.values.indices { logits.values[index] += coefficient * scene.prototypes[start + index] }
        }
        guard frame == .image else {
            size = scene.letterbox.input
            factor = 1
            scaled = logits.resized(to: size)
            return
        }
        let source = scene.letterbox.source
        size = source
        // The finest of the three is always right; a coarser one if padding and half the padding are whole pixels in it.
        let (_, _, scaledHeight, scaledWidth) = cut(
            ImageSize(height: 4 * scene.plane.height, width: 4 * scene.plane.width),
            source
        )
        let paddings = [4 * scene.plane.height - scaledHeight, 4 * scene.plane.width - scaledWidth]
        let halves = paddings.map { $0 / 2 }
        factor =
            (paddings + halves).allSatisfy { $0.isMultiple(of: 4) }
            ? 1
            : (paddings + halves).allSatisfy { $0.isMultiple(of: 2) } ? 2 : 4
        let fine = ImageSize(height: factor * scene.plane.height, width: factor * scene.plane.width)
        let upsampled = factor == 1 ? logits : logits.resized(to: fine)
        let (top, left, height, width) = cut(fine, source)
        scaled = upsampled.cut(top: top, left: left, ImageSize(height: height, width: width)).resized(to: source)
    }

    func mask(_ box: Box) -> RunLengthMask {
        var bitmap: [UInt8] = []
        for y in 0..<size.height {
            for x in 0..<size.width {
                let isInside = Float(x) >= box.x1 && Float(x) < box.x2 && Float(y) >= box.y1 && Float(y) < box.y2
                bitmap.append(scaled.values[y * size.width + x] > 0 && isInside ? 1 : 0)
            }
        }
        return RunLengthMask(size: size, rectangle: PixelRectangle(size), bitmap: bitmap)
    }
}

private func cut(_ plane: ImageSize, _ source: ImageSize) -> (top: Int, left: Int, height: Int, width: Int) {
    let gain = min(Double(plane.height) / Double(source.height), Double(plane.width) / Double(source.width))
    let height = max((Double(source.height) * gain).rounded(.toNearestOrEven), 1)
    let width = max((Double(source.width) * gain).rounded(.toNearestOrEven), 1)
    let top = ((Double(plane.height) - height) / 2 - 0.1).rounded(.toNearestOrEven)
    let left = ((Double(plane.width) - width) / 2 - 0.1).rounded(.toNearestOrEven)
    return (Int(top), Int(left), Int(height), Int(width))
}

private struct Plane {
    let size: ImageSize
    var values: [Float]

    init(_ size: ImageSize) {
        self.size = size
        values = [Float](repeating: 0, count: size.height * size.width)
    }

    func resized(to target: ImageSize) -> Plane {
        var result = Plane(target)
        for y in 0..<target.height {
            let (y0, y1, v) = place(y, size.height, target.height)
            for x in 0..<target.width {
                let (x0, x1, u) = place(x, size.width, target.width)
                let upper = values[y0 * size.width + x0] * (1 - u) + values[y0 * size.width + x1] * u
                let lower = values[y1 * size.width + x0] * (1 - u) + values[y1 * size.width + x1] * u
                result.values[y * target.width + x] = upper * (1 - v) + lower * v
            }
        }
        return result
    }

    func cut(top: Int, left: Int, _ target: ImageSize) -> Plane {
        var result = Plane(target)
        for y in 0..<target.height {
            for x in 0..<target.width {
                result.values[y * target.width + x] = values[(top + y) * size.width + left + x]
            }
        }
        return result
    }

    private func place(_ target: Int, _ sourceCount: Int, _ targetCount: Int) -> (Int, Int, Float) {
        let place = Float(sourceCount) / Float(targetCount) * (Float(target) + 0.5) - 0.5
        let clamped = place < 0 ? 0 : place
        let first = min(Int(clamped.rounded(.down)), sourceCount - 1)
        return (first, min(first + 1, sourceCount - 1), clamped - Float(first))
    }
}
