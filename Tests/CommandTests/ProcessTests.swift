// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

/// Several real processes on one queue, with real signals.
@Suite(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"), .serialized)
struct ProcessTests {
    private let site: Site

    init() throws { site = try Site() }

    /// The smallest input there is: these tests are about jobs, not about pictures.
    private let quickly = ["submit", "--model", Checkout.demo, "--imgsz", "32"]

    private var sample: String {
        get throws {
            try #require(try FileManager.default.contentsOfDirectory(atPath: Checkout.samples).sorted().first)
        }
    }

    /// A folder with one picture under many names.
    private func folder(of count: Int) throws -> String {
        let folder = site.folder + "/many-\(count)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for index in 0..<count {
            try FileManager.default.createSymbolicLink(
                atPath: "\(folder)/\(index).jpg",
                withDestinationPath: Checkout.samples + "/" + sample
            )
        }
        return folder
    }

    private func expectIntegrity() throws {
        let database = try DatabaseQueue(path: site.database)
        defer { #expect(throws: Never.self) { try database.close() } }
        #expect(try database.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
    }

    @Test func `16 processes open an absent file at once and none loses a job`() throws {
        let image = try Checkout.samples + "/" + sample
        let submits = try (0..<16).map { _ in
            try YoloqProcess(["submit", image, "--model", Checkout.demo], at: site)
        }
        let results = submits.map { $0.finish() }
        #expect(results.allSatisfy { $0.status == ExitCode.ok }, "\(results.map(\.errors))")
        let ids = results.flatMap(\.lines).compactMap { Int($0) }
        #expect(ids.sorted() == Array(1...16))
        try expectIntegrity()
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `a signal lets running jobs finish, leaves the others queued and ends with 0`(signal: Int32) throws {
        _ = try YoloqProcess.run(quickly + [folder(of: 2000)], at: site)
        let worker = try YoloqProcess(["worker", "--threads", "2"], at: site)
        _ = try YoloqProcess.run("wait", "20", "--timeout", "300s", at: site)
        worker.send(signal)
        let result = worker.finish()
        #expect(result.status == ExitCode.ok, "\(result.errors)")
        let status = try #require(try YoloqProcess.run("status", "--json", at: site).objects.first)
        #expect(status["running"] as? Int == 0)
        #expect(status["failed"] as? Int == 0)
        let done = try #require(status["succeeded"] as? Int)
        #expect(done >= 20 && done < 2000)
        #expect(status["queued"] as? Int == 2000 - done)
        #expect((status["workers"] as? [Any])?.isEmpty == true)
    }

    @Test func `a second signal gives back what runs and ends at once with 130`() throws {
        // A picture of 4K as the input takes the engine long enough to be caught at it.
        let image = try Checkout.samples + "/" + sample
        for _ in 0..<6 {
            _ = try YoloqProcess.run("submit", "--model", Checkout.demo, "--imgsz", "3840", image, at: site)
        }
        let worker = try YoloqProcess(["worker", "--threads", "2"], at: site)
        func runningCount() throws -> Int {
            try YoloqProcess.run("status", "--json", at: site).objects.first?["running"] as? Int ?? 0
        }
        while try runningCount() < 2 { usleep(10_000) }
        worker.send(SIGTERM)
        usleep(50_000)
        worker.send(SIGTERM)
        let result = worker.finish()
        #expect(result.status == ExitCode.interrupted, "\(result.errors)")
        let status = try #require(try YoloqProcess.run("status", "--json", at: site).objects.first)
        #expect(status["running"] as? Int == 0)
        #expect((status["workers"] as? [Any])?.isEmpty == true)
        let total = ["queued", "succeeded"].compactMap { status[$0] as? Int }.reduce(0, +)
        #expect(total == 6)
    }

    @Test func `acknowledged jobs outlive killed submitters and each succeeds once`() throws {
        // The long form that the figures in the notes come from: YOLOQ_STORM_SECONDS=60.
        let seconds = ProcessInfo.processInfo.environment["YOLOQ_STORM_SECONDS"].flatMap(Int.init) ?? 15
        let many = try folder(of: 3000)
        let few = try folder(of: 20)
        let workers = try (0..<2).map { _ in try YoloqProcess(["worker", "--threads", "1"], at: site) }
        let deadline = ContinuousClock.now + .seconds(seconds)
        var acknowledged: Set<Int> = []
        var kills = 0
        while ContinuousClock.now < deadline {
            let steady = try YoloqProcess(quickly + [few], at: site)
            let victim = try YoloqProcess(quickly + [kills < 5 ? many : few], at: site)
            if kills < 5 {
                // In mid-submit: some chunks are acknowledged, others are not.
                victim.wait { $0.outputSoFar.contains("\n") }
                victim.send(SIGKILL)
            }
            let result = victim.finish()
            if result.status == SIGKILL { kills += 1 }
            for result in [result, steady.finish()] {
                // The last line of a killed process may be cut.
                let whole = result.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                acknowledged.formUnion(whole.compactMap { Int($0) })
            }
        }
        let last = String(try #require(acknowledged.max()))
        #expect(try YoloqProcess.run("wait", last, "--timeout", "600s", at: site).status == ExitCode.ok)
        for worker in workers { worker.send(SIGTERM) }
        for worker in workers { #expect(worker.finish().status == ExitCode.ok) }
        _ = try YoloqProcess.run("worker", "--threads", "2", "--until-empty", at: site)

        #expect(kills == 5)
        try expectIntegrity()
        let database = try DatabaseQueue(path: site.database)
        let rows = try database.read {
            try Row.fetchAll($0, sql: "SELECT id, state, attempts FROM jobs JOIN results ON results.job_id = jobs.id")
        }
        try database.close()
        let succeeded = Dictionary(uniqueKeysWithValues: rows.map { ($0["id"] as Int, $0) })
        #expect(acknowledged.allSatisfy { succeeded[$0]?["state"] == 3 && succeeded[$0]?["attempts"] == 1 })
        print("\(seconds) s, \(kills) kills: \(acknowledged.count) acknowledged, \(rows.count) succeeded once")
    }
}
