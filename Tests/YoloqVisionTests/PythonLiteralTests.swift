// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqVision

@Suite struct PythonLiteralTests {
    @Test(arguments: [
        ("None", PythonLiteral.none),
        ("True", .bool(true)),
        (" False ", .bool(false)),
        ("0", .int(0)),
        ("-17", .int(-17)),
        ("+3", .int(3)),
        ("000", .int(0)),
        ("1.5", .float(1.5)),
        (".5", .float(0.5)),
        ("2.", .float(2)),
        ("1e-3", .float(0.001)),
        ("''", .string("")),
        ("'it\\'s'", .string("it's")),
        ("\"it's\"", .string("it's")),
        ("'say \"hi\"'", .string("say \"hi\"")),
        ("'a\\n\\t\\\\\\x41\\u00e9\\U0001f600'", .string("a\n\t\\Aé😀")),
        ("'Straße 😀'", .string("Straße 😀")),
        ("[]", .list([])),
        ("[640, 640]", .list([.int(640), .int(640)])),
        ("[1, 2, ]", .list([.int(1), .int(2)])),
        ("()", .tuple([])),
        ("(1)", .int(1)),
        ("(1,)", .tuple([.int(1)])),
        ("{}", .dictionary([])),
        (
            "{0: 'person', 1: \"dog\"}",
            .dictionary([entry(.int(0), .string("person")), entry(.int(1), .string("dog"))])
        ),
        (
            "{'a': [None, {'b': (1, 2)}]}",
            .dictionary([
                entry(.string("a"), .list([.none, .dictionary([entry(.string("b"), .tuple([.int(1), .int(2)]))])]))
            ])
        ),
        ("{1: 'a', 2: 'b', 1: 'c'}", .dictionary([entry(.int(1), .string("c")), entry(.int(2), .string("b"))])),
    ])
    func `what Python writes is read`(text: String, expected: PythonLiteral) {
        #expect(PythonLiteral(text) == expected)
    }

    @Test(arguments: [
        "", " ", "none", "true", "nan", "inf", "Truee", "[", "]", "[1", "[1 2]", "[,]", "[1,,2]", "(,)", "{", "{1}",
        "{1: }",
        "{1: 2", "{: 2}", "{[1]: 2}", "{1: 2 3: 4}", "'", "'a", "\"a'", "'a\nb'", "'\\q'", "'\\x4'", "'\\x+4'",
        "'\\ud800'",
        "'a' 'b'", "b'a'", "-", "+-1", "1_000", "1.2.3", "1e", ".", "01", "-012", "99999999999999999999", "1 2", "1; 2",
        "__import__('os')", "[1] + [2]",
    ])
    func `what is no literal is refused`(text: String) {
        #expect(PythonLiteral(text) == nil)
    }

    @Test func `deep nesting is refused instead of exhausting the stack`() {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(PythonLiteral(deep) == nil)
        #expect(PythonLiteral(String(repeating: "[", count: 30) + String(repeating: "]", count: 30)) != nil)
    }
}

private func entry(_ key: PythonLiteral, _ value: PythonLiteral) -> PythonLiteral.Entry {
    PythonLiteral.Entry(key: key, value: value)
}
