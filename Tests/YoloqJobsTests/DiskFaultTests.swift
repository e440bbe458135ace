// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import YoloqJobs

/// What the queue does when the disk below it fails.
@Suite(.timeLimit(.minutes(10)))
struct DiskFaultTests {
    /// What a queue is asked to do while the disk fails.
    enum Action: String, CaseIterable {
        case submit, claim, record

        /// Does it once; for a claim and a result there must be a job, which `prepare` sees to.
        func run(on queue: JobQueue, with claims: [Claim]) throws {
            switch self {
            case .submit: _ = try queue.submit(requests(5, model: "other", batch: "b"), now: noon)
            case .claim: _ = try queue.claimAny(limit: 2)
            case .record:
                let lost = try queue.record(claims.map { Outcome($0, .succeeded(result: longResult), at: noon) })
                #expect(lost.isEmpty)
            }
        }

        /// What `run` needs to have something to do.
        func prepare(_ queue: JobQueue) throws -> [Claim] {
            guard self != .submit else { return [] }
            _ = try queue.submit(requests(2), now: noon)
            return self == .record ? try queue.claimAny(limit: 2) : []
        }

        private var longResult: String { "\"" + String(repeating: "x", count: 20_000) + "\"" }
    }

    /// Everything that a queue holds, job by job.
    private func content(of queue: JobQueue) throws -> [JobRecord] {
        let ids = try queue.read("list jobs") { try Int64.fetchAll($0, sql: "SELECT id FROM jobs ORDER BY id") }
        return try queue.records(ids.map(JobID.init))
    }

    private func expectSound(_ queue: JobQueue) throws {
        #expect(try queue.read("check") { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
        #expect(try queue.counts() == queue.countRows())
        #expect(try queue.wrongCountersCount(in: "model_counts", by: "model_id") == 0)
    }

    /// Opens a queue in a new folder, runs the body, closes the queue; the folder lives as long.
    private func withFaultyQueue(
        checkpointFrameCount: Int = 4000,
        _ body: (JobQueue, FaultVFS) throws -> Void
    ) throws {
        let vfs = FaultVFS()
        vfs.record()
        let options = vfs.options { $0.checkpointFrameCount = checkpointFrameCount }
        try withQueue(options: options, in: TemporaryFolder.memory) { try body($0, vfs) }
    }

    // MARK: Full

    @Test(arguments: Action.allCases, [false, true])
    func `a disk that is full at any write takes the one transaction and nothing else`(action: Action, half: Bool)
        throws
    {
        try withFaultyQueue { queue, vfs in
            var failedCount = 0
            for number in 1... {
                let claims = try action.prepare(queue)
                let before = try content(of: queue)
                vfs.fail(.write, first: number, code: .SQLITE_FULL, half: half)
                let error = Result { try action.run(on: queue, with: claims) }.failure
                vfs.heal()
                guard vfs.failureCount > 0 else {
                    #expect(error == nil)
                    break
                }
                failedCount += 1
                #expect(error?.code == .diskFull, "write \(number)")
                #expect(error?.message.contains("Free some space") == true)
                #expect(try content(of: queue) == before, "write \(number)")
                // There is space again.
                try action.run(on: queue, with: claims)
            }
            // A header, and several pages with a header each.
            #expect(failedCount > 5)
            try expectSound(queue)
        }
    }

    @Test func `a disk that is full in the middle of a submit beyond SQLite's cache takes that submit alone`() throws {
        try withFaultyQueue { queue, vfs in
            // 4 MB; the cache holds 2.
            let many = (0..<500).map { index in
                JobRequest(model: model(), source: "s", meta: "\"\(index)" + String(repeating: "x", count: 8000) + "\"")
            }
            let writeCount = try vfs.count(.write) { _ = try queue.submit(many, now: noon) }
            #expect(writeCount > 2000)
            var total = 500
            for number in stride(from: 1, to: writeCount, by: writeCount / 5) {
                vfs.fail(.write, first: number, code: .SQLITE_FULL, half: true)
                #expect(throws: JobsError.self) { try queue.submit(many, now: noon) }
                vfs.heal()
                #expect(try queue.counts().total == total)
                total += try queue.submit(requests(1), now: noon).count
                #expect(try queue.counts().total == total)
            }
            try expectSound(queue)
        }
    }

