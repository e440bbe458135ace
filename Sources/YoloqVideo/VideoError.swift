// SPDX-License-Identifier: Apache-2.0

/// Why a video, or a part of it, cannot be read.
package struct VideoError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of trouble it is; the raw values are the words that jobs fail with.
    package enum Code: String, Sendable {
        /// There is no `ffmpeg` or `ffprobe`.
        case ffmpegMissing = "ffmpeg_missing"
        /// There is no such file.
        case notFound = "not_found"
        /// The file cannot be read.
        case unreadable
        /// It is no video of a form that is read.
        case unsupportedFormat = "unsupported_format"
        /// What is in it cannot be decoded.
        case corrupt
        /// It ends early.
        case truncated
        /// Its pictures have more pixels than allowed.
        case tooLarge = "too_large"
        /// It is not the file that was submitted.
        case sourceChanged = "source_changed"
        /// Nobody wants it any more.
        case stopped
    }

    /// What callers can switch on.
    package let code: Code
    /// What was asked, what happened and what to do.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Whether it may work later with the same file.
    package var isRetryable: Bool { code == .ffmpegMissing }

    /// The message.
    package var description: String { message }
}
