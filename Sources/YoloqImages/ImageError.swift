// SPDX-License-Identifier: Apache-2.0

/// An image that could not be decoded or encoded.
public struct ImageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong, for callers to switch on; the raw values are stored with failed jobs.
    public enum Code: String, Sendable {
        /// There are no bytes.
        case empty
        /// Not a format, or not a kind of a format, that is read here.
        case unsupportedFormat = "unsupported_format"
        /// The bytes end before the image does; a download or a copy may have been cut.
        case truncated
        /// The bytes contradict their format.
        case corrupt
        /// More pixels than the limit or the memory allows.
        case tooLarge = "too_large"
    }

    /// What went wrong, for callers to switch on.
    public let code: Code
    /// What was asked, what happened, and what to do, in one or two sentences.
    public let message: String

    /// The code and the message.
    public var description: String { "\(code.rawValue): \(message)" }
}

extension ImageError {
    static var empty: ImageError {
        ImageError(
            code: .empty,
            message: "cannot decode the image: it has no bytes. Check that the file was written completely."
        )
    }

    /// The bytes are of another format, whose name is known or not.
    static func unsupportedFormat(_ name: String?) -> ImageError {
        guard let name else {
            return ImageError(
                code: .unsupportedFormat,
                message:
                    "cannot decode the image: the bytes are of no known image format; yoloq reads \(ImageFormat.list). "
                    + "Check that the file is an image."
            )
        }
        return ImageError(
            code: .unsupportedFormat,
            message:
                "cannot decode the image: this is \(name); yoloq reads \(ImageFormat.list). Convert the file first."
        )
    }

    /// A file of a kind that is not read.
    static func unsupportedKind(_ format: ImageFormat, _ reason: String) -> ImageError {
        ImageError(
            code: .unsupportedFormat,
            message: "cannot decode the \(format.displayName): this kind is not supported (\(reason)). "
                + "Save it as an 8-bit baseline or progressive JPEG, or as PNG."
        )
    }

    static func truncated(_ format: ImageFormat, _ reason: String) -> ImageError {
        ImageError(
            code: .truncated,
            message: "cannot decode the \(format.displayName): the file ends before the image does (\(reason)). "
                + "Copy or download it again."
        )
    }

    static func corrupt(_ format: ImageFormat, _ reason: String) -> ImageError {
        ImageError(
            code: .corrupt,
            message: "cannot decode the \(format.displayName): \(reason). Make the file anew from its source."
        )
    }

    static func tooLarge(width: Int, height: Int, limit: Int) -> ImageError {
        ImageError(
            code: .tooLarge,
            message: "cannot decode the image: \(width)×\(height) pixels are more than the limit of \(limit) pixels. "
                + "Scale it down, or raise the limit (--max-pixels)."
        )
    }

    static func outOfMemory(width: Int, height: Int) -> ImageError {
        ImageError(
            code: .tooLarge,
            message: "cannot decode the image: no memory for \(width)×\(height) pixels. "
                + "Scale it down, or give the process more memory."
        )
    }

    /// The decoder itself found no memory.
    static func decoderOutOfMemory(_ format: ImageFormat) -> ImageError {
        ImageError(
            code: .tooLarge,
            message: "cannot decode the \(format.displayName): memory is out. "
                + "Scale it down, or give the process more memory."
        )
    }

    static func notEncodable(width: Int, height: Int, _ reason: String) -> ImageError {
        ImageError(
            code: .tooLarge,
            message: "cannot encode \(width)×\(height) pixels as JPEG: \(reason). Scale the image down first."
        )
    }
}
