// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqImages

/// Damaged files of every format: an image or an error, never a crash or a hang, and memory within bounds.
///
/// `YOLOQ_IMAGE_MUTATIONS=20000` sets how many of each format, `YOLOQ_SEED` which ones.
@Suite struct MutationTests {
    @Test(.timeLimit(.minutes(30)), arguments: ImageFormat.allCases)
    func `a damaged file is an image or an error`(_ format: ImageFormat) async {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["YOLOQ_IMAGE_MUTATIONS"].flatMap(Int.init) ?? 200
        let seed = environment["YOLOQ_SEED"].flatMap(UInt64.init) ?? .random(in: 1...1_000_000)
        let name = format.rawValue
        // In a process of its own: what it dies of is seen, and other tests' memory is not counted.
        await #expect(processExitsWith: .success, "\(name), YOLOQ_SEED=\(seed)") {
            [name = name as String, count = count as Int, seed = seed as UInt64] in
            let format = try #require(ImageFormat(rawValue: name))
            let files = try Mutator.samples(of: format)
            try #require(!files.isEmpty)
            var mutator = Mutator(files: files, isPNG: format == .png, seed: seed)
            let limits = ImageLimits(maxPixelCount: 1_000_000)
            for file in files { _ = failureCode(file, limits: limits) }
            let before = peakMemory()
            var failures = 0
            for _ in 0..<count {
                let file = mutator.next()
                let code = failureCode(file, limits: limits)
                if code != nil { failures += 1 }
                guard format == .jpeg, let rows = try Rows(of: file, each: 3, limits: limits) else { continue }
                #expect(rows.code == code)
            }
            // A million pixels take 3 MB, and no decoder more than 16 bytes a pixel beside them.
            #expect(peakMemory() - before < 96 << 20)
            if !hasHEIFLibrary, [.heic, .avif].contains(format) { return }
            #expect(failures > 0 && failures < count, "of \(count) files \(failures) were refused")
        }
    }
}

/// Makes damaged files out of sound ones.
private struct Mutator {
    private let files: [[UInt8]]
    private let isPNG: Bool
    private var generator: SeededGenerator

    init(files: [[UInt8]], isPNG: Bool, seed: UInt64) {
        self.files = files
        self.isPNG = isPNG
        generator = SeededGenerator(seed: seed)
    }

    /// Sound files of every kind of a format.
    static func samples(of format: ImageFormat) throws -> [[UInt8]] {
        switch format {
        case .jpeg:
            return try JPEGFixture.all.map(\.bytes) + ImageFixture.all(.jpeg).map(\.bytes) + [
                jpeg(JPEGFixture.color420.bytes, addingExif: exif(orientation: 5, bigEndian: true)),
                JPEGEncoder.encode(RGBImage(noise: 1, width: 40, height: 30)),
            ]
        case .png:
            let palette: [(String, [UInt8])] = [
                ("PLTE", [UInt8](0..<48)), ("eXIf", exif(orientation: 7, bigEndian: false)),
            ]
            return [
                PNGWriter(width: 19, height: 13, isInterlaced: true).file { x, y, _ in x * y & 0xFF },
                PNGWriter(width: 19, height: 13, bitDepth: 16, colorType: 6).file { x, y, _ in x * y },
                PNGWriter(width: 19, height: 13, bitDepth: 4, colorType: 3, chunksBeforePixels: palette)
                    .file { x, y, _ in x * y & 15 },
            ]
        default: return ImageFixture.all(format).map(\.bytes)
        }
    }

    mutating func next() -> [UInt8] {
        var bytes = files[index(below: files.count)]
        for _ in 0...index(below: 4) { damage(&bytes) }
        // So that what lies behind the checksums is reached too.
        if isPNG, index(below: 8) > 0 { repairChecksums(&bytes) }
        return bytes
    }

    private mutating func index(below count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }

    private mutating func damage(_ bytes: inout [UInt8]) {
        guard bytes.count > 4 else { return }
        let place = index(below: bytes.count)
        let length = min(1 + index(below: 32), bytes.count - place)
        switch index(below: 9) {
        case 0, 1: bytes[place] = generator.byte()
        case 2: bytes[place] ^= 1 << UInt8(index(below: 8))
        case 3:
            // Near the header, where sizes and offsets are.
            bytes[min(index(below: 64), bytes.count - 1)] = [0, 1, 0x7F, 0x80, 0xFF][index(below: 5)]
        case 4:
            let value = [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000][index(below: 6)]
            for (offset, shift) in zip(place..<min(place + 4, bytes.count), stride(from: 0, to: 32, by: 8)) {
                bytes[offset] = UInt8(truncatingIfNeeded: value >> shift)
            }
        case 5: bytes.removeSubrange(place..<place + length)
        case 6: bytes.insert(contentsOf: bytes[place..<place + length], at: index(below: bytes.count))
        case 7: bytes.removeLast(index(below: bytes.count / 2))
        default:
            let other = files[index(below: files.count)]
            let from = index(below: other.count)
            let part = other[from..<min(from + length, other.count)]
            bytes.replaceSubrange(place..<min(place + part.count, bytes.count), with: part)
        }
    }

    /// Makes a PNG's checksums right again.
    private func repairChecksums(_ bytes: inout [UInt8]) {
        var start = 8
        while start + 12 <= bytes.count {
            let length = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
            guard start + 12 + length <= bytes.count else { return }
            let end = start + 8 + length
            bytes.replaceSubrange(end..<end + 4, with: PNGWriter.bytes(PNGWriter.crc32(Array(bytes[start + 4..<end]))))
            start = end + 4
        }
    }
}
