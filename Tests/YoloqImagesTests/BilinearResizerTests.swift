// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqImages

@Suite struct BilinearResizerTests {
    @Test(arguments: resizedHashes)
    func `bytes are OpenCV's`(_ item: (sourceWidth: Int, sourceHeight: Int, width: Int, height: Int, hash: UInt64)) {
        let image = RGBImage(noise: 1, width: item.sourceWidth, height: item.sourceHeight)
        #expect(fnv1a(resize(image, width: item.width, height: item.height)) == item.hash)
    }

    @Test func `bytes are those of the formula at random sizes`() {
        var generator = SeededGenerator(seed: 20_26)
        for _ in 0..<60 {
            let (sourceWidth, sourceHeight) = (
                Int.random(in: 1...90, using: &generator), Int.random(in: 1...90, using: &generator)
            )
            let (width, height) = (
                Int.random(in: 1...120, using: &generator), Int.random(in: 1...120, using: &generator)
            )
            let image = RGBImage(noise: generator.next(), width: sourceWidth, height: sourceHeight)
            #expect(
                resize(image, width: width, height: height) == slowResize(image, width: width, height: height),
                "\(sourceWidth)×\(sourceHeight) to \(width)×\(height)"
            )
        }
    }

    @Test func `bytes are those of the formula where weights are extreme`() {
        // Fractions close to 0 and 1, rounding ties, and (the last two) weights that add up to 2049.
        for (from, to) in [
            (2047, 2048), (2048, 2047), (4096, 4095), (1, 4096), (3, 4099), (4095, 6), (1025, 1024), (9301, 8207),
            (41_621, 22_169),
        ] {
            let image = RGBImage(noise: 7, width: from, height: 2)
            #expect(resize(image, width: to, height: 3) == slowResize(image, width: to, height: 3), "\(from) to \(to)")
        }
    }

    @Test func `halving both sides is the rounded mean of four pixels`() {
        let image = RGBImage(noise: 3, width: 62, height: 34)
        let source = image.bytes
        let expected = (0..<17 * 31 * 3).map { index in
            let (y, x, channel) = (index / 93, index % 93 / 3, index % 3)
            let sum = [(0, 0), (1, 0), (0, 1), (1, 1)].reduce(0) { sum, step in
                sum + Int(source[3 * ((2 * y + step.1) * 62 + 2 * x + step.0) + channel])
            }
            return UInt8((sum + 2) >> 2)
        }
        #expect(resize(image, width: 31, height: 17) == expected)
    }

    @Test func `equal sizes pass the pixels through`() {
        let image = RGBImage(noise: 4, width: 19, height: 7)
        #expect(resize(image, width: 19, height: 7) == image.bytes)
    }

    @Test func `rows come once each, top to bottom`() {
        let image = RGBImage(noise: 5, width: 9, height: 9)
        var seen: [Int] = []
        BilinearResizer(sourceWidth: 9, sourceHeight: 9, width: 4, height: 30).forEachRow(of: image) { y, row in
            seen.append(y)
            #expect(row.count == 4)
        }
        #expect(seen == Array(0..<30))
    }

    private func resize(_ image: borrowing RGBImage, width: Int, height: Int) -> [UInt8] {
        let resizer = BilinearResizer(
            sourceWidth: image.width,
            sourceHeight: image.height,
            width: width,
            height: height
        )
        var out: [UInt8] = []
        resizer.forEachRow(of: image) { out += $1.interleaved }
        return out
    }

    /// The formula of `resize.cpp`, pixel by pixel.
    private func slowResize(_ image: borrowing RGBImage, width: Int, height: Int) -> [UInt8] {
        if image.width == width && image.height == height { return image.bytes }
        let (source, sourceWidth, sourceHeight) = (image.bytes, image.width, image.height)
        func position(_ index: Int, _ scale: Double) -> (Int, Float) {
            let position = Float((Double(index) + 0.5) * scale - 0.5)
            return (Int(position.rounded(.down)), position - position.rounded(.down))
        }
        func weight(_ fraction: Float) -> Int { Int((fraction * 2048).rounded(.toNearestOrEven)) }
        let (scaleX, scaleY) = (Double(sourceWidth) / Double(width), Double(sourceHeight) / Double(height))
        var out: [UInt8] = []
        for y in 0..<height {
            let (row, fractionY) = position(y, scaleY)
            for x in 0..<width {
                var (column, fractionX) = position(x, scaleX)
                if column < 0 { (column, fractionX) = (0, 0) }
                if column >= sourceWidth - 1 { (column, fractionX) = (sourceWidth - 1, 0) }
                let next = min(column + 1, sourceWidth - 1)
                for channel in 0..<3 {
                    func horizontal(_ row: Int) -> Int {
                        let start = 3 * min(max(row, 0), sourceHeight - 1) * sourceWidth + channel
                        return Int(source[start + 3 * column]) * weight(1 - fractionX)
                            + Int(source[start + 3 * next]) * weight(fractionX)
                    }
                    let above = (weight(1 - fractionY) * (horizontal(row) >> 4)) >> 16
                    let below = (weight(fractionY) * (horizontal(row + 1) >> 4)) >> 16
                    out.append(UInt8((above + below + 2) >> 2))
                }
            }
        }
        return out
    }
}
