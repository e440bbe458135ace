// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import GRDBSQLite

/// A copy of a queue's database that no other process uses.
///
/// Made through SQLite's backup API: the only way to copy a database that this process has open.
struct QueueCopy {
    /// For how long a copy keeps writers out before it goes on beside them.
    private static let lockedTimeLimit = Duration.seconds(1)

    /// The copy's connection.
    let queue: DatabaseQueue
    /// How long writers may have waited for it.
    let lockedTime: Duration
    /// The copy's size.
    let byteCount: Int

    /// Copies a queue.
    ///
    /// For a second under the write lock, in which the write-ahead log does not grow. What takes longer goes on in the same
    /// read transaction without it: then nobody waits, and the log grows until the copy is there.
    ///
    /// - Parameters:
    ///   - source: The queue.
    ///   - path: The copy; must not exist.
    ///   - isNameless: Whether the file loses its name once it is there, so that it goes with this process.
    ///   - progress: Called now and then with the number of copied pages and of all.
    /// - Throws: `diskFull` before anything is written if the space is not there; `busy`, `io`.
    init(
        of source: JobQueue,
        at path: String,
        isNameless: Bool,
        progress: (Int, Int) -> Void
    ) throws(JobsError) {
        try QueueCopy.checkSpace(for: source, at: path)
        let copy = try JobsError.wrapping("make a copy", path: path) { try QueueCopy.open(path) }
        queue = copy
        do throws(JobsError) {
            lockedTime = try QueueCopy.fill(copy, from: source, progress)
            byteCount = try JobsError.wrapping("make a copy", path: path) {
                try copy.inDatabase { database in
                    // The copy has the log mode from the original; without it it is one file.
                    try database.execute(sql: "PRAGMA journal_mode = DELETE")
                    return try Int.fetchOne(
                        database,
                        sql: "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
                    ) ?? 0
                }
            }
        } catch {
            try? copy.close()
            unlink(path)
            throw error
        }
        if isNameless { unlink(path) }
    }

    private static func open(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.journalMode = .default
        configuration.label = "yoloq copy"
        let copy = try DatabaseQueue(path: path, configuration: configuration)
        try copy.inDatabase { database in
            // Whoever copies starts anew after a crash, so neither a journal nor fsync is worth waiting for.
            for pragma in ["locking_mode = EXCLUSIVE", "journal_mode = OFF", "synchronous = OFF"] {
                try database.execute(sql: "PRAGMA \(pragma)")
            }
        }
        return copy
    }

    /// Copies all pages, through a connection of its own so that other reads of this process go on; returns how long
    /// writers were kept out.
    private static func fill(_ copy: DatabaseQueue, from source: JobQueue, _ progress: (Int, Int) -> Void)
        throws(JobsError) -> Duration
    {
        let action = "copy the queue"
        let connection = try source.withWriteLock(action) {
            try Connection(path: source.path, vfs: source.options.vfs)
        }
        var lockedTime = Duration.zero
        let result = Result { () throws in
            try connection.refuseWrites()
            try connection.queue.inDatabase { original in
                try copy.inDatabase { copy in
                    let pages = try PageCopy(from: original, to: copy)
                    try source.withWriteLock(action) {
                        let start = ContinuousClock.now
                        defer { lockedTime = ContinuousClock.now - start }
                        try pages.begin()
                        while try !pages.step(progress), ContinuousClock.now - start < lockedTimeLimit {}
                    }
                    while try !pages.step(progress) {}
                    try pages.end()
                }
            }
        }
        try source.withWriteLock(action) { try connection.queue.close() }
        try JobsError.wrapping(action, path: source.path) { try result.get() }
        return lockedTime
    }

    /// Refuses to start what the disk has no room for.
    private static func checkSpace(for source: JobQueue, at path: String) throws(JobsError) {
        let folder = (path as NSString).deletingLastPathComponent
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder)
        guard let free = (attributes?[.systemFreeSize] as? NSNumber)?.intValue else { return }
        let needed = try source.pageUse().byteCount
        guard free < needed else { return }
        throw JobsError(
            .diskFull,
            "cannot copy the queue to \(folder): it takes \(needed >> 20) MiB and \(free >> 20) are free. Free some space"
        )
    }

    /// Closes the copy's connection.
    func close() { try? queue.close() }

    /// A name for an unfinished copy beside a path; copies that dead processes have left there are removed.
    static func temporaryName(beside path: String) -> String {
        let folder = (path as NSString).deletingLastPathComponent
        let prefix = (path as NSString).lastPathComponent + ".partial-"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where name.hasPrefix(prefix) {
            guard let pid = pid_t(name.dropFirst(prefix.count)), kill(pid, 0) != 0, errno == ESRCH else { continue }
            unlink("\(folder)/\(name)")
        }
        return "\(folder)/\(prefix)\(getpid())"
    }
}

/// SQLite's backup in steps, of the state in which the original was at `begin`.
///
/// A transaction on the original is held open, so that what others write meanwhile does not start the backup anew
/// (sqlite.org/c3ref/backup_finish.html).
private final class PageCopy {
    private static let stepPageCount: Int32 = 1024

    private let original: Database
    private let copy: Database
    private let handle: OpaquePointer
    private var isDone = false

    init(from original: Database, to copy: Database) throws {
        self.original = original
        self.copy = copy
        guard let handle = sqlite3_backup_init(copy.sqliteConnection, "main", original.sqliteConnection, "main") else {
            throw DatabaseError(resultCode: copy.lastErrorCode, message: copy.lastErrorMessage)
        }
        self.handle = handle
    }

    deinit {
        sqlite3_backup_finish(handle)
        // Only after an error.
        if original.isInsideTransaction { try? original.execute(sql: "ROLLBACK") }
    }

    /// Fixes what is copied.
    func begin() throws {
        try original.execute(sql: "BEGIN")
        _ = try Int.fetchOne(original, sql: "SELECT count(*) FROM models WHERE id = 0")
    }

    /// Copies some pages; true when all are copied.
    func step(_ progress: (Int, Int) -> Void) throws -> Bool {
        guard !isDone else { return true }
        let code = sqlite3_backup_step(handle, PageCopy.stepPageCount)
        let pageCount = Int(sqlite3_backup_pagecount(handle))
        progress(pageCount - Int(sqlite3_backup_remaining(handle)), pageCount)
        switch code {
        case SQLITE_OK: return false
        case SQLITE_DONE:
            isDone = true
            return true
        default: throw DatabaseError(resultCode: ResultCode(rawValue: code), message: copy.lastErrorMessage)
        }
    }

    /// Lets the original go.
    func end() throws { try original.execute(sql: "COMMIT") }
}

extension JobQueue {
    /// How many pages the file has, and how large they are.
    struct PageUse {
        let pageByteCount: Int
        let pageCount: Int
        let freePageCount: Int

        /// The size of the database, the write-ahead log folded in.
        var byteCount: Int { pageByteCount * pageCount }
    }

    func pageUse() throws(JobsError) -> PageUse {
        try read("read the size") { database in
            func pragma(_ name: String) throws -> Int { try Int.fetchOne(database, sql: "PRAGMA \(name)") ?? 0 }
            return PageUse(
                pageByteCount: try pragma("page_size"),
                pageCount: try pragma("page_count"),
                freePageCount: try pragma("freelist_count")
            )
        }
    }
}
