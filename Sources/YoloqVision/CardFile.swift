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
        do {
            values = try JSONDecoder().decode(Content.self, from: Data(bytes)).values
        } catch let error as VisionError {
            throw error
        } catch {
            throw .badCard("it is not JSON, or nested too deeply")
        }
        // Values out of range are the card's fault, and shall be named as such.
        do throws(VisionError) {
            _ = try ModelMetadata(values)
        } catch {
            throw VisionError(code: error.code, message: "in the card file: \(error.message)")
        }
    }
}

/// The values of a card, each asked for as what it has to be, so that what it is not costs nothing.
private struct Content: Decodable {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private(set) var values: [String: String] = [:]

    init(from decoder: any Decoder) throws {
        guard let object = try? decoder.container(keyedBy: Name.self) else {
            throw VisionError.badCard("it is no object, { … }")
        }
        for name in object.allKeys.sorted(by: { $0.stringValue < $1.stringValue }) {
            guard let key = CardFile.Key(rawValue: name.stringValue) else { throw Self.unknown(name.stringValue) }
            values[key.rawValue] = try Self.text(of: key, at: name, in: object)
        }
    }

    private static func unknown(_ name: String) -> VisionError {
        let keys = CardFile.Key.allCases.map(\.rawValue)
        // Of a long name the beginning decides as well, and costs less to compare.
        let wanted = Array(shown(name).lowercased())
        let near = keys.map { (key: $0, distance: editDistance(wanted, Array($0))) }.min { $0.distance < $1.distance }
        let isNear = near.map { $0.distance <= max(2, wanted.count / 3) } ?? false
        return .badCard(
            "it has a key \"\(shown(name))\", which means nothing",
            advice: isNear ? "Did you mean \"\(near?.key ?? "")\"?" : "The keys are \(keys.joined(separator: ", "))."
        )
    }

    private typealias Object = KeyedDecodingContainer<Name>

    private static func text(of key: CardFile.Key, at name: Name, in object: Object) throws -> String {
        switch key {
        case .task:
            let text = try string(key, at: name, in: object)
            guard VisionTask(rawValue: text) != nil else {
                let tasks = VisionTask.allCases.map(\.rawValue).joined(separator: ", ")
                throw VisionError.badCard("its task is \"\(shown(text))\"", advice: "The tasks are \(tasks).")
            }
            return text
        case .names: return try names(at: name, in: object)
        case .family:
            let text = try string(key, at: name, in: object)
            guard !text.isEmpty else {
                throw VisionError.badCard("its family is empty", advice: "Leave it out, or name one.")
            }
            return text
        case .description, .source, .license: return try string(key, at: name, in: object)
        case .stride, .channels:
            guard let number = try? object.decode(Int.self, forKey: name) else {
                throw VisionError.badCard("its \(key.rawValue) is no whole number")
            }
            return String(number)
        case .imageSize:
            if let number = try? object.decode(Int.self, forKey: name) { return String(number) }
            guard let sides = try? object.decode([Int].self, forKey: name) else {
                throw VisionError.badCard("its imgsz is neither a whole number nor [height, width]")
            }
            return try pair(sides, key, "[height, width]")
        case .keypointShape:
            return try pair((try? object.decode([Int].self, forKey: name)) ?? [], key, "[how many, 2 or 3]")
        case .endToEnd:
            guard let flag = try? object.decode(Bool.self, forKey: name) else {
                throw VisionError.badCard("its end2end is neither true nor false")
            }
            return MetadataText.bool(flag).text
        }
    }

    private static func string(_ key: CardFile.Key, at name: Name, in object: Object) throws -> String {
        do {
            return try object.decode(String.self, forKey: name)
        } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
            throw VisionError.badCard("its \(key.rawValue) is no text", advice: "Put it in quotes.")
        }
    }

    private static func pair(_ values: [Int], _ key: CardFile.Key, _ form: String) throws(VisionError) -> String {
        guard values.count == 2, values[0] > 0, values[1] > 0,
            key != .keypointShape || (2...3).contains(values[1]) && values[0] <= 1000
        else { throw .badCard("its \(key.rawValue) is not \(form)") }
        return "[\(values[0]), \(values[1])]"
    }

    private static func names(at name: Name, in object: Object) throws -> String {
        let list: [String]
        do {
            if (try? object.nestedUnkeyedContainer(forKey: name)) != nil {
                list = try object.decode([String].self, forKey: name)
            } else if (try? object.nestedContainer(keyedBy: Name.self, forKey: name)) != nil {
                list = try ordered(try object.decode([String: String].self, forKey: name))
            } else {
                throw VisionError.badCard("its names are neither a list nor an object from numbers to names")
            }
        } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
            throw VisionError.badCard("one of its names is no text")
        }
        guard !list.isEmpty else { throw VisionError.badCard("its list of names is empty") }
        return MetadataText.list(list.map(MetadataText.string)).text
    }

    private static func ordered(_ members: [String: String]) throws(VisionError) -> [String] {
        var names: [String] = []
        for index in 0..<members.count {
            guard let name = members[String(index)] else {
                throw .badCard("its names are \(members.count), but none has the number \(index)")
            }
            names.append(name)
        }
        return names
    }
}

extension VisionError {
    fileprivate static func badCard(_ what: String, advice: String = "Correct it.") -> VisionError {
        VisionError(code: .modelInvalid, message: "cannot use the card file: \(what). \(advice)")
    }
}
