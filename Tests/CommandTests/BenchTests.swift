// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// That the benchmark measures what it says; how fast anything is depends on the machine.
struct BenchTests {
    private static let small = [
        "bench", "queue", "--jobs", "100", "--rounds", "1", "--pause", "2", "--durability", "normal", "--json",
    ]

    @Test func `queue and bare loop do the same jobs, in threads and in processes`() throws {
        let site = try Site()
        let result = try YoloqProcess.run(
            BenchTests.small + ["--folder", site.folder, "--parts", "submit,claim,record,cycle,drain"],
            at: site
        )
        #expect(result.status == ExitCode.ok, "\(result.errors)")
        let lines = result.objects
        #expect(Set(lines.compactMap { $0["what"] as? String }) == ["submit", "claim", "record", "cycle", "drain"])
        #expect(lines.contains { $0["lanes"] as? String == "2 processes" })
        for line in lines {
            let jobs = try #require(line["queue_jobs"] as? Int)
            #expect(jobs >= 100 && jobs == line["bare_jobs"] as? Int, "\(line)")
            for key in ["queue_jobs_per_s", "bare_jobs_per_s", "ratio"] {
                let spread = try #require(line[key] as? [Double], "\(line)")
                #expect(spread.count == 3 && spread == spread.sorted() && spread[0] > 0, "\(line)")
            }
        }
        // Nothing is left behind.
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.folder).isEmpty)
    }

    @Test func `the job of a killed process is taken over`() throws {
        let site = try Site()
        let result = try YoloqProcess.run(
            BenchTests.small + ["--folder", site.folder, "--parts", "recovery"],
            at: site
        )
        #expect(result.status == ExitCode.ok, "\(result.errors)")
        let line = try #require(result.objects.first)
        #expect(line["what"] as? String == "recovery of a killed worker's job" && line["count"] as? Int == 20)
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.folder).isEmpty)
    }

    @Test func `a cycle takes the same steps and frames beside a history`() throws {
        let site = try Site()
        let result = try YoloqProcess.run(
            BenchTests.small + ["--folder", site.folder, "--parts", "pickup", "--stored", "20000"],
            at: site
        )
        #expect(result.status == ExitCode.ok, "\(result.errors)")
        let latencies = result.objects.filter { $0["p50_us"] != nil }
        #expect(latencies.count == 3)
        for line in latencies { #expect(line["count"] as? Int == 100, "\(line)") }
        let costs = result.objects.filter { $0["what"] as? String == "history" }
        #expect(costs.map { $0["stored"] as? Int } == [0, 20_000])
        for key in ["vm_steps", "wal_frames"] {
            let values = costs.compactMap { $0[key] as? Int }
            #expect(values.count == 2 && values[0] > 0 && values[0] == values[1], "\(key): \(values)")
        }
    }

    @Test(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
    func `every stage around the network is measured, on what predict finds`() throws {
        let site = try Site()
        let choice = [Checkout.samples, "--model", Checkout.demo, "--precision", "f32"]
        let result = try YoloqProcess.run(["bench", "vision", "--rounds", "1", "--json"] + choice, at: site)
        #expect(result.status == ExitCode.ok, "\(result.errors)")
        let costs = try #require(result.objects.first)
        let found = try YoloqProcess.run(["predict", "--json"] + choice, at: site).objects
        let detections = found.compactMap { ($0["predictions"] as? [Any])?.count }.reduce(0, +)
        #expect(costs["images"] as? Int == found.count && costs["detections"] as? Int == detections && detections > 0)
        for stage in ["decode_ms", "preprocess_ms", "postprocess_ms"] {
            #expect(try #require(costs[stage] as? Double) > 0)
        }
    }
}
