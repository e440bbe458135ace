// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Synchronization

/// A small HTTP server on 127.0.0.1 that says what a test wants it to say, also what no good server would.
package final class LoopbackServer: Sendable {
    /// What a client asked for.
    package struct Request: Sendable {
        /// Path and query.
        package var target = ""
        /// By lower-case name.
        package var headers: [String: String] = [:]

        /// The first byte asked for by a `Range` header.
        package var rangeStart: Int? { headers["range"].flatMap { Int($0.dropFirst("bytes=".count).dropLast()) } }
    }

    /// What the server says, and does after it.
    package struct Reply: Sendable {
        package var status = "200 OK"
        package var headers: [(String, String)] = []
        package var body: [UInt8] = []
        /// The body's length as said; nil says none, and the body ends with the connection.
        package var saidByteCount: Int?
        /// Says nothing more, but leaves the connection open until the client lets it go.
        package var stalls = false

        /// Makes a reply.
        package init(
            status: String = "200 OK",
            headers: [(String, String)] = [],
            body: [UInt8] = [],
            saidByteCount: Int? = nil,
            stalls: Bool = false
        ) {
            self.status = status
            self.headers = headers
            self.body = body
            self.saidByteCount = saidByteCount
            self.stalls = stalls
        }

        /// A whole body, sent whole.
        package static func whole(_ body: [UInt8], _ headers: [(String, String)] = []) -> Reply {
            Reply(headers: headers, body: body, saidByteCount: body.count)
        }

        /// An empty answer of some status.
        package static func status(_ status: String, _ headers: [(String, String)] = []) -> Reply {
            Reply(status: status, headers: headers, saidByteCount: 0)
        }

        /// As a good server answers: the whole, or what a `Range` asks for if the content is still the same.
        package static func file(_ body: [UInt8], tag: String, for request: Request) -> Reply {
            let isSame = request.headers["if-range"].map { $0 == tag } ?? true
            guard let start = request.rangeStart, isSame else { return .whole(body, [("ETag", tag)]) }
            guard start < body.count else {
                return .status("416 Range Not Satisfiable", [("Content-Range", "bytes */\(body.count)")])
            }
            let range = ("Content-Range", "bytes \(start)-\(body.count - 1)/\(body.count)")
            return Reply(
                status: "206 Partial Content",
                headers: [("ETag", tag), range],
                body: Array(body[start...]),
                saidByteCount: body.count - start
            )
        }
    }

    private let listener: Int32
    private let port: UInt16
    private let log = Log()

    /// The requests, shared with the threads: they may outlive the server by a moment.
    private final class Log: Sendable {
        let requests = Mutex<[Request]>([])
        let isOver = Mutex(false)
        let hasEnded = DispatchSemaphore(value: 0)
    }

    /// Starts a server; it ends with the value.
    ///
    /// - Parameter reply: The answer to a request, which is the n-th from 0; called on a thread of the server.
    /// - Throws: `POSIXError` if no port can be had.
    package init(_ reply: @escaping @Sendable (_ request: Request, _ number: Int) -> Reply) throws {
        signal(SIGPIPE, SIG_IGN)
        listener = Self.streamSocket()
        var address = Self.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 8) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard isListening else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        port = UInt16(bigEndian: address.sin_port)
        let thread = Thread { [log] in
            defer {
                // Here, and not by whoever ends the server: the number could be another's before it is looked at.
                close(listener)
                log.hasEnded.signal()
            }
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0, !log.isOver.withLock({ $0 }) else {
                    close(connection)
                    return
                }
                let handler = Thread {
                    defer { close(connection) }
                    guard let request = Self.readRequest(connection) else { return }
                    let number = log.requests.withLock { requests in
                        requests.append(request)
                        return requests.count - 1
                    }
                    Self.send(reply(request, number), to: connection)
                }
                handler.start()
            }
        }
        thread.start()
    }

    deinit {
        log.isOver.withLock { $0 = true }
        // Wakes the thread that accepts.
        let waker = Self.streamSocket()
        var address = Self.address(port: port)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = connect(waker, address, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        log.hasEnded.wait()
        close(waker)
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// What was asked for so far.
    package var requests: [Request] { log.requests.withLock { $0 } }

    /// A URL of this server.
    package func url(_ path: String = "/file", host: String = "127.0.0.1") -> String { "http://\(host):\(port)\(path)" }

    private static func streamSocket() -> Int32 {
        #if canImport(Glibc)
            socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            socket(AF_INET, SOCK_STREAM, 0)
        #endif
    }

    private static func readRequest(_ connection: Int32) -> Request? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard recv(connection, &byte, 1, 0) == 1 else { return nil }
            bytes.append(byte)
        }
        let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
        var request = Request(target: lines[0].components(separatedBy: " ")[1])
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            request.headers[line[..<colon].lowercased()] =
                line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        return request
    }

    private static func send(_ reply: Reply, to connection: Int32) {
        var headers = reply.headers + [("Connection", "close")]
        if let count = reply.saidByteCount { headers.append(("Content-Length", "\(count)")) }
        let lines = ["HTTP/1.1 \(reply.status)"] + headers.map { "\($0.0): \($0.1)" } + ["", ""]
        var bytes = Array(lines.joined(separator: "\r\n").utf8) + reply.body
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(connection, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes.removeFirst(count)
        }
        var byte: UInt8 = 0
        if reply.stalls { while recv(connection, &byte, 1, 0) > 0 {} }
    }
}
