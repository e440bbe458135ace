// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// A `NAME.card.json`: what a model's file does not say of itself.
///
/// Its keys are those of `Key`; each fills in what the file lacks and overrides what it has.
public struct CardFile: Sendable, Hashable {
    /// What a card may say.
    public enum Key: String, Sendable, CaseIterable {
        /// `"detect"`, `"segment"`, `"pose"`, `"obb"` or `"classify"`.
        case task
        /// The classes: a list of names, or an object from numbers (as text) to names.
        case names
        /// The family whose output layout it has, such as `"yolox"`, where shapes do not tell.
        case family
        /// Height and width of the input are multiples of this many pixels.
        case stride
        /// The input's size: one number, or `[height, width]`.
        case imageSize = "imgsz"
        /// Keypoints of a pose model: `[how many, 2 or 3]`.
        case keypointShape = "kpt_shape"
        /// The input's channels; only 3 can be run.
        case channels
        /// Whether rows come out of the network suppressed already.
        case endToEnd = "end2end"
        /// Free text for people.
        case description
        /// Where the model is from; for people.
        case source
        /// The licence of the weights; for people.
        case license
    }

    /// The most bytes such a file may have.
    public static let maxByteCount = 1 << 20

    /// The values in the form that ONNX files keep metadata in, by key.
    let values: [String: String]

    /// Reads a card.
    ///
    /// - Parameter bytes: JSON, an object.
    /// - Throws: `modelInvalid`, with the key and the nearest one that exists, or what a value should be.
    public init(json bytes: UnsafeRawBufferPointer) throws(VisionError) {
        guard bytes.count <= Self.maxByteCount else {
            throw .badCard("it has more than \(Self.maxByteCount) bytes")
        }
        let content: JSONContent
        do {
            content = try JSONDecoder().decode(JSONContent.self, from: Data(bytes))
        } catch {
            throw .badCard("it is not JSON, or nested too deeply")
        }
        guard case .object(let members) = content else { throw .badCard("it is no object, { … }") }
        var values: [String: String] = [:]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            guard let key = Key(rawValue: name) else { throw Self.unknown(name) }
            values[name] = try Self.text(of: value, for: key)
        }
        self.values = values
        // Values out of range are the card's fault, and shall be named as such.
        do throws(VisionError) {
            _ = try ModelMetadata(values)
        } catch {
            throw VisionError(code: error.code, message: "in the card file: \(error.message)")
        }
    }

    private static func unknown(_ name: String) -> VisionError {
        let keys = Key.allCases.map(\.rawValue)
        let wanted = Array(name.lowercased())
        let near = keys.map { (key: $0, distance: editDistance(wanted, Array($0))) }.min { $0.distance < $1.distance }
        let isNear = near.map { $0.distance <= max(2, wanted.count / 3) } ?? false
        return .badCard(
            "it has a key \"\(shown(name))\", which means nothing",
            advice: isNear ? "Did you mean \"\(near?.key ?? "")\"?" : "The keys are \(keys.joined(separator: ", "))."
        )
    }

    private static func text(of value: JSONContent, for key: Key) throws(VisionError) -> String {
        switch (key, value) {
        case (.task, .string(let text)):
            guard VisionTask(rawValue: text) != nil else {
                let tasks = VisionTask.allCases.map(\.rawValue).joined(separator: ", ")
                throw .badCard("its task is \"\(shown(text))\"", advice: "The tasks are \(tasks).")
            }
            return text
        case (.names, _): return try names(value)
        case (.family, .string(let text)):
            guard !text.isEmpty else { throw .badCard("its family is empty", advice: "Leave it out, or name one.") }
            return text
        case (.description, .string(let text)), (.source, .string(let text)), (.license, .string(let text)):
            return text
        case (.stride, .int(let number)), (.channels, .int(let number)), (.imageSize, .int(let number)):
            return String(number)
        case (.imageSize, .array(let sides)):
            return try pair(sides, key, "[height, width]")
        case (.keypointShape, .array(let sides)):
            return try pair(sides, key, "[how many, 2 or 3]")
        case (.endToEnd, .bool(let flag)): return MetadataText.bool(flag).text
        case (.task, _), (.family, _), (.description, _), (.source, _), (.license, _):
            throw .badCard("its \(key.rawValue) is no text", advice: "Put it in quotes.")
        case (.stride, _), (.channels, _): throw .badCard("its \(key.rawValue) is no whole number")
        case (.imageSize, _): throw .badCard("its imgsz is neither a whole number nor [height, width]")
        case (.keypointShape, _): throw .badCard("its kpt_shape is not [how many, 2 or 3]")
        case (.endToEnd, _): throw .badCard("its end2end is neither true nor false")
        }
    }

    private static func pair(_ values: [JSONContent], _ key: Key, _ form: String) throws(VisionError) -> String {
        guard values.count == 2, case (.int(let first), .int(let second)) = (values[0], values[1]), first > 0,
            second > 0,
            key != .keypointShape || (second == 2 || second == 3) && first <= 1000
        else { throw .badCard("its \(key.rawValue) is not \(form)") }
        return "[\(first), \(second)]"
    }

    private static func names(_ value: JSONContent) throws(VisionError) -> String {
        let list: [JSONContent]
        switch value {
        case .array(let values): list = values
        case .object(let members):
            var ordered: [JSONContent] = []
            for index in 0..<members.count {
                guard let name = members[String(index)] else {
                    throw .badCard("its names are \(members.count), but none has the number \(index)")
                }
                ordered.append(name)
            }
            list = ordered
        default: throw .badCard("its names are neither a list nor an object from numbers to names")
        }
        guard !list.isEmpty else { throw .badCard("its list of names is empty") }
        var names: [MetadataText] = []
        for name in list {
            guard case .string(let text) = name else { throw .badCard("one of its names is no text") }
            names.append(.string(text))
        }
        return MetadataText.list(names).text
    }
}

extension VisionError {
    fileprivate static func badCard(_ what: String, advice: String = "Correct it.") -> VisionError {
        VisionError(code: .modelInvalid, message: "cannot use the card file: \(what). \(advice)")
    }
}
