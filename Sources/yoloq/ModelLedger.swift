// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference

/// What is known of the models of one folder since they were put there: `models.json` in it.
struct ModelLedger: Codable {
    /// One model.
    struct Entry: Codable {
        /// The hash of the whole model, see `ModelFile.sha256`.
        var sha256: String
        /// The hash of each of its files, by role.
        var parts: [String: String]
        /// Where it is from: a path, or a URL.
        var source: String?
        /// When it was put there, RFC 3339.
        var recordedAt: String

        enum CodingKeys: String, CodingKey {
            case sha256, parts, source
            case recordedAt = "recorded_at"
        }

        /// Describes a model as it is now.
        init(_ file: ModelFile, source: String?) {
            sha256 = file.sha256
            parts = Dictionary(uniqueKeysWithValues: file.parts.map { ($0.role.rawValue, $0.sha256) })
            self.source = source
            recordedAt = Date.now.formatted(.iso8601)
        }
    }

    static let fileName = "models.json"

    var schema = 1
    /// By name, or by name and ending where a folder has both forms.
    var models: [String: Entry] = [:]

    /// The ledger of a folder; empty if it has none.
    ///
    /// - Parameter folder: An absolute path.
    /// - Throws: `CommandFailure` with status 74 if there is one that cannot be read: what it protects is not known then.
    init(of folder: String) throws {
        let path = "\(folder)/\(Self.fileName)"
        guard FileManager.default.fileExists(atPath: path) else { return }
        do {
            self = try JSONDecoder().decode(ModelLedger.self, from: Data(contentsOf: URL(filePath: path)))
        } catch {
            throw CommandFailure(
                .inputOutput,
                "cannot read \(path), which records the hashes of models: \(error.localizedDescription). Mend or remove it"
            )
        }
    }

    /// Writes the ledger of a folder, whole.
    func write(to folder: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let path = "\(folder)/\(Self.fileName)"
        do {
            try encoder.encode(self).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw CommandFailure(.inputOutput, "cannot write \(path): \(error.localizedDescription)")
        }
    }
}

extension ModelFile {
    /// The folder that the model lies in.
    var folder: String { URL(filePath: path).deletingLastPathComponent().path }
}
