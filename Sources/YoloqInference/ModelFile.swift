// SPDX-License-Identifier: Apache-2.0
public import YoloqVision

/// A model file found by name or path, and what it says of itself.
public struct ModelFile: Sendable, Hashable {
    /// The name it goes by: its file name without the ending.
    public let name: String
    /// Absolute.
    public let path: String
    /// SHA-256 of the content, 64 hexadecimal digits.
    public let sha256: String
    /// What the model says of itself.
    public let card: ModelCard

    /// Describes a model file.
    ///
    /// - Parameters:
    ///   - name: The name it goes by.
    ///   - path: Absolute.
    ///   - sha256: SHA-256 of the content, 64 hexadecimal digits.
    ///   - card: What the model says of itself.
    public init(name: String, path: String, sha256: String, card: ModelCard) {
        self.name = name
        self.path = path
        self.sha256 = sha256
        self.card = card
    }
}

/// A model that a directory offers; not opened yet.
public struct ModelListing: Sendable, Hashable {
    /// The form a model lies in.
    public enum Format: String, Sendable {
        /// One file, `NAME.onnx`.
        case onnx
        /// A folder, `NAME_openvino_model/`; listed, but not run yet.
        case openvino
    }

    /// The name to ask for.
    public let name: String
    /// Absolute.
    public let path: String
    /// The form it lies in.
    public let format: Format
}
