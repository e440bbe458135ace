// SPDX-License-Identifier: Apache-2.0

import Foundation
package import YoloqDownloads
package import YoloqInference

/// What a worker does with sources that are URLs.
///
/// Who submits a job says whether it may lead to a private network (`allow_private_urls` in its parameters), and who runs the
/// worker has the last word.
public struct URLPolicy: Sendable, Hashable {
    /// Where a worker fetches from.
    public enum Access: String, Sendable, CaseIterable {
        /// Nowhere: jobs whose source is a URL fail.
        case none
        /// From the public internet only, whatever a job says.
        case `public`
        /// From the public internet, and from private networks and this machine if the job says so.
        case any
    }

    /// Where to fetch from.
    public var access: Access
    /// How long one fetch may take, redirects included.
    public var timeout: Duration
    /// How many bytes an image may have.
    public var maxByteCount: Int

    /// Makes a policy.
    ///
    /// - Parameters:
    ///   - access: Where to fetch from.
    ///   - timeout: How long one fetch may take, redirects included.
    ///   - maxByteCount: How many bytes an image may have.
    public init(access: Access = .any, timeout: Duration = .seconds(30), maxByteCount: Int = 128 << 20) {
        self.access = access
        self.timeout = timeout
        self.maxByteCount = maxByteCount
    }
}

/// An image at a URL.
package enum URLSource {
    /// What of a job's parameters is about URLs.
    private struct Permission: Decodable {
        var isPrivateAllowed: Bool?

        enum CodingKeys: String, CodingKey {
            case isPrivateAllowed = "allow_private_urls"
        }
    }

    /// Whether a source is a URL rather than a path.
    package static func isURL(_ source: String) -> Bool {
        let start = source.prefix(8).lowercased()
        return start.hasPrefix("http://") || start.hasPrefix("https://")
    }

    /// Whether a job may lead to private networks, by its parameters.
    package static func allowsPrivate(parameters: String) -> Bool {
        let permission = try? JSONDecoder().decode(Permission.self, from: Data(parameters.utf8))
        return permission?.isPrivateAllowed ?? false
    }

    /// Puts the permission into a job's parameters.
    ///
    /// - Parameter parameters: A JSON object.
    /// - Returns: The object with one key more.
    package static func allowingPrivate(_ parameters: String) -> String {
        let inner = parameters.dropFirst().dropLast()
        return "{\(inner)\(inner.isEmpty ? "" : ",")\"allow_private_urls\":true}"
    }

    /// Gets the bytes of a source, from the network or the disk.
    ///
    /// - Parameters:
    ///   - source: A URL or a path.
    ///   - parameters: The job's.
    ///   - policy: What is done with URLs here.
    /// - Returns: The bytes, whatever they are.
    /// - Throws: For a URL `url_refused`, `url_not_found`, `url_timeout`, `url_too_large`, `url_failed`; for a path as
    ///   `ImageFile.bytes(of:)`.
    package static func bytes(
        of source: String,
        parameters: String,
        policy: URLPolicy
    ) throws(ImageFailure) -> [UInt8] {
        guard isURL(source) else { return try ImageFile.bytes(of: source) }
        return try fetch(source, isPrivateAllowed: allowsPrivate(parameters: parameters), policy: policy)
    }

    private static func fetch(
        _ url: String,
        isPrivateAllowed: Bool,
        policy: URLPolicy
    ) throws(ImageFailure) -> [UInt8] {
        guard policy.access != .none else {
            throw ImageFailure(
                kind: "url_refused",
                message: "this worker fetches nothing (--urls none). Submit a file, or start a worker without it"
            )
        }
        let downloader = Downloader(
            policy: DownloadPolicy(
                plainHTTP: .always,
                addresses: policy.access == .any && isPrivateAllowed ? .any : .publicOnly,
                maxByteCount: policy.maxByteCount,
                idleTimeout: policy.timeout,
                totalTimeout: policy.timeout
            )
        )
        do throws(DownloadError) {
            return try downloader.bytes(from: url).bytes
        } catch {
            throw ImageFailure(error)
        }
    }
}

extension ImageFailure {
    /// Words of the network as jobs fail with them.
    package init(_ error: DownloadError) {
        self.init(kind: ImageFailure.kind(of: error), message: error.message, isRetryable: error.isTransient)
    }

    private static func kind(of error: DownloadError) -> String {
        switch error.code {
        case .badURL, .refused: "url_refused"
        case .timedOut: "url_timeout"
        case .tooLarge: "url_too_large"
        case .status where error.status == 404 || error.status == 410: "url_not_found"
        case .status, .unreachable, .badAnswer, .cut, .wrongContent, .busy, .io: "url_failed"
        }
    }
}
