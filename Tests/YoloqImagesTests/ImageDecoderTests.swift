// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqImages

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

@Suite struct JPEGDecodingTests {
    @Test(arguments: JPEGFixture.all)
    func `pixels are OpenCV's`(_ fixture: JPEGFixture) throws {
        let decoded = try Decoded(fixture.bytes)
        #expect(decoded.width == fixture.width && decoded.height == fixture.height)
        #expect(fnv1a(decoded.pixels) == fixture.hash)
        #expect(decoded.warnings.isEmpty)
    }

    @Test(arguments: JPEGFixture.all)
    func `a file cut anywhere is an error`(_ fixture: JPEGFixture) {
        for count in 0..<fixture.bytes.count {
            let code = failureCode(Array(fixture.bytes[..<count]))
            #expect(code == (count == 0 ? .empty : .truncated), "cut after \(count) bytes")
        }
    }

    @Test func `bytes after the end are ignored`() throws {
        let file = JPEGFixture.color420.bytes
        let decoded = try Decoded(file + Array("trailer".utf8) + file)
        #expect(fnv1a(decoded.pixels) == JPEGFixture.color420.hash)
        #expect(decoded.warnings.isEmpty)
    }

    @Test func `junk before the end is decoded with a warning`() throws {
        let file = try JPEGEncoder.encode(RGBImage(gradientWidth: 32, height: 32))
        let junk = [UInt8](repeating: 0x11, count: 80)
        let decoded = try Decoded(file[..<(file.count - 2)] + junk + file[(file.count - 2)...])
        #expect(try decoded.pixels == Decoded(file).pixels)
        #expect(decoded.warnings.count == 1)
        #expect(decoded.warnings.first?.contains("extraneous bytes") == true)
    }

    @Test func `damaged scan data is decoded with few warnings`() throws {
        var file = try JPEGEncoder.encode(RGBImage(noise: 1, width: 200, height: 200))
        // Without making or breaking a marker.
        for index in stride(from: file.count / 2, to: file.count - 10, by: 20)
        where file[index] != 0xFF && file[index - 1] != 0xFF {
            file[index] = 0x55
        }
        let decoded = try Decoded(file)
        #expect((1...8).contains(decoded.warnings.count))
        #expect(Set(decoded.warnings).count == decoded.warnings.count)
    }

    @Test(arguments: [(0xC9, "arithmetic"), (0xC3, "lossless"), (0xC5, "hierarchical")])
    func `rare kinds are named unsupported`(_ item: (frame: UInt8, name: String)) throws {
        var file = try JPEGEncoder.encode(RGBImage(width: 8, height: 8))
        let frame = try #require(file.firstMarker(0xC0))
        file[frame + 1] = item.frame
        #expect(failureCode(file) == .unsupportedFormat)
    }

    @Test func `samples of 12 bits are named unsupported`() throws {
        var file = try JPEGEncoder.encode(RGBImage(width: 8, height: 8))
        let frame = try #require(file.firstMarker(0xC0))
        file[frame + 4] = 12
        #expect(failureCode(file) == .unsupportedFormat)
    }

    @Test func `a file of a thousand scans is refused`() throws {
        // The last scan of a progressive file, over and over.
        let file = JPEGFixture.progressive.bytes
        let scans = file.indices.dropLast().filter { file[$0] == 0xFF && file[$0 + 1] == 0xDA }
        let scan = file[try #require(scans.last)..<file.count - 2]
        func repeated(_ count: Int) -> [UInt8] {
            file[..<(file.count - 2)] + Array(repeatElement(scan, count: count).joined()) + file[(file.count - 2)...]
        }
        #expect(failureCode(repeated(1000)) == .corrupt)
        #expect(failureCode(repeated(1)) == nil)
    }

    @Test func `a bomb allocates nothing`() async {
        // In a process of its own: other tests take memory at the same time.
        await #expect(processExitsWith: .success) {
            var file = JPEGFixture.progressive.bytes
            let frame = try #require(file.firstMarker(0xC2))
            // 65,000 × 65,000 pixels would take 13 GB; libjpeg itself refuses sides above 65,500.
            for (index, byte) in zip(frame + 5..<frame + 9, [0xFD, 0xE8, 0xFD, 0xE8] as [UInt8]) { file[index] = byte }
            let before = peakMemory()
            for _ in 0..<20 { #expect(failureCode(file) == .tooLarge) }
            #expect(peakMemory() - before < 64 << 20)
        }
    }
}

@Suite struct PNGDecodingTests {
    @Test(arguments: [1, 2, 4, 8, 16], [false, true])
    func `grey is spread to 8 bits and replicated`(_ bitDepth: Int, _ isInterlaced: Bool) throws {
        let writer = PNGWriter(width: 13, height: 11, bitDepth: bitDepth, colorType: 0, isInterlaced: isInterlaced)
        let top = 1 << bitDepth - 1
        let decoded = try Decoded(writer.file { x, y, _ in (x * 4919 + y * 977) & top })
        let expected = positions(13, 11).flatMap { x, y in
            let value = (x * 4919 + y * 977) & top
            return Array(repeating: UInt8(bitDepth == 16 ? value >> 8 : value * 255 / top), count: 3)
        }
        #expect(decoded.pixels == expected)
    }

