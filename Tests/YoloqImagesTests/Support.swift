// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqImages

/// A seeded source of bytes, the same as in make_pixel_hashes.py (Knuth's MMIX constants).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func byte() -> UInt8 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }

    mutating func next() -> UInt64 {
        (0..<8).reduce(0) { value, _ in value << 8 | UInt64(byte()) }
    }
}

func fnv1a(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}

extension RGBImage {
    /// An image of seeded noise.
    init(noise seed: UInt64, width: Int, height: Int) {
        self.init(width: width, height: height)
        var generator = SeededGenerator(seed: seed)
        withUnsafeMutablePixels { pixels in
            for index in pixels.indices { pixels[index] = generator.byte() }
        }
    }

    init(width: Int, height: Int, pixels: [UInt8]) {
        self.init(width: width, height: height)
        withUnsafeMutablePixels { _ = $0.update(fromContentsOf: pixels) }
    }

    /// Something that JPEG compresses well: two gradients.
    init(gradientWidth width: Int, height: Int) {
        self.init(width: width, height: height)
        withUnsafeMutablePixels { pixels in
            for index in 0..<width * height {
                pixels[3 * index] = UInt8(255 * (index % width) / width)
                pixels[3 * index + 1] = UInt8(255 * (index / width) / height)
                pixels[3 * index + 2] = 90
            }
        }
    }

    var bytes: [UInt8] { withUnsafePixels { Array($0) } }

    func color(_ x: Int, _ y: Int) -> RGBColor {
        withUnsafePixels { pixels in
            let start = 3 * (y * width + x)
            return RGBColor(red: pixels[start], green: pixels[start + 1], blue: pixels[start + 2])
        }
    }
}

/// A decoded image as plain values, to compare and to keep.
struct Decoded: Equatable {
    let width: Int
    let height: Int
    let pixels: [UInt8]
    let warnings: [String]

    init(_ bytes: [UInt8], limits: ImageLimits = ImageLimits()) throws {
        let decoded = try ImageDecoder.decode(bytes, limits: limits)
        (width, height, pixels, warnings) = (
            decoded.image.width, decoded.image.height, decoded.image.bytes, decoded.warnings
        )
    }
}

/// The code that decoding fails with, or nil if it succeeds.
func failureCode(_ bytes: [UInt8], limits: ImageLimits = ImageLimits()) -> ImageError.Code? {
    do throws(ImageError) {
        _ = try ImageDecoder.decode(bytes, limits: limits)
        return nil
    } catch {
        return error.code
    }
}

extension [UInt8] {
    /// Where a JPEG marker of this second byte first stands.
    func firstMarker(_ marker: UInt8) -> Int? {
        indices.dropLast().first { self[$0] == 0xFF && self[$0 + 1] == marker }
    }
}

/// A TIFF block with a single entry, the orientation.
func exif(orientation: UInt16, bigEndian: Bool) -> [UInt8] {
    let value = UInt8(orientation)
    return bigEndian
        ? [0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0, 0, 0, 0, 0]
        : [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, value, 0, 0, 0, 0, 0, 0, 0]
}

/// A JPEG with an APP1 right after the start of image.
func jpeg(_ file: [UInt8], addingExif tiff: [UInt8]) -> [UInt8] {
    let payload = Array("Exif\0\0".utf8) + tiff
    let length = payload.count + 2
    var tagged = Array(file[..<2])
    tagged += [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 0xFF)]
    tagged += payload
    return tagged + file[2...]
}

/// Writes PNG files of every kind, with stored (uncompressed) deflate blocks.
struct PNGWriter {
    var width: Int
    var height: Int
    var bitDepth = 8
    var colorType = 2
    var isInterlaced = false
    var chunksBeforePixels: [(type: String, data: [UInt8])] = []
    var chunksAfterPixels: [(type: String, data: [UInt8])] = []

    private var channels: Int { [0: 1, 2: 3, 3: 1, 4: 2, 6: 4][colorType] ?? 1 }

    // `sample` gives the value of a channel at (x, y), of `bitDepth` bits.
    func file(_ sample: (_ x: Int, _ y: Int, _ channel: Int) -> Int) -> [UInt8] {
        var header = Self.bytes(UInt32(width)) + Self.bytes(UInt32(height))
        header += [UInt8(bitDepth), UInt8(colorType), 0, 0, isInterlaced ? 1 : 0]
        var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        file += Self.chunk("IHDR", header)
        for chunk in chunksBeforePixels { file += Self.chunk(chunk.type, chunk.data) }
        file += Self.chunk("IDAT", Self.zlib(scanlines(sample)))
        for chunk in chunksAfterPixels { file += Self.chunk(chunk.type, chunk.data) }
        return file + Self.chunk("IEND", [])
    }

