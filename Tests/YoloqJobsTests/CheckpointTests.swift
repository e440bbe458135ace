// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import YoloqJobs

/// When the write-ahead log is copied into the database, and how long it gets.
struct CheckpointTests {
    private let folder: TemporaryFolder
    private let vfs = FaultVFS()
    private var path: String { folder.path + "/queue.db" }

    init() throws { folder = try TemporaryFolder(in: TemporaryFolder.memory) }

    private func options(frames: Int) -> JobQueue.Options {
        vfs.options { $0.checkpointFrameCount = frames }
    }

    private func logFrameCount() -> Int {
        let size = try? FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int
        return (size ?? 0) / Self.frameByteCount
    }

    /// A page and the header in front of it (sqlite.org/fileformat.html#the_write_ahead_log).
    private static let frameByteCount = 4096 + 24

    /// Runs pieces of work on threads of their own, to the end of all.
    private func together(_ works: [@Sendable () throws -> Void]) throws {
        let group = DispatchGroup()
        let failures = Locked<[any Error]>([])
        for work in works {
            group.enter()
            Thread {
                do { try work() } catch { failures.withLock { $0.append(error) } }
                group.leave()
            }.start()
        }
        group.wait()
        if let failure = failures.withLock(\.first) { throw failure }
    }

    // MARK: Apart from commits

    @Test func `no checkpoint meets a commit, however many write, cut the log, open and close`() throws {
        vfs.watch(QueuePaths(database: path).writeLock)
        let options = options(frames: 20)
        let path = path
        let rounds = 60
        // Each with descriptors of its own for the lock files, as processes have.
        let queues = try (0..<3).map { _ in try JobQueue(path: path, options: options) }
        let writers = queues.map { queue in
            { @Sendable in
                for _ in 0..<rounds {
                    _ = try queue.submit(requests(3), now: noon)
                    _ = try queue.counts()
                }
            }
        }
        let cutter = { @Sendable in for _ in 0..<rounds { try queues[0].cutLog() } }
        let comer = { @Sendable in
            for _ in 0..<rounds / 3 {
                let queue = try JobQueue(path: path, options: options)
                _ = try queue.submit(requests(1), now: noon)
                try queue.close()
            }
        }
        try together(writers + [cutter, comer])
        let integrity = try queues[0].read("check") { try String.fetchOne($0, sql: "PRAGMA integrity_check") }
        #expect(integrity == "ok")
        #expect(try queues[0].counts().total == 3 * 3 * rounds + rounds / 3)
        for queue in queues { try queue.close() }

        let audit = LockAudit(vfs.steps)
        #expect(audit.faults.isEmpty, "\(audit.faults.count) faults, the first: \(audit.faults.prefix(5))")
        #expect(audit.commitCount >= 3 * rounds + rounds / 3)
        #expect(audit.checkpointCount >= rounds / 3)
    }

