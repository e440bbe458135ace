// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import yoloq

struct OutputTests {
    @Test func `a progress bar tells share, count, rate and the time that is left`() {
        let text = ProgressBar.text(label: "waiting", done: 30, total: 120, elapsed: .seconds(10))
        #expect(text.hasPrefix("waiting ██████░░░░░░░░░░░░░░░░░░ 30/120"))
        #expect(text.contains("3.0/s") && text.hasSuffix("30 s left"))
    }

    @Test func `a bar without an end or a beginning makes no claims`() {
        #expect(ProgressBar.text(label: "working", done: 7, total: nil, elapsed: .seconds(2)) == "working 7  3.5/s")
        #expect(!ProgressBar.text(label: "waiting", done: 0, total: 5, elapsed: .seconds(2)).contains("left"))
        #expect(!ProgressBar.text(label: "waiting", done: 5, total: 5, elapsed: .seconds(2)).contains("left"))
    }

    @Test func `times are read with their unit only`() {
        #expect(TimeSpan(argument: "500ms")?.duration == .milliseconds(500))
        #expect(TimeSpan(argument: "60s")?.duration == .seconds(60))
        #expect(TimeSpan(argument: "5m")?.duration == .seconds(300))
        #expect(TimeSpan(argument: "1.5h")?.duration == .seconds(5400))
        #expect(TimeSpan(argument: "2d")?.duration == .seconds(172_800))
        for text in ["", "5", "s", "-1s", "5x", "nans"] { #expect(TimeSpan(argument: text) == nil) }
    }

    @Test func `the statuses that users rely on stay what they are`() {
        let values = ExitStatus.allCases.map(\.rawValue)
        #expect(values == [0, 1, 64, 66, 69, 74, 75, 124, 130])
        #expect(values.allSatisfy { ExitStatus.help.contains("  \($0)\t") })
    }

    #if os(Linux)
        @Test(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
        func `on a terminal submit says what to type next and a worker shows a bar`() throws {
            let site = try Site()
            func onTerminal(_ command: String) throws -> String { try YoloqProcess.onTerminal(command, at: site) }
            let submitted = try onTerminal("submit \(Checkout.samples) --model \(Checkout.demo)")
            #expect(submitted.contains("6 jobs, 1 to 6, queued for shapes"))
            #expect(submitted.contains("yoloq worker --until-empty") && submitted.contains("yoloq result --last"))
            #expect(try onTerminal("worker --until-empty --threads 1").contains("working █"))
            let piped = try YoloqProcess.run("submit", Checkout.samples, "--model", Checkout.demo, at: site)
            #expect(piped.lines == (7...12).map(String.init))
            #expect(!piped.errors.contains("█"))
        }
    #endif
}
