// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What every worker does twice a second: all of it is idempotent and costs the same beside any history, so nobody needs
/// to lead, and a worker that is suspended in the middle harms nobody.
extension JobQueue {
    /// How many jobs one upkeep transaction touches; between two of them other writers get their turn.
    static let upkeepChunkCount = 500

    /// Queues jobs whose time has come, through `jobs_scheduled`.
    ///
    /// - Parameter now: The time.
    /// - Returns: How many, 500 at most: there may be more.
    /// - Throws: `busy`, `diskFull`, `io`.
    public func promote(now: Timestamp) throws(JobsError) -> Int {
        try write("queue due jobs", durability: .normal) { database in
            let rows = try StoredRow.fetchAll(
                database.cachedStatement(sql: JobQueue.promoteStatement),
                arguments: [now.microseconds, JobQueue.upkeepChunkCount]
            )
            var transition = Transition()
            for row in rows { try transition.move(model: row[0], batch: row[1], from: .scheduled, to: .queued) }
            try transition.finish(in: database)
            return (rows.count, transition.kinds)
        }
    }

    static let promoteStatement = """
        UPDATE jobs SET state = 1 WHERE id IN (
            SELECT id FROM jobs INDEXED BY jobs_scheduled WHERE state = 0 AND run_at_us <= ?
            ORDER BY run_at_us, id LIMIT ?
        ) RETURNING model_id, batch_id
        """

    /// Ends jobs whose deadline has passed before they started: `failed`, kind `expired`.
    ///
    /// - Parameter now: The time.
    /// - Returns: How many, 500 at most: there may be more.
    /// - Throws: `busy`, `diskFull`, `io`.
    public func expire(now: Timestamp) throws(JobsError) -> Int {
        try write("end expired jobs", durability: .normal) { database in
            try expire(now: now, in: database)
        }
    }

    func expire(now: Timestamp, in database: Database) throws -> (count: Int, WakeKinds) {
        let rows = try StoredRow.fetchAll(
            database.cachedStatement(sql: JobQueue.expiringStatement),
            arguments: [now.microseconds, JobQueue.upkeepChunkCount]
        ).map(JobRow.init)
        let update = try database.cachedStatement(
            sql: """
                UPDATE jobs SET state = 4, finished_at_us = ?, error_kind = '\(JobQueue.expiredKind)', error_retryable = 0,
                    error_message = 'it had not started when its deadline passed. Run more workers, or submit it again'
                WHERE id = ?
                """
        )
        var transition = Transition()
        for var row in rows {
            // The end of its leader may have queued it a moment ago.
            if row.reuses, let changed = try JobRow.fetch(JobID(rawValue: row.id), in: database) { row = changed }
            try update.execute(arguments: [now.microseconds, row.id])
            transition.move(row, to: .failed)
            if row.reuses { try transition.settleFollowers(of: row.id, hasResult: false, at: now, in: database) }
        }
        try transition.finish(in: database)
        return (rows.count, transition.kinds)
    }

    /// The reason of jobs whose deadline passed before they started.
    static let expiredKind = "expired"

    static let expiringStatement = """
        SELECT \(JobRow.columns) FROM jobs INDEXED BY jobs_expiring
        WHERE expires_at_us IS NOT NULL AND state < 2 AND expires_at_us <= ? ORDER BY expires_at_us LIMIT ?
        """

    /// When the next job is to be promoted or expired; nil if none is.
    public func nextDue() throws(JobsError) -> Timestamp? {
        try read("read the next due time") { database in
            try Int64.fetchOne(
                database.cachedStatement(sql: JobQueue.nextDueStatement),
                arguments: [JobQueue.never]
            ).map(Timestamp.init)
        }
    }

    /// The heads of two indexes; nil if both are empty.
    static let nextDueStatement = """
        SELECT min(due) FROM (
            SELECT * FROM (
                SELECT run_at_us AS due FROM jobs INDEXED BY jobs_scheduled
                WHERE state = 0 AND run_at_us < ? ORDER BY run_at_us LIMIT 1
            )
            UNION ALL
            SELECT * FROM (
                SELECT expires_at_us FROM jobs INDEXED BY jobs_expiring
                WHERE expires_at_us IS NOT NULL AND state < 2 ORDER BY expires_at_us LIMIT 1
            )
        )
        """

    /// The run time of jobs that wait for another job instead of a time.
    static let never = Int64.max

    // MARK: Pruning

