// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite

/// What submit, claim and record of one job cost, in units that do not depend on the machine, and in time.
package struct CycleCost: Sendable, Hashable {
    /// Steps of SQLite's virtual machine, over all statements.
    package let stepCount: Int
    /// Pages written to the write-ahead log.
    package let frameCount: Int
    /// How long it took, in nanoseconds.
    package let nanoseconds: Int64

    /// Measures cycles of single jobs on a queue that nobody else uses.
    ///
    /// - Parameters:
    ///   - queue: A queue that `QueueLane.prepare` has made.
    ///   - count: How many cycles.
    /// - Returns: The median of each number.
    /// - Throws: `JobsError`.
    package static func measure(on queue: JobQueue, count: Int) throws -> CycleCost {
        let lane = QueueLane(queue)
        let log = try LogMeter(path: queue.path)
        var costs: [CycleCost] = []
        // The first one prepares the statements.
        for index in 0...count {
            try log.restart()
            _ = try queue.takeStepCount()
            let stretch = try Stretch.measure {
                try lane.submit(1)
                try lane.record(try lane.claim(1))
                return 1
            }
            let cost = CycleCost(
                stepCount: try queue.takeStepCount(),
                frameCount: try log.frameCount(),
                nanoseconds: stretch.end - stretch.start
            )
            if index > 0 { costs.append(cost) }
        }
        func median<T: Comparable>(_ values: [T]) -> T { values.sorted()[values.count / 2] }
        return CycleCost(
            stepCount: median(costs.map(\.stepCount)),
            frameCount: median(costs.map(\.frameCount)),
            nanoseconds: median(costs.map(\.nanoseconds))
        )
    }
}

extension JobQueue {
    /// Counts the virtual machine's steps of all statements of the connection that writes, and starts again from 0.
    fileprivate func takeStepCount() throws(JobsError) -> Int {
        try write("count steps", durability: options.durability) { database in
            var count = 0
            var statement = sqlite3_next_stmt(database.sqliteConnection, nil)
            while let current = statement {
                count += Int(sqlite3_stmt_status(current, SQLITE_STMTSTATUS_VM_STEP, 1))
                statement = sqlite3_next_stmt(database.sqliteConnection, current)
            }
            return (count, [])
        }
    }

    /// Adds jobs that have succeeded long ago, with results, many at a time.
    ///
    /// - Parameter count: How many.
    /// - Throws: `JobsError`.
    package func addHistory(_ count: Int) throws(JobsError) {
        var left = count
        while left > 0 {
            let chunk = min(left, 20_000)
            try write("add history", durability: .normal) { database in
                let first = try Int64.fetchOne(database, sql: "SELECT max(id) FROM jobs") ?? 0
                try database.execute(
                    sql: """
                        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
                        INSERT INTO jobs (state, model_id, parameters_id, source, created_at_us, run_at_us, attempts,
                            worker_id, started_at_us, finished_at_us)
                        SELECT 3, ?, 1, ?, ? + i, ? + i, 1, 'gone', ? + i, ? + i FROM n
                        """,
                    arguments: [chunk, BenchJob.modelRow, BenchJob.source, first, first, first, first]
                )
                try database.execute(
                    sql: "INSERT INTO results (job_id, document) SELECT id, ? FROM jobs WHERE id > ?",
                    arguments: [BenchJob.result, first]
                )
                try database.execute(
                    sql: "UPDATE model_counts SET succeeded = succeeded + ? WHERE model_id = ?",
                    arguments: [chunk, BenchJob.modelRow]
                )
                return ((), [])
            }
            left -= chunk
        }
    }
}

/// Empties the write-ahead log and tells how long it has become, on a connection of its own.
private final class LogMeter {
    private let database: OpaquePointer

    init(path: String) throws(JobsError) {
        var handle: OpaquePointer?
        guard sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK, let database = handle else {
            throw JobsError(.io, "cannot open \(path) for a benchmark")
        }
        self.database = database
        sqlite3_wal_autocheckpoint(database, 0)
        // A connection knows that the file has a log once it has read it.
        sqlite3_exec(database, "SELECT 1 FROM models", nil, nil, nil)
    }

    deinit { sqlite3_close(database) }

    /// Makes the next commit start at the beginning of the log.
    func restart() throws(JobsError) { _ = try checkpoint() }

    /// The frames that were written since; copies them into the database.
    func frameCount() throws(JobsError) -> Int { try checkpoint() }

    private func checkpoint() throws(JobsError) -> Int {
        var frameCount: Int32 = 0
        guard sqlite3_wal_checkpoint_v2(database, nil, SQLITE_CHECKPOINT_PASSIVE, &frameCount, nil) == SQLITE_OK else {
            throw JobsError(.io, "cannot checkpoint in a benchmark: \(String(cString: sqlite3_errmsg(database)))")
        }
        return Int(frameCount)
    }
}
