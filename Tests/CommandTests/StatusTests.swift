// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import yoloq

/// What `yoloq status` says beyond the counts.
struct StatusTests {
    private let site: Site

    init() throws { site = try Site() }

    private func yoloq(_ arguments: String...) throws -> YoloqProcess.Result {
        try YoloqProcess.run(arguments, at: site)
    }

    @Test(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
    func `times of every stage, the rate and failures by kind come from the latest jobs`() throws {
        let text = site.folder + "/text.jpg"
        try Data("hello".utf8).write(to: URL(filePath: text))
        let submitted = try yoloq("submit", Checkout.samples, text, "--model", Checkout.demo, "--batch", "b")
        #expect(submitted.status == ExitCode.ok, "\(submitted.errors)")
        #expect(try yoloq("worker", "--threads", "1", "--until-empty").status == ExitCode.ok)
        let status = try #require(try yoloq("status", "--json").objects.first)
        let stages = try #require(status["stages_ms"] as? [String: [String: Double]])
        let names = ["queued", "load", "decode", "preprocess", "inference", "postprocess", "total"]
        #expect(Set(stages.keys) == Set(names))
        for stage in stages.values {
            let (p50, p95, p99) = (stage["p50"] ?? -1, stage["p95"] ?? -1, stage["p99"] ?? -1)
            #expect(0 <= p50 && p50 <= p95 && p95 <= p99)
        }
        #expect(status["recent_failures"] as? [String: Int] == ["unsupported_format": 1])
        #expect(status["jobs_per_s"] as? Double ?? 0 > 0)
        #expect(status["eta_s"] is NSNull, "nothing is queued")
        let batch = try #require(try yoloq("status", "--batch", "b", "--json").objects.first)
        #expect(batch["jobs_per_s"] as? Double ?? 0 > 0 && batch["succeeded"] as? Int == 6)
        let human = try yoloq("status").output
        #expect(human.contains("inference") && human.contains("jobs/s in the last minute"))
        #expect(human.contains("of the latest 1 failed job: 1 unsupported_format"))
    }

    @Test func `pauses are shown, and without any work nothing is claimed about times`() throws {
        _ = try yoloq("submit", Checkout.samples, "--model", Checkout.demo)
        let file = try DatabaseQueue(path: site.database)
        try file.inDatabase { database in
            try database.execute(sql: "INSERT INTO pauses VALUES ('shapes', 1), ('*', 1)")
            try database.execute(sql: "UPDATE models SET is_paused = 1")
        }
        try file.close()
        let status = try #require(try yoloq("status", "--json").objects.first)
        #expect(status["pauses"] as? [String] == ["*", "shapes"])
        #expect((status["models"] as? [[String: Any]])?.first?["paused"] as? Bool == true)
        for key in ["stages_ms", "jobs_per_s", "eta_s"] { #expect(status[key] is NSNull, "\(key)") }
        #expect((status["recent_failures"] as? [String: Any])?.isEmpty == true)
        let human = try yoloq("status").output
        #expect(human.contains("the whole queue is paused: yoloq resume"))
        #expect(human.contains("model shapes is paused: yoloq resume shapes"))
    }

    @Test func `percentiles are nearest ranks`() {
        let times = StageTimes(name: "load", (1...200).map(Double.init).shuffled())
        #expect(times.p50 == 100 && times.p95 == 190 && times.p99 == 198)
        let one = StageTimes(name: "load", [7])
        #expect(one.p50 == 7 && one.p95 == 7 && one.p99 == 7)
    }
}
