// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

@Suite struct RunLengthMaskTests {
    @Test func `run lengths are those of a walk down each column`() {
        for seed in 1...400 as ClosedRange<UInt64> {
            let bitmap = RandomBitmap(seed: seed)
            let mask = bitmap.mask
            #expect(mask.counts == walkedCounts(bitmap.pixels, bitmap.size), "seed \(seed)")
            #expect(mask.bitmap() == bitmap.pixels, "seed \(seed)")
            #expect(mask.area == bitmap.pixels.count { $0 == 1 })
            #expect(mask.isEmpty == !bitmap.pixels.contains(1))
            #expect(mask.boundingBox == searchedBox(bitmap), "seed \(seed)")
        }
    }

    @Test func `a bitmap of a rectangle is that part of the image, and all else is 0`() {
        for seed in 1...400 as ClosedRange<UInt64> {
            let bitmap = RandomBitmap(seed: seed)
            var random = SeededGenerator(seed: seed)
            let (left, top) = (Int.random(in: 0...9, using: &random), Int.random(in: 0...9, using: &random))
            let size = ImageSize(
                height: top + bitmap.size.height + Int.random(in: 0...9, using: &random),
                width: left + bitmap.size.width + Int.random(in: 0...9, using: &random)
            )
            let rectangle = PixelRectangle(
                columns: left..<left + bitmap.size.width,
                rows: top..<top + bitmap.size.height
            )
            // Any byte but 0 counts as 1.
            let bytes = bitmap.pixels.map { $0 == 0 ? $0 : UInt8.random(in: 1...255, using: &random) }
            let mask = RunLengthMask(size: size, rectangle: rectangle, bitmap: bytes)
            var whole = [UInt8](repeating: 0, count: size.height * size.width)
            for y in rectangle.rows {
                for x in rectangle.columns where bitmap.pixel(x - left, y - top) { whole[y * size.width + x] = 1 }
            }
            #expect(mask.counts == walkedCounts(whole, size), "seed \(seed)")
            #expect(mask.bitmap() == whole)
            #expect(mask.bitmap(of: rectangle) == bitmap.pixels)
            let first = PixelRectangle(columns: 0..<left + 1, rows: 0..<top + 1)
            #expect(mask.bitmap(of: first).last == bitmap.pixels.first)
        }
    }

    @Test func `run lengths of length 0 do not make another mask`() throws {
        let size = ImageSize(height: 3, width: 2)
        let mask = try RunLengthMask(size: size, counts: [1, 2, 3])
        #expect(try RunLengthMask(size: size, counts: [0, 0, 1, 1, 0, 1, 3, 0]) == mask)
        #expect(try RunLengthMask(size: size, counts: [6]).isEmpty)
        #expect(try RunLengthMask(size: size, counts: [0, 6]).area == 6)
        #expect(try RunLengthMask(size: size, counts: [2, 0, 4]) == RunLengthMask(emptyOf: size))
    }

    @Test(arguments: [
        ([5], "they are too few"), ([7], "they are too many"), ([3, -1, 4], "one is negative"), ([], "there are none"),
        ([6, Int.max], "their sum overflows"), ([0, .min], "one is very negative"),
    ])
    func `run lengths that are no mask of the size are refused`(counts: [Int], why: String) {
        #expect(throws: MaskFormatError.self) {
            try RunLengthMask(size: ImageSize(height: 3, width: 2), counts: counts)
        }
    }

    @Test func `sizes that no image has are refused`() {
        for size in [(0, 5), (5, 0), (-1, -1), (Int.max, 2)] {
            #expect(throws: MaskFormatError.self) {
                try RunLengthMask(size: ImageSize(height: size.0, width: size.1), counts: [0])
            }
            #expect(throws: MaskFormatError.self) {
                try RunLengthMask(size: ImageSize(height: size.0, width: size.1), compressedCounts: "0")
            }
        }
    }

    @Test func `the text is the one pycocotools writes, and comes back`() throws {
        for hashed in try HashedMask.all() {
            let bitmap = RandomBitmap(seed: hashed.seed)
            #expect(bitmap.size == hashed.size)
            let mask = bitmap.mask
            #expect(mask.area == hashed.area)
            let text = mask.compressedCounts
            #expect(fnv1a(text.utf8) == hashed.textHash, "seed \(hashed.seed): \(text)")
            #expect(try RunLengthMask(size: bitmap.size, compressedCounts: text) == mask)
        }
    }

    @Test func `long runs survive the text`() throws {
        let size = ImageSize(height: 1 << 20, width: 1 << 20)
        let counts = [1 << 39, 1, 1, (1 << 39) - 3, 1]
        let mask = try RunLengthMask(size: size, counts: counts)
        #expect(mask.counts == counts)
        #expect(try RunLengthMask(size: size, compressedCounts: mask.compressedCounts) == mask)
    }

    @Test(arguments: ["", "5", "7", "P", "Pa", "3\u{7f}", "3 3", "é", "oooooooooooooooooooo0", "0O", "2L4"])
    func `damaged text is refused`(text: String) {
        #expect(throws: MaskFormatError.self) {
            try RunLengthMask(size: ImageSize(height: 3, width: 2), compressedCounts: text)
        }
    }

    @Test func `random text is refused or is a mask`() {
        var random = SeededGenerator(seed: 7)
        let size = ImageSize(height: 9, width: 9)
        var maskCount = 0
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...7, using: &random)).map { _ in
                UInt8.random(in: 47...112, using: &random)
            }
            guard let text = String(bytes: bytes, encoding: .utf8),
                let mask = try? RunLengthMask(size: size, compressedCounts: text)
            else { continue }
            maskCount += 1
            #expect(mask.counts.reduce(0, +) == 81)
        }
        #expect(maskCount < 3000)
    }

    @Test func `a size that memory cannot hold costs nothing`() throws {
        let size = ImageSize(height: 1 << 30, width: 1 << 30)
        let bitmap: [UInt8] = [1, 0, 1, 1]
        let corner = PixelRectangle(columns: (1 << 30) - 2..<1 << 30, rows: (1 << 30) - 2..<1 << 30)
        let mask = RunLengthMask(size: size, rectangle: corner, bitmap: bitmap)
        #expect(mask.counts == [(1 << 60) - (1 << 30) - 2, 2, (1 << 30) - 1, 1])
        #expect(mask.boundingBox == corner)
        #expect(mask.bitmap(of: corner) == bitmap)
        #expect(mask.outerContours().count == 1)
        #expect(try RunLengthMask(size: size, compressedCounts: mask.compressedCounts) == mask)
    }
}

private func walkedCounts(_ pixels: [UInt8], _ size: ImageSize) -> [Int] {
    var counts = [0]
    var value: UInt8 = 0
    for x in 0..<size.width {
        for y in 0..<size.height {
            if pixels[y * size.width + x] != value {
                value = 1 - value
                counts.append(0)
            }
            counts[counts.count - 1] += 1
        }
    }
    return counts
}

private func searchedBox(_ bitmap: RandomBitmap) -> PixelRectangle {
    var (columns, rows) = (Set<Int>(), Set<Int>())
    for y in 0..<bitmap.size.height {
        for x in 0..<bitmap.size.width where bitmap.pixel(x, y) {
            columns.insert(x)
            rows.insert(y)
        }
    }
    guard let left = columns.min(), let right = columns.max(), let top = rows.min(), let bottom = rows.max() else {
        return PixelRectangle(columns: 0..<0, rows: 0..<0)
    }
    return PixelRectangle(columns: left..<right + 1, rows: top..<bottom + 1)
}
