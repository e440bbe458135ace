// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

/// A durable queue in one SQLite file, shared by any number of threads and processes on one host.
///
/// Open one per process and file and keep it; close it at the end. All calls block and may be made from any thread. Every
/// write is one short transaction under a lock that all yoloq processes respect.
///
/// Other programs may read the file. They must not write to it, and nothing in a process that holds a `JobQueue` may open
/// the database file by another way, not even to copy it: that would drop SQLite's locks.
public final class JobQueue: JobStore {
    /// How a queue is opened.
    public struct Options: Sendable, Hashable {
        /// What an acknowledged submit and a recorded result survive.
        ///
        /// A claim never waits for the disk: a lost claim is a queued job.
        public var durability = Durability.full
        /// How long a write waits for other writers before it fails with `busy`.
        public var patience = Duration.seconds(10)
        /// The length of the write-ahead log, in frames, from which on it is copied into the database.
        public var checkpointFrameCount = 1000
        /// Whether a network file system is good enough: its locks must work between all processes that use the file.
        public var allowsNetworkFileSystem = false
        /// Whether to make the queue if it does not exist.
        public var createsIfMissing = true
        /// For tests: the name of the registered layer between SQLite and the disk; nil for the system's own.
        var vfs: String?

        /// The defaults.
        public init() {}
    }

    /// The database file.
    public let path: String
    /// How it was opened.
    public let options: Options
    /// The last migration that the file had when it was opened; nil if it was made.
    public let schemaBefore: String?

    let paths: QueuePaths
    let wakeFile: WakeFile
    private let lock: WriteLock
    private let connections: Locked<Connections>
    private let files: FileIdentities
    let memory = WriterMemory()

    /// The connections of this process; all are opened and closed under the write lock.
    private struct Connections {
        /// For all writes.
        let writer: Writer
        /// For all reads, so that a reader does not wait for a commit.
        let reader: Connection
        /// Holds `BEGIN IMMEDIATE` while the writer's connection checkpoints; opened for the first checkpoint.
        var guardian: Connection?
        /// The error after which nothing may be written any more.
        var defect: JobsError?
        var isClosed = false
    }

    /// Opens a queue, makes it if it is missing, and brings its schema up to date.
    ///
    /// - Parameters:
    ///   - path: The database file; its folder must exist.
    ///   - options: How to open it.
    /// - Throws: `missing` if there is no queue and none may be made, `networkFileSystem`, `newerSchema`, `invalidFile`,
    ///   `busy`, `io`.
    public init(path: String, options: Options = Options()) throws(JobsError) {
        guard options.createsIfMissing || FileManager.default.fileExists(atPath: path) else {
            throw JobsError(.missing, "there is no queue at \(path). Submit something first, or give another --db")
        }
        let path = try QueuePaths.resolvingLinks(path)
        try FileSystem.refuseNetwork(under: path, unless: options.allowsNetworkFileSystem)
        self.path = path
        self.options = options
        _ = FreedMemory.isKept
        let paths = QueuePaths(database: path)
        self.paths = paths
        lock = try WriteLock(paths)
        wakeFile = try WakeFile(paths)
        let opened = try lock.withLock(patience: options.patience, giveUp: { false }) { () throws(JobsError) in
            try JobsError.wrapping("open the queue", path: path) {
                let writer = Writer(try Connection(path: path, vfs: options.vfs))
                let schemaBefore = try writer.connection.migrate(path: path)
                let reader = try Connection(path: path, vfs: options.vfs)
                try reader.refuseWrites()
                return (Connections(writer: writer, reader: reader), FileIdentities(paths), schemaBefore)
            }
        }
        connections = Locked(opened.0)
        files = opened.1
        schemaBefore = opened.2
    }

    deinit {
        assert(connections.withLock(\.isClosed), "a JobQueue is closed before it is let go")
    }

    /// Closes the file.
    ///
    /// The queue must not be used afterwards. After an `io` error the files stay open until the process ends.
    ///
    /// - Throws: `busy` or `io`; whatever was acknowledged is safe in any case.
    public func close() throws(JobsError) {
        let (open, defect) = connections.withLock { connections in
            defer { connections.isClosed = true }
            return ((connections.writer, connections.reader, connections.guardian), connections.defect)
        }
        if defect?.code == .io {
            // Closing would copy the log into the database without looking at its checksums, and after a failed write or
            // fsync the log need not be what was written. So the connections stay until the process ends; whoever opens
            // the queue then takes what the checksums confirm.
            for connection in [open.0.connection, open.1, open.2] {
                _ = connection.map { Unmanaged.passRetained($0.queue) }
            }
            return
        }
        try lock.withLock(patience: options.patience, giveUp: { false }) { () throws(JobsError) in
            try JobsError.wrapping("close the queue", path: path) {
                try open.1.queue.close()
                try open.2?.queue.close()
                try open.0.connection.queue.close()
            }
        }
    }

    /// Watches for work and results.
    ///
    /// Make the watcher before the first query whose empty answer it shall follow.
    ///
    /// - Returns: A watcher for one waiting thread.
    /// - Throws: `io` if the system has no more watchers to give.
    public func makeWatcher() throws(JobsError) -> WakeWatcher {
        try WakeWatcher(wakeFile)
    }

    /// The counters that move when there is work or when there are results.
    public var wakeCounters: WakeCounters { wakeFile.read() }

    // MARK: Access for the extensions

    /// Reads.
    ///
    /// Keep it short: a read transaction keeps the write-ahead log from being reused.
    func read<R>(_ action: String, _ body: (Database) throws -> R) throws(JobsError) -> R {
        let reader = connections.withLock(\.reader)
        return try JobsError.wrapping(action, path: path) {
            try files.check(action)
            // Not GRDB's `read`, which turns `query_only` off again behind itself.
            return try reader.queue.inDatabase(body)
        }
    }

