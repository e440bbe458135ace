// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Where the files of one model lie.
struct ModelPlaces {
    static let onnxEnding = ".onnx"
    static let openvinoEnding = "_openvino_model"
    static let cardEnding = ".card.json"

    let format: ModelListing.Format
    /// The files there are, in the order of the roles.
    let parts: [(role: ModelPart.Role, path: String)]

    /// Finds the files of a model.
    ///
    /// - Parameter path: Of an ONNX file, or of a folder with an OpenVINO model; absolute.
    /// - Throws: `InferenceError` with code `.modelMissing` or `.modelInvalid` if a folder lacks a file or has two models.
    init(_ path: String) throws(InferenceError) {
        let card = Self.base(path) + Self.cardEnding
        let cards = exists(card) ? [(role: ModelPart.Role.card, path: card)] : []
        guard isFolder(path) else {
            format = .onnx
            parts = [(.onnx, path)] + cards
            return
        }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        } catch {
            throw InferenceError(
                code: .modelMissing,
                message: "cannot read model \(path): \(error.localizedDescription)."
            )
        }
        let networks = names.filter { $0.hasSuffix(".xml") && !$0.hasPrefix(".") }
        guard networks.count == 1 else {
            throw InferenceError(
                code: .modelInvalid,
                message: networks.isEmpty
                    ? "cannot read model \(path): the folder holds no .xml file, as OpenVINO models do. Copy or export it again."
                    : "cannot read model \(path): the folder holds \(networks.count) models, \(networks.joined(separator: ", ")). "
                        + "Give each a folder of its own."
            )
        }
        let stem = String(networks[0].dropLast(".xml".count))
        guard names.contains(stem + ".bin") else {
            throw InferenceError(
                code: .modelInvalid,
                message:
                    "cannot read model \(path): \(stem).bin, which holds the weights, is missing. Copy or export it again."
            )
        }
        format = .openvino
        parts =
            [(.xml, "\(path)/\(networks[0])"), (.bin, "\(path)/\(stem).bin")]
            + (names.contains("metadata.yaml") ? [(.metadata, "\(path)/metadata.yaml")] : []) + cards
    }

    /// The name that a model at a path goes by.
    static func name(ofModelAt path: String) -> String {
        let base = base(path)
        return String(base[(base.lastIndex(of: "/").map(base.index(after:)) ?? base.startIndex)...])
    }

    /// The path without the ending that its form has.
    private static func base(_ path: String) -> String {
        for ending in [onnxEnding, openvinoEnding] where path.hasSuffix(ending) {
            return String(path.dropLast(ending.count))
        }
        return path
    }

    /// The hash of a whole model out of those of its files; see `ModelFile.sha256`.
    ///
    /// - Parameter parts: In the order of the roles.
    /// - Returns: 64 hexadecimal digits.
    static func hash(of parts: [(role: ModelPart.Role, sha256: String)]) -> String {
        if parts.count == 1 { return parts[0].sha256 }
        let list = parts.map { "\($0.role.rawValue) \($0.sha256)\n" }.joined()
        return Array(list.utf8).withUnsafeBytes(sha256Text)
    }
}
