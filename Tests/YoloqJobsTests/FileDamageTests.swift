// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import YoloqJobs

/// What the queue does when somebody else touches its files.
struct FileDamageTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/queue.db" }

    init() throws { folder = try TemporaryFolder() }

    // MARK: Damaged

    /// The bytes of a closed queue with 300 jobs, some of them finished.
    private func makeQueue() throws -> [UInt8] {
        let queue = try JobQueue(path: path)
        try queue.addTestWorker()
        _ = try queue.submit(requests(300, batch: "b"), now: noon)
        let claims = try queue.claimAny(limit: 100)
        _ = try queue.record(claims.map { Outcome($0, .succeeded(result: "{}"), at: noon) })
        try queue.close()
        return try Array(Data(contentsOf: URL(filePath: path)))
    }

    private func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(filePath: path)) }

    private func expectUseful(_ error: JobsError?, _ comment: Comment) {
        #expect(error?.code == .invalidFile, comment)
        #expect(error?.message.contains(path) == true, comment)
        #expect(error?.message.contains("Restore a backup") == true, comment)
    }

    @Test func `a file with a broken header is refused in words and left alone`() throws {
        var bytes = try makeQueue()
        bytes.replaceSubrange(0..<100, with: [UInt8](repeating: 0xA5, count: 100))
        try write(bytes)
        expectUseful(#expect(throws: JobsError.self) { try JobQueue(path: path) }, "header")
        #expect(try Array(Data(contentsOf: URL(filePath: path))) == bytes)
    }

    @Test func `a file that was cut off is refused in words`() throws {
        let bytes = try makeQueue()
        try write(Array(bytes[..<(bytes.count / 2 / 4096 * 4096)]))
        let error = #expect(throws: JobsError.self) {
            let queue = try JobQueue(path: path)
            let result = Result { try useEverything(of: queue) }
            try queue.close()
            try result.get()
        }
        expectUseful(error, "cut off")
    }

    /// Uses every table and index that submit, claim, record and the readers use.
    private func useEverything(of queue: JobQueue) throws {
        let ids = try queue.jobs(ofBatch: "b", limit: 1000)
        _ = try queue.records(ids)
        _ = try queue.counts()
        _ = try queue.workers(now: noon)
        _ = try queue.submit(requests(2, batch: "b"), now: noon)
        let claims = try queue.claimAny(limit: 300)
        _ = try queue.record(claims.map { Outcome($0, .failed(JobFailure(kind: "k", message: "m")), at: noon) })
    }

    @Test func `a broken page is told by whatever comes upon it`() throws {
        let bytes = try makeQueue()
        var toldCount = 0
        for start in stride(from: 4096, to: bytes.count, by: 4096) {
            var broken = bytes
            broken.replaceSubrange(start..<start + 4096, with: [UInt8](repeating: 0xA5, count: 4096))
            try write(broken)
            do throws(JobsError) {
                let queue = try JobQueue(path: path)
                let result = Result { try useEverything(of: queue) }
                try queue.close()
                if case .failure(let error as JobsError) = result { throw error }
            } catch {
                toldCount += 1
                expectUseful(error, "page \(start / 4096 + 1): \(error)")
            }
        }
        #expect(toldCount > bytes.count / 4096 / 2, "told of \(toldCount) of \(bytes.count / 4096) pages")
    }

    @Test func `a damaged log gives what was committed before the damage`() throws {
        let vfs = FaultVFS()
        vfs.record()
        let queue = try JobQueue(path: path, options: vfs.options())
        var ends: [(operationCount: Int, jobCount: Int)] = []
        for round in 1...10 {
            _ = try queue.submit(requests(5), now: noon)
            ends.append((vfs.operationCount, round * 5))
        }
        var disk = DiskModel()
        for operation in vfs.operations { disk.apply(operation) }
        let operations = vfs.operations
        try queue.close()

        for (before, after) in zip(ends, ends.dropFirst()) {
            // A byte of this commit's first page.
            let frames = operations[before.operationCount..<after.operationCount].filter { $0.call == .write }
            let frame = try #require(frames.first { $0.bytes.count > 24 })
            var files = disk.afterKill()
            files[.log]?[frame.offset + 100] ^= 1
            let second = try TemporaryFolder()
            try YoloqJobsTests.write(files, to: second.path)
            let opened = try JobQueue(path: second.path + "/queue.db")
            #expect(try opened.counts().total == before.jobCount)
            #expect(try opened.read("check") { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
            try opened.close()
        }
    }

    // MARK: Rows that cannot be

    /// Spoils rows of a closed queue as no program could that keeps to the schema.
    private func spoil(_ table: String, _ change: String) throws {
        // The constraints are in the schema's text, which SQLite reads when it opens the file.
        func connect(_ body: (Database) throws -> Void) throws {
            let connection = try DatabaseQueue(path: path)
            try connection.inDatabase(body)
            try connection.close()
        }
        var schema = ""
        try connect { database in
            schema = try #require(
                try String.fetchOne(database, sql: "SELECT sql FROM sqlite_schema WHERE name = ?", arguments: [table])
            )
        }
        func setSchema(_ text: String) throws {
            try connect { database in
                try database.execute(sql: "PRAGMA writable_schema = 1")
                try database.execute(
                    sql: "UPDATE sqlite_schema SET sql = ? WHERE name = ?",
                    arguments: [text, table]
                )
            }
        }
        let bare = schema.replacing("IS NOT NULL", with: "NOTNULL").replacing("NOT NULL", with: "")
            .replacing(") STRICT", with: ")")
        try setSchema(bare)
        try connect { database in
            try database.execute(sql: "PRAGMA ignore_check_constraints = 1; PRAGMA foreign_keys = 0")
            try database.execute(sql: "UPDATE \(table) SET \(change)")
        }
        try setSchema(schema)
    }

    /// Uses everything that reads rows, and tells what goes wrong.
    private func errors() throws -> [JobsError] {
        let queue = try JobQueue(path: path)
        let ids = (1...300).map { JobID(rawValue: Int64($0)) }
        var filter = JobFilter()
        filter.states = [.queued, .failed]
        var errors: [JobsError] = []
        func run(_ body: () throws(JobsError) -> Void) {
            do throws(JobsError) { try body() } catch { errors.append(error) }
        }
        run { () throws(JobsError) in _ = try queue.records(ids) }
        run { () throws(JobsError) in _ = try queue.counts() }
        run { () throws(JobsError) in _ = try queue.counts(ofBatch: "b") }
        run { () throws(JobsError) in _ = try queue.states(ids) }
        run { () throws(JobsError) in for id in ids { _ = try queue.attempts(of: id) } }
        run { () throws(JobsError) in _ = try queue.jobs(ofBatch: "b") }
        run { () throws(JobsError) in _ = try queue.jobs(matching: filter, after: nil, limit: 300) }
        run { () throws(JobsError) in _ = try queue.jobsOfLastSubmit() }
        run { () throws(JobsError) in for id in ids { _ = try queue.jobsAhead(of: id) } }
        run { () throws(JobsError) in _ = try queue.recent(.succeeded, limit: 300) }
        run { () throws(JobsError) in _ = try queue.recent(.failed, limit: 300) }
        run { () throws(JobsError) in _ = try queue.stats() }
        run { () throws(JobsError) in _ = try queue.pauses() }
        run { () throws(JobsError) in _ = try queue.workers(now: noon) }
        run { () throws(JobsError) in _ = try queue.workerSightings() }
        run { () throws(JobsError) in _ = try queue.oldestQueued() }
        run { () throws(JobsError) in _ = try queue.nextDue() }
        run { () throws(JobsError) in _ = try queue.claim(limit: 300, models: [1], worker: "w", now: noon) }
        run { () throws(JobsError) in _ = try queue.promote(now: noon) }
        run { () throws(JobsError) in _ = try queue.expire(now: noon) }
        run { () throws(JobsError) in _ = try queue.cancel(ids, now: noon) }
        run { () throws(JobsError) in _ = try queue.retry(ids, now: noon) }
        run { () throws(JobsError) in _ = try queue.rescue(worker: "w", because: .death, now: noon) }
        run { () throws(JobsError) in _ = try queue.prune(.succeeded, before: noon + .days(1)) }
        try queue.close()
        return errors
    }

    @Test(arguments: [
        ("jobs", "state = 99", "state is 99"), ("jobs", "source = NULL", "source is NULL"),
        ("jobs", "created_at_us = 'noon'", "created_at_us is"), ("jobs", "attempts = NULL", "attempts is NULL"),
        ("jobs", "max_attempts = 'x'", "max_attempts is"), ("jobs", "batch_id = 'b'", "batch_id is"),
        ("jobs", "model_id = NULL", nil), ("jobs", "reuses = NULL", "reuses is NULL"),
        ("jobs", "error_kind = 'k', error_message = NULL", "error_message is NULL"),
        ("jobs", "parameters_id = 77", nil),
        ("jobs", "priority = NULL", "priority is NULL"),
        ("jobs", "worker_id = NULL, started_at_us = 5", "worker_id is NULL"),
        ("jobs", "source_sha256 = 5", "sha256 is"),
        ("models", "name = NULL", "name is NULL"), ("models", "is_paused = 'maybe'", "is_paused is"),
        ("model_counts", "succeeded = 9223372036854775807, queued = 9223372036854775807", "is 9223372036854775807"),
        ("batch_counts", "failed = 'many'", "failed is"), ("attempts", "outcome = 'won'", "outcome is"),
        ("attempts", "started_at_us = NULL", "started_at_us is NULL"),
        ("attempts", "error_message = NULL", "error_message"),
        ("workers", "boot_id = NULL", "boot_id is NULL"),
        ("workers", "lease_expires_at_us = 'soon'", "lease_expires_at_us"),
        ("workers", "pid = 'x'", "pid is"),
    ])
    func `a row that the schema does not admit is an error that names it`(table: String, change: String, told: String?)
        throws
    {
        let queue = try JobQueue(path: path)
        try queue.addTestWorker()
        _ = try queue.submit(requests(300, batch: "b"), now: noon)
        let claims = try queue.claimAny(limit: 100)
        let failure = JobFailure(kind: "k", message: "m", isRetryable: true)
        _ = try queue.record(claims.prefix(50).map { Outcome($0, .failed(failure), at: noon) })
        _ = try queue.record(claims.suffix(40).map { Outcome($0, .succeeded(result: "{}"), at: noon) })
        try queue.close()
        try spoil(table, change)

        let errors = try errors()
        for error in errors where error.code != .invalidRequest { expectUseful(error, "\(error)") }
        guard let told else { return }
        #expect(
            errors.contains { $0.message.contains("of \(table) is damaged") || $0.message.contains("is damaged: ") },
            "\(errors)"
        )
        #expect(errors.contains { $0.message.contains(told) }, "\(errors)")
    }

    @Test func `the lowest priority is one like any other`() throws {
        try withQueue { queue in
            let ids = try [Int.min, 0, Int.max].map { priority in
                try #require(try queue.submit(requests(1, priority: priority), now: noon).first)
            }
            #expect(try queue.claimAny(limit: 3).map(\.job) == ids.reversed())
        }
    }

    // MARK: Replaced

    /// What can happen to the names of an open queue's files.
    enum Change: String, CaseIterable {
        case databaseRemoved, databaseReplaced, logRemoved, logReplaced, sharedMemoryRemoved

        /// The word that says it.
        var word: String { rawValue.hasSuffix("Removed") ? "removed" : "replaced" }

        /// Does it to the queue at a path, without opening anything of it.
        func make(at path: String) throws {
            let suffix: String =
                switch self {
                case .databaseRemoved, .databaseReplaced: ""
                case .logRemoved, .logReplaced: "-wal"
                case .sharedMemoryRemoved: "-shm"
                }
            if word == "replaced" {
                // Made under another name and moved, as editors and deploy scripts do.
                try Data("another file".utf8).write(to: URL(filePath: path + ".new"))
                #expect(rename(path + ".new", path + suffix) == 0)
            } else {
                #expect(unlink(path + suffix) == 0)
            }
        }
    }

    @Test(arguments: Change.allCases, [false, true])
    func `a file changed under an open queue ends all use of the queue, in words`(change: Change, isFolderOld: Bool)
        throws
    {
        let queue = try JobQueue(path: path)
        let result = Result {
            try queue.addTestWorker()
            // Of a folder that has not changed for a while the files need not be looked at.
            let time = Date(timeIntervalSinceNow: isFolderOld ? -100 : 0)
            try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: folder.path)
            _ = try queue.submit(requests(3), now: noon)
            let models = try queue.allModels()
            try change.make(at: path)
            let error = #expect(throws: JobsError.self) { try queue.submit(requests(1), now: noon) }
            #expect(error?.code == .fileReplaced)
            #expect(error?.message.contains(path) == true)
            #expect(error?.message.contains(change.word) == true, "\(String(describing: error))")
            #expect(error?.message.contains("Stop every yoloq") == true)
            #expect(
                #expect(throws: JobsError.self) { try queue.claim(models: models, worker: "w", now: noon) } == error
            )
            #expect(#expect(throws: JobsError.self) { try queue.counts() }?.code == .fileReplaced)
            #expect(#expect(throws: JobsError.self) { try queue.cutLog() } == error)
        }
        try queue.close()
        try result.get()
    }

    @Test(arguments: Change.allCases)
    func `a submit during which the file changed is not acknowledged`(change: Change) throws {
        let queue = try JobQueue(path: path)
        let error = #expect(throws: JobsError.self) {
            try queue.write("submit", durability: .full) { database -> (Void, WakeKinds) in
                try database.execute(
                    sql: "INSERT INTO batches (name, created_at_us) VALUES ('b', 1)"
                )
                try change.make(at: path)
                return ((), .work)
            }
        }
        #expect(error?.code == .fileReplaced)
        #expect(queue.wakeCounters.work == 0)
        try queue.close()
    }

    @Test func `a queue that was put in another one's place is not touched by it`() throws {
        let other = try JobQueue(path: folder.path + "/other.db")
        let ids = try other.submit(requests(7, model: "other"), now: noon)
        try other.close()

        let queue = try JobQueue(path: path)
        _ = try queue.submit(requests(3), now: noon)
        // As a restored backup is: the database alone, without the log of the one before.
        for suffix in ["-wal", "-shm"] { #expect(unlink(path + suffix) == 0) }
        #expect(rename(folder.path + "/other.db", path) == 0)
        let restored = try JobQueue(path: path)
        #expect(throws: JobsError.self) { try queue.submit(requests(1), now: noon) }
        try queue.close()
        #expect(try restored.submit(requests(1), now: noon).count == 1)
        #expect(try restored.states(ids).count == 7)
        #expect(try restored.counts().total == 8)
        try restored.close()

        let again = try JobQueue(path: path)
        #expect(try again.counts().total == 8)
        #expect(try again.read("check") { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
        try again.close()
    }

    @Test func `jobs are not lost with a log that was removed if the queue is closed`() throws {
        let queue = try JobQueue(path: path)
        let ids = try queue.submit(requests(3), now: noon)
        try Change.logRemoved.make(at: path)
        #expect(throws: JobsError.self) { try queue.submit(requests(1), now: noon) }
        // Copies what the removed log holds into the database.
        try queue.close()
        let second = try JobQueue(path: path)
        #expect(try second.states(ids).count == 3)
        try second.close()
    }
}
