// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqImages

@Suite struct ImageFixtureTests {
    @Test func `every fixture is read`() {
        #expect(ImageFixture.all(.webp).count == 17)
        #expect(ImageFixture.all(.bmp).count == 52)
        #expect(ImageFixture.all(.tiff).count == 64)
        #expect(ImageFixture.all(.jpeg).count == 16)
        #expect(ImageFixture.all(.heic).count == 7)
        #expect(ImageFixture.all(.avif).count == 11)
    }

    @Test(arguments: ImageFixture.all(.webp, .bmp, .tiff, .jpeg))
    func `pixels are the reference decoder's`(_ fixture: ImageFixture) throws {
        let decoded = try Decoded(fixture.bytes)
        #expect(decoded.width == fixture.width && decoded.height == fixture.height)
        #expect(fnv1a(decoded.pixels) == fixture.hash)
        #expect(decoded.warnings.isEmpty)
        #expect(try ImageDecoder.decode(fixture.bytes).format == fixture.format)
    }

    /// Decoders of these formats are free in how they spread halved colours over pixels, and differ at steep slopes.
    @Test(.enabled(if: hasHEIFLibrary, "needs libheif"), arguments: ImageFixture.all(.heic, .avif))
    func `pixels are close to the reference decoder's`(_ fixture: ImageFixture) throws {
        let decoded = try Decoded(fixture.bytes)
        #expect(decoded.width == fixture.width && decoded.height == fixture.height)
        let expected = try #require(fixture.pixels)
        try #require(decoded.pixels.count == expected.count)
        let differences = zip(decoded.pixels, expected).map { abs(Int($0) - Int($1)) }
        let mean = Double(differences.reduce(0, +)) / Double(differences.count)
        #expect(mean < 4, "mean difference \(mean)")
        #expect(differences.max() ?? 0 <= 12)
        #expect(try ImageDecoder.decode(fixture.bytes).format == fixture.format)
    }

    @Test(arguments: ImageFixture.all(.webp, .bmp, .tiff))
    func `a file cut anywhere is an error, or has lost nothing that is seen`(_ fixture: ImageFixture) throws {
        for count in 0..<fixture.bytes.count {
            do {
                let decoded = try Decoded(Array(fixture.bytes[..<count]))
                // The padding after the last row or the mark of the end; in TIFF also tags that pixels do not need.
                #expect(fnv1a(decoded.pixels) == fixture.hash, "cut after \(count) bytes")
                #expect(fixture.format != .webp, "cut after \(count) bytes")
            } catch let error as ImageError {
                let expected: Set<ImageError.Code> =
                    switch (fixture.format, count) {
                    case (_, 0): [.empty]
                    case (.webp, 4...): [.truncated]
                    case (.bmp, 26...): [.truncated]
                    case (.tiff, 4...): [.truncated, .corrupt, .unsupportedFormat]
                    default: [.unsupportedFormat]
                    }
                #expect(expected.contains(error.code), "cut after \(count) bytes: \(error)")
            }
        }
    }

    @Test(.enabled(if: hasHEIFLibrary, "needs libheif"), arguments: ImageFixture.all(.heic, .avif))
    func `a HEIC or AVIF cut anywhere fails with a code`(_ fixture: ImageFixture) {
        for count in stride(from: 1, to: fixture.bytes.count - 16, by: 7) {
            #expect(failureCode(Array(fixture.bytes[..<count])) != nil, "cut after \(count) bytes")
        }
    }

    @Test(arguments: ImageFixture.all(.webp, .bmp, .tiff))
    func `bytes after the end are ignored`(_ fixture: ImageFixture) throws {
        #expect(try fnv1a(Decoded(fixture.bytes + Array("trailer".utf8)).pixels) == fixture.hash)
    }

