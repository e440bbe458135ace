// SPDX-License-Identifier: Apache-2.0
import Foundation
import LoopbackServer
import Testing

@testable import YoloqDownloads

struct DownloaderTests {
    /// The code of the error that a download into memory ends with; nil if it works.
    private func failure(_ url: String, _ policy: DownloadPolicy = DownloadPolicy()) -> DownloadError? {
        do throws(DownloadError) {
            _ = try Downloader(policy: policy).bytes(from: url)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a file comes into memory as the server has it`() throws {
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let server = try LoopbackServer { _, _ in .whole(body, [("Content-Type", "image/jpeg")]) }
        let got = try Downloader(userAgent: "yoloq/test").bytes(
            from: server.url("/a b?c=d".replacing(" ", with: "%20"))
        )
        #expect(got.bytes == body)
        #expect(got.contentType == "image/jpeg")
        #expect(got.finalURL == server.url("/a%20b?c=d"))
        let request = try #require(server.requests.first)
        #expect(request.target == "/a%20b?c=d")
        #expect(request.headers["user-agent"] == "yoloq/test")
        #expect(request.headers["accept-encoding"] == "identity")
    }

    @Test func `a body of unsaid length ends with the connection`() throws {
        let server = try LoopbackServer { _, _ in .init(body: Array("hello".utf8)) }
        #expect(try Downloader().bytes(from: server.url()).bytes == Array("hello".utf8))
    }

    @Test func `a name is looked up, and the server is asked by its name`() throws {
        let server = try LoopbackServer { _, _ in .whole([1]) }
        let url = server.url(host: "localhost")
        #expect(try Downloader().bytes(from: url).bytes == [1])
        #expect(server.requests.first?.headers["host"]?.hasPrefix("localhost:") == true)
    }

    @Test func `redirects are followed, relative ones too`() throws {
        let server = try LoopbackServer { request, _ in
            switch request.target {
            case "/a/one": .status("302 Found", [("Location", "two?x=1")])
            case "/a/two?x=1": .status("308 Permanent Redirect", [("Location", "/three")])
            default: .whole([7])
            }
        }
        let got = try Downloader().bytes(from: server.url("/a/one"))
        #expect(got.bytes == [7])
        #expect(got.finalURL == server.url("/three"))
    }

    @Test func `a circle of redirects is noticed on its first round`() throws {
        let server = try LoopbackServer { request, _ in
            .status("302 Found", [("Location", request.target == "/a" ? "/b" : "/a")])
        }
        let error = try #require(failure(server.url("/a")))
        #expect(error.code == .badAnswer)
        #expect(error.message.contains("circle"))
        #expect(server.requests.count == 2)
    }

    @Test func `more redirects than allowed are not followed`() throws {
        let server = try LoopbackServer { _, number in .status("302 Found", [("Location", "/\(number)")]) }
        #expect(failure(server.url("/start"), DownloadPolicy(maxRedirects: 3))?.code == .badAnswer)
        #expect(server.requests.count == 4)
    }

    @Test func `a redirect to another scheme is refused`() throws {
        let server = try LoopbackServer { _, _ in .status("302 Found", [("Location", "file:///etc/passwd")]) }
        #expect(failure(server.url())?.code == .badURL)
    }

    @Test func `a policy for the public internet does not even connect to this machine`() throws {
        let server = try LoopbackServer { _, _ in .whole([1]) }
        for host in ["127.0.0.1", "localhost", "127.1", "2130706433"] {
            #expect(
                failure(server.url(host: host), DownloadPolicy(addresses: .publicOnly))?.code == .refused,
                "\(host)"
            )
        }
        #expect(server.requests.isEmpty)
    }

    @Test(arguments: [
        "", "photo.jpg", "ftp://a.example/x", "file:///etc/passwd", "http://", "http://a b/",
        "http://me:secret@a.example/",
    ])
    func `what is no URL of http or https is refused, without its secrets`(_ url: String) throws {
        let error = try #require(failure(url))
        #expect(error.code == .badURL)
        #expect(!error.message.contains("secret"))
    }

    @Test func `a file larger than allowed is refused by what the server says of it`() throws {
        let server = try LoopbackServer { _, _ in .init(body: [1], saidByteCount: 1_000_000, stalls: true) }
        #expect(failure(server.url(), DownloadPolicy(maxByteCount: 999_999))?.code == .tooLarge)
    }

    @Test func `a file larger than allowed is refused when it comes, if the server is silent about it`() throws {
        let server = try LoopbackServer { _, _ in .init(body: [UInt8](repeating: 1, count: 5000), stalls: true) }
        #expect(failure(server.url(), DownloadPolicy(maxByteCount: 4999))?.code == .tooLarge)
    }

    @Test func `a server that stops talking is left`() throws {
        let server = try LoopbackServer { _, _ in .init(body: [1, 2], saidByteCount: 10, stalls: true) }
        let error = try #require(failure(server.url(), DownloadPolicy(idleTimeout: .milliseconds(50))))
        #expect(error.code == .timedOut)
        #expect(error.isTransient)
    }

    @Test func `a server that never answers is left when the time is over`() throws {
        let server = try LoopbackServer { _, _ in .init(body: [1], saidByteCount: 10, stalls: true) }
        let policy = DownloadPolicy(idleTimeout: .seconds(600), totalTimeout: .milliseconds(100))
        #expect(failure(server.url(), policy)?.code == .timedOut)
    }

    @Test func `a connection that ends early is no file`() throws {
        let server = try LoopbackServer { _, _ in .init(body: [1, 2, 3], saidByteCount: 10) }
        let error = try #require(failure(server.url()))
        #expect(error.code == .cut)
        #expect(error.isTransient)
    }

    @Test func `a machine where nobody listens is unreachable`() throws {
        var server: LoopbackServer? = try LoopbackServer { _, _ in .whole([]) }
        let url = try #require(server).url()
        server = nil
        let error = try #require(failure(url))
        #expect(error.code == .unreachable)
        #expect(error.isTransient)
    }

    @Test func `an answer that is not HTTP is a bad answer`() throws {
        let server = try LoopbackServer { _, _ in .init(status: "nonsense\u{1}\r\nx") }
        #expect(failure(server.url())?.code == .badAnswer)
    }

    @Test(arguments: [("404 Not Found", 404, false), ("503 Unavailable", 503, true), ("429 Too Many", 429, true)])
    func `a server that has no file says why, and whether to come back`(line: String, status: Int, comesBack: Bool)
        throws
    {
        let server = try LoopbackServer { _, _ in .status(line) }
        let error = try #require(failure(server.url("/model?token=secret")))
        #expect(error.code == .status)
        #expect(error.status == status)
        #expect(error.isTransient == comesBack)
        #expect(!error.message.contains("secret"))
    }
}
