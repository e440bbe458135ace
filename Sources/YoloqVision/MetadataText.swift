// SPDX-License-Identifier: Apache-2.0

/// A value out of YAML or JSON on its way to the form that ONNX files keep metadata in: Python's.
///
/// ONNX metadata is text; Ultralytics writes `str(value)` into it. Bringing the other forms to it leaves one reader,
/// `ModelMetadata`, with one set of rules.
indirect enum MetadataText {
    case none
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case list([MetadataText])
    case object([(key: MetadataText, value: MetadataText)])

    /// As the value of a key: text stands bare.
    var text: String {
        if case .string(let text) = self { return text }
        return literal
    }

    /// As Python's `repr` writes it.
    var literal: String {
        switch self {
        case .none: "None"
        case .bool(let flag): flag ? "True" : "False"
        case .int(let number): String(number)
        case .double(let number): number.isFinite ? number.description : "None"
        case .string(let text): Self.quoted(text)
        case .list(let values): "[" + values.map(\.literal).joined(separator: ", ") + "]"
        case .object(let entries):
            "{" + entries.map { "\($0.key.literal): \($0.value.literal)" }.joined(separator: ", ") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "'"
        for scalar in text.unicodeScalars {
            switch scalar {
            case "'": result += "\\'"
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0}"..<" ", "\u{7F}":
                result += (scalar.value < 16 ? "\\x0" : "\\x") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "'"
    }
}
