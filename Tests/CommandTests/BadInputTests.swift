// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@Suite(
    .enabled(if: Checkout.hasShared, "needs ../shared"),
    .enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino")
)
struct BadInputTests {
    @Test func `every broken file fails with its reason and the worker lives on`() throws {
        let site = try Site()
        let folder = Checkout.shared + "/images/odd/bad"
        let kinds = [
            "a directory.jpg": "is_directory", "bitflip.png": "corrupt", "bomb-100000x100000.png": "too_large",
            "empty.jpg": "empty", "header-only.jpg": "truncated", "text.jpg": "unsupported_format",
            "truncated.jpg": "truncated", "truncated.png": "truncated", "zeros.png": "unsupported_format",
        ]
        let model = ["--model", Checkout.demo]
        #expect(try YoloqProcess.run(["submit", Checkout.samples] + model, at: site).status == ExitCode.ok)
        let sampleCount = try YoloqProcess.run("status", "--json", at: site).objects.first?["queued"] as? Int ?? 0
        #expect(try YoloqProcess.run(["submit", folder] + model, at: site).status == ExitCode.ok)
        // Good work behind the bad: only a living worker does it.
        #expect(try YoloqProcess.run(["submit", Checkout.samples] + model, at: site).status == ExitCode.ok)
        let worker = try YoloqProcess.run("worker", "--threads", "2", "--until-empty", at: site)
        #expect(worker.status == ExitCode.ok, "\(worker.errors)")

        let ids = (1...(2 * sampleCount + kinds.count)).map(String.init)
        let results = try YoloqProcess.run(["result"] + ids + ["--json"], at: site)
        #expect(results.status == ExitCode.jobFailed)
        let failed = results.objects.filter { $0["state"] as? String == "failed" }
        #expect(results.objects.count { $0["state"] as? String == "succeeded" } == 2 * sampleCount)
        #expect(failed.count == kinds.count)
        for record in failed {
            let name = URL(filePath: record["source"] as? String ?? "").lastPathComponent
            let error = record["error"] as? [String: Any]
            #expect(error?["kind"] as? String == kinds[name], "\(name)")
            #expect(error?["retryable"] as? Bool == false)
            #expect((error?["message"] as? String)?.contains(name) == true)
            #expect(record["predictions"] is NSNull)
        }
    }

    #if os(Linux)
        @Test func `a decompression bomb leaves the memory unmoved`() throws {
            func peakKiB(_ image: String) throws -> Int {
                let site = try Site()
                _ = try YoloqProcess.run("submit", image, "--model", Checkout.demo, at: site)
                let worker = try YoloqProcess(["worker", "--threads", "1"], at: site)
                defer {
                    worker.send(SIGTERM)
                    _ = worker.finish()
                }
                _ = try YoloqProcess.run("wait", "1", "--timeout", "300s", at: site)
                let status = try String(contentsOfFile: "/proc/\(worker.pid)/status", encoding: .utf8)
                let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM") })
                return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
            }
            let bomb = try peakKiB(Checkout.shared + "/images/odd/bad/bomb-100000x100000.png")
            let nothing = try peakKiB(Checkout.shared + "/images/odd/bad/empty.jpg")
            #expect(bomb < nothing + 8 * 1024, "a bomb took \(bomb) KiB, an empty file \(nothing)")
        }
    #endif
}
