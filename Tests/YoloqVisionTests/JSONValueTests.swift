// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

@Suite struct JSONValueTests {
    @Test func `objects keep their order`() {
        let value: JSONValue = ["b": 1, "a": [true, .null, 2.5, "x"], "": [:], "c": [], "d": .raw(#"{"z":0}"#)]
        #expect(value.description == #"{"b":1,"a":[true,null,2.5,"x"],"":{},"c":[],"d":{"z":0}}"#)
    }

    @Test(arguments: [
        ("plain", #""plain""#),
        ("", #""""#),
        ("say \"hi\" \\ no", #""say \"hi\" \\ no""#),
        ("\n\r\t\u{8}\u{C}", #""\n\r\t\b\f""#),
        ("\r\n", #""\r\n""#),
        ("\u{0}\u{1}\u{1F}\u{7F}", "\"\\u0000\\u0001\\u001f\u{7F}\""),
        ("Straße 😀 / \u{2028}\u{2029}", "\"Straße 😀 / \u{2028}\u{2029}\""),
        ("e\u{301}\"", "\"e\u{301}\\\"\""),
    ])
    func `strings are escaped where JSON asks for it`(text: String, expected: String) throws {
        #expect(JSONValue.string(text).description.unicodeScalars.elementsEqual(expected.unicodeScalars))
        let parsed = try JSONSerialization.jsonObject(with: Data(expected.utf8), options: .fragmentsAllowed)
        #expect(parsed as? String == text)
    }

    @Test func `keys are escaped too`() {
        #expect(JSONValue.object([.init("a\"\n", 1)]).description == #"{"a\"\n":1}"#)
    }

    @Test(arguments: [
        (JSONValue.double(0.1), "0.1"), (.double(5), "5.0"), (.int(5), "5"), (.int(.min), "-9223372036854775808"),
        (.double(1e-7), "1e-07"), (.double(1e300), "1e+300"), (.double(.nan), "null"), (.double(-.infinity), "null"),
        (.double(0.1 + 0.2), "0.30000000000000004"), (.double(-0.0), "-0.0"),
    ])
    func `numbers are written in their shortest form`(value: JSONValue, expected: String) {
        #expect(value.description == expected)
    }

    @Test func `random numbers read back as they were`() throws {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<2000 {
            let number = Double(bitPattern: random.next())
            guard number.isFinite else { continue }
            #expect(Double(JSONValue.double(number).description) == number)
        }
    }
}

@Suite struct RoundingTests {
    /// Pairs of a Float's bits and Python's `round(x, 5)` of it, from CPython 3.12.
    @Test(arguments: [
        (Float(0.000005), 0.0 as Double),
        (0.015625, 0.01562),  // 0.0156250 is a tie: to even
        (0.046875, 0.04688),
        (0.2, 0.2),
        (801.3, 801.29999),
        (123456.79, 123456.78906),
        (16777216, 16777216),
        (3.4028235e38, 3.4028234663852886e38),
        (-0.046875, -0.04688),
    ])
    func `numbers are rounded as Python rounds them`(value: Float, expected: Double) {
        #expect(value.roundedToFiveDecimals == expected)
    }
}