    @Test(arguments: [ImageFormat.webp, .bmp, .tiff, .heic, .avif])
    func `the limit counts pixels and is told`(_ format: ImageFormat) throws {
        if [.heic, .avif].contains(format), !hasHEIFLibrary { return }
        let fixture = try #require(ImageFixture.all(format).first)
        let count = fixture.width * fixture.height
        #expect(failureCode(fixture.bytes, limits: ImageLimits(maxPixelCount: count)) == nil)
        let error = try #require(throws: ImageError.self) {
            try Decoded(fixture.bytes, limits: ImageLimits(maxPixelCount: count - 1))
        }
        #expect(error.code == .tooLarge)
        #expect(error.message.contains("\(fixture.width)×\(fixture.height)"))
    }
}

@Suite struct WebPDecodingTests {
    @Test func `a bomb allocates nothing`() async {
        await #expect(processExitsWith: .success) {
            // The largest size that the format has, in the header of a lossless bitstream.
            var file = try ImageFixture.named("lossless", .webp).bytes
            for (index, byte) in zip(21..<25, [0xFF, 0xFF, 0xFF, 0x0F] as [UInt8]) { file[index] = byte }
            let before = peakMemory()
            for _ in 0..<20 { #expect(failureCode(file) == .tooLarge) }
            #expect(peakMemory() - before < 64 << 20)
        }
    }

    @Test func `damaged metadata is a warning`() throws {
        // An EXIF chunk that says it is longer than the file has left, in a file that says the right length.
        var file = try ImageFixture.named("turned 6", .webp).bytes
        let exif = try #require(file.indices.first { file[$0...].starts(with: Array("EXIF".utf8)) })
        file[exif + 6] = 1
        let decoded = try Decoded(file)
        #expect(decoded.warnings == ["WebP metadata is damaged and was passed over"])
        #expect(decoded.width == 17)  // as stored
    }

    @Test func `a changed size of a frame is an error`() throws {
        var file = try ImageFixture.named("animation of a small frame, lossless", .webp).bytes
        let frame = try #require(file.indices.first { file[$0...].starts(with: Array("ANMF".utf8)) })
        file[frame + 8] = 0xFF  // far right
        #expect(failureCode(file) == .corrupt)
    }
}

@Suite struct BMPDecodingTests {
    private let sample = ImageFixture.all(.bmp).first { $0.name == "8 bits, header of 40" }
    private let runs = ImageFixture.all(.bmp).first { $0.name == "runs of 8 bits, ended" }

    @Test(arguments: [
        (14, 20, ImageError.Code.unsupportedFormat), (28, 2, .unsupportedFormat), (28, 64, .unsupportedFormat),
        (30, 4, .unsupportedFormat), (30, 2, .unsupportedFormat), (18, 0, .corrupt),
        (21, 0x80, .corrupt), (22, 0, .corrupt), (21, 0x7F, .tooLarge), (25, 0x7F, .tooLarge), (25, 0x80, .tooLarge),
        (49, 1, .corrupt), (11, 0x70, .truncated), (19, 1, .truncated),
    ])
    func `a header that makes no sense is told`(_ item: (offset: Int, value: UInt8, code: ImageError.Code)) throws {
        var file = try #require(sample).bytes
        file[item.offset] = item.value
        #expect(failureCode(file) == item.code)
    }

    @Test func `pixels cannot begin within the header`() throws {
        var file = try #require(sample).bytes
        (file[10], file[11]) = (53, 0)
        #expect(failureCode(file) == .corrupt)
    }

    @Test func `a size without pixels costs nothing`() async {
        await #expect(processExitsWith: .success) {
            var file = try ImageFixture.named("24 bits, {}", .bmp).bytes
            (file[19], file[23]) = (0x3A, 0x3A)  // 14,865 × 14,867
            let before = peakMemory()
            for _ in 0..<20 { #expect(failureCode(file) == .truncated) }
            #expect(peakMemory() - before < 64 << 20)
        }
    }

    @Test func `a run that leaves its row is an error`() throws {
        var file = try #require(runs).bytes
        let start = 14 + 40 + 1024
        file[start] = 18  // of 17 pixels
        #expect(failureCode(file) == .corrupt)
    }

