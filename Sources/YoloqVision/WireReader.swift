// SPDX-License-Identifier: Apache-2.0

/// Reads the fields of one protobuf message in order, copying nothing.
///
/// Every length is checked against the bytes that are there, so a truncated or hostile message ends in an error.
/// The format: <https://protobuf.dev/programming-guides/encoding/>.
struct WireReader {
    enum Value {
        /// A varint or fixed-width number, its bits unchanged.
        case number(UInt64)
        /// A string, bytes or nested message; valid as long as the file's bytes are.
        case bytes(UnsafeRawBufferPointer)
    }

    struct Field {
        let number: UInt64
        let value: Value
    }

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Reads the next field, or returns nil at the end of the message.
    mutating func next() throws(VisionError) -> Field? {
        guard position < bytes.count else { return nil }
        let tag = try varint()
        guard tag >> 3 != 0 else { throw .notProtobuf("a field has number 0") }
        switch tag & 7 {
        case 0: return Field(number: tag >> 3, value: .number(try varint()))
        case 1: return Field(number: tag >> 3, value: .number(littleEndian(try take(8))))
        case 2: return Field(number: tag >> 3, value: .bytes(try take(try varint())))
        case 5: return Field(number: tag >> 3, value: .number(littleEndian(try take(4))))
        default: throw .notProtobuf("a field has wire type \(tag & 7)")
        }
    }

    private mutating func varint() throws(VisionError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard position < bytes.count else { throw .notProtobuf("a number is cut short") }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << UInt64(shift)  // bits beyond the 64th fall off, as in protobuf's own reader
            if byte & 0x80 == 0 { return value }
        }
        throw .notProtobuf("a number is longer than 10 bytes")
    }

    private mutating func take(_ count: UInt64) throws(VisionError) -> UnsafeRawBufferPointer {
        guard count <= UInt64(bytes.count - position) else { throw .notProtobuf("a field runs past the end") }
        defer { position += Int(count) }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(count)])
    }

    private func littleEndian(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension VisionError {
    fileprivate static func notProtobuf(_ what: String) -> VisionError {
        .modelInvalid("\(what), so the file is cut short, damaged or not ONNX", advice: "Copy or export it again.")
    }
}