    @Test func `a checkpoint and a commit outside the lock are found`() throws {
        vfs.watch(QueuePaths(database: path).writeLock)
        let queue = try JobQueue(path: path, options: options(frames: 1000))
        _ = try queue.submit(requests(10), now: noon)
        #expect(LockAudit(vfs.steps).faults.isEmpty)

        let stranger = try Connection(path: path, vfs: vfs.name)
        try stranger.queue.inDatabase { _ = try $0.checkpoint(.passive) }
        #expect(
            Set(LockAudit(vfs.steps).faults) == [
                .checkpointOutsideTheLock, .copyOutsideTheLock, .copyWithoutWriteLock,
            ]
        )
        let faultCount = LockAudit(vfs.steps).faults.count
        try stranger.queue.inDatabase { try $0.execute(sql: "UPDATE workers SET threads = 2; DELETE FROM jobs") }
        let rest = LockAudit(vfs.steps).faults.dropFirst(faultCount)
        #expect(!rest.isEmpty && rest.allSatisfy { $0 == .commitOutsideTheLock })
        try stranger.queue.close()
        try queue.close()
    }

    @Test func `a commit between two pages of a checkpoint is found`() {
        typealias Step = FaultVFS.Step
        func faults(_ steps: [Step]) -> [LockAudit.Fault] {
            LockAudit(steps.map { FaultVFS.GuardedStep(step: $0, isGuarded: true) }).faults
        }
        let start: [Step] = [.lock(.write, connection: 1), .lock(.checkpoint, connection: 2), .copy(connection: 2)]
        let end: [Step] = [.copy(connection: 2), .unlock(.checkpoint, connection: 2), .unlock(.write, connection: 1)]
        #expect(faults(start + end).isEmpty)
        #expect(faults(start + [.append] + end) == [.commitDuringCheckpoint])
        let others: [Step] = [.unlock(.write, connection: 1), .lock(.write, connection: 3)]
        #expect(faults(start + others + end) == [.writeLockChangedHands])
        #expect(faults(Array(start.dropFirst()) + end) == [.copyWithoutWriteLock, .copyWithoutWriteLock])
    }

    // MARK: Readers

    @Test func `the log grows while another program reads, and shrinks afterwards`() async throws {
        let queue = try JobQueue(path: path, options: options(frames: 50))
        defer { #expect(throws: Never.self) { try queue.close() } }
        try await grow(queue)
    }

    private func grow(_ queue: JobQueue) async throws {
        func fill(_ count: Int = 40) throws { for _ in 0..<count { _ = try queue.submit(requests(20), now: noon) } }
        try fill()
        let bounded = logFrameCount()
        #expect(bounded < 150)

        let (path, folder) = (path, folder.path)
        async let reader: Void = holdReadTransaction(on: path, signals: folder)
        // Ends it whatever happens.
        defer { makeFile(folder + "/end") }
        await waitForFile(folder + "/reads")
        try fill(100)
        let grown = logFrameCount()
        #expect(grown > 4 * bounded, "\(grown) frames")
        // Cutting waits for nobody and takes nothing away from under the reader.
        try queue.cutLog()
        #expect(logFrameCount() == grown)
        let (seen, round) = try (queue.counts().total, logRound())

        makeFile(folder + "/end")
        await reader
        // The commit after the next checkpoint starts the log anew; its file keeps its length.
        try fill()
        #expect(logFrameCount() < grown + 50)
        #expect(try logRound() > round)
        #expect(try queue.counts().total == seen + 800)
        try queue.cutLog()
        #expect(logFrameCount() == 0)
        #expect(try queue.counts().total == seen + 800)
        try fill()
        #expect(logFrameCount() < 150)
        let integrity = try queue.read("check") { try String.fetchOne($0, sql: "PRAGMA integrity_check") }
        #expect(integrity == "ok")
    }

    /// How often the log was begun anew: the checkpoint sequence number in its header.
    private func logRound() throws -> UInt32 {
        let file = try FileHandle(forReadingFrom: URL(filePath: path + "-wal"))
        defer { try? file.close() }
        return try (file.read(upToCount: 16) ?? Data()).suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Reads in a process of its own from before it makes the file `reads` until somebody makes the file `end`.
    private func holdReadTransaction(on path: String, signals folder: String) async {
        await #expect(processExitsWith: .success) { [path = path as String, folder = folder as String] in
            var configuration = Configuration()
            configuration.readonly = true
            let reader = try DatabaseQueue(path: path, configuration: configuration)
            try reader.inDatabase { database in
                try database.execute(sql: "BEGIN")
                let before = try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs")
                makeFile(folder + "/reads")
                while !FileManager.default.fileExists(atPath: folder + "/end") { usleep(2000) }
                #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs") == before)
                try database.execute(sql: "COMMIT")
            }
        }
    }
}

/// Makes an empty file, which tells another process something.
private func makeFile(_ path: String) {
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
}

/// Waits until a file is there.
private func waitForFile(_ path: String) async {
    while !FileManager.default.fileExists(atPath: path) { try? await Task.sleep(for: .milliseconds(2)) }
}
