// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import YoloqImages

@testable import YoloqVision

/// Bytes and tensors of every shared image against OpenCV's own, made by make_letterbox_hashes.py.
@Suite(.enabled(if: Shared.has("images/bus.jpg"), "needs ../shared/images"))
struct LetterboxHashTests {
    @Test(arguments: try HashedLetterbox.all())
    fileprivate func `an image is letterboxed as OpenCV does it, bit for bit`(expected: HashedLetterbox) throws {
        let bytes = Array(try Shared.bytes("images/" + expected.path))
        try bytes.withUnsafeBytes { try check(ImageDecoder.decode($0).image, expected) }
    }

    private func check(_ image: borrowing RGBImage, _ expected: HashedLetterbox) throws {
        var parameters = PredictionParameters()
        parameters.letterbox = expected.mode
        let size = ImageSize(height: image.height, width: image.width)
        let letterbox = try Letterbox(source: size, card: card(classCount: 1), parameters: parameters)
        #expect(letterbox.input == expected.input)

        let tensor = write(letterbox, image)
        #expect(pixels(of: tensor).withUnsafeBytes { hash($0) } == expected.pixelHash, "RGB bytes differ")
        // Every machine we build for is little-endian, as the hashed tensor.
        #expect(tensor.withUnsafeBytes { hash($0) } == expected.tensorHash, "tensor differs")
    }
}

/// One line of letterbox_hashes.tsv.
private struct HashedLetterbox: CustomTestStringConvertible {
    let path: String
    let mode: LetterboxMode
    let input: ImageSize
    let pixelHash: UInt64
    let tensorHash: UInt64

    var testDescription: String { "\(path), \(mode)" }

    static func all() throws -> [HashedLetterbox] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("letterbox_hashes.tsv")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            let fields = line.split(separator: "\t").map(String.init)
            try #require(fields.count == 6)
            return HashedLetterbox(
                path: fields[0],
                mode: try #require(LetterboxMode(rawValue: fields[1])),
                input: ImageSize(height: try #require(Int(fields[3])), width: try #require(Int(fields[2]))),
                pixelHash: try #require(UInt64(fields[4], radix: 16)),
                tensorHash: try #require(UInt64(fields[5], radix: 16))
            )
        }
    }
}

/// FNV-1a, 64 bits; a bare loop, since these tests mostly run unoptimised and hash 300 MB.
private func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var value: UInt64 = 0xCBF2_9CE4_8422_2325
    guard var byte = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return value }
    let end = byte + bytes.count
    while byte < end {
        value = (value ^ UInt64(truncatingIfNeeded: byte.pointee)) &* 0x100_0000_01B3
        byte += 1
    }
    return value
}
