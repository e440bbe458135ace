// SPDX-License-Identifier: Apache-2.0

@testable import YoloqVision

/// Makes damaged files out of sound ones, knowing how each kind is built.
struct FileMutator {
    private let kind: HostileFile
    private let samples: [[UInt8]]
    private var random: SeededGenerator

    init(_ kind: HostileFile, seed: UInt64) {
        self.kind = kind
        samples = kind.samples
        random = SeededGenerator(seed: seed)
    }

    mutating func next() -> [UInt8] {
        var bytes = samples[index(below: samples.count)]
        if kind == .mask, index(below: 8) == 0 {
            // The same pixels in other columns, one of the few changes that leave a mask.
            bytes.swapAt(0, 1)
            return bytes
        }
        damage(&bytes, atMost: 4)
        return bytes
    }

    /// Damages a file in a few places.
    mutating func damage(_ bytes: inout [UInt8], atMost count: Int) {
        for _ in 0...index(below: 1 + index(below: count)) {
            if kind == .onnx, index(below: 4) > 0, var fields = WireField.fields(of: bytes) {
                // Lengths stay right, so what lies behind them is reached.
                damage(&fields)
                bytes = WireField.bytes(of: fields)
            } else {
                damage(&bytes)
            }
        }
    }

    private mutating func index(below count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    private mutating func element<T>(_ elements: [T]) -> T { elements[index(below: elements.count)] }

    // MARK: Text

    private mutating func damage(_ bytes: inout [UInt8]) {
        guard bytes.count > 4 else {
            bytes += Array(element(kind.tokens).utf8)
            return
        }
        let place = index(below: bytes.count)
        let length = min(1 + index(below: 40), bytes.count - place)
        switch index(below: 16) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[place] ^= 1 << UInt8(index(below: 8))
        case 2: bytes.removeSubrange(place..<place + length)
        case 3: bytes.insert(contentsOf: bytes[place..<place + length], at: index(below: bytes.count))
        case 4:
            let part = [[UInt8]](repeating: Array(bytes[place..<place + length]), count: 1 + index(below: 300)).joined()
            bytes.insert(contentsOf: part, at: place)
        case 5: bytes.removeLast(index(below: bytes.count / 2))
        case 6:
            let other = element(samples)
            let start = index(below: max(other.count, 1))
            bytes.replaceSubrange(place..<place + length, with: other[start..<min(start + 60, other.count)])
        case 7:
            // A number becomes another.
            guard let start = bytes[place...].firstIndex(where: Self.isDigit) else { return }
            let end = bytes[start...].firstIndex { !Self.isDigit($0) } ?? bytes.endIndex
            bytes.replaceSubrange(start..<end, with: element(Self.numbers).utf8)
        case 8:
            let count = 1 + index(below: 300)
            let (opening, closing) = element(kind.brackets)
            let nested = String(repeating: opening, count: count) + String(repeating: closing, count: count)
            bytes.insert(contentsOf: nested.utf8, at: place)
        case 9: bytes.replaceSubrange(place..<place + length, with: element(kind.tokens).utf8)
        case 10...13:
            // What stands between two separators becomes something else of the kind.
            guard let start = bytes[place...].firstIndex(where: kind.separators.contains),
                let end = bytes[(start + 1)...].firstIndex(where: kind.separators.contains)
            else { return }
            bytes.replaceSubrange(start + 1..<end, with: element(kind.values).utf8)
        default: bytes.insert(contentsOf: element(kind.tokens).utf8, at: place)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static let numbers = [
        "0", "1", "2", "3", "5", "6", "7", "64", "300", "1024", "10000", "16384", "16385", "100000", "2147483647",
        "2147483648", "9223372036854775807", "9223372036854775808", "-1", "1e999", "007", "1.5",
    ]

    // MARK: Protobuf

    private mutating func damage(_ fields: inout [WireField]) {
        guard !fields.isEmpty else { return }
        let place = index(below: fields.count)
        if case .message(var inner) = fields[place].content, index(below: 5) > 0 {
            damage(&inner)
            fields[place].content = .message(inner)
            return
        }
        switch index(below: 9) {
        case 0: fields.remove(at: place)
        case 1: fields.insert(fields[place], at: index(below: fields.count))
        case 2:
            fields.insert(contentsOf: [WireField](repeating: fields[place], count: 1 + index(below: 200)), at: place)
        case 3: fields[place].number = UInt64(1 + index(below: 16))
        case 4: fields.swapAt(place, index(below: fields.count))
        case 5: fields[place].content = .message([fields[place]])
        default: damage(&fields[place].content)
        }
    }

    private mutating func damage(_ content: inout WireField.Content) {
        switch content {
        case .number:
            content = .number(
                element([0, 1, 2, 3, 7, 10, 16, 64, 65, 84, 300, 640, 16384, 1 << 31, 1 << 62, .max, random.next()])
            )
        case .bytes(var bytes):
            if index(below: 3) == 0 { bytes = Array(element(kind.tokens).utf8) } else { damage(&bytes) }
            content = .bytes(bytes)
        case .message(let fields):
            var bytes = WireField.bytes(of: fields)
            damage(&bytes)
            content = .bytes(bytes)
        }
    }
}

/// A field of a protobuf message with all below it.
private struct WireField {
    enum Content {
        case number(UInt64)
        case bytes([UInt8])
        case message([WireField])
    }

    var number: UInt64
    var content: Content

    /// The fields of a message, nil if the bytes are none; what could be a message is taken for one.
    static func fields(of bytes: [UInt8]) -> [WireField]? {
        bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            var fields: [WireField] = []
            do {
                while let field = try reader.next() {
                    switch field.value {
                    case .number(let number): fields.append(WireField(number: field.number, content: .number(number)))
                    case .bytes(let content):
                        let inner = Self.fields(of: Array(content)).flatMap { $0.isEmpty ? nil : $0 }
                        let content = inner.map(Content.message) ?? .bytes(Array(content))
                        fields.append(WireField(number: field.number, content: content))
                    }
                }
            } catch {
                return nil
            }
            return fields
        }
    }

    static func bytes(of fields: [WireField]) -> [UInt8] {
        var writer = WireWriter()
        for field in fields {
            switch field.content {
            case .number(let number): writer.number(field.number, number)
            case .bytes(let bytes): writer.blob(field.number, bytes)
            case .message(let inner): writer.blob(field.number, bytes(of: inner))
            }
        }
        return writer.bytes
    }
}