    /// Runs a piece of work under the write lock, past the connections of this queue.
    ///
    /// - Parameters:
    ///   - action: Completes "cannot …" in an error.
    ///   - body: The work.
    /// - Returns: What the body returned.
    /// - Throws: `busy`, what the body throws, or that the file is not the one that was opened.
    func withWriteLock<R>(_ action: String, _ body: () throws -> R) throws(JobsError) -> R {
        try lock.withLock(patience: options.patience, giveUp: { false }) { () throws(JobsError) in
            try JobsError.wrapping(action, path: path) {
                forgetUnlessUnbroken()
                try files.check(action)
                return try body()
            }
        }
    }

    /// Runs one write transaction under the write lock, then wakes who waits for it.
    ///
    /// - Parameters:
    ///   - action: Completes "cannot …" in an error.
    ///   - durability: What the commit has to survive.
    ///   - remembers: Whether the body reads `memory` and brings it up to date; else it is emptied.
    ///   - giveUp: Asked while waiting for the lock.
    ///   - body: The statements; also says whom to wake.
    /// - Returns: What the body returned.
    /// - Throws: The body's error or SQLite's; then nothing was written.
    func write<R>(
        _ action: String,
        durability: Durability,
        remembers: Bool = false,
        giveUp: () -> Bool = { false },
        _ body: (Database) throws -> (R, WakeKinds)
    ) throws(JobsError) -> R {
        _ = try soundWriter()
        return try lock.withLock(patience: options.patience, giveUp: giveUp) { () throws(JobsError) in
            // Once more: whoever wrote while this call waited for the lock may have found the defect.
            let writer = try soundWriter()
            do throws(JobsError) {
                return try JobsError.wrapping(action, path: path) {
                    if !remembers { memory.rows = KnownRows() }
                    // Before, so that nothing is written beside others' new files: if nobody else has written, there are none.
                    // After, so that nothing is acknowledged that went into a file without a name.
                    if !forgetUnlessUnbroken() { try files.check(action) }
                    let ((result, kinds), walFrameCount) = try writer.transaction(durability, body)
                    try files.check(action)
                    wakeFile.raise(kinds)
                    if walFrameCount >= options.checkpointFrameCount {
                        checkpointAfterCommit(writer)
                    }
                    return result
                }
            } catch {
                memory.rows = KnownRows()
                // After a failed write or fsync the kernel may have dropped what earlier commits left to be written.
                remember(error)
                throw error
            }
        }
    }

    /// Forgets what was known of the files if somebody else has held the write lock since this queue last did.
    ///
    /// Call it first thing under the lock.
    ///
    /// - Returns: Whether nobody has.
    @discardableResult
    private func forgetUnlessUnbroken() -> Bool {
        guard !lock.isUnbroken else { return true }
        wakeFile.forget()
        memory.rows = KnownRows()
        return false
    }

    /// The connection to write with.
    ///
    /// - Throws: The error after which nothing may be written any more.
    private func soundWriter() throws(JobsError) -> Writer {
        try connections.withLock { connections throws(JobsError) in
            if let defect = connections.defect { throw defect }
            return connections.writer
        }
    }

    /// Lets nothing be written any more after an error that does not pass.
    private func remember(_ error: JobsError) {
        if error.isLasting { connections.withLock { $0.defect = error } }
    }

    /// Checkpoints behind a commit that stands whatever becomes of this; the next commit tries again.
    private func checkpointAfterCommit(_ writer: Writer) {
        do throws(JobsError) {
            try JobsError.wrapping("checkpoint", path: path) { try checkpoint(writer) }
        } catch {
            // Its fsync is the one that claims rely on: after a failed one nothing more is acknowledged.
            remember(error)
        }
    }

    /// Copies the write-ahead log into the database, under the write lock and with a transaction held open on another
    /// connection, which also shuts out programs that do not know our lock.
    ///
    /// A reader can make it stop early; the next commit tries again.
    private func checkpoint(_ writer: Writer) throws {
        let guardian = try connections.withLock { connections in
            let guardian = try connections.guardian ?? Connection(path: path, vfs: options.vfs)
            connections.guardian = guardian
            return guardian
        }
        try guardian.queue.inDatabase { database in
            try database.execute(sql: "BEGIN IMMEDIATE")
            defer { try? database.execute(sql: "ROLLBACK") }
            try writer.connection.queue.inDatabase { _ = try $0.checkpoint(.passive) }
        }
    }

    /// Copies the whole write-ahead log into the database and cuts the file to nothing, if no reader is in the way.
    ///
    /// For idle moments: it waits for nobody, and leaves the log as it is when somebody reads.
    ///
    /// - Throws: `busy` if the write lock is not to be had, `io`.
    func cutLog() throws(JobsError) {
        try lock.withLock(patience: options.patience, giveUp: { false }) { () throws(JobsError) in
            let writer = try soundWriter()
            do throws(JobsError) {
                try JobsError.wrapping("cut the log", path: path) {
                    forgetUnlessUnbroken()
                    try files.check("cut the log")
                    try writer.connection.queue.inDatabase { database in
                        try database.execute(sql: "PRAGMA busy_timeout = 0")
                        defer { try? database.execute(sql: "PRAGMA busy_timeout = 5000") }
                        _ = try database.checkpoint(.truncate)
                    }
                }
            } catch  where error.code == .busy {
                // Somebody reads; the next round tries again.
            } catch {
                remember(error)
                throw error
            }
        }
    }
}
