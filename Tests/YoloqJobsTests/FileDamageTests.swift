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

    @Test(arguments: Change.allCases)
    func `a file changed under an open queue ends all use of the queue, in words`(change: Change) throws {
        let queue = try JobQueue(path: path)
        let result = Result {
            try queue.addTestWorker()
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
