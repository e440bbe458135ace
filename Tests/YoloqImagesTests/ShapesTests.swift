// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqImages

@Suite struct ShapesTests {
    private let red = RGBColor(red: 255, green: 0, blue: 0)
    private let black = RGBColor(red: 0, green: 0, blue: 0)

    private func point(_ x: Double, _ y: Double) -> ImagePoint { ImagePoint(x: x, y: y) }

    /// Red of every pixel, as a share of 1.
    private func shares(_ image: borrowing RGBImage) -> [Double] {
        stride(from: 0, to: image.byteCount, by: 3).map { index in
            image.withUnsafePixels { Double($0[index]) / 255 }
        }
    }

    @Test(arguments: [(1, 16.5), (2, 16.0), (3, 16.5), (4, 16.0), (9, 16.5)])
    func `a line along the grid covers whole pixels`(_ item: (lineWidth: Int, y: Double)) {
        var image = RGBImage(width: 48, height: 32)
        image.drawLine(from: point(10, item.y), to: point(38, item.y), lineWidth: item.lineWidth, color: red)
        let top = Int(item.y - Double(item.lineWidth) / 2)
        for y in 0..<32 {
            let isInside = (top..<top + item.lineWidth).contains(y)
            #expect(image.color(24, y) == (isInside ? red : black), "row \(y)")
        }
    }

    @Test(arguments: stride(from: 0.0, to: 360, by: 7.5).map { $0 }, [1, 2, 5])
    func `a line covers its area at every angle`(_ degrees: Double, _ lineWidth: Int) {
        var image = RGBImage(width: 120, height: 120)
        let angle = degrees * .pi / 180, length = 80.0
        let (dx, dy) = (length / 2 * cos(angle), length / 2 * sin(angle))
        image.drawLine(
            from: point(60.3 - dx, 59.8 - dy),
            to: point(60.3 + dx, 59.8 + dy),
            lineWidth: lineWidth,
            color: red
        )
        // A rectangle and two half circles.
        let area = length * Double(lineWidth) + .pi * Double(lineWidth * lineWidth) / 4
        let covered = shares(image).reduce(0, +)
        #expect(abs(covered - area) < 0.1 * area, "\(covered) of \(area)")
    }

    @Test func `a line is the same from either end`() {
        var there = RGBImage(width: 40, height: 40), back = RGBImage(width: 40, height: 40)
        there.drawLine(from: point(3.25, 5.5), to: point(31.5, 22.75), lineWidth: 3, color: red)
        back.drawLine(from: point(31.5, 22.75), to: point(3.25, 5.5), lineWidth: 3, color: red)
        let differences = zip(there.bytes, back.bytes).map { abs(Int($0) - Int($1)) }
        #expect(differences.max() ?? 0 <= 1)
        #expect(there.bytes.contains(255))
    }

