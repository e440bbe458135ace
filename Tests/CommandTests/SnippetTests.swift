// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The programs in `Snippets`, which the documentation shows.
@Suite(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
struct SnippetTests {
    private let site: Site

    init() throws { site = try Site() }

    @Test func `a program submits and waits with the library alone`() throws {
        let worker = try YoloqProcess(["worker", "--threads", "1"], at: site)
        let snippet = Process()
        snippet.executableURL = Checkout.executable.deletingLastPathComponent().appending(path: "SubmitAndWait")
        snippet.arguments = [site.database, Checkout.demo, Checkout.samples + "/shapes-1.jpg"]
        let pipe = Pipe()
        snippet.standardOutput = pipe
        try snippet.run()
        let output = try String(decoding: pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        snippet.waitUntilExit()
        worker.send(SIGTERM)
        #expect(worker.finish().status == ExitCode.ok)
        #expect(snippet.terminationStatus == ExitCode.ok)
        #expect(output.hasPrefix("succeeded {"), "\(output)")
    }
}
