// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqVision

/// The models that can be pulled by name: `weights/registry.json`, built in, and a `registry.json` in any folder of models.
struct ModelRegistry: Decodable, Sendable {
    /// A model and where it is.
    struct Entry: Decodable, Sendable {
        /// What to ask for; also the name it gets.
        var name: String
        /// Of its ONNX file.
        var url: String
        /// Of its ONNX file; nil to take what comes and record it.
        var sha256: String?
        /// The size of its ONNX file; nil if not known.
        var bytes: Int?
        /// Of the weights, by its SPDX identifier.
        var license: String?
        /// Who made it, for people.
        var origin: String?
        /// The key in `cards` of what lies beside it as `NAME.card.json`.
        var card: String?
    }

    private var schema: Int
    /// By their keys.
    private var cards: [String: JSONContent]?
    /// In the order to show them.
    let models: [Entry]

    /// What the program was built with.
    static let builtIn: ModelRegistry = {
        do {
            return try ModelRegistry(Data(PackageResources.registry_json))
        } catch {
            preconditionFailure("weights/registry.json, built in: \(error)")
        }
    }()

    /// Those of the folders, in order, then the one built in.
    ///
    /// - Parameter folders: That hold models.
    /// - Returns: At least one.
    /// - Throws: `CommandFailure` with status 74 if one cannot be read.
    static func all(in folders: [String]) throws -> [ModelRegistry] {
        try folders.map { $0 + "/registry.json" }.filter(FileManager.default.fileExists(atPath:)).map { path in
            do {
                return try ModelRegistry(Data(contentsOf: URL(filePath: path)))
            } catch {
                throw CommandFailure(.inputOutput, "cannot read \(path): \(Self.words(error)). Mend or remove it")
            }
        } + [builtIn]
    }

    private init(_ data: Data) throws {
        self = try JSONDecoder().decode(ModelRegistry.self, from: data)
        guard schema == 1 else {
            throw CommandFailure(.inputOutput, "its schema is \(schema), this yoloq knows 1")
        }
        for entry in models {
            guard entry.name.isModelName else {
                throw CommandFailure(.inputOutput, "\"\(entry.name)\" cannot be a model's name")
            }
            guard entry.sha256?.isSHA256 ?? true else {
                throw CommandFailure(.inputOutput, "the sha256 of \(entry.name) is not 64 hexadecimal digits")
            }
            guard entry.card.map({ cards?[$0] != nil }) ?? true else {
                throw CommandFailure(
                    .inputOutput,
                    "\(entry.name) has a card \"\(entry.card ?? "")\", which is not among its cards"
                )
            }
        }
    }

    private static func words(_ error: any Error) -> String {
        if let failure = error as? CommandFailure { return failure.message }
        guard case DecodingError.keyNotFound(let key, _) = error else { return "it is not a registry" }
        return "\"\(key.stringValue)\" is missing"
    }

    /// The entry of a name.
    func entry(_ name: String) -> Entry? { models.first { $0.name == name } }

    /// The text of an entry's card file; nil if it has none.
    ///
    /// Always the same text for the same card, since it enters the model's hash.
    func card(of entry: Entry) -> String? {
        entry.card.flatMap { cards?[$0] }.map { $0.json.description + "\n" }
    }
}

extension String {
    /// Whether it can be the name of a model: a file's name that is shown and is no path.
    var isModelName: Bool {
        !isEmpty && !hasPrefix(".") && !contains("/") && utf8.count <= 200 && !utf8.contains { $0 < 0x20 || $0 == 0x7F }
    }

    /// Whether it is 64 hexadecimal digits.
    var isSHA256: Bool { utf8.count == 64 && allSatisfy(\.isHexDigit) }
}