    @Test func `a disk that is full while the log is copied takes nothing`() throws {
        try withFaultyQueue(checkpointFrameCount: 1) { queue, vfs in
            _ = try queue.submit(requests(20), now: noon)
            for number in 1... {
                vfs.fail(.write, of: [.database], first: number, code: .SQLITE_FULL)
                let before = try queue.counts().total
                #expect(try queue.submit(requests(2), now: noon).count == 2)
                #expect(try queue.counts().total == before + 2)
                vfs.heal()
                if vfs.failureCount == 0 { break }
            }
            try expectSound(queue)
        }
    }

    @Test(arguments: [false, true])
    func `no room for the shared memory is a full disk, not a broken one`(exists: Bool) throws {
        let folder = try TemporaryFolder(in: TemporaryFolder.memory)
        let path = folder.path + "/queue.db"
        if exists { try JobQueue(path: path).close() }
        let vfs = FaultVFS()
        vfs.fail(.mapSharedMemory, code: .SQLITE_IOERR_SHMSIZE)
        let error = #expect(throws: JobsError.self) { try JobQueue(path: path, options: vfs.options()) }
        #expect(error?.code == .diskFull, "\(String(describing: error))")
        vfs.heal()
        try JobQueue(path: path, options: vfs.options()).close()
    }

    @Test(.enabled(if: SmallDisk.isPossible, "needs root, to mount a small tmpfs"))
    func `a disk that is really full takes nothing acknowledged and works again with space`() throws {
        let disk = try SmallDisk(byteCount: 2 << 20)
        let queue = try JobQueue(path: disk.path + "/queue.db")
        let result = Result {
            try queue.addTestWorker()
            try Data(count: 1 << 20).write(to: URL(filePath: disk.path + "/ballast"))
            var acknowledged: [JobID] = []
            var error: JobsError?
            while error == nil {
                error = Result { acknowledged += try queue.submit(requests(100), now: noon) }.failure
            }
            #expect(error?.code == .diskFull)
            #expect(acknowledged.count >= 100)
            #expect(try content(of: queue).map(\.id) == acknowledged)
            try FileManager.default.removeItem(atPath: disk.path + "/ballast")
            #expect(try queue.submit(requests(100), now: noon).count == 100)
            #expect(try queue.claimAny(limit: 5).count == 5)
            try expectSound(queue)
        }
        try queue.close()
        try result.get()
    }

    @Test(.enabled(if: SmallDisk.isPossible, "needs root, to mount a small tmpfs"))
    func `a queue on a disk without any space cannot be opened and says why`() throws {
        let disk = try SmallDisk(byteCount: 2 << 20)
        let path = disk.path + "/queue.db"
        let first = try JobQueue(path: path)
        _ = try first.submit(requests(10), now: noon)
        try first.close()
        try disk.fill()
        let error = #expect(throws: JobsError.self) { try JobQueue(path: path) }
        #expect(error?.code == .diskFull)
        try FileManager.default.removeItem(atPath: disk.path + "/ballast")
        let second = try JobQueue(path: path)
        #expect(try second.counts().total == 10)
        try second.close()
    }

    // MARK: Broken

    /// What breaks, and what of it SQLite hears.
    enum Fault: String, CaseIterable {
        case syncOnce, writeOnce, writesFromThenOn, shortWrite

        /// How far the calls that fail lie apart.
        var step: Int { self == .syncOnce ? 1 : 3 }

        func start(_ number: Int, in vfs: FaultVFS) {
            switch self {
            // Once: what the kernel then says of the next one is no comfort.
            case .syncOnce: vfs.fail(.sync, first: number, count: 1, code: .SQLITE_IOERR_FSYNC)
            case .writeOnce: vfs.fail(.write, first: number, count: 1, code: .SQLITE_IOERR_WRITE)
            case .writesFromThenOn: vfs.fail(.write, first: number, code: .SQLITE_IOERR_WRITE)
            case .shortWrite: vfs.fail(.write, first: number, count: 1, code: .SQLITE_IOERR_WRITE, half: true)
            }
        }
    }

