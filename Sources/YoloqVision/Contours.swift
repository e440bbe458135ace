// SPDX-License-Identifier: Apache-2.0

extension RunLengthMask {
    /// The outlines of the mask's parts, as OpenCV's `findContours(RETR_EXTERNAL, CHAIN_APPROX_SIMPLE)` gives them.
    ///
    /// A part is what hangs together over edges or corners. Holes have no outline here, nor has what lies in them. An
    /// outline goes through the part's own border pixels; of straight stretches (along an axis or a diagonal) only the
    /// ends are given. A part of one pixel is one point, a line is gone along there and back.
    ///
    /// The algorithm is that of Suzuki and Abe, "Topological structural analysis of digitized binary images by border
    /// following" (1985), their second one. It looks at the pixels of `boundingBox` only.
    ///
    /// - Returns: One outline a part, the one whose first pixel (in the order of rows) is last comes first; points in
    ///   pixels of the mask's frame, from that first pixel on, first down the left side.
    public func outerContours() -> [[PixelPoint]] {
        let box = boundingBox
        guard !box.isEmpty else { return [] }
        var pixels = borderedBitmap(of: box)
        let (columnCount, rowCount) = (box.columns.count, box.rows.count)
        var contours: [[PixelPoint]] = []
        pixels.withUnsafeMutableBufferPointer { pixels in
            guard let first = pixels.baseAddress else { return }
            let border = BorderFollower(stride: columnCount + 2)
            for y in 0..<rowCount {
                let row = first + (y + 1) * border.stride + 1
                forEachOuterStart(in: row, columnCount) { x in
                    let origin = PixelPoint(x: box.columns.lowerBound + x, y: box.rows.lowerBound + y)
                    contours.append(border.follow(from: row + x, origin))
                }
            }
        }
        contours.reverse()
        return contours
    }
}

/// What a pixel of the mask is marked with once an outline goes through it.
private enum Mark {
    static let unvisited: UInt8 = 1
    static let visited: UInt8 = 2
    /// The outline passed on its right, where a 0 is: the part ends here, and a new one may begin behind.
    static let rightEnd: UInt8 = 3
}

/// Calls `body`, which follows and so marks an outline, for each pixel of a row that begins one not yet followed.
///
/// Such a pixel has a 0 before it, and the last marked pixel before it, if any, is a right end: else it lies in a hole.
private func forEachOuterStart(in row: UnsafeMutablePointer<UInt8>, _ count: Int, _ body: (_ x: Int) -> Void) {
    var previous: UInt8 = 0
    var lastMark: UInt8 = 0
    var x = 0
    while x < count {
        var pixel = row[x]
        if pixel == previous {
            // Eight at a time where nothing changes.
            let repeated = 0x0101_0101_0101_0101 * UInt64(pixel)
            while x + 8 <= count, UnsafeRawPointer(row + x).loadUnaligned(as: UInt64.self) == repeated { x += 8 }
            while x < count, row[x] == pixel { x += 1 }
            continue
        }
        if previous == 0, pixel == Mark.unvisited, lastMark != Mark.visited {
            body(x)
            pixel = row[x]
        }
        if pixel > Mark.unvisited { lastMark = pixel }
        previous = pixel
        x += 1
    }
}

/// Walks around a part of a mask, keeping its zeros on one side.
private struct BorderFollower {
    let stride: Int
    /// The way to each neighbour: right first, then against the clock as the image is seen.
    private let steps: [PixelPoint] = [
        PixelPoint(x: 1, y: 0), PixelPoint(x: 1, y: -1), PixelPoint(x: 0, y: -1), PixelPoint(x: -1, y: -1),
        PixelPoint(x: -1, y: 0), PixelPoint(x: -1, y: 1), PixelPoint(x: 0, y: 1), PixelPoint(x: 1, y: 1),
    ]
    private let offsets: [Int]

    init(stride: Int) {
        self.stride = stride
        offsets = steps.map { $0.y * stride + $0.x }
    }

    /// Follows the outline that begins at a pixel whose left neighbour is 0, and marks its pixels.
    ///
    /// - Parameters:
    ///   - start: Where the pixel is in a bitmap with a border of zeros.
    ///   - origin: Which pixel it is.
    /// - Returns: The points where the outline turns, `origin` first.
    func follow(from start: UnsafeMutablePointer<UInt8>, _ origin: PixelPoint) -> [PixelPoint] {
        // With the clock from the left neighbour to the first 1: there the walk will end.
        var direction = 4
        repeat { direction = (direction - 1) & 7 } while start[offsets[direction]] == 0 && direction != 4
        guard direction != 4 else {
            start.pointee = Mark.rightEnd
            return [origin]
        }
        let last = start + offsets[direction]
        var points: [PixelPoint] = []
        var (pixel, place) = (start, origin)
        var lastTurn = direction ^ 4
        while true {
            // Against the clock from where we came to the next 1.
            let came = direction
            repeat { direction = (direction + 1) & 7 } while pixel[offsets[direction]] == 0
            // Whether the right neighbour (direction 0) was seen, a 0, on the way.
            if direction != 0, direction <= came {
                pixel.pointee = Mark.rightEnd
            } else if pixel.pointee == Mark.unvisited {
                pixel.pointee = Mark.visited
            }
            if direction != lastTurn {
                points.append(place)
                lastTurn = direction
            }
            let next = pixel + offsets[direction]
            if next == start, pixel == last { return points }
            pixel = next
            place.x += steps[direction].x
            place.y += steps[direction].y
            direction ^= 4
        }
    }
}
