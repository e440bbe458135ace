// SPDX-License-Identifier: Apache-2.0

public import YoloqImages

/// Why one image gave no result: what a job or `predict` reports.
///
/// The next image is not concerned.
public struct ImageFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// A word that programs can switch on: `not_found`, `is_directory`, `unreadable`, the codes of `ImageError` and of
    /// `InferenceError`.
    public let kind: String
    /// What was asked, what happened, what to do.
    public let message: String
    /// Whether running the same image again could help.
    public let isRetryable: Bool

    /// The message.
    public var description: String { message }

    /// Describes a failure.
    package init(kind: String, message: String, isRetryable: Bool = false) {
        self.kind = kind
        self.message = message
        self.isRetryable = isRetryable
    }

    /// An image that cannot be decoded never can.
    public init(_ error: ImageError, source: String) {
        self.init(kind: error.code.rawValue, message: "\(source): \(error.message)")
    }

    /// The engine's trouble may pass, and a missing model may come back; a model or parameter that does not fit stays so.
    public init(_ error: InferenceError) {
        self.init(
            kind: error.code.rawValue,
            message: error.message,
            isRetryable: [.engine, .engineMissing, .modelMissing].contains(error.code)
        )
    }
}
