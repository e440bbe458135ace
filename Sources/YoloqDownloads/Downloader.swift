// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHTTP1

/// Gets files from the network within a policy.
///
/// Every call blocks the calling thread until it is done or a limit is reached, so call it on a thread of your own, not
/// on Swift's concurrency pool. Values are sendable; calls are independent of each other.
package struct Downloader: Sendable {
    /// What downloads may do.
    package let policy: DownloadPolicy
    /// What servers are told of who asks.
    package let userAgent: String

    /// Makes a downloader; nothing happens yet.
    ///
    /// - Parameters:
    ///   - policy: What downloads may do.
    ///   - userAgent: What servers are told of who asks.
    package init(policy: DownloadPolicy = DownloadPolicy(), userAgent: String = "yoloq") {
        self.policy = policy
        self.userAgent = userAgent
    }

    /// Gets a file into memory.
    ///
    /// - Parameter url: An https or http URL.
    /// - Returns: The content and what the server said of it.
    /// - Throws: `DownloadError`; any code but `wrongContent`, `busy` and `io`.
    package func bytes(from url: String) throws(DownloadError) -> DownloadedBytes {
        var response = try open(try WebURL(url), deadline: deadline)
        guard response.head.status == .ok else { throw response.unexpectedStatus }
        try checkSize(response.bodyByteCount ?? 0, of: response.url)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(response.bodyByteCount ?? 0)
        while let part = try response.next() {
            try checkSize(bytes.count + part.readableBytes, of: response.url)
            bytes += part.readableBytesView
        }
        return DownloadedBytes(
            bytes: bytes,
            contentType: response.head.headers.first(name: "content-type"),
            finalURL: response.url.text
        )
    }

    /// The end of the time for one download that starts now.
    var deadline: NIODeadline? { policy.totalTimeout.map { .now() + TimeAmount($0) } }

    /// Refuses what is larger than allowed.
    func checkSize(_ byteCount: Int, of url: WebURL) throws(DownloadError) {
        guard byteCount <= policy.maxByteCount else {
            throw DownloadError(
                .tooLarge,
                "\(url) is larger than the \(policy.maxByteCount) bytes that are allowed here."
            )
        }
    }

    /// Asks for a URL, follows redirects, and gives the first answer that is none.
    ///
    /// - Parameters:
    ///   - url: Where to begin.
    ///   - headers: To send besides the usual ones, at every step.
    ///   - deadline: When all must be over.
    /// - Returns: The answer, of any status but a redirect's.
    /// - Throws: `DownloadError`.
    func open(_ url: WebURL, headers: HTTPHeaders = [:], deadline: NIODeadline?) throws(DownloadError) -> WebResponse {
        var url = url
        var visited: [WebURL] = []
        var origin: (url: WebURL, address: NetworkAddress)?
        while true {
            let response = try connect(to: url, from: origin, headers: headers, deadline: deadline)
            guard response.head.status.isRedirect else { return response }
            guard let location = response.head.headers.first(name: "location") else {
                throw DownloadError(.badAnswer, "\(url) leads elsewhere, but does not say where.")
            }
            visited.append(url)
            origin = (url, response.address)
            url = try WebURL(location, relativeTo: url)
            guard !visited.contains(url) else {
                throw DownloadError(.badAnswer, "\(visited[0]) leads in a circle, back to \(url).")
            }
            guard visited.count <= policy.maxRedirects else {
                throw DownloadError(
                    .badAnswer,
                    "\(visited[0]) leads elsewhere more than \(policy.maxRedirects) times."
                )
            }
        }
    }

    /// Asks the addresses of a URL's host in turn until one answers; each is judged first.
    private func connect(
        to url: WebURL,
        from origin: (url: WebURL, address: NetworkAddress)?,
        headers: HTTPHeaders,
        deadline: NIODeadline?
    ) throws(DownloadError) -> WebResponse {
        var headers = headers
        headers.replaceOrAdd(name: "user-agent", value: userAgent)
        headers.replaceOrAdd(name: "accept", value: "*/*")
        // What comes is what is hashed and gone on with.
        headers.replaceOrAdd(name: "accept-encoding", value: "identity")
        let literal = NetworkAddress(url.host)
        let addresses = if let literal { [literal] } else { try NetworkAddress.lookUp(url.host) }
        // One forbidden address forbids the name: which one it gives first is chance.
        for address in addresses { try policy.check(url, at: address, from: origin) }
        var failure: DownloadError?
        for address in addresses {
            if let deadline, deadline < .now() { break }
            do throws(DownloadError) {
                return try WebResponse(url, at: address, headers: headers, policy: policy, deadline: deadline)
            } catch {
                guard error.code == .unreachable || error.code == .timedOut else { throw error }
                failure = failure ?? error
            }
        }
        throw failure ?? DownloadError(.timedOut, "\(url): there was no time left to connect.")
    }
}

/// A file in memory, as a server gave it.
package struct DownloadedBytes: Sendable {
    /// The content.
    package let bytes: [UInt8]
    /// What the server says it is, such as "image/jpeg"; not checked.
    package let contentType: String?
    /// Where it came from, after redirects.
    package let finalURL: String
}

extension WebResponse {
    /// Says that the server answered, but not with the file.
    var unexpectedStatus: DownloadError {
        let advice: String =
            switch head.status.code {
            case 401, 403: " It wants to know who asks; such addresses are not supported."
            case 404, 410: " Check the address."
            case 408, 425, 429, 500...: " Try again later."
            default: ""
            }
        return DownloadError(
            .status,
            "\(url): the server says \(head.status.code) \(head.status.reasonPhrase).\(advice)",
            status: Int(head.status.code)
        )
    }
}

extension HTTPResponseStatus {
    fileprivate var isRedirect: Bool { [301, 302, 303, 307, 308].contains(code) }
}