    @Test(arguments: [8, 16], [2, 4, 6])
    func `alpha is dropped and 16 bits keep their high byte`(_ bitDepth: Int, _ colorType: Int) throws {
        for isInterlaced in [false, true] {
            let writer = PNGWriter(
                width: 9,
                height: 10,
                bitDepth: bitDepth,
                colorType: colorType,
                isInterlaced: isInterlaced
            )
            func sample(_ x: Int, _ y: Int, _ channel: Int) -> Int {
                (x * 5 + y * 17 + channel * 70) & 0xFF << (bitDepth - 8) | (bitDepth == 16 ? 0xA7 : 0)
            }
            let decoded = try Decoded(writer.file(sample))
            let expected = positions(9, 10).flatMap { x, y in
                (0..<3).map { UInt8(sample(x, y, colorType == 4 ? 0 : $0) >> (bitDepth - 8)) }
            }
            #expect(decoded.pixels == expected)
        }
    }

    @Test(arguments: [1, 2, 4, 8], [false, true])
    func `a palette is expanded, its transparency ignored`(_ bitDepth: Int, _ isInterlaced: Bool) throws {
        let count = 1 << bitDepth
        let palette = (0..<3 * count).map { UInt8(($0 * 89 + 3) & 0xFF) }
        let writer = PNGWriter(
            width: 17,
            height: 5,
            bitDepth: bitDepth,
            colorType: 3,
            isInterlaced: isInterlaced,
            chunksBeforePixels: [("PLTE", palette), ("tRNS", [0, 128])]
        )
        let decoded = try Decoded(writer.file { x, y, _ in (x * 3 + y) & (count - 1) })
        let expected = positions(17, 5).flatMap { x, y in
            let start = 3 * ((x * 3 + y) & (count - 1))
            return Array(palette[start..<start + 3])
        }
        #expect(decoded.pixels == expected)
    }

    @Test func `a transparent colour and gamma are ignored`() throws {
        let plain = PNGWriter(width: 4, height: 4)
        var marked = plain
        marked.chunksBeforePixels = [("gAMA", PNGWriter.bytes(100_000)), ("tRNS", [0, 10, 0, 10, 0, 10])]
        #expect(try Decoded(marked.file { x, _, _ in x * 10 }) == Decoded(plain.file { x, _, _ in x * 10 }))
    }

    @Test func `a file cut anywhere is an error`() {
        let file = PNGWriter(width: 9, height: 8).file { x, y, channel in x * y + channel }
        for count in 0..<file.count {
            let code = failureCode(Array(file[..<count]))
            #expect(code == (count == 0 ? .empty : .truncated), "cut after \(count) bytes")
        }
    }

    @Test func `a changed byte is an error`() {
        let file = PNGWriter(width: 9, height: 8).file { x, y, channel in x * y + channel }
        for index in 8..<file.count {
            var bytes = file
            bytes[index] ^= 0x10
            #expect(failureCode(bytes) != nil, "byte \(index)")
        }
    }

