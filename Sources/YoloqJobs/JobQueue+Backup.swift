// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

/// What a backup holds, and what it cost.
public struct BackupReport: Sendable, Hashable {
    /// The file.
    public let path: String
    /// Its size.
    public let byteCount: Int
    /// Its jobs.
    public let counts: JobCounts
    /// Jobs that were running, and are queued in the backup.
    public let requeuedCount: Int
    /// How long writers may have waited for it.
    public let lockedTime: Duration
}

extension JobQueue {
    /// Copies the queue into a file of its own while others go on working.
    ///
    /// The copy is of one moment; writers wait for a second at most. In it nobody works: no worker is on the list, and what was running
    /// is queued again with an interrupted attempt, so that a queue that is restored from it honours no claim of before.
    /// It has no write-ahead log, is checked, is safe on the disk, and appears under its name only when it is whole.
    ///
    /// - Parameters:
    ///   - destination: The file; must not belong to a queue in use.
    ///   - isReplacing: Whether a file that is there may be replaced.
    ///   - now: The time at which running jobs are taken for interrupted.
    ///   - progress: Called now and then with the number of copied pages and of all.
    /// - Returns: What was written.
    /// - Throws: `invalidRequest` if the destination cannot be used; `invalidFile` if the copy is damaged, and so the queue;
    ///   `busy`, `diskFull`, `io`.
    public func backup(
        to destination: String,
        isReplacing: Bool,
        now: Timestamp,
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws(JobsError) -> BackupReport {
        let destination = try QueuePaths.resolvingLinks(destination)
        try refuse(destination: destination, isReplacing: isReplacing)
        let partial = QueueCopy.temporaryName(beside: destination)
        unlink(partial)
        var isDone = false
        defer { if !isDone { unlink(partial) } }
        let copy = try QueueCopy(of: self, at: partial, isNameless: false, progress: progress)
        defer { copy.close() }
        let (requeuedCount, counts) = try JobsError.wrapping("back up", path: partial) { () throws in
            let result = try copy.queue.inDatabase { database in
                let requeuedCount = try voidClaims(in: database, now: now)
                try JobQueue.checkIntegrity(of: database)
                return (requeuedCount, try JobCounts(sumOf: "model_counts", in: database))
            }
            try copy.queue.close()
            return result
        }
        try move(partial, to: destination)
        isDone = true
        return BackupReport(
            path: destination,
            byteCount: copy.byteCount,
            counts: counts,
            requeuedCount: requeuedCount,
            lockedTime: copy.lockedTime
        )
    }

    /// Refuses what must not be written over.
    private func refuse(destination: String, isReplacing: Bool) throws(JobsError) {
        var status = stat()
        let exists = stat(destination, &status) == 0
        if exists, status.st_mode & S_IFMT == S_IFDIR {
            throw JobsError(
                .invalidRequest,
                "cannot back up to \(destination): it is a folder. Give the name of a file"
            )
        }
        // SQLite would take the log of another database for this one's.
        let paths = QueuePaths(database: destination)
        let companions = [destination + "-wal", destination + "-shm", paths.workers]
        let companion = destination == path ? path : companions.first { access($0, F_OK) == 0 }
        if let companion {
            throw JobsError(
                .invalidRequest,
                "cannot back up to \(destination): \(companion) shows that it is a queue in use. Give another name"
            )
        }
        if exists, !isReplacing {
            throw JobsError(
                .invalidRequest,
                "cannot back up to \(destination): it is there already. Add --force to replace it"
            )
        }
    }

    /// Makes a copy one in which nobody works; returns how many jobs were running.
    private func voidClaims(in database: Database, now: Timestamp) throws -> Int {
        try database.execute(sql: "PRAGMA synchronous = FULL")
        var count = 0
        try database.inTransaction(.immediate) {
            let workers = try String.fetchSet(
                database,
                sql: "SELECT id FROM workers UNION SELECT worker_id FROM jobs INDEXED BY jobs_running WHERE state = 2"
            )
            for worker in workers.sorted() {
                var transition = Transition()
                count += try remove(worker, jobsWere: .interrupted, now: now, &transition, in: database)
            }
            return .commit
        }
        return count
    }

    private static func checkIntegrity(of database: Database) throws {
        let findings = try String.fetchAll(database, sql: "PRAGMA integrity_check(5)")
        guard findings != ["ok"] else { return }
        throw JobsError(
            .invalidFile,
            "the queue is damaged, so no backup was kept: \(findings.joined(separator: "; ")). See yoloq db check"
        )
    }

    /// Puts a finished file in its place, on the disk.
    private func move(_ partial: String, to destination: String) throws(JobsError) {
        // No connection of this process has the file open any more.
        let folder = (destination as NSString).deletingLastPathComponent
        let isSafe = sync(partial) && rename(partial, destination) == 0 && sync(folder)
        guard !isSafe else { return }
        throw JobsError(.io, "cannot finish the backup \(destination): \(String(cString: strerror(errno)))")
    }
}

/// Waits until a file, or the names in a folder, are on the disk.
private func sync(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return fsync(descriptor) == 0
}