    @Test func `unusual colour masks are named unsupported`() throws {
        var file = try ImageFixture.named("16 bits, 565", .bmp).bytes
        file[54] = 0x1F
        let error = try #require(throws: ImageError.self) { try Decoded(file) }
        #expect(error.code == .unsupportedFormat && error.message.contains("masks"))
    }

    @Test func `a text that begins like a bitmap is none`() {
        #expect(failureCode(Array("BM".utf8)) == .unsupportedFormat)
        #expect(failureCode(Array("BMW is a car, not a bitmap, whatever follows".utf8)) == .unsupportedFormat)
    }
}

@Suite struct TIFFDecodingTests {
    private struct NoSuchTag: Error {}

    /// Sets a number in the first directory of a little-endian file.
    private static func set(_ tag: UInt16, to value: UInt32, in file: [UInt8]) throws -> [UInt8] {
        var file = file
        func number(_ offset: Int, _ count: Int) -> Int {
            file[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        let directory = number(4, 4)
        let entries = (0..<number(directory, 2)).map { directory + 2 + 12 * $0 }
        guard let entry = entries.first(where: { number($0, 2) == Int(tag) }) else { throw NoSuchTag() }
        file[entry + 2] = 4  // LONG
        for index in 0..<4 { file[entry + 8 + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
        return file
    }

    @Test(arguments: [UInt32(6), 34_661, 34_676, 34_887, 34_925, 9])
    func `rare compressions are named unsupported`(_ compression: UInt32) throws {
        let file = try Self.set(259, to: compression, in: ImageFixture.named("RGB, zlib, strips", .tiff).bytes)
        let error = try #require(throws: ImageError.self) { try Decoded(file) }
        #expect(error.code == .unsupportedFormat && error.message.contains("compression"))
    }

    @Test func `a bomb allocates nothing`() async {
        await #expect(processExitsWith: .success) {
            var file = try ImageFixture.named("RGB, zlib, strips", .tiff).bytes
            file = try TIFFDecodingTests.set(256, to: 100_000, in: file)
            file = try TIFFDecodingTests.set(257, to: 100_000, in: file)
            let before = peakMemory()
            for _ in 0..<20 { #expect(failureCode(file) == .tooLarge) }
            #expect(peakMemory() - before < 64 << 20)
        }
    }

    @Test(arguments: ["RGB, one strip", "RGB, zlib, strips", "RGB, lzw, tiles", "RGB, packbits, strips"])
    func `an image that promises much and holds little costs little`(_ name: String) async {
        await #expect(processExitsWith: .success) { [name = name as String] in
            var file = try ImageFixture.named(name, .tiff).bytes
            for tag: UInt16 in [256, 257, 278] {
                file = (try? TIFFDecodingTests.set(tag, to: 15_000, in: file)) ?? file
            }
            let before = peakMemory()
            #expect(failureCode(file) != nil)
            #expect(peakMemory() - before < 64 << 20)
        }
    }

    @Test func `tiles beyond all measure are refused`() async {
        await #expect(processExitsWith: .success) {
            var file = try ImageFixture.named("RGB, zstd, tiles", .tiff).bytes
            for tag: UInt16 in [322, 323] { file = try TIFFDecodingTests.set(tag, to: 16_000, in: file) }
            let before = peakMemory()
            #expect(failureCode(file) == .unsupportedFormat)
            #expect(peakMemory() - before < 64 << 20)
        }
    }

    @Test func `a strange value in a tag is a warning`() throws {
        // An orientation of type LONG, where the format has SHORT.
        let file = try Self.set(274, to: 1, in: ImageFixture.named("turned 1", .tiff).bytes)
        let decoded = try Decoded(file)
        #expect(decoded.pixels == (try Decoded(ImageFixture.named("turned 1", .tiff).bytes).pixels))
    }

    @Test func `damaged pixels are an error`() throws {
        var file = try ImageFixture.named("RGB, zlib, strips", .tiff).bytes
        let pixels = try #require(file.indices.first { file[$0] == 0x78 && file[$0 + 1] == 0x9C })
        for index in pixels + 4..<pixels + 40 { file[index] = 0xFF }
        #expect(failureCode(file) == .corrupt)
    }
}

@Suite struct HEIFDecodingTests {
    private func bytes(_ name: String, _ format: ImageFormat) throws -> [UInt8] {
        try ImageFixture.named(name, format).bytes
    }

    @Test(arguments: [ImageFormat.heic, .avif])
    func `without libheif the error says what to install`(_ format: ImageFormat) throws {
        let file = try bytes("plain", format)
        func decode() throws {
            try file.withUnsafeBytes { bytes in
                _ = try ImageDecoder.decodeHEIF(
                    bytes,
                    format: format,
                    limits: ImageLimits(),
                    libraries: ["libheif-of-nobody.so.1"]
                )
            }
        }
        let error = try #require(throws: ImageError.self) { try decode() }
        #expect(error.code == .unsupportedFormat)
        #expect(error.message.contains("libheif-of-nobody.so.1"))
        #expect(error.message.contains("Debian: libheif1"))
    }

    @Test func `a library that is not libheif is named`() throws {
        #if canImport(Darwin)
            let other = "libz.1.dylib"
        #else
            let other = "libc.so.6"
        #endif
        let error = try #require(throws: ImageError.self) { try HEIFLibrary.load([other], for: .avif) }
        #expect(error.message.contains("\(other) has no heif_context_alloc"))
    }

    @Test(arguments: [
        ("heic", [], ImageFormat.heic), ("heix", ["mif1"], .heic), ("avif", ["mif1", "miaf"], .avif),
        ("mif1", ["avif", "miaf"], .avif), ("mif1", ["miaf", "heic"], .heic), ("msf1", ["hevc"], .heic),
        ("avis", ["avif"], .avif), ("mif1", [], .heic),
    ])
    func `brands tell the formats apart`(_ item: (major: String, others: [String], format: ImageFormat)) {
        let brands = item.major + "\0\0\0\0" + item.others.joined()
        let box = [0, 0, 0, UInt8(8 + brands.utf8.count)] + Array("ftyp".utf8) + Array(brands.utf8)
        #expect(box.withUnsafeBytes(FileSignature.init(of:)) == .heif(item.format))
    }

    @Test(.enabled(if: hasHEIFLibrary, "needs libheif"))
    func `no bytes of a picture are an error`() throws {
        let box: [UInt8] = [0, 0, 0, 16] + Array("ftypheic\0\0\0\0".utf8)
        #expect(failureCode(box) != nil)
    }

    /// libheif 1.15 writes all its warnings to wherever one was asked for.
    @Test(.enabled(if: hasHEIFLibrary, "needs libheif"))
    func `a picture with several warnings leaves memory alone`() async {
        await #expect(processExitsWith: .success) {
            let file = try #require(Data(base64Encoded: HEIFDecodingTests.severalWarnings))
            let decoded = try Decoded([UInt8](file))
            #expect(decoded.width == 32 && decoded.height == 24)
            #expect(decoded.warnings.count < 2 && decoded.warnings.allSatisfy { !$0.isEmpty })
        }
    }

    /// Found by `ops/fuzz images`: an AVIF of unknown colours.
    private static let severalWarnings = """
        AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAA\
        AAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAZQAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFD\
        b2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAIAAAABgAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJu\
        Y2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAbW1kYXQSAAoJGBE/doh0aDQgMlYSB/f2qQCCCD5AAIRVljiLALkpue2O\
        DqWW/Q+Bjrcm+qlpjBD9n7SnSwulEQqTfDb6Vnu5I/mVnA42tZ/LBAM26jDICIILEvAN4pajcTlaSiKtEdnsrQ==
        """
}
