// SPDX-License-Identifier: Apache-2.0

import GRDB

/// A number that is not counted beyond a bound, so that asking costs the same in any queue.
public struct BoundedCount: Sendable, Hashable {
    /// The number, or the bound.
    public let value: Int
    /// Whether there are more.
    public let isBounded: Bool

    static let bound = 10_000

    init(_ count: Int) {
        value = min(count, BoundedCount.bound)
        isBounded = count > BoundedCount.bound
    }
}

extension JobQueue {
    /// How many queued jobs of the same model go before a job, by priority and by the time since when they may run.
    ///
    /// - Parameter job: The job.
    /// - Returns: The number; nil if the job is not queued.
    /// - Throws: `io`.
    public func jobsAhead(of job: JobID) throws(JobsError) -> BoundedCount? {
        try read("read a job's place") { database in
            guard
                let row = try StoredRow.fetchOne(
                    database.cachedStatement(
                        sql: "SELECT model_id, priority, run_at_us, id FROM jobs WHERE id = ? AND state = 1"
                    ),
                    arguments: [job.rawValue]
                )
            else { return nil }
            let (model, priority, runAt, id): (Int64, Int64, Int64, Int64) = try (row[0], row[1], row[2], row[3])
            // Three ranges of one index, each read as far as the bound.
            let ranges: [(String, StatementArguments)] = [
                ("priority > ?", [priority]),
                ("priority = ? AND run_at_us < ?", [priority, runAt]),
                ("priority = ? AND run_at_us = ? AND id < ?", [priority, runAt, id]),
            ]
            var count = 0
            for (range, values) in ranges {
                let limit = BoundedCount.bound + 1 - count
                count +=
                    try Int.fetchOne(
                        database,
                        sql: """
                            SELECT count(*) FROM (
                                SELECT 1 FROM jobs INDEXED BY jobs_queued WHERE state = 1 AND model_id = ? AND \(range) LIMIT ?
                            )
                            """,
                        arguments: [model] + values + [limit]
                    ) ?? 0
            }
            return BoundedCount(count)
        }
    }
}
