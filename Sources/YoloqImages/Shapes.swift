// SPDX-License-Identifier: Apache-2.0

/// A place in an image, in pixels from its upper left corner: the middle of the first pixel is at (0.5, 0.5).
public struct ImagePoint: Sendable, Hashable {
    /// Pixels to the right.
    public var x: Double
    /// Pixels down.
    public var y: Double

    /// Makes a point from its coordinates, in pixels.
    public init(x: Double, y: Double) {
        self.x = x
        self.y = y
    }

    fileprivate var isFinite: Bool { x.isFinite && y.isFinite }
}

// Edges are smooth: a pixel that a shape covers in part gets that part of its colour, by the distance of its middle from
// the edge. What lies outside the image is clipped. A shape with a coordinate that is not a finite number is not drawn.
extension RGBImage {
    /// Draws a line of any direction, with round ends.
    ///
    /// - Parameters:
    ///   - start: One end.
    ///   - end: The other end; the same point gives a dot.
    ///   - lineWidth: Pixels; less than 1 counts as 1. `boxLineWidth` suits.
    ///   - color: The line's colour.
    public mutating func drawLine(from start: ImagePoint, to end: ImagePoint, lineWidth: Int, color: RGBColor) {
        guard let line = Segment(from: start, to: end) else { return }
        // No line need be thicker than the image.
        let radius = Double(min(max(lineWidth, 1), 2 * max(width, height))) / 2
        for y in clampedRows(line.top - radius - 1, line.bottom + radius + 1) {
            guard let (left, right) = line.columns(nearRow: Double(y) + 0.5, within: radius + 1) else { continue }
            for x in clampedColumns(left, right) {
                let distance = line.distance(toX: Double(x) + 0.5, y: Double(y) + 0.5)
                blend(color, at: x, y, share: radius + 0.5 - distance)
            }
        }
    }

    /// Draws the outline of a polygon, such as an oriented box.
    ///
    /// - Parameters:
    ///   - corners: In order; the last is joined to the first. None gives nothing, one a dot, two a line.
    ///   - lineWidth: Pixels; less than 1 counts as 1. `boxLineWidth` suits.
    ///   - color: The line's colour.
    public mutating func drawPolygon(_ corners: [ImagePoint], lineWidth: Int, color: RGBColor) {
        guard let first = corners.first, let last = corners.last, corners.allSatisfy(\.isFinite) else { return }
        for (start, end) in zip(corners, corners.dropFirst()) {
            drawLine(from: start, to: end, lineWidth: lineWidth, color: color)
        }
        if corners.count != 2 { drawLine(from: last, to: first, lineWidth: lineWidth, color: color) }
    }

    /// Fills a polygon; where it crosses itself, what an odd number of its edges surround.
    ///
    /// Edges are crisp: a pixel is filled if its middle lies inside.
    ///
    /// - Parameters:
    ///   - corners: In order; the last is joined to the first. Fewer than three give nothing.
    ///   - color: The colour.
    ///   - opacity: From 0, which changes nothing, to 1, which hides what was there.
    public mutating func fillPolygon(_ corners: [ImagePoint], color: RGBColor, opacity: Double = 1) {
        guard corners.count > 2, corners.allSatisfy(\.isFinite) else { return }
        let top = corners.reduce(Double.infinity) { min($0, $1.y) }
        let bottom = corners.reduce(-Double.infinity) { max($0, $1.y) }
        var crossings: [Double] = []
        for y in clampedRows(top - 1, bottom + 1) {
            let middle = Double(y) + 0.5
            crossings.removeAll(keepingCapacity: true)
            var previous = corners[corners.count - 1]
            for corner in corners {
                if (previous.y <= middle) != (corner.y <= middle) {
                    let share = (middle - previous.y) / (corner.y - previous.y)
                    crossings.append(previous.x + share * (corner.x - previous.x))
                }
                previous = corner
            }
            crossings.sort()
            for pair in stride(from: 0, to: crossings.count - 1, by: 2) {
                // Middles from the first crossing on, up to the second.
                let first = clamped((crossings[pair] - 0.5).rounded(.up), to: width)
                let end = clamped((crossings[pair + 1] - 0.5).rounded(.up), to: width)
                for x in first..<max(first, end) { blend(color, at: x, y, share: opacity) }
            }
        }
    }

    /// Fills a circle, such as a keypoint.
    ///
    /// - Parameters:
    ///   - center: Its middle.
    ///   - radius: Pixels; less than 0.5 counts as 0.5.
    ///   - color: The colour.
    public mutating func fillCircle(center: ImagePoint, radius: Double, color: RGBColor) {
        guard center.isFinite, !radius.isNaN else { return }
        let radius = min(max(radius, 0.5), Double(4 * max(width, height)))
        for y in clampedRows(center.y - radius - 1, center.y + radius + 1) {
            for x in clampedColumns(center.x - radius - 1, center.x + radius + 1) {
                let (dx, dy) = (Double(x) + 0.5 - center.x, Double(y) + 0.5 - center.y)
                blend(color, at: x, y, share: radius + 0.5 - (dx * dx + dy * dy).squareRoot())
            }
        }
    }

