// SPDX-License-Identifier: Apache-2.0

import Foundation
import LoopbackServer
import Testing
import YoloqWorkers

/// Images at URLs, through the whole program; the server is on this machine.
@Suite(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
struct URLTests {
    private let site: Site
    private static let image = Checkout.samples + "/shapes-1.jpg"

    init() throws { site = try Site() }

    private static func picture() throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: image))) }

    /// Submits with what it takes to reach this machine, runs a worker, and gives the results.
    private func run(
        _ sources: [String],
        submit: [String] = ["--allow-private-urls"],
        worker: [String] = []
    ) throws -> [[String: Any]] {
        let submitted = try YoloqProcess.run(
            ["submit", "--model", Checkout.demo, "--max-attempts", "2", "--backoff", "0s"] + sources + submit,
            at: site
        )
        #expect(submitted.status == ExitCode.ok, "\(submitted.errors)")
        let work = try YoloqProcess.run(["worker", "--threads", "1", "--until-empty"] + worker, at: site)
        #expect(work.status == ExitCode.ok, "\(work.errors)")
        // What is to be tried again is not queued yet, and not waited for.
        return try YoloqProcess.run(["result", "--json"] + submitted.lines, at: site).objects
    }

    private func kind(_ record: [String: Any]) -> String? { (record["error"] as? [String: Any])?["kind"] as? String }

    private func isRetryable(_ record: [String: Any]) -> Bool? {
        (record["error"] as? [String: Any])?["retryable"] as? Bool
    }

    @Test func `an image at a URL gives what the file gives, whatever the server calls it`() throws {
        let bytes = try Self.picture()
        let server = try LoopbackServer { request, _ in
            request.target == "/moved"
                ? .status("302 Found", [("Location", "/picture?size=full")])
                : .whole(bytes, [("Content-Type", "text/html")])
        }
        let results = try run([server.url("/picture"), server.url("/moved"), Self.image])
        #expect(results.map { $0["state"] as? String } == ["succeeded", "succeeded", "succeeded"])
        #expect(results.map { $0["source"] as? String } == [server.url("/picture"), server.url("/moved"), Self.image])
        let predictions = try results.map {
            try JSONSerialization.data(withJSONObject: $0["predictions"] ?? [], options: .sortedKeys)
        }
        #expect(Set(predictions).count == 1)
        #expect(!(results[0]["predictions"] as? [Any] ?? []).isEmpty)
        #expect((results[0]["parameters"] as? [String: Any])?["allow_private_urls"] as? Bool == true)
        let plot = try YoloqProcess.run("result", "1", "--plot", site.folder + "/plots", at: site)
        #expect(plot.status == ExitCode.ok, "\(plot.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.folder + "/plots") == ["1-picture.jpg"])
    }

    @Test(arguments: [
        ([], []), (["--allow-private-urls"], ["--urls", "public"]), (["--allow-private-urls"], ["--urls", "none"]),
    ])
    func `this machine is reached only if the submitter and the worker allow it`(
        submit: [String],
        worker: [String]
    ) throws {
        let bytes = try Self.picture()
        let server = try LoopbackServer { _, _ in .whole(bytes) }
        let urls = ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"].map { server.url(host: $0) }
        let results = try run(urls, submit: submit, worker: worker)
        #expect(results.map(kind) == urls.map { _ in "url_refused" }, "\(results)")
        #expect(results.map(isRetryable) == urls.map { _ in false })
        #expect(server.requests.isEmpty)
    }

    @Test func `what goes wrong on the network has its kind`() throws {
        let server = try LoopbackServer { request, _ in
            switch request.target {
            case "/missing": .status("404 Not Found")
            case "/secret": .status("403 Forbidden")
            case "/broken": .status("500 Internal Server Error")
            case "/slow": .init(body: [1], saidByteCount: 9, stalls: true)
            case "/cut": .init(body: [1], saidByteCount: 9)
            case "/large": .whole([UInt8](repeating: 0, count: 5000))
            case "/endless": .init(body: [UInt8](repeating: 0, count: 5000))
            case "/elsewhere": .status("302 Found", [("Location", "file:///etc/passwd")])
            case "/circle": .status("302 Found", [("Location", "/circle")])
            default: .whole(Array("<html>".utf8))
            }
        }
        let expected: [(path: String, kind: String, isRetryable: Bool)] = [
            ("/missing", "url_not_found", false), ("/secret", "url_failed", false), ("/broken", "url_failed", true),
            ("/slow", "url_timeout", true), ("/cut", "url_failed", true), ("/large", "url_too_large", false),
            ("/endless", "url_too_large", false), ("/elsewhere", "url_refused", false),
            ("/circle", "url_failed", false),
            ("/page", "unsupported_format", false),
        ]
        let results = try run(
            expected.map { server.url($0.path) },
            submit: ["--allow-private-urls", "--max-attempts", "1"],
            worker: ["--url-timeout", "500ms", "--url-max-bytes", "4096"]
        )
        #expect(results.count == expected.count)
        for (record, (path, kind, isRetryable)) in zip(results, expected) {
            #expect(self.kind(record) == kind, "\(path): \(record["error"] ?? "")")
            #expect(self.isRetryable(record) == isRetryable, "\(path)")
        }
    }

    @Test func `a server that fails once is asked again`() throws {
        let bytes = try Self.picture()
        let server = try LoopbackServer { _, number in
            number == 0 ? .status("503 Service Unavailable") : .whole(bytes)
        }
        let submitted = try YoloqProcess.run(
            ["submit", "--model", Checkout.demo, "--backoff", "10ms", "--allow-private-urls", server.url()],
            at: site
        )
        #expect(submitted.status == ExitCode.ok, "\(submitted.errors)")
        let worker = try YoloqProcess(["worker", "--threads", "1"], at: site)
        _ = try YoloqProcess.run("wait", "1", "--timeout", "120s", at: site)
        worker.send(SIGTERM)
        #expect(worker.finish().status == ExitCode.ok)
        let record = try #require(try YoloqProcess.run("result", "1", "--json", at: site).objects.first)
        #expect(record["state"] as? String == "succeeded")
        #expect(record["attempts"] as? Int == 2)
        #expect(server.requests.count == 2)
    }

    @Test func `other schemes are no URLs, and the submitter fetches nothing`() throws {
        let ftp = try YoloqProcess.run("submit", "ftp://host/a.jpg", "--model", Checkout.demo, at: site)
        #expect(ftp.status == ExitCode.noInput)
        let inline = try YoloqProcess.run(
            "submit",
            "https://host/a.jpg",
            "--inline",
            "--model",
            Checkout.demo,
            at: site
        )
        #expect(inline.status == ExitCode.usage)
        let server = try LoopbackServer { _, _ in .status("404 Not Found") }
        let list = site.folder + "/list"
        try "\(server.url("/1"))\n\(server.url("/2"))\n".write(toFile: list, atomically: true, encoding: .utf8)
        let submitted = try YoloqProcess.run("submit", "--from-file", list, "--model", Checkout.demo, at: site)
        #expect(submitted.lines == ["1", "2"])
        #expect(server.requests.isEmpty)
    }

    @Test func `predict takes a URL too`() throws {
        let bytes = try Self.picture()
        let server = try LoopbackServer { _, _ in .whole(bytes) }
        let refused = try YoloqProcess.run("predict", server.url(), "--model", Checkout.demo, "--json", at: site)
        #expect(refused.status == ExitCode.jobFailed)
        #expect(refused.objects.first.flatMap(kind) == "url_refused")
        let found = try YoloqProcess.run(
            "predict",
            server.url(),
            "--model",
            Checkout.demo,
            "--json",
            "--allow-private-urls",
            at: site
        )
        #expect(found.status == ExitCode.ok, "\(found.errors)")
        #expect(found.objects.first?["state"] as? String == "succeeded")
    }

    @Test func `the permission is one key more in the parameters`() {
        #expect(URLSource.allowingPrivate("{}") == #"{"allow_private_urls":true}"#)
        #expect(URLSource.allowingPrivate(#"{"conf":0.5}"#) == #"{"conf":0.5,"allow_private_urls":true}"#)
        #expect(URLSource.allowsPrivate(parameters: #"{"conf":0.5,"allow_private_urls":true}"#))
        #expect(!URLSource.allowsPrivate(parameters: #"{"conf":0.5}"#))
        #expect(!URLSource.allowsPrivate(parameters: "not JSON"))
        #expect(["http://a", "HTTPS://a"].allSatisfy(URLSource.isURL))
        #expect(["/http://a", "ftp://a", "http:/a", "https"].allSatisfy { !URLSource.isURL($0) })
    }
}