    @Test(arguments: Fault.allCases)
    func `after any failed write or sync the queue accepts nothing more and keeps what it acknowledged`(fault: Fault)
        throws
    {
        var random = SplitMix64(seed: 1)
        var failedCount = 0
        for number in stride(from: 1, to: .max, by: fault.step) {
            let vfs = FaultVFS()
            vfs.record()
            let folder = try TemporaryFolder(in: TemporaryFolder.memory)
            // A checkpoint behind every commit, so that its syncs fail too.
            let options = vfs.options { $0.checkpointFrameCount = 1 }
            let queue = try JobQueue(path: folder.path + "/queue.db", options: options)
            try queue.addTestWorker()
            var acknowledged = try queue.submit(requests(3), now: noon)
            var finished: [JobID] = []

            fault.start(number, in: vfs)
            var attemptedCount = acknowledged.count
            var error: JobsError?
            for _ in 0..<2 where error == nil {
                error =
                    Result {
                        attemptedCount += 3
                        acknowledged += try queue.submit(requests(3, model: "other"), now: noon)
                        let claims = try queue.claimAny(limit: 2)
                        _ = try queue.record(claims.map { Outcome($0, .succeeded(result: "{}"), at: noon) })
                        finished += claims.map(\.job)
                    }.failure
            }
            let isOver = vfs.failureCount == 0
            vfs.heal()
            if isOver {
                #expect(error == nil)
            } else {
                failedCount += 1
                let operationCount = vfs.operationCount
                // What fails in the last checkpoint is told by the next call.
                let first = #expect(throws: JobsError.self) { try queue.submit(requests(1), now: noon) }
                #expect(first == error ?? first, "\(fault) \(number)")
                #expect(first?.code == .io, "\(fault) \(number)")
                #expect(#expect(throws: JobsError.self) { try queue.claimAny() } == first)
                #expect(vfs.operationCount == operationCount, "something was written after the failure")
            }
            try queue.close()

            // What the next process finds, and what it finds after a loss of power.
            var disk = DiskModel()
            for operation in vfs.operations { disk.apply(operation) }
            for files in [disk.afterKill(), disk.afterPowerCut(using: &random)] {
                let second = try TemporaryFolder(in: TemporaryFolder.memory)
                try write(files, to: second.path)
                let opened = try JobQueue(path: second.path + "/queue.db")
                let result = Result {
                    #expect(try opened.states(acknowledged).count == acknowledged.count, "\(fault) \(number)")
                    #expect(try opened.states(finished).values.allSatisfy { $0 == .succeeded }, "\(fault) \(number)")
                    #expect(try opened.counts().total <= attemptedCount)
                    try expectSound(opened)
                    #expect(try opened.submit(requests(1), now: noon).count == 1)
                }
                try opened.close()
                try result.get()
            }
            if isOver { break }
        }
        // Two rounds with three commits each, and a checkpoint behind each commit.
        #expect(failedCount > 15)
    }

    @Test func `nothing is copied into the database once a sync of the log has failed`() throws {
        let folder = try TemporaryFolder(in: TemporaryFolder.memory)
        let vfs = FaultVFS()
        vfs.record()
        let queue = try JobQueue(path: folder.path + "/queue.db", options: vfs.options())
        _ = try queue.submit(requests(1), now: noon)
        vfs.fail(.sync, count: 1, code: .SQLITE_IOERR_FSYNC)
        #expect(throws: JobsError.self) { try queue.submit(requests(1), now: noon) }
        let operationCount = vfs.operationCount
        #expect(throws: JobsError.self) { try queue.cutLog() }
        try queue.close()
        #expect(vfs.operationCount == operationCount)
    }

    @Test func `whoever waits for the write lock while the disk breaks does not write either`() throws {
        try withFaultyQueue { queue, vfs in
            _ = try queue.submit(requests(1), now: noon)
            let models = try queue.allModels()
            let waiting = DispatchSemaphore(value: 0)
            let done = DispatchSemaphore(value: 0)
            let second = Locked<JobsError?>(nil)
            let first = Result {
                try queue.write("be slow", durability: .full) { database in
                    Thread.detachNewThread {
                        let result = Result { () throws(JobsError) in
                            try queue.claim(models: models, worker: "w", now: noon) {
                                waiting.signal()
                                return false
                            }
                        }
                        second.withLock { if case .failure(let error) = result { $0 = error } }
                        done.signal()
                    }
                    waiting.wait()
                    try database.execute(sql: "UPDATE models SET name = 'x'")
                    vfs.fail(.sync, count: 1, code: .SQLITE_IOERR_FSYNC)
                    return ((), [])
                }
            }.failure
            done.wait()
            #expect(first?.code == .io)
            #expect(second.withLock { $0 } == first)
        }
    }