    @Test func `a wrong checksum in metadata is a warning`() throws {
        let text = Array("Comment\0hello".utf8)
        var writer = PNGWriter(width: 2, height: 2)
        writer.chunksBeforePixels = [("tEXt", text)]
        let file = writer.file { _, _, _ in 7 }
        #expect(failureCode(file) == nil)
        var bytes = file
        let place = try #require(file.indices.first { file[$0...].starts(with: text) })
        bytes[place + text.count - 1] ^= 1
        let decoded = try ImageDecoder.decode(bytes)
        #expect(decoded.warnings == ["PNG metadata tEXt is damaged and was passed over"])
        #expect(decoded.image.withUnsafePixels { $0.allSatisfy { $0 == 7 } })
        #expect(try ImageDecoder.decode(file).warnings.isEmpty)
    }

    @Test func `a palette index outside the palette is harmless`() {
        let writer = PNGWriter(
            width: 3,
            height: 3,
            bitDepth: 8,
            colorType: 3,
            chunksBeforePixels: [("PLTE", [1, 2, 3])]
        )
        _ = failureCode(writer.file { x, _, _ in x * 100 })
    }

    @Test func `a bomb allocates nothing`() async {
        // In a process of its own: other tests take memory at the same time.
        await #expect(processExitsWith: .success) {
            var file = PNGWriter(width: 1, height: 1).file { _, _, _ in 1 }
            let header = PNGWriter.bytes(100_000) + PNGWriter.bytes(100_000) + [8, 2, 0, 0, 0]
            file.replaceSubrange(8..<33, with: PNGWriter.chunk("IHDR", header))
            let before = peakMemory()
            for _ in 0..<20 { #expect(failureCode(file) == .tooLarge) }
            #expect(peakMemory() - before < 64 << 20)
        }
    }

    @Test func `an image that promises much and holds little costs little`() async {
        // In a process of its own: other tests take memory at the same time.
        await #expect(processExitsWith: .success) {
            var file = PNGWriter(width: 1, height: 1).file { _, _, _ in 1 }
            let header = PNGWriter.bytes(15_000) + PNGWriter.bytes(15_000) + [8, 2, 0, 0, 0]
            file.replaceSubrange(8..<33, with: PNGWriter.chunk("IHDR", header))
            let before = peakMemory()
            #expect(failureCode(file) != nil)
            #expect(peakMemory() - before < 64 << 20)
        }
    }

    private func positions(_ width: Int, _ height: Int) -> [(Int, Int)] {
        (0..<height).flatMap { y in (0..<width).map { ($0, y) } }
    }
}

@Suite struct ImageDecoderTests {
    @Test func `no bytes are an error of their own`() {
        #expect(failureCode([]) == .empty)
    }

    @Test(arguments: [
        ("GIF", "GIF89a...."), ("PDF", "%PDF-1.7"), ("a video", "\0\0\0 ftypisom"), ("a video", "RIFF____AVI LIST"),
        ("JPEG 2000", "\0\0\0\u{0C}jP  "), ("JPEG XL", "\0\0\0\u{0C}JXL "),
    ])
    func `other formats are named`(_ item: (name: String, text: String)) throws {
        let error = try #require(throws: ImageError.self) { try Decoded(Array(item.text.utf8)) }
        #expect(error.code == .unsupportedFormat)
        #expect(error.message.contains("\(item.name); yoloq reads JPEG, PNG, WebP, BMP, TIFF, HEIC and AVIF"))
    }

    @Test(arguments: [String(repeating: "\0", count: 4096), "this is no image", "7", "BMW is a car, not a bitmap"])
    func `unknown bytes are unsupported`(_ text: String) {
        #expect(failureCode(Array(text.utf8)) == .unsupportedFormat)
    }

