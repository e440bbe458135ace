// SPDX-License-Identifier: Apache-2.0

/// A value as Python's `str()` writes it: Ultralytics stores names, sizes and flags in models this way.
///
/// Strict: what Python's `ast.literal_eval` refuses is refused. Sets, bytes, complex numbers and string prefixes, which
/// no export writes, are refused too.
indirect enum PythonLiteral: Sendable, Hashable {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    case string(String)
    case list([PythonLiteral])
    case tuple([PythonLiteral])
    /// The entries in the order of the text; a repeated key keeps its place and takes the later value, as in Python.
    case dictionary([Entry])

    struct Entry: Sendable, Hashable {
        let key: PythonLiteral
        var value: PythonLiteral
    }

    /// Reads `text`, or returns nil if it is not one literal.
    init?(_ text: String) {
        var parser = PythonLiteralParser(text)
        guard let value = parser.document() else { return nil }
        self = value
    }

    /// The value of a dictionary's string key; nil if this is no dictionary or has no such key.
    subscript(key: String) -> PythonLiteral? {
        guard case .dictionary(let entries) = self else { return nil }
        return entries.first { $0.key == .string(key) }?.value
    }
}

/// Recursive descent over UTF-8; every function returns nil where the text is no literal.
private struct PythonLiteralParser {
    private let bytes: [UInt8]
    private var position = 0
    /// Nesting is bounded so that a hostile file cannot exhaust the stack.
    private var depth = 0
    private static let maxDepth = 32

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    mutating func document() -> PythonLiteral? {
        skipSpace()
        guard let value = value() else { return nil }
        skipSpace()
        return position == bytes.count ? value : nil
    }

    private mutating func value() -> PythonLiteral? {
        guard depth < Self.maxDepth, let first = peek() else { return nil }
        depth += 1
        defer { depth -= 1 }
        switch first {
        case UInt8(ascii: "{"): return dictionary()
        case UInt8(ascii: "["): return items(closing: "]").map { .list($0.values) }
        case UInt8(ascii: "("): return parenthesised()
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return string(quote: first).map { .string($0) }
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            return number()
        default: return keyword()
        }
    }

    private mutating func dictionary() -> PythonLiteral? {
        position += 1
        var entries: [PythonLiteral.Entry] = []
        var places: [PythonLiteral: Int] = [:]
        skipSpace()
        while !take("}") {
            guard let key = value(), key.isHashableInPython else { return nil }
            skipSpace()
            guard take(":") else { return nil }
            skipSpace()
            guard let value = value() else { return nil }
            if let place = places[key] {
                entries[place].value = value
            } else {
                places[key] = entries.count
                entries.append(PythonLiteral.Entry(key: key, value: value))
            }
            skipSpace()
            if take(",") { skipSpace() } else if peek() != UInt8(ascii: "}") { return nil }
        }
        return .dictionary(entries)
    }

    /// `(1)` is a number in parentheses, `(1,)` a tuple.
    private mutating func parenthesised() -> PythonLiteral? {
        guard let (values, endsWithComma) = items(closing: ")") else { return nil }
        return values.count == 1 && !endsWithComma ? values[0] : .tuple(values)
    }

    private mutating func items(closing: Unicode.Scalar) -> (values: [PythonLiteral], endsWithComma: Bool)? {
        position += 1
        var values: [PythonLiteral] = []
        var endsWithComma = false
        skipSpace()
        while !take(closing) {
            guard let value = value() else { return nil }
            values.append(value)
            skipSpace()
            endsWithComma = take(",")
            if endsWithComma { skipSpace() } else if peek() != UInt8(ascii: closing) { return nil }
        }
        return (values, endsWithComma)
    }

    private mutating func keyword() -> PythonLiteral? {
        let start = position
        while let byte = peek(), byte.isLetter { position += 1 }
        switch String(decoding: bytes[start..<position], as: UTF8.self) {
        case "None": return PythonLiteral.none
        case "True": return .bool(true)
        case "False": return .bool(false)
        default: return nil
        }
    }

    private mutating func number() -> PythonLiteral? {
        let start = position
        if !take("-") { _ = take("+") }
        let digits = position
        let whole = skipDigits()
        var isFloat = false
        if take(".") {
            isFloat = true
            guard whole + skipDigits() > 0 else { return nil }
        }
        if whole > 0 || isFloat, take("e") || take("E") {
            isFloat = true
            if !take("-") { _ = take("+") }
            guard skipDigits() > 0 else { return nil }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isFloat { return Double(text).map { .float($0) } }
        // Python refuses leading zeros except in zero itself.
        let hasLeadingZero = whole > 1 && bytes[digits] == UInt8(ascii: "0")
        if hasLeadingZero, bytes[digits..<position].contains(where: { $0 != UInt8(ascii: "0") }) { return nil }
        return Int(text).map { .int($0) }
    }

    private mutating func string(quote: UInt8) -> String? {
        position += 1
        var text: [UInt8] = []
        while let byte = peek() {
            position += 1
            switch byte {
            case quote: return String(validating: text, as: UTF8.self)
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"): return nil
            case UInt8(ascii: "\\"):
                guard let scalar = escape() else { return nil }
                text.append(contentsOf: Array(String(Character(scalar)).utf8))
            default: text.append(byte)
            }
        }
        return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
        guard let byte = peek() else { return nil }
        position += 1
        switch byte {
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): return Unicode.Scalar(byte)
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "a"): return "\u{7}"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "v"): return "\u{B}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "x"): return scalar(digits: 2, radix: 16)
        case UInt8(ascii: "u"): return scalar(digits: 4, radix: 16)
        case UInt8(ascii: "U"): return scalar(digits: 8, radix: 16)
        default: return nil
        }
    }

    private mutating func scalar(digits: Int, radix: Int) -> Unicode.Scalar? {
        guard bytes.count - position >= digits else { return nil }
        let text = String(decoding: bytes[position..<position + digits], as: UTF8.self)
        position += digits
        guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }) else { return nil }
        return UInt32(text, radix: radix).flatMap { Unicode.Scalar($0) }
    }

    private func peek() -> UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        return position - start
    }

    private mutating func skipSpace() {
        while let byte = peek(), [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }
}

extension PythonLiteral {
    /// Lists and dictionaries cannot be keys.
    fileprivate var isHashableInPython: Bool {
        switch self {
        case .list, .dictionary: false
        case .tuple(let values): values.allSatisfy(\.isHashableInPython)
        case .none, .bool, .int, .float, .string: true
        }
    }
}

extension UInt8 {
    fileprivate var isLetter: Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
    }
}
