// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import YoloqJobs

struct BackupTests {
    /// A queue with jobs in every state, one of them running on `w`, in two batches.
    private func fill(_ queue: JobQueue) throws {
        _ = try queue.submit(requests(5, batch: "a") + requests(5, model: "other", batch: "b"), now: noon)
        var later = requests(1, batch: "a")
        later[0].runAt = noon + .seconds(100)
        _ = try queue.submit(later, now: noon)
        let claims = try queue.claimAny(limit: 3)
        let failure = JobFailure(kind: "truncated", message: "m")
        _ = try queue.record([
            Outcome(claims[0], .succeeded(result: "{}"), at: noon + .seconds(1)),
            Outcome(claims[1], .failed(failure), at: noon + .seconds(1)),
        ])
        _ = try queue.cancel([JobID(rawValue: 5)], now: noon)
    }

    @Test func `in a backup nobody works and running jobs are queued with an interrupted attempt`() throws {
        let folder = try TemporaryFolder()
        try withQueue { queue in
            try fill(queue)
            let before = try queue.counts()
            #expect(before[.running] == 1)
            let path = folder.path + "/copy.db"
            let report = try queue.backup(to: path, isReplacing: false, now: noon + .seconds(9))
            #expect(report.requeuedCount == 1 && report.path == path)
            #expect(try queue.counts() == before, "the original is as it was")
            #expect(try queue.workers(now: noon).count == 1)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["copy.db"])

            let copy = try JobQueue(path: path)
            defer { #expect(throws: Never.self) { try copy.close() } }
            #expect(try copy.workers(now: noon).isEmpty)
            #expect(try copy.counts() == copy.countRows())
            #expect(try copy.counts() == report.counts)
            #expect(report.counts[.running] == 0 && report.counts[.queued] == before[.queued] + 1)
            let attempts = try copy.attempts(of: JobID(rawValue: 3))
            #expect(attempts.map(\.outcome) == [.interrupted])
            #expect(attempts.first?.endedAt == noon + .seconds(9))
            #expect(try copy.records([JobID(rawValue: 3)]).first?.attempts == 0)
            #expect(try copy.check().findings.isEmpty)
        }
    }

    @Test func `a backup replaces nothing unasked, and never a queue in use`() throws {
        let folder = try TemporaryFolder()
        try withQueue { queue in
            func code(_ path: String, isReplacing: Bool = true) throws -> JobsError.Code? {
                do throws(JobsError) {
                    _ = try queue.backup(to: path, isReplacing: isReplacing, now: noon)
                    return nil
                } catch { return error.code }
            }
            let path = folder.path + "/copy.db"
            #expect(try code(path, isReplacing: false) == nil)
            #expect(try code(path, isReplacing: false) == .invalidRequest)
            #expect(try code(path) == nil)
            #expect(try code(folder.path) == .invalidRequest)
            #expect(try code(queue.path) == .invalidRequest)
            #expect(try code("/nowhere/copy.db") == .io)
            let link = folder.path + "/link.db"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: queue.path)
            #expect(try code(link) == .invalidRequest)
            let other = try JobQueue(path: path)
            #expect(try code(path) == .invalidRequest)
            try other.close()
        }
    }

    @Test func `no copy is made of a file that took the queue's place`() throws {
        try withQueue { queue in
            let away = queue.path + ".away"
            try FileManager.default.moveItem(atPath: queue.path, toPath: away)
            try Data().write(to: URL(filePath: queue.path))
            for copy in [{ _ = try queue.check() }, { _ = try queue.withWriteLock("copy") {} }] {
                let error = #expect(throws: JobsError.self) { try copy() }
                #expect(error?.code == .fileReplaced)
            }
            try FileManager.default.removeItem(atPath: queue.path)
            try FileManager.default.moveItem(atPath: away, toPath: queue.path)
        }
    }

    @Test func `what a killed backup left is removed by the next one`() throws {
        let folder = try TemporaryFolder()
        try withQueue { queue in
            let path = folder.path + "/copy.db"
            // No process has a number beyond pid_max, which is at most 2^22.
            for name in ["copy.db.partial-2000000000", "copy.db.partial-1", "copy.db.partial-x"] {
                try Data().write(to: URL(filePath: folder.path + "/" + name))
            }
            _ = try queue.backup(to: path, isReplacing: false, now: noon)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(names == ["copy.db", "copy.db.partial-1", "copy.db.partial-x"])
        }
    }

