// SPDX-License-Identifier: Apache-2.0

extension RGBColor {
    /// The colour of a class: twenty that differ well, then over again.
    ///
    /// The palette of Ultralytics' plots (`utils/plotting.py`, 8.4), so that pictures look as users know them.
    ///
    /// - Parameter index: The class; negative ones count from the palette's end.
    /// - Returns: The colour for boxes and labels of that class.
    public static func palette(forClass index: Int) -> RGBColor {
        let remainder = index % classPalette.count
        return classPalette[remainder < 0 ? remainder + classPalette.count : remainder]
    }

    private static let classPalette: [RGBColor] = [
        0x042AFF, 0x0BDBEB, 0xF3F3F3, 0x00DFB7, 0x111F68, 0xFF6FDD, 0xFF444F, 0xCCED00, 0x00F344, 0xBD00FF,
        0x00B4FF, 0xDD00BA, 0x00FFFF, 0x26C000, 0x01FFB3, 0x7D24FF, 0x7B0068, 0xFF1B6C, 0xFC6D2F, 0xA2FF0B,
    ].map { (hex: UInt32) in
        RGBColor(
            red: UInt8(truncatingIfNeeded: hex >> 16),
            green: UInt8(truncatingIfNeeded: hex >> 8),
            blue: UInt8(truncatingIfNeeded: hex)
        )
    }

    /// Black or white, whichever reads better on this colour: by ITU-R BT.601 luma.
    var readableText: RGBColor {
        let luma = (299 * Int(red) + 587 * Int(green) + 114 * Int(blue)) / 1000
        let level: UInt8 = luma >= 128 ? 0 : 255
        return RGBColor(red: level, green: level, blue: level)
    }
}

extension RGBImage {
    /// The width of box outlines that suits this image's size, in pixels.
    ///
    /// `max(round((height + width + 3) / 2 * 0.003), 2)`, half to even: Ultralytics' `utils/plotting.py`, 8.4.
    public var boxLineWidth: Int {
        max(Int((Double(height + width + 3) / 2 * 0.003).rounded(.toNearestOrEven)), 2)
    }

    /// Pixels that a dot of the font takes in texts that suit this image's size, at least 1.
    ///
    /// Capitals are seven dots tall: about 1/45 of the image's mean side, and never less than seven pixels.
    public var fontScale: Int {
        max(Int((Double(width + height) / 2 / 320).rounded()), 1)
    }

    /// Draws the outline of a box.
    ///
    /// The line is centred on the edges. What lies outside the image is clipped; a box with a coordinate that is not
    /// a number is not drawn, one without area gives a line or a dot.
    ///
    /// - Parameters:
    ///   - x1: One vertical edge, in pixels of this image.
    ///   - y1: One horizontal edge, in pixels of this image.
    ///   - x2: The other vertical edge, in pixels of this image.
    ///   - y2: The other horizontal edge, in pixels of this image.
    ///   - lineWidth: Pixels; less than 1 counts as 1. `boxLineWidth` suits.
    ///   - color: The line's colour.
    public mutating func drawRectangle(
        x1: Double,
        y1: Double,
        x2: Double,
        y2: Double,
        lineWidth: Int,
        color: RGBColor
    ) {
        guard
            let left = pixel(min(x1, x2), within: width), let right = pixel(max(x1, x2), within: width),
            let top = pixel(min(y1, y2), within: height), let bottom = pixel(max(y1, y2), within: height)
        else { return }
        // No line need be thicker than the image; the bound keeps the sums below from overflowing.
        let line = min(max(lineWidth, 1), 2 * max(width, height))
        let before = line / 2
        let outerX = left - before..<right - before + line, outerY = top - before..<bottom - before + line
        fillClipped(outerX, outerY.lowerBound..<outerY.lowerBound + line, color)
        fillClipped(outerX, outerY.upperBound - line..<outerY.upperBound, color)
        fillClipped(outerX.lowerBound..<outerX.lowerBound + line, outerY, color)
        fillClipped(outerX.upperBound - line..<outerX.upperBound, outerY, color)
    }

