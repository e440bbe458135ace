// SPDX-License-Identifier: Apache-2.0

/// Why something could not be downloaded.
package struct DownloadError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of trouble it is.
    package enum Code: String, Sendable {
        /// The address is no http or https URL.
        case badURL = "bad_url"
        /// The policy forbids the address: plain http, or a private network.
        case refused
        /// The name is not known, or nobody answers there.
        case unreachable
        /// Nothing came for too long, or all of it took too long.
        case timedOut = "timed_out"
        /// The server answered, but not with the file.
        case status
        /// The server's answer breaks the rules of HTTP, or leads from one address to the next without end.
        case badAnswer = "bad_answer"
        /// More bytes than allowed.
        case tooLarge = "too_large"
        /// The connection ended before the file did.
        case cut
        /// The file is not the one that was asked for: its SHA-256 is another.
        case wrongContent = "wrong_content"
        /// Another process is downloading to the same place.
        case busy
        /// The file cannot be written.
        case io
    }

    /// What callers can switch on.
    package let code: Code
    /// What was asked, what happened and what to do.
    package let message: String
    /// The server's status, if `code` is `status`.
    package let status: Int?

    init(_ code: Code, _ message: String, status: Int? = nil) {
        self.code = code
        self.message = message
        self.status = status
    }

    /// Whether the same download may work later without a change here.
    package var isTransient: Bool {
        switch code {
        case .unreachable, .timedOut, .cut, .busy: true
        case .status: status.map { $0 == 408 || $0 == 425 || $0 == 429 || $0 >= 500 } ?? false
        case .badURL, .refused, .badAnswer, .tooLarge, .wrongContent, .io: false
        }
    }

    /// The message.
    package var description: String { message }
}