    /// Tints the pixels that a mask marks.
    ///
    /// - Parameters:
    ///   - mask: (height, width), row-major, of this image's size; a value other than 0 marks the pixel.
    ///   - color: The colour.
    ///   - opacity: From 0, which changes nothing, to 1, which hides what was there.
    public mutating func blendMask(_ mask: UnsafeBufferPointer<UInt8>, color: RGBColor, opacity: Double = 0.5) {
        let count = width * height
        precondition(mask.count == count, "the mask has \(mask.count) pixels, the image \(count)")
        let share = Self.share(opacity)
        withUnsafeMutablePixels { pixels in
            guard let pixels = pixels.baseAddress, let mask = mask.baseAddress else { return }
            for index in 0..<count where mask[index] != 0 { Self.blend(color, share, into: pixels + 3 * index) }
        }
    }

    /// Tints the pixels that a mask marks.
    ///
    /// - Parameters:
    ///   - mask: (height, width), row-major, of this image's size; a value other than 0 marks the pixel.
    ///   - color: The colour.
    ///   - opacity: From 0, which changes nothing, to 1, which hides what was there.
    public mutating func blendMask(_ mask: [UInt8], color: RGBColor, opacity: Double = 0.5) {
        mask.withUnsafeBufferPointer { blendMask($0, color: color, opacity: opacity) }
    }

    /// Cuts out a rectangle.
    ///
    /// - Parameters:
    ///   - rows: What lies outside the image is left out.
    ///   - columns: What lies outside the image is left out.
    /// - Returns: An image of its own; nil if nothing of the rectangle lies inside the image.
    public borrowing func cropped(rows: Range<Int>, columns: Range<Int>) -> RGBImage? {
        let rows = rows.clamped(to: 0..<height), columns = columns.clamped(to: 0..<width)
        guard !rows.isEmpty, !columns.isEmpty else { return nil }
        let (stride, part) = (3 * width, 3 * columns.count)
        var result = RGBImage(width: columns.count, height: rows.count)
        withUnsafePixels { source in
            result.withUnsafeMutablePixels { target in
                for (index, y) in rows.enumerated() {
                    let start = y * stride + 3 * columns.lowerBound
                    _ = UnsafeMutableBufferPointer(rebasing: target[index * part..<(index + 1) * part])
                        .update(fromContentsOf: source[start..<start + part])
                }
            }
        }
        return result
    }

    // MARK: - Pixels

    /// A share of 0…1 in units of 1/256; what is not a number counts as 0.
    private static func share(_ share: Double) -> Int { share > 0 ? Int((min(share, 1) * 256).rounded()) : 0 }

    @inline(__always)
    private static func blend(_ color: RGBColor, _ share: Int, into pixel: UnsafeMutablePointer<UInt8>) {
        func mix(_ old: UInt8, _ new: UInt8) -> UInt8 {
            UInt8(truncatingIfNeeded: (Int(old) * (256 - share) + Int(new) * share + 128) >> 8)
        }
        pixel[0] = mix(pixel[0], color.red)
        pixel[1] = mix(pixel[1], color.green)
        pixel[2] = mix(pixel[2], color.blue)
    }

    private mutating func blend(_ color: RGBColor, at x: Int, _ y: Int, share: Double) {
        guard share > 0 else { return }
        let offset = 3 * (y * width + x)
        withUnsafeMutablePixels { pixels in
            guard let pixels = pixels.baseAddress else { return }
            Self.blend(color, Self.share(share), into: pixels + offset)
        }
    }

    private func clamped(_ coordinate: Double, to size: Int) -> Int { Int(min(max(coordinate, 0), Double(size))) }

    /// The image's rows between two finite heights.
    private func clampedRows(_ top: Double, _ bottom: Double) -> Range<Int> {
        let first = clamped(top.rounded(.down), to: height)
        return first..<max(first, clamped(bottom.rounded(.up), to: height))
    }

    /// The image's columns between two finite places.
    private func clampedColumns(_ left: Double, _ right: Double) -> Range<Int> {
        let first = clamped(left.rounded(.down), to: width)
        return first..<max(first, clamped(right.rounded(.up), to: width))
    }
}

/// A straight line between two points.
private struct Segment {
    private let start: ImagePoint
    private let dx: Double, dy: Double
    private let squaredLength: Double

    /// Nil if a coordinate, or the length, is not a finite number.
    init?(from start: ImagePoint, to end: ImagePoint) {
        self.start = start
        (dx, dy) = (end.x - start.x, end.y - start.y)
        squaredLength = dx * dx + dy * dy
        guard start.isFinite, end.isFinite, squaredLength.isFinite else { return nil }
    }

    var top: Double { min(start.y, start.y + dy) }
    var bottom: Double { max(start.y, start.y + dy) }

    func distance(toX x: Double, y: Double) -> Double {
        let (px, py) = (x - start.x, y - start.y)
        let along = squaredLength > 0 ? min(max((px * dx + py * dy) / squaredLength, 0), 1) : 0
        let (ox, oy) = (px - along * dx, py - along * dy)
        return (ox * ox + oy * oy).squareRoot()
    }

    /// The columns that can be so near to the line in a row; nil if the line does not come near the row.
    func columns(nearRow y: Double, within radius: Double) -> (left: Double, right: Double)? {
        // The part of the line, from 0 to 1, that is within the radius in height.
        var (from, to) = (0.0, 1.0)
        if dy != 0 {
            let (first, second) = ((y - radius - start.y) / dy, (y + radius - start.y) / dy)
            (from, to) = (max(min(first, second), 0), min(max(first, second), 1))
            guard from <= to else { return nil }
        }
        let (first, second) = (start.x + from * dx, start.x + to * dx)
        return (min(first, second) - radius, max(first, second) + radius)
    }
}