    @Test func `a polygon's outline passes its corners and leaves its inside`() {
        var image = RGBImage(width: 60, height: 60)
        let corners = [point(30, 8), point(52, 30), point(30, 52), point(8, 30)]
        image.drawPolygon(corners, lineWidth: 2, color: red)
        for corner in corners { #expect(image.color(Int(corner.x), Int(corner.y)) != black) }
        for step in 0..<22 { #expect(image.color(30 + step, 8 + step).red > 100, "right of the top, \(step)") }
        #expect(image.color(30, 30) == black)
        #expect(image.color(10, 10) == black)
    }

    @Test func `a polygon of one or two corners is a dot or a line`() {
        var dot = RGBImage(width: 9, height: 9)
        dot.drawPolygon([point(4.5, 4.5)], lineWidth: 1, color: red)
        #expect(dot.color(4, 4) == red)
        var line = RGBImage(width: 9, height: 9), polygon = RGBImage(width: 9, height: 9)
        line.drawLine(from: point(1, 1), to: point(7, 5), lineWidth: 2, color: red)
        polygon.drawPolygon([point(1, 1), point(7, 5)], lineWidth: 2, color: red)
        #expect(line.bytes == polygon.bytes)
        polygon.drawPolygon([], lineWidth: 2, color: red)
        #expect(line.bytes == polygon.bytes)
    }

    @Test func `a filled rectangle has its area, edge to edge`() {
        var image = RGBImage(width: 20, height: 20)
        image.fillPolygon([point(3, 4), point(9, 4), point(9, 15), point(3, 15)], color: red)
        for y in 0..<20 {
            for x in 0..<20 {
                let isInside = (3..<9).contains(x) && (4..<15).contains(y)
                #expect(image.color(x, y) == (isInside ? red : black), "(\(x), \(y))")
            }
        }
    }

    @Test func `polygons that share an edge leave no gap and no overlap`() {
        var image = RGBImage(width: 40, height: 40)
        let (a, b, c, d) = (point(2.3, 3.1), point(36.7, 5.9), point(33.2, 37.4), point(4.9, 30.6))
        image.fillPolygon([a, b, c], color: red, opacity: 0.5)
        image.fillPolygon([a, c, d], color: red, opacity: 0.5)
        #expect(Set(image.bytes) == [0, 128])
        var whole = RGBImage(width: 40, height: 40)
        whole.fillPolygon([a, b, c, d], color: red, opacity: 0.5)
        #expect(whole.bytes == image.bytes)
    }

    @Test func `where a polygon crosses itself the even parts stay free`() {
        var image = RGBImage(width: 100, height: 100)
        let star = (0..<5).map { corner in
            let angle = Double(corner) * 2 * 2 * .pi / 5
            return point(50 + 45 * sin(angle), 50 - 45 * cos(angle))
        }
        image.fillPolygon(star, color: red)
        #expect(image.color(50, 50) == black)
        #expect(image.color(50, 15) == red)
    }

    @Test(arguments: [0.5, 1, 2.5, 7, 20])
    func `a circle has its area and its middle`(_ radius: Double) {
        var image = RGBImage(width: 64, height: 64)
        image.fillCircle(center: point(31.7, 32.2), radius: radius, color: red)
        let area = .pi * radius * radius
        #expect(abs(shares(image).reduce(0, +) - area) < 0.04 * area + 0.4)
        if radius >= 2 {
            #expect(image.color(31, 32) == red)
            #expect(image.color(31 + Int(radius) + 2, 32) == black)
        }
    }

    @Test func `a mask tints what it marks by half`() {
        var image = RGBImage(width: 3, height: 2, filledWith: RGBColor(red: 10, green: 200, blue: 0))
        image.blendMask([0, 1, 0, 0, 0, 255], color: RGBColor(red: 110, green: 0, blue: 255))
        let tinted = RGBColor(red: 60, green: 100, blue: 128)
        let plain = RGBColor(red: 10, green: 200, blue: 0)
        #expect((0..<6).map { image.color($0 % 3, $0 / 3) } == [plain, tinted, plain, plain, plain, tinted])
    }

    @Test func `opacity 0 changes nothing and 1 hides what was there`() {
        for (opacity, color) in [(0.0, black), (1, red), (2, red), (-1, black), (.nan, black)] {
            var image = RGBImage(width: 4, height: 4)
            image.blendMask([UInt8](repeating: 1, count: 16), color: red, opacity: opacity)
            #expect(image.color(2, 2) == color, "mask, \(opacity)")
            image = RGBImage(width: 4, height: 4)
            image.fillPolygon([point(0, 0), point(4, 0), point(4, 4), point(0, 4)], color: red, opacity: opacity)
            #expect(image.color(2, 2) == color, "polygon, \(opacity)")
        }
    }

    @Test func `a crop holds the rectangle's pixels`() {
        let image = RGBImage(noise: 9, width: 12, height: 8)
        guard let part = image.cropped(rows: 2..<5, columns: 3..<10) else {
            Issue.record("no crop")
            return
        }
        #expect(part.width == 7 && part.height == 3)
        for y in 0..<3 {
            for x in 0..<7 { #expect(part.color(x, y) == image.color(x + 3, y + 2)) }
        }
    }

    @Test func `a crop is clipped to the image, and nil outside it`() {
        let image = RGBImage(noise: 9, width: 12, height: 8)
        guard let part = image.cropped(rows: -5..<3, columns: 10..<400) else {
            Issue.record("no crop")
            return
        }
        #expect(part.width == 2 && part.height == 3)
        #expect(part.color(0, 0) == image.color(10, 0))
        for (rows, columns) in [(8..<9, 0..<5), (-3..<0, 0..<5), (2..<2, 0..<5), (0..<5, 12..<20)] {
            let isNil = image.cropped(rows: rows, columns: columns) == nil
            #expect(isNil, "\(rows), \(columns)")
        }
    }

    @Test(
        arguments: [
            .nan, .infinity, -.infinity, 1e308, -1e308, 1e18, -1e18, 1e9, 0, -0.0, 5,
        ] as [Double]
    )
    func `any coordinate can be drawn`(_ wild: Double) {
        for lineWidth in [Int.min, 0, 1, 3, 100, Int.max] {
            var image = RGBImage(width: 16, height: 12)
            for (start, end) in [
                (point(wild, 3), point(4, 5)), (point(4, 5), point(3, wild)), (point(wild, wild), point(-wild, 4)),
            ] {
                image.drawLine(from: start, to: end, lineWidth: lineWidth, color: red)
                image.drawPolygon([start, end, point(8, 8)], lineWidth: lineWidth, color: red)
                image.fillPolygon([start, end, point(8, 8)], color: red, opacity: 0.3)
                image.fillCircle(center: start, radius: Double(lineWidth), color: red)
                image.fillCircle(center: point(5, 5), radius: wild, color: red)
            }
            image.drawText("any\nplace", x: wild, y: wild, scale: lineWidth, color: red, ground: black)
        }
    }

    @Test func `what is not a number is not drawn`() {
        var image = RGBImage(width: 16, height: 12)
        image.drawLine(from: point(.nan, 3), to: point(4, 5), lineWidth: 3, color: red)
        image.drawPolygon([point(1, 1), point(9, .infinity), point(1, 9)], lineWidth: 3, color: red)
        image.fillPolygon([point(1, 1), point(9, .nan), point(1, 9)], color: red)
        image.fillCircle(center: point(5, 5), radius: .nan, color: red)
        image.drawText("a", x: .nan, y: 3, scale: 2, color: red)
        #expect(image.bytes.allSatisfy { $0 == 0 })
    }

    @Test func `lines of text lie under each other on their ground`() {
        var image = RGBImage(width: 80, height: 60)
        image.drawText("II\nI", x: 10, y: 5, scale: 2, color: red, ground: RGBColor(red: 0, green: 0, blue: 9))
        #expect(image.color(10, 5) == RGBColor(red: 0, green: 0, blue: 9))
        // The stem of an I is its third dot; padding is two dots, a line ten.
        #expect(image.color(10 + 4 + 4, 5 + 4 + 6) == red)
        #expect(image.color(10 + 4 + 12 + 4, 5 + 4 + 6) == red)
        #expect(image.color(10 + 4 + 4, 5 + 4 + 20 + 6) == red)
        #expect(image.color(10 + 4 + 12 + 4, 5 + 4 + 20 + 6) == RGBColor(red: 0, green: 0, blue: 9))
        #expect(image.color(9, 5) == black)
    }

    @Test(arguments: [(300, 300, 1), (640, 480, 2), (1920, 1080, 5), (3840, 2160, 9)])
    func `letters grow with the image and stay seven pixels tall`(_ item: (width: Int, height: Int, scale: Int)) {
        #expect(RGBImage(width: item.width, height: item.height).fontScale == item.scale)
    }
}