    @Test func `an error of reading is told and passes`() throws {
        let folder = try TemporaryFolder(in: TemporaryFolder.memory)
        let vfs = FaultVFS()
        let options = vfs.options()
        let first = try JobQueue(path: folder.path + "/queue.db", options: options)
        let ids = try first.submit(requests(100), now: noon)
        try first.close()

        let queue = try JobQueue(path: folder.path + "/queue.db", options: options)
        vfs.fail(.read, code: .SQLITE_IOERR_READ)
        let error = #expect(throws: JobsError.self) { try queue.records(ids) }
        #expect(error?.code == .io)
        #expect(error?.message.hasPrefix("cannot read jobs: \(queue.path): disk I/O error") == true)
        vfs.heal()
        #expect(try queue.records(ids).count == 100)
        #expect(try queue.submit(requests(1), now: noon).count == 1)
        try queue.close()
    }

    @Test(arguments: [
        (FaultVFS.Call.read, ResultCode.SQLITE_IOERR_READ, JobsError.Code.io),
        (.write, .SQLITE_IOERR_WRITE, .io), (.write, .SQLITE_FULL, .diskFull),
        (.sync, .SQLITE_IOERR_FSYNC, .io), (.open, .SQLITE_CANTOPEN, .io),
        (.truncate, .SQLITE_IOERR_TRUNCATE, .io), (.delete, .SQLITE_IOERR_DELETE, .io),
        (.mapSharedMemory, .SQLITE_IOERR_SHMMAP, .io),
    ])
    func `a queue that could not be opened or made for the disk's sake is opened by the next try`(
        call: FaultVFS.Call,
        code: ResultCode,
        expected: JobsError.Code
    ) throws {
        for exists in [false, true] {
            for number in 1... {
                let folder = try TemporaryFolder(in: TemporaryFolder.memory)
                let path = folder.path + "/queue.db"
                if exists {
                    let queue = try JobQueue(path: path)
                    _ = try queue.submit(requests(3), now: noon)
                    try queue.close()
                }
                let vfs = FaultVFS()
                vfs.fail(call, first: number, count: 1, code: code)
                do throws(JobsError) {
                    try JobQueue(path: path, options: vfs.options()).close()
                } catch {
                    #expect(error.code == expected, "\(call) \(number): \(error)")
                }
                vfs.heal()
                let queue = try JobQueue(path: path, options: vfs.options())
                #expect(try queue.counts().total == (exists ? 3 : 0), "\(call) \(number)")
                #expect(try queue.submit(requests(1), now: noon).count == 1)
                try queue.close()
                if vfs.failureCount == 0 { break }
            }
        }
    }

    // MARK: Read-only

    /// Through the layer, because permissions do not bind root, and an immutable file needs a file system that knows it.
    @Test func `a file that may only be read says so and can be read`() throws {
        let folder = try TemporaryFolder(in: TemporaryFolder.memory)
        let path = folder.path + "/queue.db"
        let first = try JobQueue(path: path)
        let ids = try first.submit(requests(3), now: noon)
        try first.close()

        let vfs = FaultVFS()
        vfs.fail(.open, of: [.database], code: .SQLITE_READONLY)
        let queue = try JobQueue(path: path, options: vfs.options())
        let error = #expect(throws: JobsError.self) { try queue.submit(requests(1), now: noon) }
        #expect(error?.code == .io)
        #expect(error?.message.contains("readonly") == true && error?.message.contains("may write") == true)
        #expect(try queue.records(ids).map(\.state) == [.queued, .queued, .queued])
        try queue.close()
    }

    @Test(.enabled(if: SmallDisk.isPossible, "needs root, to mount a small tmpfs"))
    func `a disk that may only be read says so`() throws {
        let disk = try SmallDisk(byteCount: 2 << 20)
        try JobQueue(path: disk.path + "/queue.db").close()
        try disk.remount("ro")
        let error = #expect(throws: JobsError.self) { try JobQueue(path: disk.path + "/queue.db") }
        #expect(error?.code == .io)
        #expect(error?.message.contains("Read-only file system") == true)
        #expect(error?.message.contains("may write") == true)
    }
}

extension Result {
    /// The error as one of the queue's; nil for a success.
    fileprivate var failure: JobsError? {
        guard case .failure(let error) = self else { return nil }
        return error as? JobsError ?? JobsError(.invalidRequest, "no error of the queue: \(error)")
    }
}
