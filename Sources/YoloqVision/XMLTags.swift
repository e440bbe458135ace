// SPDX-License-Identifier: Apache-2.0

/// Walks over the tags of an XML document as OpenVINO writes it, in one pass and without building anything.
///
/// Text between tags can be asked for; comments, processing instructions and CDATA are passed over. Document types, the
/// way to entities of one's own, are refused. Bytes of any content are safe to give.
struct XMLTags {
    /// A tag, at the moment it is passed.
    struct Tag {
        enum Kind {
            case opening
            case closing
            /// `<a/>`: opens and closes.
            case empty
        }

        let kind: Kind
        let name: Substring
        fileprivate let attributes: UnsafeRawBufferPointer

        /// The value of an attribute, with the five entities of XML and character numbers replaced.
        subscript(attribute: String) -> String? {
            var rest = attributes[...]
            while let equals = rest.firstIndex(of: UInt8(ascii: "=")) {
                let name = rest[..<equals].trimmingSpace
                let value = rest[(equals + 1)...].drop(while: \.isSpace)
                guard let quote = value.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"),
                    let end = value.dropFirst().firstIndex(of: quote)
                else { return nil }
                if name.elementsEqual(attribute.utf8) { return Self.unescaped(value[..<end].dropFirst()) }
                rest = rest[(end + 1)...]
            }
            return nil
        }

        /// The longest that can stand between `&` and `;` is a number such as `#x0010FFFF`.
        private static let maxEntityLength = 10

        private static func unescaped(_ text: Slice<UnsafeRawBufferPointer>) -> String {
            var result: [UInt8] = []
            var rest = text
            while let start = rest.firstIndex(of: UInt8(ascii: "&")) {
                result += rest[..<start]
                rest = rest[(start + 1)...]
                if let end = rest.prefix(maxEntityLength + 1).firstIndex(of: UInt8(ascii: ";")) {
                    result += character(ofEntity: String(decoding: rest[..<end], as: UTF8.self)).utf8
                    rest = rest[(end + 1)...]
                } else {
                    result.append(UInt8(ascii: "&"))
                }
            }
            return String(decoding: result + rest, as: UTF8.self)
        }

        private static func character(ofEntity name: String) -> String {
            switch name {
            case "lt": return "<"
            case "gt": return ">"
            case "amp": return "&"
            case "quot": return "\""
            case "apos": return "'"
            default:
                let number = name.hasPrefix("#x") ? UInt32(name.dropFirst(2), radix: 16) : UInt32(name.dropFirst())
                return number.flatMap(Unicode.Scalar.init).map { String(Character($0)) } ?? "?"
            }
        }
    }

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// Where the text before the tag passed last began and ended.
    private var text = 0..<0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The text between the tag passed last and the one before it.
    var textBefore: String { String(decoding: bytes[text].trimmingSpace, as: UTF8.self) }

    /// Passes the next tag.
    ///
    /// - Returns: nil at the end.
    /// - Throws: `modelInvalid` if a tag does not end, or for a document type.
    mutating func next() throws(VisionError) -> Tag? {
        let start = position
        while let open = find(UInt8(ascii: "<"), from: position) {
            let inside = open + 1
            if has("!--", at: inside) {
                try skip(past: "-->", from: inside)
            } else if has("![CDATA[", at: inside) {
                try skip(past: "]]>", from: inside)
            } else if has("?", at: inside) {
                try skip(past: "?>", from: inside)
            } else if has("!", at: inside) {
                throw .modelInvalid("its XML declares a document type, which no OpenVINO model does")
            } else {
                text = start..<open
                return try tag(at: inside)
            }
        }
        position = bytes.count
        return nil
    }

    private mutating func tag(at start: Int) throws(VisionError) -> Tag {
        var end = start
        var quote: UInt8?
        while end < bytes.count, quote != nil || bytes[end] != UInt8(ascii: ">") {
            let byte = bytes[end]
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            }
            end += 1
        }
        guard end < bytes.count else { throw .modelInvalid("its XML ends inside a tag") }
        position = end + 1
        var body = start..<end
        var kind = Tag.Kind.opening
        if has("/", at: start) {
            kind = .closing
            body = start + 1..<end
        } else if end > start, bytes[end - 1] == UInt8(ascii: "/") {
            kind = .empty
            body = start..<end - 1
        }
        let nameEnd = body.first { bytes[$0].isSpace } ?? body.upperBound
        return Tag(
            kind: kind,
            name: Substring(String(decoding: bytes[body.lowerBound..<nameEnd], as: UTF8.self)),
            attributes: UnsafeRawBufferPointer(rebasing: bytes[nameEnd..<body.upperBound])
        )
    }

    private func find(_ byte: UInt8, from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            if bytes[index] == byte { return index }
            index += 1
        }
        return nil
    }

    private func has(_ text: StaticString, at start: Int) -> Bool {
        text.withUTF8Buffer { text in
            start + text.count <= bytes.count && text.indices.allSatisfy { bytes[start + $0] == text[$0] }
        }
    }

    private mutating func skip(past end: StaticString, from start: Int) throws(VisionError) {
        var index = start
        while index < bytes.count {
            if has(end, at: index) {
                position = index + end.utf8CodeUnitCount
                return
            }
            index += 1
        }
        throw .modelInvalid("its XML ends inside a comment")
    }
}

extension Slice<UnsafeRawBufferPointer> {
    /// The text without white space at both ends.
    fileprivate var trimmingSpace: Self {
        guard let first = firstIndex(where: { !$0.isSpace }), let last = lastIndex(where: { !$0.isSpace }) else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}

extension UInt8 {
    fileprivate var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}
