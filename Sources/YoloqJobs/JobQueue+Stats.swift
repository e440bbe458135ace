// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import YoloqSchema

/// What a queue's file holds and how it is set up.
public struct QueueStats: Sendable, Hashable {
    /// The size of the database file.
    public let byteCount: Int
    /// The size of the write-ahead log; 0 if there is none.
    public let logByteCount: Int
    /// The size of a page.
    public let pageByteCount: Int
    /// How many pages the database has, the log folded in.
    public let pageCount: Int
    /// How many of them hold nothing.
    public let freePageCount: Int
    /// The jobs.
    public let counts: JobCounts
    /// Models that jobs ever asked for.
    public let modelCount: Int
    /// Batches with jobs.
    public let batchCount: BoundedCount
    /// Workers on the list.
    public let workerCount: Int
    /// Contents that submitters handed over.
    public let inputCount: BoundedCount
    /// The bytes of those that were counted.
    public let inputByteCount: Int
    /// When the oldest stored job was submitted.
    public let oldestJobAt: Timestamp?
    /// When the newest one was.
    public let newestJobAt: Timestamp?
    /// The last migration.
    public let schema: String
    /// `incremental`, unless somebody else made the file.
    public let autoVacuum: String
    /// `wal`.
    public let journalMode: String
}

extension JobQueue {
    /// The last migration of this version of yoloq, which every open queue has.
    public static var schema: String { Schema.migrations.last?.identifier ?? "" }

    /// Looks at the file without counting rows.
    public func stats() throws(JobsError) -> QueueStats {
        let use = try pageUse()
        return try read("read the statistics") { database in
            func number(_ sql: String) throws -> Int { try Int.fetchOne(database, sql: sql) ?? 0 }
            func text(_ sql: String) throws -> String { try String.fetchOne(database, sql: sql) ?? "" }
            func moment(_ order: String) throws -> Timestamp? {
                try Int64.fetchOne(database, sql: "SELECT created_at_us FROM jobs ORDER BY id \(order) LIMIT 1")
                    .map(Timestamp.init)
            }
            let bound = BoundedCount.bound + 1
            // Of a blob SQLite reads the length without the bytes.
            let inputs = try Row.fetchOne(
                database,
                sql: "SELECT count(*), total(n) FROM (SELECT length(bytes) AS n FROM inputs LIMIT \(bound))"
            )
            let autoVacuum = ["none", "full", "incremental"]
            return QueueStats(
                byteCount: QueuePaths.size(path),
                logByteCount: QueuePaths.size(path + "-wal"),
                pageByteCount: use.pageByteCount,
                pageCount: use.pageCount,
                freePageCount: use.freePageCount,
                counts: try JobCounts(sumOf: "model_counts", in: database),
                modelCount: try number("SELECT count(*) FROM models"),
                batchCount: .init(try number("SELECT count(*) FROM (SELECT 1 FROM batches LIMIT \(bound))")),
                workerCount: try number("SELECT count(*) FROM workers"),
                inputCount: .init(inputs?[0] ?? 0),
                inputByteCount: Int((inputs?[1] as Double?) ?? 0),
                oldestJobAt: try moment("ASC"),
                newestJobAt: try moment("DESC"),
                schema: JobQueue.schema,
                autoVacuum: autoVacuum[min(2, try number("PRAGMA auto_vacuum"))],
                journalMode: try text("PRAGMA journal_mode")
            )
        }
    }
}

extension QueuePaths {
    /// A file's size, from its directory entry; 0 if it is missing.
    static func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
