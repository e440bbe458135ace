// SPDX-License-Identifier: Apache-2.0
public import YoloqVision

/// A model found by name or path, and what it says of itself.
public struct ModelFile: Sendable, Hashable {
    /// The name it goes by: its file's or folder's name without the ending.
    public let name: String
    /// Absolute; of an OpenVINO model, its folder's.
    public let path: String
    /// Identifies the content, 64 hexadecimal digits.
    ///
    /// The SHA-256 of the file where the model is one file; else that of a list with a line for each file, in the order
    /// of `parts`: its role, a space, its SHA-256, a line feed. So `{ echo "onnx $A"; echo "card $B"; } | sha256sum`
    /// gives it.
    public let sha256: String
    /// What the model says of itself.
    public let card: ModelCard
    /// The form it lies in.
    public let format: ModelListing.Format
    /// The files it is made of.
    public let parts: [ModelPart]

    /// Describes a model file.
    ///
    /// - Parameters:
    ///   - name: The name it goes by.
    ///   - path: Absolute.
    ///   - sha256: Identifies the content, 64 hexadecimal digits.
    ///   - card: What the model says of itself.
    ///   - format: The form it lies in.
    ///   - parts: The files it is made of.
    public init(
        name: String,
        path: String,
        sha256: String,
        card: ModelCard,
        format: ModelListing.Format = .onnx,
        parts: [ModelPart] = []
    ) {
        self.name = name
        self.path = path
        self.sha256 = sha256
        self.card = card
        self.format = format
        self.parts = parts
    }
}

/// One of the files that a model is made of.
public struct ModelPart: Sendable, Hashable {
    /// What a file is to a model, in the order in which hashes are put together.
    public enum Role: String, Sendable, Hashable, CaseIterable {
        /// Network and weights of an ONNX model.
        case onnx
        /// The network of an OpenVINO model.
        case xml
        /// The weights of an OpenVINO model.
        case bin
        /// The `metadata.yaml` of an OpenVINO model.
        case metadata
        /// The `NAME.card.json` beside a model.
        case card
    }

    /// What it is to the model.
    public let role: Role
    /// Absolute.
    public let path: String
    /// Its size.
    public let byteCount: Int
    /// SHA-256 of its content, 64 hexadecimal digits.
    public let sha256: String
}

/// A model that a directory offers; not opened yet.
public struct ModelListing: Sendable, Hashable {
    /// The form a model lies in.
    public enum Format: String, Sendable {
        /// One file, `NAME.onnx`.
        case onnx
        /// A folder, `NAME_openvino_model/`.
        case openvino
    }

    /// The name to ask for.
    public let name: String
    /// Absolute.
    public let path: String
    /// The form it lies in.
    public let format: Format
}
