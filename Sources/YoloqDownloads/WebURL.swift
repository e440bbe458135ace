// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// An http or https URL that can be asked for.
struct WebURL: Sendable, Hashable, CustomStringConvertible {
    /// The whole URL, without a fragment.
    let text: String
    /// The name or address, an IPv6 address without brackets.
    let host: String
    /// As it stands in `text`.
    let spelledHost: String
    /// Whether it is https.
    let isSecure: Bool
    private let url: URL

    /// Reads a URL.
    ///
    /// - Parameters:
    ///   - text: Absolute, or relative to `base`.
    ///   - base: The URL whose answer `text` stands in.
    /// - Throws: `DownloadError` with code `badURL`.
    init(_ text: String, relativeTo base: WebURL? = nil) throws(DownloadError) {
        let shown = text.prefix { $0 != "?" }.prefix(200)
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }), let url = URL(string: text, relativeTo: base?.url),
            var parts = URLComponents(url: url.absoluteURL, resolvingAgainstBaseURL: true)
        else { throw DownloadError(.badURL, "\"\(shown)\" is not a URL.") }
        let scheme = parts.scheme?.lowercased() ?? ""
        guard scheme == "https" || scheme == "http" else {
            throw DownloadError(.badURL, "\"\(shown)\" is not a URL of https or http.")
        }
        guard let host = parts.host, !host.isEmpty else {
            throw DownloadError(.badURL, "\"\(shown)\" names no host.")
        }
        guard parts.user == nil, parts.password == nil else {
            throw DownloadError(.badURL, "a URL of \(host) holds a user's name: leave it out, it would be stored.")
        }
        parts.fragment = nil
        parts.scheme = scheme
        guard let absolute = parts.url else { throw DownloadError(.badURL, "\"\(shown)\" is not a URL.") }
        self.url = absolute
        self.text = absolute.absoluteString
        self.isSecure = scheme == "https"
        self.spelledHost = host
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    /// The URL without its query, which may hold a secret.
    var description: String { text.contains("?") ? String(text.prefix { $0 != "?" }) + "?…" : text }
}