    @Test func `a sound queue passes the check and the copy leaves nothing behind`() throws {
        try withQueue { queue in
            try fill(queue)
            #expect(try queue.check().findings.isEmpty)
            let folder = (queue.path as NSString).deletingLastPathComponent
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(!names.contains { $0.contains("partial") })
        }
    }

    @Test(arguments: [
        (
            "UPDATE model_counts SET queued = queued + 1 WHERE model_id = 1",
            #"1 jobs of model "net" are queued, their counter says 2"#
        ),
        ("UPDATE batch_counts SET failed = 7 WHERE batch_id = 1", #"of batch "a" are failed, their counter says 7"#),
        ("DELETE FROM results", "job 1 has succeeded and has no result"),
        ("INSERT INTO results VALUES (2, '{}')", "job 2 has a result and has not succeeded"),
        ("DELETE FROM workers", "job 3 runs on w, which is not on the list"),
        ("UPDATE jobs SET leader_id = 1 WHERE state = 0", "waits for the result of job 1"),
        ("UPDATE jobs SET run_at_us = 9223372036854775807 WHERE state = 0", "scheduled for no time"),
        ("UPDATE jobs SET superseded_by = 9 WHERE id = 1", "job 1 was replaced by job 9"),
        ("UPDATE jobs SET input_id = 9 WHERE id = 4", "job 4 needs the bytes of input 9"),
        ("INSERT INTO inputs VALUES (1, zeroblob(32), x'00', 1)", "input 1 belongs to 0 jobs, its counter says 1"),
        ("INSERT INTO pauses VALUES ('other', 1)", "model other is not marked as paused"),
        ("UPDATE jobs SET model_id = 77 WHERE id = 4", "refers to a row of models that is not there"),
    ])
    func `the check finds what cannot be`(sql: String, finding: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/queue.db"
        let queue = try JobQueue(path: path)
        try queue.addTestWorker()
        try fill(queue)
        try queue.close()
        let file = try DatabaseQueue(path: path)
        try file.inDatabase { database in
            try database.execute(sql: "PRAGMA foreign_keys = 0")
            try database.execute(sql: sql)
        }
        try file.close()
        let damaged = try JobQueue(path: path)
        let findings = try damaged.check().findings
        try damaged.close()
        #expect(findings.contains { $0.text.contains(finding) && !$0.advice.isEmpty }, "\(findings)")
    }

    @Test func `a damaged page is found, and no backup is made of it`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/queue.db"
        let queue = try JobQueue(path: path)
        for _ in 0..<20 { _ = try queue.submit(requests(100), now: noon) }
        try queue.close()
        // Nobody has it open now.
        let root = try DatabaseQueue(path: path)
        let page = try root.read {
            try #require(try Int.fetchOne($0, sql: "SELECT rootpage FROM sqlite_schema WHERE name = 'jobs_queued'"))
        }
        try root.close()
        let handle = try FileHandle(forUpdating: URL(filePath: path))
        try handle.seek(toOffset: UInt64((page - 1) * 4096))
        try handle.write(contentsOf: Data(repeating: 0x55, count: 4096))
        try handle.close()
        let damaged = try JobQueue(path: path)
        let findings = try damaged.check().findings
        let copy = folder.path + "/copy.db"
        #expect(throws: JobsError.self) { try damaged.backup(to: copy, isReplacing: false, now: noon) }
        try damaged.close()
        #expect(!findings.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: copy))
    }

    @Test func `statistics count without looking`() throws {
        try withQueue { queue in
            try fill(queue)
            let stats = try queue.stats()
            #expect(stats.counts.total == 11 && stats.modelCount == 2 && stats.batchCount.value == 2)
            #expect(!stats.batchCount.isBounded && stats.inputCount.value == 0)
            #expect(stats.workerCount == 1 && stats.oldestJobAt == noon && stats.schema == JobQueue.schema)
            #expect(stats.autoVacuum == "incremental" && stats.journalMode == "wal")
            #expect(stats.logByteCount > 0 && stats.pageCount > 0)
        }
    }

    @Test func `a queue tells which schema it had`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/queue.db"
        for expected in [nil, JobQueue.schema] {
            let queue = try JobQueue(path: path)
            #expect(queue.schemaBefore == expected)
            try queue.close()
        }
    }
}
