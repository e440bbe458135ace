// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import GRDB
import Testing
import YoloqJobs

@testable import yoloq

/// `yoloq explain`, on jobs in every situation.
struct ExplainTests {
    private let site: Site

    init() throws { site = try Site() }

    @discardableResult
    private func yoloq(_ arguments: String...) throws -> YoloqProcess.Result {
        try YoloqProcess.run(arguments, at: site)
    }

    private var sample: String {
        get throws {
            let names = try FileManager.default.contentsOfDirectory(atPath: Checkout.samples).sorted()
            return Checkout.samples + "/" + (try #require(names.first))
        }
    }

    private func submit(_ flags: String...) throws {
        let result = try YoloqProcess.run(["submit", sample, "--model", Checkout.demo] + flags, at: site)
        #expect(result.status == ExitCode.ok, "\(result.errors)")
    }

    /// Changes the file while no process has it open.
    private func change(_ sql: String) throws {
        let file = try DatabaseQueue(path: site.database)
        try file.inDatabase { try $0.execute(sql: sql) }
        try file.close()
    }

    /// What a job's reasons are called, and the command of each.
    private func reasons(_ job: Int = 1) throws -> [String: String?] {
        let result = try yoloq("explain", String(job), "--json")
        #expect(result.status == ExitCode.ok, "\(result.errors)")
        let reasons = result.objects.first?["reasons"] as? [[String: Any]] ?? []
        return Dictionary(
            uniqueKeysWithValues: reasons.map { ($0["reason"] as? String ?? "", $0["command"] as? String) }
        )
    }

    @Test func `a queued job tells its place, its pauses and that nobody serves it`() throws {
        try submit()
        try submit()
        #expect(try reasons(2) == ["no_worker": "yoloq worker", "in_line": nil])
        let line = try #require(try yoloq("explain", "2", "--json").objects.first)
        #expect(line["state"] as? String == "queued" && line["ahead"] as? Int == 1 && line["eta_s"] is NSNull)
        #expect(try yoloq("explain", "1").output.contains("it is the next of its model"))
        #expect(try yoloq("explain", "2").output.contains("1 job of its model with the same or a higher priority goes"))
        try yoloq("pause")
        try yoloq("pause", "shapes")
        let text = try yoloq("explain", "1").output
        #expect(text.contains("yoloq resume\n") && text.contains("yoloq resume shapes\n"))
        #expect(try yoloq("explain", "1").lines.first?.hasPrefix("job 1: queued  shapes  /") == true)
    }

    @Test func `a scheduled job tells its time, its last error, or the job whose result it waits for`() throws {
        try submit("--delay", "1h", "--expires-in", "2h")
        #expect(try reasons() == ["scheduled": nil, "no_worker": "yoloq worker", "expires": nil])
        try change(
            """
            UPDATE jobs SET attempts = 1;
            INSERT INTO attempts (job_id, number, worker_id, started_at_us, ended_at_us, outcome, error_kind, error_message)
            VALUES (1, 1, 'w', 1, 2, 'error', 'engine', 'out of memory')
            """
        )
        let retry = try yoloq("explain", "1").output
        #expect(retry.contains("attempt 2 of 3, after engine: out of memory") && retry.contains("(in "))
        try submit("--reuse")
        try submit("--reuse")
        #expect(try reasons(3)["waits_for_result"] == "yoloq explain 2")
    }

    @Test func `a running job tells its worker, and that the worker is dead`() throws {
        try submit("--time-limit", "90s")
        try change(
            """
            UPDATE jobs SET state = 2, claim_token = 1, worker_id = 'w', started_at_us = 1, attempts = 1;
            INSERT INTO workers (id, host, boot_id, pid, threads, started_at_us, lease_expires_at_us)
            VALUES ('w', 'there', 'none', 4711, 1, 1, 1)
            """
        )
        let text = try yoloq("explain", "1").output
        #expect(text.contains("w (process 4711 on there) runs it since 1970"))
        #expect(text.contains("attempt 1 of 3, for at most 1 min 30 s"))
        #expect(try reasons()["worker_dead"] == "yoloq worker")
    }

    @Test func `an ended job tells how, and what to type`() throws {
        for _ in 0..<3 { try submit("--latest", "camera") }
        #expect(try reasons(1) == ["superseded": "yoloq explain 2"])
        try yoloq("cancel", "3")
        #expect(try reasons(3) == ["cancelled": "yoloq retry 3 --cancelled"])
        try change(
            """
            UPDATE jobs SET state = 4, superseded_by = NULL, attempts = 1, error_kind = 'model_changed',
                error_message = 'm', error_retryable = 1 WHERE id = 1;
            UPDATE jobs SET state = 3, superseded_by = NULL, finished_at_us = 5 WHERE id = 2
            """
        )
        #expect(
            try reasons(1) == ["model_changed": nil, "advice": "yoloq retry --kind model_changed --use-current"]
        )
        #expect(try reasons(2) == ["succeeded": "yoloq result 2"])
    }

