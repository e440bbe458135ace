// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

/// Masks of the model's input at the size of the image.
@Suite struct ScaledMaskTests {
    @Test func `scaled to the image, masks are OpenCV's`() throws {
        let all = try ScaledMask.all()
        #expect(all.count > 200 && Set(all.map(\.fit)).count == 4)
        for expected in all {
            let mask = RandomBitmap(seed: expected.seed).mask
            let letterbox = try #require(
                Letterbox(source: expected.source, input: mask.size, fit: expected.fit),
                "seed \(expected.seed)"
            )
            let scaled = mask.scaled(from: letterbox)
            #expect(scaled.size == expected.source && scaled.area == expected.area, "seed \(expected.seed)")
            #expect(fnv1a(scaled.compressedCounts.utf8) == expected.textHash, "seed \(expected.seed)")
        }
    }

    @Test func `of an image that was only padded, what lies on the padding is cut off`() throws {
        let mask = draw(
            "#####",
            "#...#",
            "#.#.#",
            "##.##",
            "#####"
        )
        let letterbox = try #require(
            Letterbox(
                source: ImageSize(height: 3, width: 5),
                input: ImageSize(height: 5, width: 5),
                fit: .full
            )
        )
        #expect(mask.scaled(from: letterbox) == draw("#...#", "#.#.#", "##.##"))
        let onPadding = draw(".....", ".....", ".....", ".....", "#####")
        #expect(onPadding.scaled(from: letterbox) == RunLengthMask(emptyOf: letterbox.source))
    }

    @Test func `an input that shows a part of the image, or a size that no image has, is no way back`() {
        let input = ImageSize(height: 4, width: 4)
        #expect(Letterbox(source: input, input: input, fit: .crop) == nil)
        for side in [0, -1, .max] {
            #expect(Letterbox(source: ImageSize(height: side, width: 4), input: input, fit: .full) == nil)
            #expect(Letterbox(source: input, input: ImageSize(height: 4, width: side), fit: .stretch) == nil)
        }
    }

    @Test(arguments: LetterboxMode.allCases.filter { $0 != .auto })
    func `the way of an image into the input is found again`(mode: LetterboxMode) {
        for (height, width) in [(1080, 810), (37, 640), (640, 640), (99, 1280), (4000, 3000)] {
            let letterbox = Letterbox(
                source: ImageSize(height: height, width: width),
                target: ImageSize(height: 640, width: 640),
                mode: mode,
                stride: 32
            )
            let found = Letterbox(source: letterbox.source, input: letterbox.input, fit: letterbox.fit)
            #expect(found?.left == letterbox.left && found?.top == letterbox.top)
            #expect(found?.scaledWidth == letterbox.scaledWidth && found?.scaledHeight == letterbox.scaledHeight)
        }
    }
}

/// A line of scaled_mask_hashes.tsv: what OpenCV makes of a random bitmap at the size of an image.
private struct ScaledMask {
    let seed: UInt64
    let fit: ImageFit
    let source: ImageSize
    let area: Int
    let textHash: UInt64

    static func all() throws -> [ScaledMask] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("scaled_mask_hashes.tsv")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            let fields = line.split(separator: "\t").map(String.init)
            return ScaledMask(
                seed: try #require(UInt64(fields[0])),
                fit: try #require(ImageFit(rawValue: fields[1])),
                source: ImageSize(height: try #require(Int(fields[3])), width: try #require(Int(fields[2]))),
                area: try #require(Int(fields[4])),
                textHash: try #require(UInt64(fields[5], radix: 16))
            )
        }
    }
}
