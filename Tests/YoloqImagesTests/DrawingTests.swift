// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqImages

@Suite struct DrawingTests {
    private let red = RGBColor(red: 255, green: 0, blue: 0)
    private let black = RGBColor(red: 0, green: 0, blue: 0)

    @Test func `a rectangle is an outline on its edges`() {
        var image = RGBImage(width: 40, height: 30)
        image.drawRectangle(x1: 10, y1: 5, x2: 30, y2: 20, lineWidth: 2, color: red)
        // Edge e, two wide: pixels e - 1 and e.
        for y in 0..<30 {
            for x in 0..<40 {
                let isOutside = x < 9 || x > 30 || y < 4 || y > 20
                let isInside = (11...28).contains(x) && (6...18).contains(y)
                #expect(image.color(x, y) == (isOutside || isInside ? black : red), "(\(x), \(y))")
            }
        }
    }

    @Test(arguments: [
        (-50.0, -50.0, 100.0, 100.0), (-10, -10, -5, -5), (500, 500, 600, 600), (.nan, 1, 2, 3), (1, .nan, 2, 3),
        (5, 5, 5, 5), (20, 20, 3, 3), (-.infinity, -.infinity, .infinity, .infinity), (0, 0, 1e300, -1e300),
        (.infinity, 0, .infinity, 3), (0, 0, 16, 12),
    ])
    func `any box can be drawn and labelled`(_ box: (Double, Double, Double, Double)) {
        for lineWidth in [Int.min, 0, 1, 2, 7, 1000, Int.max] {
            var image = RGBImage(width: 16, height: 12)
            image.drawRectangle(x1: box.0, y1: box.1, x2: box.2, y2: box.3, lineWidth: lineWidth, color: red)
            image.drawLabel("tench 0.87", x: box.0, y: box.1, lineWidth: lineWidth, color: red)
        }
    }

    @Test func `a part of an image is its pixels and no others`() {
        let image = RGBImage(noise: 3, width: 19, height: 11)
        let part = image.cropped(columns: 4..<19, rows: 2..<9)
        #expect(part.width == 15 && part.height == 7)
        for y in 0..<7 {
            for x in 0..<15 { #expect(part.color(x, y) == image.color(x + 4, y + 2)) }
        }
    }

    @Test func `a box outside the image leaves no trace`() {
        var image = RGBImage(width: 16, height: 12)
        image.drawRectangle(x1: -90, y1: -90, x2: 90, y2: 90, lineWidth: 3, color: red)
        image.drawRectangle(x1: 40, y1: 2, x2: 50, y2: 6, lineWidth: 3, color: red)
        image.drawRectangle(x1: .nan, y1: 2, x2: 10, y2: 6, lineWidth: 3, color: red)
        #expect(image.bytes.allSatisfy { $0 == 0 })
    }

    @Test func `a label stands above its box, or inside where there is no room`() {
        var image = RGBImage(width: 200, height: 100)
        image.drawLabel("a", x: 20, y: 60, lineWidth: 2, color: red)
        #expect(image.color(20, 58) == red)
        #expect(image.color(20, 59) == black)
        image.drawLabel("a", x: 100, y: 3, lineWidth: 2, color: red)
        #expect(image.color(100, 2) == red)
        #expect(image.color(100, 1) == black)
    }

    @Test func `a label at the right edge is moved into the image`() {
        var image = RGBImage(width: 200, height: 100)
        image.drawLabel("person", x: 195, y: 60, lineWidth: 2, color: red)
        #expect(image.color(170, 55) == red)
        #expect(image.color(199, 55) == red)
    }

    @Test func `letters are black on light ground and white on dark`() {
        for (ground, text) in [
            (RGBColor(red: 255, green: 255, blue: 0), UInt8(0)), (RGBColor(red: 0, green: 0, blue: 99), 255),
        ] {
            var image = RGBImage(width: 120, height: 100)
            image.drawLabel("H", x: 20, y: 60, lineWidth: 2, color: ground)
            #expect((0..<100).contains { image.color(21, $0) == RGBColor(red: text, green: text, blue: text) })
        }
    }

    @Test func `every printable letter has a shape of its own`() {
        let letters = (32...126).map { Character(UnicodeScalar(UInt8($0))) }
        #expect(Set(letters.map(Font.rows(of:))).count == letters.count)
        for letter in letters {
            let rows = Font.rows(of: letter)
            #expect(rows.count == Font.height)
            #expect(rows.allSatisfy { $0 < 1 << Font.width })
        }
    }

    @Test(arguments: ["é", "猫", "\u{1F400}", "\n", "\u{7F}"])
    func `other letters are drawn as question marks`(_ letter: Character) {
        #expect(Font.rows(of: letter) == Font.rows(of: "?"))
    }

    @Test func `the palette repeats after twenty classes`() {
        #expect(RGBColor.palette(forClass: 0) == RGBColor(red: 0x04, green: 0x2A, blue: 0xFF))
        #expect(RGBColor.palette(forClass: 19) == RGBColor(red: 0xA2, green: 0xFF, blue: 0x0B))
        #expect(RGBColor.palette(forClass: 25) == .palette(forClass: 5))
        #expect(RGBColor.palette(forClass: -1) == .palette(forClass: 19))
        #expect(RGBColor.palette(forClass: .min) == .palette(forClass: 12))
    }

    @Test(arguments: [(640, 480, 2), (810, 1080, 3), (1280, 720, 3), (3840, 2160, 9), (31, 17, 2)])
    func `line width follows the image's size`(_ item: (width: Int, height: Int, line: Int)) {
        #expect(RGBImage(width: item.width, height: item.height).boxLineWidth == item.line)
    }

    @Test func `the smallest image can be drawn on`() {
        var image = RGBImage(width: 1, height: 1)
        image.drawLabel("abc", x: 0, y: 0, lineWidth: 2, color: red)
        image.drawRectangle(x1: 0, y1: 0, x2: 1, y2: 1, lineWidth: 2, color: red)
        #expect(image.color(0, 0) == red)
    }
}
