// SPDX-License-Identifier: Apache-2.0

/// A JSON value whose object members keep their order.
///
/// Written by literals, for example `["name": "bus", "class": 5, "box": .raw(text)]`, and turned into text by
/// `description` or, into one string, by `write(into:)`.
public indirect enum JSONValue: Sendable, Hashable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A whole number.
    case int(Int)
    /// A number in the shortest form that reads back as the same Double (`0.1`, `5.0`, `1e-07`); `null` if not finite.
    case double(Double)
    /// Text.
    case string(String)
    /// Values in order.
    case array([JSONValue])
    /// Members in order. Keys are not checked for repetition.
    case object([Member])
    /// Text that is one JSON value already; written unchanged and unchecked.
    case raw(String)

    /// A key of an object with its value.
    public struct Member: Sendable, Hashable {
        /// The key.
        public var key: String
        /// Its value.
        public var value: JSONValue

        /// Makes a member.
        ///
        /// - Parameters:
        ///   - key: The key.
        ///   - value: Its value.
        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    /// Writes the value at the end of a text, without any space or line break.
    ///
    /// - Parameter text: Grows.
    public func write(into text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .int(let value): text += String(value)
        case .double(let value): text += value.isFinite ? value.description : "null"
        case .string(let value): Self.write(value, into: &text)
        case .array(let values):
            Self.write(values, from: "[", to: "]", into: &text) { $0.write(into: &$1) }
        case .object(let members):
            Self.write(members, from: "{", to: "}", into: &text) { member, text in
                Self.write(member.key, into: &text)
                text += ":"
                member.value.write(into: &text)
            }
        case .raw(let json): text += json
        }
    }

    private static func write<Item>(
        _ items: [Item],
        from opening: String,
        to closing: String,
        into text: inout String,
        writeItem: (Item, inout String) -> Void
    ) {
        text += opening
        for (index, item) in items.enumerated() {
            if index > 0 { text += "," }
            writeItem(item, &text)
        }
        text += closing
    }

    /// Quotes a string; RFC 8259 asks for escapes of quote, backslash and the control characters below U+0020 only.
    private static func write(_ string: String, into text: inout String) {
        text += "\""
        if string.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) {
            for scalar in string.unicodeScalars { writeEscaped(scalar, into: &text) }
        } else {
            text += string
        }
        text += "\""
    }

    private static func writeEscaped(_ scalar: Unicode.Scalar, into text: inout String) {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case "\u{8}": text += "\\b"
        case "\u{C}": text += "\\f"
        case "\u{0}"..<" ": text += (scalar.value < 16 ? "\\u000" : "\\u00") + String(scalar.value, radix: 16)
        default: text.unicodeScalars.append(scalar)
        }
    }
}

extension JSONValue: CustomStringConvertible {
    /// The value as JSON, without any space or line break.
    public var description: String {
        var text = ""
        write(into: &text)
        return text
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Makes a string.
    ///
    /// - Parameter value: The text.
    public init(stringLiteral value: String) { self = .string(value) }

    /// Makes a whole number.
    ///
    /// - Parameter value: The number.
    public init(integerLiteral value: Int) { self = .int(value) }

    /// Makes a number.
    ///
    /// - Parameter value: The number.
    public init(floatLiteral value: Double) { self = .double(value) }

    /// Makes `true` or `false`.
    ///
    /// - Parameter value: Which.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// Makes an array.
    ///
    /// - Parameter elements: The values in order.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    /// Makes an object.
    ///
    /// - Parameter elements: The members in order.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { Member($0, $1) })
    }
}