    /// Deletes jobs that ended in one state before a moment, oldest first, with their results and history; then inputs and
    /// batches that nothing refers to any more.
    ///
    /// The space goes to new jobs; `reclaim` gives it back to the file system.
    ///
    /// - Parameters:
    ///   - state: `succeeded`, `failed` or `cancelled`.
    ///   - moment: Jobs that ended earlier are deleted.
    /// - Returns: How many, 500 at most: there may be more.
    /// - Throws: `busy`, `diskFull`, `io`.
    public func prune(_ state: JobState, before moment: Timestamp) throws(JobsError) -> Int {
        precondition(state.isFinal, "only jobs that have ended are pruned")
        return try write("prune", durability: .normal) { database in
            let rows = try StoredRow.fetchAll(
                database.cachedStatement(sql: JobQueue.pruneStatement(for: state)),
                arguments: [moment.microseconds, JobQueue.upkeepChunkCount]
            )
            var transition = Transition()
            var inputs: [Int64: Int] = [:]
            for row in rows {
                try transition.move(model: row[0], batch: row[1], from: state, to: nil)
                if let input = try row[2] as Int64? { inputs[input, default: 0] += 1 }
            }
            try transition.finish(in: database)
            try JobNumbers.remember(pruned: rows.map { try $0[3] }, in: database)
            try release(inputs, in: database)
            for batch in try Set(rows.compactMap { try $0[1] as Int64? }) { try deleteIfEmpty(batch, in: database) }
            return (rows.count, [])
        }
    }

    static func pruneStatement(for state: JobState) -> String {
        """
        DELETE FROM jobs WHERE id IN (
            SELECT id FROM jobs INDEXED BY jobs_\(state.name)
            WHERE state = \(state.rawValue) AND finished_at_us < ? ORDER BY finished_at_us LIMIT ?
        ) RETURNING model_id, batch_id, input_id, id
        """
    }

    private func release(_ inputs: [Int64: Int], in database: Database) throws {
        for (input, count) in inputs {
            try database.cachedStatement(sql: "UPDATE inputs SET job_count = job_count - ? WHERE id = ?")
                .execute(arguments: [count, input])
            try database.cachedStatement(sql: "DELETE FROM inputs WHERE id = ? AND job_count = 0")
                .execute(arguments: [input])
        }
    }

    private func deleteIfEmpty(_ batch: Int64, in database: Database) throws {
        let sum = JobState.allCases.map(\.name).joined(separator: " + ")
        try database.cachedStatement(sql: "DELETE FROM batch_counts WHERE batch_id = ? AND \(sum) = 0")
            .execute(arguments: [batch])
        guard database.changesCount == 1 else { return }
        try database.cachedStatement(sql: "DELETE FROM batches WHERE id = ?").execute(arguments: [batch])
    }

    /// Gives free pages back to the file system.
    ///
    /// The file shrinks with the next checkpoint.
    ///
    /// - Parameter pageCount: How many pages to move at most.
    /// - Returns: How many pages are still free.
    /// - Throws: `busy`, `diskFull`, `io`.
    public func reclaim(pageCount: Int) throws(JobsError) -> Int {
        try write("give space back", durability: .normal) { database in
            // Steps once for each page, so it has to be run to its end.
            _ = try Row.fetchAll(database, sql: "PRAGMA incremental_vacuum(\(pageCount))")
            return (try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0, [])
        }
    }

    /// Takes a task for this process, if nobody has done it for a while.
    ///
    /// - Parameters:
    ///   - task: Its name.
    ///   - interval: How long it need not be done again.
    ///   - now: The time.
    /// - Returns: Whether the caller shall do it now.
    /// - Throws: `busy`, `diskFull`, `io`.
    package func takeTask(_ task: String, every interval: Duration, now: Timestamp) throws(JobsError) -> Bool {
        let isDue = try read("read a task") { database in try JobQueue.isDue(task, interval, now, in: database) }
        guard isDue else { return false }
        return try write("take a task", durability: .normal) { database in
            guard try JobQueue.isDue(task, interval, now, in: database) else { return (false, []) }
            try database.execute(
                sql: """
                    INSERT INTO maintenance (task, ran_at_us) VALUES (?, ?)
                    ON CONFLICT DO UPDATE SET ran_at_us = excluded.ran_at_us
                    """,
                arguments: [task, now.microseconds]
            )
            return (true, [])
        }
    }

    private static func isDue(_ task: String, _ interval: Duration, _ now: Timestamp, in database: Database) throws
        -> Bool
    {
        let ranAt = try Int64.fetchOne(
            database.cachedStatement(sql: "SELECT ran_at_us FROM maintenance WHERE task = ?"),
            arguments: [task]
        ).map(Timestamp.init)
        // A time in the future is one of before the clock was set back.
        return ranAt.map { $0 + interval <= now || $0 > now } ?? true
    }
}
