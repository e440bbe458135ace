// SPDX-License-Identifier: Apache-2.0
internal import CLibYAML
internal import Yams

/// The `metadata.yaml` of an OpenVINO folder, in the form that ONNX files keep metadata in.
struct YAMLMetadata {
    /// The most bytes such a file may have; a thousand long class names take a tenth of it.
    static let maxByteCount = 1 << 20
    /// The most values.
    private static let maxValueCount = 200_000
    /// The most bytes that it may become with its aliases written out: of few bytes they can make any number.
    private static let maxExpandedByteCount = 16 << 20

    /// How deep values may nest; exports have three levels.
    ///
    /// Yams compares and frees nodes by recursion, and libyaml looks at every level with each token. Aliases add up: those of
    /// `maxExpandedByteCount` to twenty times as much.
    private static let maxDepth: Void = yaml_set_max_nest_level(16)

    private(set) var values: [String: String] = [:]
    private var valueCount = 0

    init(_ bytes: UnsafeRawBufferPointer) throws(VisionError) {
        guard bytes.count <= Self.maxByteCount else {
            throw .modelInvalid("its metadata.yaml has more than \(Self.maxByteCount) bytes")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .modelInvalid("its metadata.yaml is not UTF-8")
        }
        _ = Self.maxDepth
        try Self.checkAliases(bytes)
        try Self.checkTags(bytes)
        let root: Node?
        do {
            // Tags are not asked for, so that their rules need not be tried on each key.
            root = try compose(yaml: text, .basic)
        } catch {
            throw .modelInvalid("its metadata.yaml cannot be read: \(shown(Self.words(of: error), limit: 200))")
        }
        guard let root else { return }
        guard case .mapping(let mapping) = root else { throw .modelInvalid("its metadata.yaml is no list of keys") }
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                throw .modelInvalid("its metadata.yaml has a key that is no word")
            }
            values[name] = try convert(value, isText: name == "names").text
        }
    }

    /// Refuses aliases that make much of little, before the parser compares keys with all that they stand for.
    private static func checkAliases(_ bytes: UnsafeRawBufferPointer) throws(VisionError) {
        var definitions: [String: Int] = [:]
        var aliases: [String: Int] = [:]
        var index = bytes.startIndex
        while let mark = bytes[index...].firstIndex(where: { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: "*") }) {
            let name = bytes[(mark + 1)...].prefix(while: \.isAnchorLetter)
            index = name.endIndex
            let key = String(decoding: name, as: UTF8.self)
            if bytes[mark] == UInt8(ascii: "&") {
                definitions[key, default: 0] += 1
            } else {
                aliases[key, default: 0] += 1
            }
        }
        // Each anchor's aliases multiply at most all there is by one more than they are; of an anchor that is defined
        // anew the product is largest if each definition has the same number.
        var count = Double(bytes.count)
        for (name, definitionCount) in definitions {
            for _ in 0..<definitionCount where count <= Double(maxExpandedByteCount) {
                count *= 1 + Double(aliases[name] ?? 0) / Double(definitionCount)
            }
        }
        guard count <= Double(maxExpandedByteCount) else {
            throw .modelInvalid("its metadata.yaml repeats parts of itself too often")
        }
    }

    /// Refuses declarations of tags, which the parser compares each with all others; no export has one.
    private static func checkTags(_ bytes: UnsafeRawBufferPointer) throws(VisionError) {
        var index = bytes.startIndex
        var count = 0
        while let mark = bytes[index...].firstIndex(of: UInt8(ascii: "%")) {
            if bytes[mark...].starts(with: "%TAG".utf8) { count += 1 }
            index = mark + 1
        }
        guard count <= 100 else { throw .modelInvalid("its metadata.yaml declares too many tags") }
    }

    /// What the parser says, without the lines of the file that it shows: where, in the course of what, and what.
    private static func words(of error: any Error) -> String {
        let lines = "\(error)".split(separator: "\n", maxSplits: 2)
        guard let first = lines.first else { return "it is no YAML" }
        let isWhole = first.hasSuffix(":") || !first.contains(": error: ")
        let words = isWhole || lines.count < 2 ? String(first) : "\(first): \(lines[1])"
        return words.hasSuffix(":") ? String(words.dropLast()) : words
    }

    /// Brings a value into the form for text.
    ///
    /// - Parameters:
    ///   - node: A value.
    ///   - isText: Scalars are text, whatever they look like: a class may be called `yes`. Keys keep their type.
    /// - Returns: The value with all below it.
    /// - Throws: `modelInvalid` if there are too many values.
    private mutating func convert(_ node: Node, isText: Bool) throws(VisionError) -> MetadataText {
        valueCount += 1
        guard valueCount <= Self.maxValueCount else { throw .modelInvalid("its metadata.yaml holds too many values") }
        switch node {
        case .scalar(let scalar): return isText ? .string(scalar.string) : Self.value(scalar)
        case .sequence(let nodes):
            var values: [MetadataText] = []
            for node in nodes { values.append(try convert(node, isText: isText)) }
            return .list(values)
        case .mapping(let mapping):
            var entries: [(key: MetadataText, value: MetadataText)] = []
            for (key, value) in mapping {
                entries.append((try convert(key, isText: false), try convert(value, isText: isText)))
            }
            return .object(entries)
        case .alias: throw .modelInvalid("its metadata.yaml refers to what it does not have")
        }
    }

    /// A scalar that is not quoted is what it looks like, by the rules of YAML's core schema.
    private static func value(_ scalar: Node.Scalar) -> MetadataText {
        let text = scalar.string
        guard scalar.style == .plain || scalar.style == .any else { return .string(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .none
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        if let number = Int(text) { return .int(number) }
        let looksLikeNumber = text.utf8.allSatisfy { "+-.0123456789eE".utf8.contains($0) }
        if looksLikeNumber, let number = Double(text) { return .double(number) }
        return .string(text)
    }
}

extension UInt8 {
    /// Whether libyaml takes it for a part of an anchor's name.
    fileprivate var isAnchorLetter: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
