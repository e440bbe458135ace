// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import YoloqSchema

/// How much a commit survives.
public enum Durability: String, Sendable, Hashable, CaseIterable {
    /// The loss of power: the commit waits for the disk.
    case full
    /// The death of the process, not the loss of power.
    case normal
}

/// One SQLite connection, set up as every connection of yoloq is.
///
/// GRDB's `DatabaseQueue` with its defaults for journal and busy handling turned off: they would change pragmas and
/// commit outside the write lock. `wal_autocheckpoint` is 0 everywhere, because SQLite before 3.51.3 can corrupt the file
/// when two checkpoints overlap and a commit restarts the log (sqlite.org/wal.html#walresetbug): checkpoints are ours,
/// under the write lock.
///
/// Open, migrate and close it under the write lock.
struct Connection: Sendable {
    /// "yolq": marks the file as ours.
    static let applicationID: Int32 = 0x796F_6C71

    let queue: DatabaseQueue

    /// Opens the file and makes a new queue of it if it is empty.
    ///
    /// - Parameters:
    ///   - path: The database.
    ///   - vfs: The layer between SQLite and the disk; nil for the system's own.
    /// - Throws: `invalidFile`, or what SQLite has to say.
    init(path: String, vfs: String?) throws {
        var configuration = Configuration()
        configuration.journalMode = .default
        configuration.busyMode = .timeout(5)
        configuration.label = "yoloq"
        queue = try DatabaseQueue(path: Connection.name(of: path, vfs: vfs), configuration: configuration)
        try queue.inDatabase { database in
            try Connection.claimFile(database, path: path)
            try Connection.set("journal_mode", to: "wal", on: database)
            try Connection.set("wal_autocheckpoint", to: "0", on: database)
            try Connection.set("foreign_keys", to: "1", on: database)
            try Connection.set("synchronous", to: "2", on: database)
            // Uses the log for the first time: GRDB's migrator would take an error there for a missing table.
            _ = try Int.fetchOne(database, sql: "PRAGMA schema_version")
        }
    }

    /// What SQLite is asked to open: the path, or a URI if it takes one to name the layer (sqlite.org/uri.html).
    private static func name(of path: String, vfs: String?) -> String {
        guard let vfs else { return path }
        let escapes = [("%", "%25"), ("?", "%3f"), ("#", "%23")]
        let escaped = escapes.reduce(path) { $0.replacing($1.0, with: $1.1) }
        return "file:\(escaped)?vfs=\(vfs)"
    }

    /// Makes an empty file ours, or checks that it is.
    private static func claimFile(_ database: Database, path: String) throws {
        let isEmpty = try Int.fetchOne(database, sql: "PRAGMA schema_version") == 0
        if isEmpty {
            // Works only before the journal mode is set and before the first table.
            try set("auto_vacuum", to: "2", on: database)
            try set("application_id", to: String(applicationID), on: database)
        }
        guard try Int32.fetchOne(database, sql: "PRAGMA application_id") == applicationID else {
            throw JobsError(.invalidFile, "\(path) is an SQLite database but no yoloq queue. Give another --db")
        }
        guard try Int.fetchOne(database, sql: "PRAGMA auto_vacuum") == 2 else {
            throw JobsError(.invalidFile, "\(path) was not made by yoloq (auto_vacuum is off). Give another --db")
        }
    }

    /// Sets a pragma and reads it back: SQLite ignores what it does not like.
    private static func set(_ pragma: String, to value: String, on database: Database) throws {
        try database.execute(sql: "PRAGMA \(pragma) = \(value)")
        let found = try String.fetchOne(database, sql: "PRAGMA \(pragma)")
        guard found == value else {
            throw JobsError(.invalidFile, "cannot set \(pragma) to \(value): it stays \(found ?? "unset")")
        }
    }

    /// Brings the schema up to date; refuses a file that a newer yoloq has changed.
    ///
    /// - Parameter path: For the error.
    /// - Returns: The last migration that the file had before; nil if it was empty.
    /// - Throws: `newerSchema`, or SQLite's error.
    func migrate(path: String) throws -> String? {
        var migrator = DatabaseMigrator()
        for migration in Schema.migrations {
            migrator.registerMigration(migration.identifier) { database in
                try database.execute(sql: migration.sql)
            }
        }
        guard try !queue.read({ try migrator.hasBeenSuperseded($0) }) else {
            throw JobsError(
                .newerSchema,
                "\(path) was changed by a newer yoloq. Use that version, or give another --db"
            )
        }
        let before = try queue.read { try migrator.appliedMigrations($0).last }
        try migrator.migrate(queue)
        return before
    }

    /// Makes the connection refuse writes.
    func refuseWrites() throws {
        try queue.inDatabase { try Connection.set("query_only", to: "1", on: $0) }
    }
}

/// The connection that writes, with what must be remembered about it.
///
/// Used by one thread at a time, under the write lock.
final class Writer: @unchecked Sendable {
    // @unchecked because both variables are touched only inside `connection.queue`, which is serial.

    let connection: Connection
    private var synchronous = Durability.full
    private var walFrameCount = 0

    init(_ connection: Connection) {
        self.connection = connection
        connection.queue.inDatabase(countFrames)
    }

    /// Asks SQLite to tell the length of the write-ahead log after each commit.
    private func countFrames(_ database: Database) {
        // The pointer stays valid: this object owns the connection and closes it in `close`.
        let context = Unmanaged.passUnretained(self).toOpaque()
        sqlite3_wal_hook(
            database.sqliteConnection,
            { context, _, _, frameCount in
                guard let context else { return SQLITE_OK }
                Unmanaged<Writer>.fromOpaque(context).takeUnretainedValue().walFrameCount = Int(frameCount)
                return SQLITE_OK
            },
            context
        )
    }

    /// Runs one write transaction.
    ///
    /// - Parameters:
    ///   - durability: What the commit has to survive.
    ///   - body: The statements.
    /// - Returns: What the body returned, and the length of the write-ahead log after the commit, in frames.
    /// - Throws: What the body or SQLite throws; then nothing was written.
    func transaction<R>(_ durability: Durability, _ body: (Database) throws -> R) throws -> (R, walFrameCount: Int) {
        try connection.queue.inDatabase { database in
            if durability != synchronous {
                // Outside the transaction, and prepared anew each time: a cached statement acted when it was prepared.
                try database.execute(sql: "PRAGMA synchronous = \(durability == .full ? "FULL" : "NORMAL")")
                synchronous = durability
            }
            // Not GRDB's `inTransaction`, which prepares BEGIN and COMMIT anew each time.
            try HotStatement("BEGIN IMMEDIATE TRANSACTION", in: database).run()
            do {
                let result = try body(database)
                try HotStatement("COMMIT TRANSACTION", in: database).run()
                return (result, walFrameCount)
            } catch {
                // The first error is the one to tell. SQLite may have rolled back by itself.
                if database.isInsideTransaction { try? database.rollback() }
                throw error
            }
        }
    }
}
