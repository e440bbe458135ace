// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

/// One server's answer: its head, and a body that comes while it is asked for.
struct WebResponse: ~Copyable {
    /// Where the answer is from.
    let url: WebURL
    /// Where its host was found.
    let address: NetworkAddress
    /// Status and headers.
    let head: HTTPResponseHead

    private let client: HTTPClient
    private let pipe: ResponsePipe
    private let policy: DownloadPolicy
    private var hasEnded = false

    /// Asks one address for a URL and waits for the head of the answer.
    ///
    /// - Parameters:
    ///   - url: What to ask for.
    ///   - address: Where its host is.
    ///   - headers: To send.
    ///   - policy: Its time limits hold.
    ///   - deadline: When all of the download must be over.
    /// - Throws: `DownloadError` with code `badURL`, `unreachable`, `timedOut`, `cut` or `badAnswer`.
    init(
        _ url: WebURL,
        at address: NetworkAddress,
        headers: HTTPHeaders,
        policy: DownloadPolicy,
        deadline: NIODeadline?
    ) throws(DownloadError) {
        let request: HTTPClient.Request
        do {
            request = try HTTPClient.Request(url: url.text, headers: headers)
        } catch {
            throw DownloadError(.badURL, "\(url) cannot be asked for: \(error).")
        }
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(policy.connectTimeout), read: TimeAmount(policy.idleTimeout))
        )
        configuration.httpVersion = .http1Only
        // The other addresses of a name are tried by `Downloader`.
        configuration.connectionPool.retryConnectionEstablishment = false
        // The address that was judged is the one connected to: asking for the name again could give another.
        if NetworkAddress(url.host) == nil { configuration.dnsOverride = [url.spelledHost: address.description] }

        let group = HTTPClient.defaultEventLoopGroup
        let client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
        let pipe = ResponsePipe()
        // Connection and delegate on one thread: a failure does not overtake what came before it.
        _ = client.execute(
            request: request,
            delegate: pipe,
            eventLoop: .delegateAndChannel(on: group.any()),
            deadline: deadline
        )
        switch pipe.next() {
        case .head(let head):
            self.head = head
            self.url = url
            self.address = address
            self.client = client
            self.pipe = pipe
            self.policy = policy
        case .failure(let error):
            try? client.syncShutdown()
            throw DownloadError(error, url, policy, hasAnswered: false)
        case .part, .end: preconditionFailure("an answer begins with its head")
        }
    }

    deinit {
        pipe.close()
        // Fails only where it was shut down before.
        try? client.syncShutdown()
    }

    /// The next piece of the body.
    ///
    /// - Returns: nil at the end.
    /// - Throws: `DownloadError` with code `timedOut`, `cut` or `badAnswer`.
    mutating func next() throws(DownloadError) -> ByteBuffer? {
        while !hasEnded {
            switch pipe.next() {
            case .part(let buffer): return buffer
            case .end: hasEnded = true
            case .failure(let error):
                hasEnded = true
                throw DownloadError(error, url, policy, hasAnswered: true)
            case .head: preconditionFailure("an answer has one head")
            }
        }
        return nil
    }

    /// How many bytes the body has, if the server says it.
    var bodyByteCount: Int? { head.headers.first(name: "content-length").flatMap { Int($0) } }
}

extension DownloadError {
    /// Puts the client's error into words.
    fileprivate init(_ error: any Error, _ url: WebURL, _ policy: DownloadPolicy, hasAnswered: Bool) {
        switch Trouble(error) {
        case .silence: self.init(.timedOut, "\(url): nothing came for \(policy.idleTimeout).")
        case .deadline:
            let limit = policy.totalTimeout.map { "\($0)" } ?? "the time given"
            self.init(.timedOut, "\(url): not done within \(limit).")
        case .noConnection: self.init(.timedOut, "\(url): no connection within \(policy.connectTimeout).")
        case .notHTTP: self.init(.badAnswer, "\(url): the answer breaks the rules of HTTP: \(error).")
        case .closed where !hasAnswered:
            self.init(.cut, "\(url): the server closed the connection without an answer.")
        case .closed,
            .other where hasAnswered:
            self.init(.cut, "\(url): the connection ended before the file did.")
        case .other: self.init(.unreachable, "\(url) cannot be reached: \(error).")
        }
    }

    private enum Trouble {
        case silence
        case deadline
        case noConnection
        case closed
        case notHTTP
        case other

        init(_ error: any Error) {
            if let error = error as? HTTPClientError {
                switch error {
                case .readTimeout: self = .silence
                case .deadlineExceeded: self = .deadline
                case .connectTimeout, .tlsHandshakeTimeout: self = .noConnection
                case .remoteConnectionClosed, .uncleanShutdown: self = .closed
                default: self = .other
                }
            } else if let error = error as? ChannelError {
                switch error {
                case .connectTimeout: self = .noConnection
                case .inputClosed, .ioOnClosedChannel, .alreadyClosed, .eof: self = .closed
                default: self = .other
                }
            } else if let error = error as? HTTPParserError {
                self = error == .invalidEOFState ? .closed : .notHTTP
            } else {
                self = .other
            }
        }
    }
}

extension TimeAmount {
    /// The same time; what is too long to count is the longest there is.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .nanoseconds(min(seconds, Int64.max / 2_000_000_000) * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
