// SPDX-License-Identifier: Apache-2.0
import Foundation

@testable import YoloqVision

/// A random bitmap, drawn as make_mask_hashes.py draws it: noise, blobs, thin lines, nested rings, rectangles.
struct RandomBitmap {
    let size: ImageSize
    /// 0 or 1, row by row.
    private(set) var pixels: [UInt8]
    private var random: SeededGenerator

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        let width = 1 + Int(random.next() % 60)
        let height = 1 + Int(random.next() % 60)
        size = ImageSize(height: height, width: width)
        pixels = [UInt8](repeating: 0, count: width * height)
        switch seed % 5 {
        case 0: drawNoise()
        case 1: drawBlobs()
        case 2: drawLines()
        case 3: drawRings()
        default: drawRectangles()
        }
    }

    var mask: RunLengthMask {
        RunLengthMask(size: size, rectangle: PixelRectangle(size), bitmap: pixels)
    }

    func pixel(_ x: Int, _ y: Int) -> Bool {
        (0..<size.width).contains(x) && (0..<size.height).contains(y) && pixels[y * size.width + x] == 1
    }

    private mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    private mutating func drawNoise() {
        let density = below(17)
        for index in pixels.indices { pixels[index] = below(16) < density ? 1 : 0 }
    }

    private mutating func drawBlobs() {
        let radius = 1 + below(3)
        let values = pixels.indices.map { _ in below(256) }
        let threshold = 96 + below(64)
        for y in 0..<size.height {
            for x in 0..<size.width {
                var (total, count) = (0, 0)
                for v in max(y - radius, 0)..<min(y + radius + 1, size.height) {
                    for u in max(x - radius, 0)..<min(x + radius + 1, size.width) {
                        total += values[v * size.width + u]
                        count += 1
                    }
                }
                pixels[y * size.width + x] = total > threshold * count ? 1 : 0
            }
        }
    }

    private mutating func drawLines() {
        for _ in 0..<1 + below(6) {
            var (x, y) = (below(size.width), below(size.height))
            for _ in 0..<1 + below(8) {
                let (dx, dy) = (below(3) - 1, below(3) - 1)
                for _ in 0..<1 + below(12) {
                    fill(x..<x + 1, y..<y + 1, with: 1)
                    (x, y) = (x + dx, y + dy)
                }
            }
        }
    }

    private mutating func drawRings() {
        for _ in 0..<1 + below(3) {
            var (left, top) = (below(size.width), below(size.height))
            var (right, bottom) = (left + 1 + below(size.width - left), top + 1 + below(size.height - top))
            var value: UInt8 = 1
            while left < right, top < bottom {
                fill(left..<right, top..<bottom, with: value)
                value = 1 - value
                (left, top) = (left + 1 + below(2), top + 1 + below(2))
                (right, bottom) = (right - 1 - below(2), bottom - 1 - below(2))
            }
        }
    }

    private mutating func drawRectangles() {
        for _ in 0..<1 + below(16) {
            let (left, top) = (below(size.width), below(size.height))
            let (right, bottom) = (left + 1 + below(size.width - left), top + 1 + below(size.height - top))
            fill(left..<right, top..<bottom, with: below(3) > 0 ? 1 : 0)
        }
    }

    private mutating func fill(_ columns: Range<Int>, _ rows: Range<Int>, with value: UInt8) {
        for y in rows.clamped(to: 0..<size.height) {
            for x in columns.clamped(to: 0..<size.width) { pixels[y * size.width + x] = value }
        }
    }
}

/// A line of mask_hashes.tsv: what OpenCV and pycocotools make of a random bitmap.
struct HashedMask {
    let seed: UInt64
    let size: ImageSize
    let contourCount: Int
    let pointCount: Int
    let contourHash: UInt64
    let area: Int
    let textHash: UInt64

    static func all() throws -> [HashedMask] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("mask_hashes.tsv")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            let fields = line.split(separator: "\t").map(String.init)
            func number(_ index: Int) throws -> Int {
                guard let number = Int(fields[index]) else { throw CocoaError(.coderInvalidValue) }
                return number
            }
            func hash(_ index: Int) throws -> UInt64 {
                guard let hash = UInt64(fields[index], radix: 16) else { throw CocoaError(.coderInvalidValue) }
                return hash
            }
            return HashedMask(
                seed: UInt64(try number(0)),
                size: ImageSize(height: try number(2), width: try number(1)),
                contourCount: try number(3),
                pointCount: try number(4),
                contourHash: try hash(5),
                area: try number(6),
                textHash: try hash(7)
            )
        }
    }
}

/// FNV-1a, 64 bits.
func fnv1a(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
