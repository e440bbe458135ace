// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import LoopbackServer
import Testing

@testable import YoloqDownloads

struct DownloadedFileTests {
    private static let body = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7 + $0 >> 8) }
    private static let half = Array(body[..<100_000])

    /// A folder that goes with the value.
    private final class Folder: Sendable {
        let path = FileManager.default.temporaryDirectory.appending(path: "yoloq-\(UUID().uuidString)").path
        var target: String { path + "/model.onnx" }
        var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        func content() throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: target))) }
        func put(_ bytes: [UInt8], as name: String) throws {
            try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
        }
    }

    private static func hash(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
    }

    private func failure(
        _ server: LoopbackServer,
        _ folder: Folder,
        sha256: String? = nil,
        policy: DownloadPolicy = DownloadPolicy(maxResumes: 0)
    ) -> DownloadError? {
        do throws(DownloadError) {
            _ = try Downloader(policy: policy).file(from: server.url(), to: folder.target, sha256: sha256)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a file is whole, checked and alone when it has its name`() throws {
        let server = try LoopbackServer { request, _ in .file(Self.body, tag: "\"a\"", for: request) }
        let folder = try Folder()
        var seen: [Int] = []
        let got = try Downloader().file(
            from: server.url(),
            to: folder.target,
            sha256: Self.hash(Self.body).uppercased()
        ) {
            #expect($1 == Self.body.count)
            seen.append($0)
        }
        #expect(try folder.content() == Self.body)
        #expect(got.sha256 == Self.hash(Self.body))
        #expect(got.byteCount == Self.body.count)
        #expect(!got.isResumed)
        #expect(folder.names == ["model.onnx"])
        #expect(seen == seen.sorted() && seen.first == 0 && seen.last == Self.body.count)
    }

    @Test func `a cut download goes on where it stopped, in the next call`() throws {
        let server = try LoopbackServer { request, number in
            number == 0
                ? .init(headers: [("ETag", "\"a\"")], body: Self.half, saidByteCount: Self.body.count)
                : .file(Self.body, tag: "\"a\"", for: request)
        }
        let folder = try Folder()
        #expect(failure(server, folder)?.code == .cut)
        #expect(folder.names == ["model.onnx.part", "model.onnx.part.origin"])

        let got = try Downloader().file(from: server.url(), to: folder.target)
        #expect(got.isResumed)
        #expect(try folder.content() == Self.body)
        #expect(folder.names == ["model.onnx"])
        let request = try #require(server.requests.last)
        #expect(request.headers["range"] == "bytes=100000-")
        #expect(request.headers["if-range"] == "\"a\"")
    }

    @Test func `a cut download goes on by itself as often as allowed`() throws {
        let server = try LoopbackServer { request, number in
            guard number < 2 else { return .file(Self.body, tag: "\"a\"", for: request) }
            var reply = LoopbackServer.Reply.file(Self.body, tag: "\"a\"", for: request)
            reply.body = Array(reply.body.prefix(50_000))
            return reply
        }
        let folder = try Folder()
        #expect(try Downloader().file(from: server.url(), to: folder.target).byteCount == Self.body.count)
        #expect(try folder.content() == Self.body)
        #expect(server.requests.map(\.rangeStart) == [nil, 50_000, 100_000])
    }

    @Test func `a file that has changed meanwhile is got anew, not mixed`() throws {
        let new = Self.body.map { $0 ^ 0xFF }
        let server = try LoopbackServer { request, number in
            number == 0
                ? .init(headers: [("ETag", "\"a\"")], body: Self.half, saidByteCount: Self.body.count)
                : .file(new, tag: "\"b\"", for: request)
        }
        let folder = try Folder()
        #expect(failure(server, folder)?.code == .cut)
        #expect(try Downloader().file(from: server.url(), to: folder.target).isResumed == false)
        #expect(try folder.content() == new)
    }

    @Test func `a part that nothing vouches for is not gone on with`() throws {
        let server = try LoopbackServer { request, _ in .file(Self.body, tag: "\"a\"", for: request) }
        let folder = try Folder()
        try folder.put([9, 9, 9], as: "model.onnx.part")
        _ = try Downloader().file(from: server.url(), to: folder.target)
        #expect(server.requests.map(\.rangeStart) == [nil])
        #expect(try folder.content() == Self.body)
    }

    @Test func `a part of another file is noticed by the hash, and all is got anew`() throws {
        let server = try LoopbackServer { request, _ in .file(Self.body, tag: "\"a\"", for: request) }
        let folder = try Folder()
        try folder.put([9, 9, 9], as: "model.onnx.part")
        let got = try Downloader().file(from: server.url(), to: folder.target, sha256: Self.hash(Self.body))
        #expect(!got.isResumed)
        #expect(server.requests.map(\.rangeStart) == [3, nil])
        #expect(try folder.content() == Self.body)
    }

    @Test func `a part that is whole already is checked and named`() throws {
        let server = try LoopbackServer { request, _ in .file(Self.body, tag: "\"a\"", for: request) }
        let folder = try Folder()
        try folder.put(Self.body, as: "model.onnx.part")
        #expect(try Downloader().file(from: server.url(), to: folder.target, sha256: Self.hash(Self.body)).isResumed)
        #expect(try folder.content() == Self.body)
    }

    @Test func `a server that goes on from another place is asked for the whole`() throws {
        let server = try LoopbackServer { request, _ in
            guard request.rangeStart != nil else { return .whole(Self.body, [("ETag", "\"a\"")]) }
            return .init(
                status: "206 Partial Content",
                headers: [("Content-Range", "bytes 0-\(Self.body.count - 1)/\(Self.body.count)")],
                body: Self.body,
                saidByteCount: Self.body.count
            )
        }
        let folder = try Folder()
        try folder.put(Self.half, as: "model.onnx.part")
        _ = try Downloader().file(from: server.url(), to: folder.target, sha256: Self.hash(Self.body))
        #expect(try folder.content() == Self.body)
        #expect(server.requests.map(\.rangeStart) == [100_000, nil])
    }

    @Test func `a file of another hash gets no name and leaves nothing behind`() throws {
        let server = try LoopbackServer { request, _ in .file(Self.body, tag: "\"a\"", for: request) }
        let folder = try Folder()
        let error = try #require(failure(server, folder, sha256: Self.hash([1])))
        #expect(error.code == .wrongContent)
        #expect(error.message.contains(Self.hash(Self.body)))
        #expect(!error.isTransient)
        #expect(folder.names.isEmpty)
    }

    @Test func `a failed download leaves the file that was there`() throws {
        let server = try LoopbackServer { _, _ in .init(body: Self.half, saidByteCount: Self.body.count) }
        let folder = try Folder()
        try folder.put([1, 2, 3], as: "model.onnx")
        #expect(failure(server, folder)?.code == .cut)
        #expect(try folder.content() == [1, 2, 3])
    }

    @Test func `a file that grows beyond the limit leaves nothing behind`() throws {
        let server = try LoopbackServer { _, _ in .init(body: Self.body, stalls: true) }
        let folder = try Folder()
        #expect(failure(server, folder, policy: DownloadPolicy(maxByteCount: 150_000))?.code == .tooLarge)
        #expect(folder.names.isEmpty)
    }

    @Test func `two downloads to one place exclude each other`() throws {
        let server = try LoopbackServer { _, _ in .whole(Self.body) }
        let folder = try Folder()
        do {
            let other = try PartialFile(folder.target)
            #expect(failure(server, folder)?.code == .busy)
            #expect(other.byteCount == 0)
        }
        #expect(failure(server, folder) == nil)
    }

    @Test func `a folder that does not exist is named`() throws {
        let server = try LoopbackServer { _, _ in .whole(Self.body) }
        let error = try #require(
            throws: DownloadError.self,
            performing: { try Downloader().file(from: server.url(), to: "/nonexistent/folder/x") }
        )
        #expect(error.code == .io)
        #expect(error.message.contains("/nonexistent/folder/x.part"))
    }
}