    @Test func `jobs that are not there and words that are none are refused`() throws {
        #expect(try yoloq("explain", "x").status == ExitCode.usage)
        #expect(try yoloq("explain", "1").status == ExitCode.noInput)
        try submit()
        #expect(try yoloq("explain", "2").status == ExitCode.noInput)
    }

    @Test func `there is advice for every kind of error that the README names, and for no other`() throws {
        let readme = try String(contentsOf: Checkout.root.appending(path: "README.md"), encoding: .utf8)
        let list = try #require(readme.firstRange(of: "Kinds today:")?.upperBound)
        let sentence = readme[list...].prefix { $0 != "." }
        let kinds = Set(
            sentence.split(separator: "`").map(String.init).filter { $0.allSatisfy { $0.isLetter || $0 == "_" } }
        )
        #expect(kinds.count >= 20)
        #expect(FailureAdvice.kinds == kinds)
        #expect(kinds.isSuperset(of: ["expired", "timeout", "crashed", "source_changed"]))
    }

    @Test func `every piece of advice ends in a command that is understood`() throws {
        try submit()
        let queue = try JobQueue(path: site.database)
        let job = try #require(try queue.summaries([.init(rawValue: 1)]).first)
        try queue.close()
        for kind in FailureAdvice.kinds.union(["unheard_of"]) {
            let advice = FailureAdvice.advice(for: kind)
            let words = advice.command(job).split(separator: " ").dropFirst().map(String.init)
            #expect(throws: Never.self, "\(kind): \(words)") { _ = try Yoloq.parseAsRoot(words) }
            #expect(!advice.text.isEmpty)
        }
    }

    @Test(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
    func `the README's queries give what the results say`() throws {
        try yoloq("submit", Checkout.samples, "--model", Checkout.demo)
        #expect(try yoloq("worker", "--threads", "1", "--until-empty").status == ExitCode.ok)
        let results = try yoloq("result", "--last", "--json").objects
        let names = results.map { ($0["predictions"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String } }
        let readme = try String(contentsOf: Checkout.root.appending(path: "README.md"), encoding: .utf8)
        let block = try #require(readme.components(separatedBy: "```sql\n").last?.components(separatedBy: "```").first)
        let queries = block.components(separatedBy: ";").filter { $0.contains("SELECT") }
        #expect(queries.count == 2)
        // The demo knows no people.
        let shape = try #require(Set(names.joined()).sorted().first)
        var configuration = Configuration()
        configuration.readonly = true
        let file = try DatabaseQueue(path: site.database, configuration: configuration)
        let (images, classes) = try file.read { database in
            (
                try Row.fetchAll(database, sql: queries[0].replacing("person", with: shape)),
                try Row.fetchAll(database, sql: queries[1])
            )
        }
        let states = try file.read { try String.fetchAll($0, sql: "SELECT state FROM jobs_view") }
        try file.close()
        #expect(images.count == names.count { $0.count { $0 == shape } >= 3 })
        #expect(Set(classes.compactMap { $0["name"] as String? }) == Set(names.joined()))
        #expect(classes.reduce(0) { $0 + ($1["found"] as Int? ?? 0) } == names.joined().count)
        #expect(states == results.map { _ in "succeeded" })
    }
}
