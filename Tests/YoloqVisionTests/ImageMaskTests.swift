// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqVision

/// Masks of the model's input as masks of the image.
struct ImageMaskTests {
    @Test(arguments: 0..<150 as Range<UInt64>)
    func `a mask loses the padding and is scaled, pixel by pixel`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let image = ImageSize(height: .random(in: 8...150, using: &random), width: .random(in: 8...150, using: &random))
        let mode: LetterboxMode = Bool.random(using: &random) ? .full : .rect
        let letterbox = Letterbox(source: image, target: ImageSize(height: 64, width: 64), mode: mode, stride: 32)
        let input = letterbox.input
        // A few rectangles, some of them in the padding.
        var pixels = [UInt8](repeating: 0, count: input.height * input.width)
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let rows = Int.random(in: 0..<input.height, using: &random)..<input.height
            let columns = Int.random(in: 0..<input.width, using: &random)..<input.width
            for y in rows.prefix(.random(in: 1...40, using: &random)) {
                for x in columns.prefix(.random(in: 1...40, using: &random)) { pixels[y * input.width + x] = 1 }
            }
        }
        let mask = RunLengthMask(size: input, rectangle: PixelRectangle(input), bitmap: pixels)
        let found = mask.unpaddedAndScaled(to: image)
        #expect(found.size == image)
        let bitmap = found.bitmap()

        // The part that is the image, from the two sizes alone.
        let gain = min(Double(input.height) / Double(image.height), Double(input.width) / Double(image.width))
        let height = min(Int((Double(image.height) * gain).rounded(.toNearestOrEven)), input.height)
        let width = min(Int((Double(image.width) * gain).rounded(.toNearestOrEven)), input.width)
        let (top, left) = ((input.height - height) / 2, (input.width - width) / 2)
        func value(_ x: Int, _ y: Int) -> Double {
            Double(pixels[(top + min(max(y, 0), height - 1)) * input.width + left + min(max(x, 0), width - 1)])
        }
        for y in 0..<image.height {
            for x in 0..<image.width {
                let across = max((Double(x) + 0.5) * Double(width) / Double(image.width) - 0.5, 0)
                let down = max((Double(y) + 0.5) * Double(height) / Double(image.height) - 0.5, 0)
                let (column, row) = (Int(across), Int(down))
                let (a, b) = (across - Double(column), down - Double(row))
                let mixed =
                    (value(column, row) * (1 - a) + value(column + 1, row) * a) * (1 - b)
                    + (value(column, row + 1) * (1 - a) + value(column + 1, row + 1) * a) * b
                // Where rounding decides, either is right.
                guard abs(mixed - 0.5) > 1e-4 else { continue }
                #expect((bitmap[y * image.width + x] == 1) == (mixed > 0.5), "(\(x), \(y)): \(mixed)")
            }
        }
    }

    @Test func `what lies in the padding alone is nothing`() {
        let input = ImageSize(height: 64, width: 64)
        let padding = PixelRectangle(columns: 0..<64, rows: 0..<10)
        let mask = RunLengthMask(size: input, rectangle: padding, bitmap: [UInt8](repeating: 1, count: 640))
        let image = ImageSize(height: 100, width: 200)
        #expect(mask.unpaddedAndScaled(to: image) == RunLengthMask(emptyOf: image))
        #expect(RunLengthMask(emptyOf: input).unpaddedAndScaled(to: image) == RunLengthMask(emptyOf: image))
    }
}