    private func scanlines(_ sample: (Int, Int, Int) -> Int) -> [UInt8] {
        typealias Pass = (left: Int, top: Int, stepX: Int, stepY: Int)
        let adam7: [Pass] = [
            (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
        ]
        let passes: [Pass] = isInterlaced ? adam7 : [(0, 0, 1, 1)]
        var lines: [UInt8] = []
        for (left, top, stepX, stepY) in passes where left < width && top < height {
            for y in stride(from: top, to: height, by: stepY) {
                lines.append(0)  // no filter
                var bits = 0, bitCount = 0
                for x in stride(from: left, to: width, by: stepX) {
                    for channel in 0..<channels {
                        bits = bits << bitDepth | sample(x, y, channel)
                        bitCount += bitDepth
                        while bitCount >= 8 {
                            lines.append(UInt8(bits >> (bitCount - 8) & 0xFF))
                            bitCount -= 8
                        }
                    }
                }
                if bitCount > 0 { lines.append(UInt8(bits << (8 - bitCount) & 0xFF)) }
            }
        }
        return lines
    }

    static func bytes(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + data
        return bytes(UInt32(data.count)) + body + bytes(crc32(body))
    }

    static func zlib(_ data: [UInt8]) -> [UInt8] {
        var out: [UInt8] = [0x78, 0x01]
        for start in stride(from: 0, to: data.count, by: 65_535) {
            let block = data[start..<min(start + 65_535, data.count)]
            let (low, high) = (UInt8(block.count & 0xFF), UInt8(block.count >> 8))
            out += [start + 65_535 >= data.count ? 1 : 0, low, high, ~low, ~high]
            out += block
        }
        var (a, b): (UInt32, UInt32) = (1, 0)
        for byte in data {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return out + bytes(b << 16 | a)
    }

    static func crc32(_ data: [UInt8]) -> UInt32 {
        var crc = ~UInt32(0)
        for byte in data {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}

/// Files that lie beside the checkout on some machines only.
enum Shared {
    static let images: URL = {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        return root.deletingLastPathComponent().appendingPathComponent("shared/images")
    }()
    static let isThere = FileManager.default.fileExists(atPath: images.path)

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: images.appendingPathComponent(path)))
    }
}

extension PlanarRow {
    /// RGB, (count, 3).
    var interleaved: [UInt8] { (0..<count).flatMap { [red[$0], green[$0], blue[$0]] } }
}

extension PillowResizer {
    /// Scales an image of `sourceWidth` × `sourceHeight` pixels to one of `width` × `height`.
    func resize(_ image: borrowing RGBImage) -> RGBImage {
        var bytes: [UInt8] = []
        forEachRow(of: image) { bytes += $1.interleaved }
        var image = RGBImage(width: width, height: height)
        image.withUnsafeMutablePixels { _ = $0.update(fromContentsOf: bytes) }
        return image
    }
}

/// Some rows of an image that is decoded row by row.
struct Rows {
    /// RGB of the rows that were asked for, one after the other.
    private(set) var pixels: [UInt8] = []
    private(set) var warnings: [String] = []
    /// Why the decoder gave up.
    private(set) var code: ImageError.Code?

    /// Asks for the rows of a file that `isWanted`; nil if it comes only as a whole.
    init?(of bytes: [UInt8], limits: ImageLimits = ImageLimits(), isWanted: (_ y: Int) -> Bool) throws {
        var isWhole = false
        bytes.withUnsafeBufferPointer { bytes in
            do throws(ImageError) {
                guard var rows = try ImageDecoder.open(UnsafeRawBufferPointer(bytes), limits: limits) else {
                    isWhole = true
                    return
                }
                for y in 0..<rows.height where isWanted(y) {
                    pixels += UnsafeBufferPointer(start: try rows.row(y), count: 3 * rows.width)
                }
                warnings = try rows.finish()
            } catch {
                code = error.code
            }
        }
        if isWhole { return nil }
    }

    /// Every so many rows.
    init?(of bytes: [UInt8], each step: Int, limits: ImageLimits) throws {
        try self.init(of: bytes, limits: limits) { $0 % step == 0 }
    }
}
