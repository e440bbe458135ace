// SPDX-License-Identifier: Apache-2.0
internal import YoloqVision

/// A model's files in memory: what is looked at, hashed and run is the same content.
final class LoadedModel {
    /// One file, or what is known of it without having read it.
    private struct Part {
        let role: ModelPart.Role
        let path: String
        /// nil for weights that were not asked for.
        let content: Content?
    }

    /// Shares a file's content: arrays hold no noncopyable values.
    private final class Content {
        let file: LoadedFile

        init(path: String) throws(InferenceError) { file = try LoadedFile(path: path) }
    }

    /// The form it lies in.
    let format: ModelListing.Format
    private let parts: [Part]

    /// Reads a model's files.
    ///
    /// - Parameters:
    ///   - path: Absolute; see `ModelPlaces`.
    ///   - withWeights: Whether to read weights that lie in a file of their own.
    /// - Throws: `InferenceError` with code `.modelMissing` or `.modelInvalid`.
    init(path: String, withWeights: Bool) throws(InferenceError) {
        let places = try ModelPlaces(path)
        var parts: [Part] = []
        for (role, path) in places.parts {
            let content = role != .bin || withWeights ? try Content(path: path) : nil
            parts.append(Part(role: role, path: path, content: content))
        }
        self.format = places.format
        self.parts = parts
    }

    /// What the model says of itself.
    ///
    /// - Returns: The card, with the card file's values over the model's own.
    /// - Throws: `VisionError`.
    func card() throws(VisionError) -> ModelCard {
        let side = try content(.card).map { (content) throws(VisionError) in
            try content.file.withBytes { (bytes) throws(VisionError) in try CardFile(json: bytes) }
        }
        return try withNetwork { (network) throws(VisionError) in
            switch format {
            case .onnx: return try ModelCard(onnx: network, card: side)
            case .openvino:
                guard let metadata = content(.metadata) else {
                    return try ModelCard(openvino: network, metadata: nil, card: side)
                }
                return try metadata.file.withBytes { (yaml) throws(VisionError) in
                    try ModelCard(openvino: network, metadata: yaml, card: side)
                }
            }
        }
    }

    /// Shows the network's file, and the weights if they are in another and were read.
    func withNetwork<R: ~Copyable, E: Error>(
        _ body: (_ network: UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        guard let network = content(format == .onnx ? .onnx : .xml) else { preconditionFailure("every model has one") }
        return try network.file.withBytes(body)
    }

    /// Shows the weights' file of an OpenVINO model that was read with it.
    func withWeights<R: ~Copyable, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        guard let weights = content(.bin) else { preconditionFailure("read without its weights") }
        return try weights.file.withBytes(body)
    }

    /// The hash of the content in memory, weights included; see `ModelFile.sha256`.
    func sha256() -> String {
        ModelPlaces.hash(
            of: parts.map { part in
                guard let content = part.content else { preconditionFailure("read without its weights") }
                return (part.role, content.file.sha256())
            }
        )
    }

    /// The files with their hashes.
    ///
    /// - Parameter hashes: Remembers hashes, so that weights that were not read need not be.
    /// - Returns: In the order of the roles.
    /// - Throws: `InferenceError` if the weights cannot be read.
    func describeParts(_ hashes: HashCache) throws(InferenceError) -> [ModelPart] {
        var described: [ModelPart] = []
        for part in parts {
            let (sha256, byteCount): (String, Int64)
            if let content = part.content {
                (sha256, byteCount) = (
                    hashes.sha256(of: content.file, at: part.path), content.file.identity.byteCount
                )
            } else {
                (sha256, byteCount) = try hashes.sha256(ofFileAt: part.path)
            }
            described.append(
                ModelPart(role: part.role, path: part.path, byteCount: Int(byteCount), sha256: sha256)
            )
        }
        return described
    }

    private func content(_ role: ModelPart.Role) -> Content? { parts.first { $0.role == role }?.content }
}
