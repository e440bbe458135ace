// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqVision

@Suite struct ContourTests {
    @Test func `outlines are OpenCV's, in its order, point for point`() throws {
        for hashed in try HashedMask.all() {
            let contours = RandomBitmap(seed: hashed.seed).mask.outerContours()
            #expect(contours.count == hashed.contourCount, "seed \(hashed.seed)")
            #expect(contours.reduce(0) { $0 + $1.count } == hashed.pointCount, "seed \(hashed.seed)")
            #expect(hash(contours) == hashed.contourHash, "seed \(hashed.seed)")
        }
    }

    @Test func `a part in a hole has no outline, and one beside it has`() {
        let contours = draw(
            "#####.#.",
            "#...#...",
            "#.#.#..#",
            "#...#.#.",
            "#####..."
        ).outerContours()
        #expect(contours.map(\.first) == [PixelPoint(x: 7, y: 2), PixelPoint(x: 6, y: 0), PixelPoint(x: 0, y: 0)])
        #expect(contours[0] == [PixelPoint(x: 7, y: 2), PixelPoint(x: 6, y: 3)])
        #expect(contours[1] == [PixelPoint(x: 6, y: 0)])
        #expect(contours[2] == [(0, 0), (0, 4), (4, 4), (4, 0)].map { PixelPoint(x: $0, y: $1) })
    }

    @Test func `a mask without ones has no outline, a full one has its corners`() {
        let size = ImageSize(height: 5, width: 4)
        #expect(RunLengthMask(emptyOf: size).outerContours().isEmpty)
        let full = RunLengthMask(size: size, rectangle: PixelRectangle(size), bitmap: [UInt8](repeating: 1, count: 20))
        #expect(full.outerContours() == [[(0, 0), (0, 4), (3, 4), (3, 0)].map { PixelPoint(x: $0, y: $1) }])
    }

    @Test func `an outline's area and length give the pixels it goes around, as Pick's theorem says`() {
        for seed in 1...400 as ClosedRange<UInt64> {
            let mask = RandomBitmap(seed: seed).mask
            let contours = mask.outerContours()
            var around = 0
            for contour in contours {
                let turns = Array(zip(contour, contour.dropFirst() + contour.prefix(1)))
                let doubleArea = turns.reduce(0) { $0 + $1.0.x * $1.1.y - $1.1.x * $1.0.y }
                // Stretches go along an axis or a diagonal: as many steps as the longer side.
                let length = turns.reduce(0) { $0 + max(abs($1.0.x - $1.1.x), abs($1.0.y - $1.1.y)) }
                #expect(doubleArea <= 0, "seed \(seed): down the left side first")
                around += (-doubleArea + length) / 2 + 1
            }
            #expect(around == withoutHoles(mask).area, "seed \(seed)")
        }
    }

    @Test func `outlines do not depend on where in the image the mask lies`() {
        for seed in 1...100 as ClosedRange<UInt64> {
            let bitmap = RandomBitmap(seed: seed)
            let (width, height) = (bitmap.size.width, bitmap.size.height)
            let moved = RunLengthMask(
                size: ImageSize(height: height + 11, width: width + 7),
                rectangle: PixelRectangle(columns: 3..<3 + width, rows: 11..<11 + height),
                bitmap: bitmap.pixels
            )
            let expected = bitmap.mask.outerContours().map { $0.map { PixelPoint(x: $0.x + 3, y: $0.y + 11) } }
            #expect(moved.outerContours() == expected, "seed \(seed)")
        }
    }
}

/// Fills what cannot be reached from outside over edges.
private func withoutHoles(_ mask: RunLengthMask) -> RunLengthMask {
    let (width, height) = (mask.size.width + 2, mask.size.height + 2)
    let inner = PixelRectangle(mask.size)
    var pixels = mask.borderedBitmap(of: inner)
    var open = [0]
    while let place = open.popLast() {
        guard pixels[place] == 0 else { continue }
        pixels[place] = 2
        let (x, y) = (place % width, place / width)
        if x > 0 { open.append(place - 1) }
        if x < width - 1 { open.append(place + 1) }
        if y > 0 { open.append(place - width) }
        if y < height - 1 { open.append(place + width) }
    }
    return RunLengthMask(
        size: ImageSize(height: height, width: width),
        rectangle: PixelRectangle(columns: 0..<width, rows: 0..<height),
        bitmap: pixels.map { $0 == 2 ? 0 : 1 }
    )
}

private func hash(_ contours: [[PixelPoint]]) -> UInt64 {
    let numbers = [contours.count] + contours.flatMap { [$0.count] + $0.flatMap { [$0.x, $0.y] } }
    return fnv1a(numbers.flatMap { number in withUnsafeBytes(of: Int32(number).littleEndian) { Array($0) } })
}

/// A mask from a drawing with `#` for ones.
func draw(_ rows: String...) -> RunLengthMask {
    let size = ImageSize(height: rows.count, width: rows.first?.count ?? 0)
    return RunLengthMask(
        size: size,
        rectangle: PixelRectangle(size),
        bitmap: rows.joined().map { $0 == "#" ? 1 : 0 }
    )
}