    /// Draws a text on a filled ground, above a box or, where there is no room, inside it.
    ///
    /// The letters' size follows the image's, and they are black or white, whichever reads better on the ground. The
    /// label is moved left if it would stick out on the right; what then lies outside is clipped. Letters other than
    /// ASCII are drawn as "?". With a coordinate that is not a number, or an empty text, nothing is drawn.
    ///
    /// - Parameters:
    ///   - text: One line.
    ///   - x: The box's left edge, in pixels of this image.
    ///   - y: The box's upper edge, in pixels of this image.
    ///   - lineWidth: Width of the box's outline in pixels, which the label meets.
    ///   - color: Colour of the ground: the box's.
    public mutating func drawLabel(_ text: String, x: Double, y: Double, lineWidth: Int, color: RGBColor) {
        guard !text.isEmpty, let boxLeft = pixel(x, within: width), let boxTop = pixel(y, within: height) else {
            return
        }
        let scale = fontScale
        let padding = 2 * scale
        let letters = text.prefix(width / (Font.advance * scale) + 1)  // more cannot be seen
        let labelWidth = (letters.count * Font.advance - 1) * scale + 2 * padding
        let labelHeight = Font.height * scale + padding
        let outline = min(max(lineWidth, 1), 2 * max(width, height))

        let boxEdge = boxTop - outline / 2
        let left = max(min(boxLeft - outline / 2, width - labelWidth), 0)
        let top = boxEdge >= labelHeight ? boxEdge - labelHeight : max(boxEdge, 0)
        fillClipped(left..<left + labelWidth, top..<top + labelHeight, color)
        draw(letters, left: left + padding, top: top + padding, scale: scale, color: color.readableText)
    }

    /// Draws lines of text, such as the classes of an image.
    ///
    /// What lies outside the image is clipped. Letters other than ASCII are drawn as "?". With a coordinate that is
    /// not a number nothing is drawn.
    ///
    /// - Parameters:
    ///   - text: Lines, separated by "\n".
    ///   - x: Left edge of the letters, or of their ground, in pixels of this image.
    ///   - y: Upper edge of the letters, or of their ground, in pixels of this image.
    ///   - scale: Pixels that a dot of the font takes; less than 1 counts as 1. `fontScale` suits.
    ///   - color: Colour of the letters.
    ///   - ground: Colour of a filled rectangle behind the text; nil for none.
    public mutating func drawText(
        _ text: String,
        x: Double,
        y: Double,
        scale: Int,
        color: RGBColor,
        ground: RGBColor? = nil
    ) {
        guard !text.isEmpty, let left = pixel(x, within: width), let top = pixel(y, within: height) else { return }
        let scale = min(max(scale, 1), max(width, height))  // a dot as large as the image is enough
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let lineHeight = (Font.height + 1) * scale
        let padding = ground == nil ? 0 : 2 * scale
        if let ground {
            let longest = lines.map(\.count).max() ?? 0
            let textWidth = max(longest * Font.advance - 1, 0) * scale
            fillClipped(
                left..<left + textWidth + 2 * padding,
                top..<top + lines.count * lineHeight + padding,
                ground
            )
        }
        for (index, line) in lines.enumerated() {
            let letterTop = top + padding + index * lineHeight
            guard letterTop < height else { break }
            draw(line, left: left + padding, top: letterTop, scale: scale, color: color)
        }
    }

    private mutating func draw(_ line: Substring, left: Int, top: Int, scale: Int, color: RGBColor) {
        var letterLeft = left
        for letter in line {
            guard letterLeft < width else { return }
            draw(letter, left: letterLeft, top: top, scale: scale, color: color)
            letterLeft += Font.advance * scale
        }
    }

    private mutating func draw(_ letter: Character, left: Int, top: Int, scale: Int, color: RGBColor) {
        for (rowIndex, row) in Font.rows(of: letter).enumerated() {
            for column in 0..<Font.width where row & (1 << UInt8(Font.width - 1 - column)) != 0 {
                let (x, y) = (left + column * scale, top + rowIndex * scale)
                fillClipped(x..<x + scale, y..<y + scale, color)
            }
        }
    }

    /// Rounds a coordinate to a pixel, kept within one image size outside the image; nil if it is not a number.
    private func pixel(_ coordinate: Double, within size: Int) -> Int? {
        guard !coordinate.isNaN else { return nil }
        // Twice the longer side is further out than any line is wide, so clamping moves nothing into view.
        let far = Double(4 * max(width, height))
        return Int(min(max(coordinate, -far), Double(size) + far).rounded())
    }

    private mutating func fillClipped(_ columns: Range<Int>, _ rows: Range<Int>, _ color: RGBColor) {
        fill(rows: rows.clamped(to: 0..<height), columns: columns.clamped(to: 0..<width), with: color)
    }
}