    @Test func `the limit counts pixels and is told`() throws {
        let files = [
            try JPEGEncoder.encode(RGBImage(width: 20, height: 10)),
            PNGWriter(width: 20, height: 10).file { _, _, _ in 0 },
        ]
        for file in files {
            #expect(failureCode(file, limits: ImageLimits(maxPixelCount: 200)) == nil)
            let error = try #require(throws: ImageError.self) {
                try Decoded(file, limits: ImageLimits(maxPixelCount: 199))
            }
            #expect(error.code == .tooLarge)
            #expect(error.message.contains("20×10") && error.message.contains("199"))
        }
    }

    @Test(arguments: 1...8, [false, true])
    func `orientation is applied in both formats`(_ orientation: UInt16, _ isBigEndian: Bool) throws {
        let tag = exif(orientation: orientation, bigEndian: isBigEndian)
        // Larger than the blocks that pixels are copied in, and no multiple of them.
        let (width, height) = (75, 41)
        let plainJPEG = try JPEGEncoder.encode(RGBImage(noise: 2, width: width, height: height))
        try expect(jpeg(plainJPEG, addingExif: tag), toBe: Decoded(plainJPEG), turned: orientation)

        for isBefore in [true, false] {
            let plain = PNGWriter(width: width, height: height)
            var tagged = plain
            if isBefore {
                tagged.chunksBeforePixels = [("eXIf", tag)]
            } else {
                tagged.chunksAfterPixels = [("eXIf", tag)]
            }
            func sample(_ x: Int, _ y: Int, _ channel: Int) -> Int { (x * 3 + y * 31 + channel * 77) & 0xFF }
            try expect(tagged.file(sample), toBe: Decoded(plain.file(sample)), turned: orientation)
        }
    }

    @Test func `damaged EXIF leaves the image as it is stored`() throws {
        let file = try JPEGEncoder.encode(RGBImage(noise: 3, width: 16, height: 8))
        let plain = try Decoded(file)
        let good = exif(orientation: 6, bigEndian: false)
        #expect(try Decoded(jpeg(file, addingExif: good)) != plain)
        // Cut before the value ends, no orientation 0 or 9, wild offsets, wrong marks.
        var bad = (0..<20).map { Array(good[..<$0]) }
        for (index, value) in [(18, 0), (18, 9), (19, 1), (4, 200), (7, 255), (0, 0x4D), (2, 43), (8, 0)]
            as [(Int, UInt8)]
        {
            var bytes = good
            bytes[index] = value
            bad.append(bytes)
        }
        for bytes in bad { #expect(try Decoded(jpeg(file, addingExif: bytes)) == plain, "\(bytes)") }
    }

    @Test func `orientation is found behind other entries, and the first Exif block counts`() throws {
        let file = try JPEGEncoder.encode(RGBImage(noise: 3, width: 16, height: 8))
        let other: [UInt8] = [0x0F, 0x01, 2, 0, 4, 0, 0, 0, 65, 66, 67, 0]
        var tiff = exif(orientation: 8, bigEndian: false)
        tiff[8] = 2
        tiff.insert(contentsOf: other, at: 10)
        let turned = try Decoded(jpeg(file, addingExif: tiff))
        #expect(turned.width == 8 && turned.height == 16)
        let twice = jpeg(jpeg(file, addingExif: exif(orientation: 1, bigEndian: true)), addingExif: tiff)
        #expect(try Decoded(twice) == turned)
    }

    @Test func `random EXIF never crashes`() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<3000 {
            var bytes = exif(orientation: 6, bigEndian: generator.byte() & 1 == 0)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = generator.byte()
            }
            _ = bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)).withUnsafeBytes(
                Orientation.init(exif:)
            )
        }
    }

    /// EXIF 2.3, 4.6.4 A, Orientation: where the 0th row and the 0th column of the stored image are seen.
    private func expect(_ file: [UInt8], toBe stored: Decoded, turned orientation: UInt16) throws {
        let seen = try Decoded(file)
        let (width, height) = (stored.width, stored.height)
        #expect(seen.width == (orientation < 5 ? width : height))
        #expect(seen.height == (orientation < 5 ? height : width))
        var differing = 0
        for y in 0..<height {
            for x in 0..<width {
                let (right, bottom) = (width - 1 - x, height - 1 - y)
                let (seenX, seenY) =
                    switch orientation {
                    case 1: (x, y)  // row 0 at the top, column 0 at the left
                    case 2: (right, y)  // top, right
                    case 3: (right, bottom)  // bottom, right
                    case 4: (x, bottom)  // bottom, left
                    case 5: (y, x)  // left, top
                    case 6: (bottom, x)  // right, top
                    case 7: (bottom, right)  // right, bottom
                    default: (y, right)  // left, bottom
                    }
                let (from, to) = (3 * (y * width + x), 3 * (seenY * seen.width + seenX))
                if stored.pixels[from..<from + 3] != seen.pixels[to..<to + 3] { differing += 1 }
            }
        }
        #expect(differing == 0)
    }
}

/// Most memory that this process has held, in bytes.
func peakMemory() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
        getrusage(RUSAGE_SELF, &usage)
        return usage.ru_maxrss
    #else
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss << 10
    #endif
}
