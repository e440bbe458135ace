// SPDX-License-Identifier: Apache-2.0

import GRDB

/// A job that has ended a short while ago.
public struct FinishedJob: Sendable, Hashable {
    /// The job's number.
    public let id: JobID
    /// The model's row, as in `ServedModel.id`.
    public let model: Int64
    /// The batch it belongs to.
    public let batch: String?
    /// When its last attempt was claimed; nil if it ended without one, with another job's result for example.
    public let startedAt: Timestamp?
    /// When it ended.
    public let finishedAt: Timestamp
    /// Why it failed; nil if it succeeded.
    public let errorKind: String?
    /// The result's JSON; nil if it failed.
    public let result: String?
}

extension JobQueue {
    /// The jobs that succeeded or failed last, latest first, through the index of their state: the cost does not grow with
    /// the history.
    ///
    /// - Parameters:
    ///   - state: `succeeded`, with results, or `failed`.
    ///   - limit: How many at most; a few hundred, since all are held in memory.
    /// - Returns: The jobs.
    /// - Throws: `io`.
    public func recent(_ state: JobState, limit: Int) throws(JobsError) -> [FinishedJob] {
        precondition(state == .succeeded || state == .failed, "only these two end with an attempt")
        return try read("read the latest jobs") { database in
            try StoredRow.fetchAll(
                database.cachedStatement(sql: JobQueue.recentStatement(for: state)),
                arguments: [limit]
            ).map { row in
                try FinishedJob(
                    id: JobID(rawValue: row[0]),
                    model: row[1],
                    batch: row[2],
                    startedAt: (row[3] as Int64?).map(Timestamp.init),
                    finishedAt: Timestamp(microseconds: row[4]),
                    errorKind: row[5],
                    result: row[6]
                )
            }
        }
    }

    static func recentStatement(for state: JobState) -> String {
        """
        SELECT jobs.id, model_id, batches.name, started_at_us, finished_at_us, error_kind, results.document
        FROM jobs INDEXED BY jobs_\(state.name)
        LEFT JOIN batches ON batches.id = batch_id LEFT JOIN results ON results.job_id = jobs.id
        WHERE state = \(state.rawValue) ORDER BY finished_at_us DESC LIMIT ?
        """
    }

    /// When the job of a batch that waits longest could first have been claimed.
    ///
    /// Looked for among the 5,000 jobs that are the next of each model, so that it costs the same in any queue.
    ///
    /// - Parameter batch: The batch's name.
    /// - Returns: nil if none of those is of the batch.
    /// - Throws: `io`.
    public func oldestQueued(ofBatch batch: String) throws(JobsError) -> Timestamp? {
        try read("read the oldest wait") { database in
            try Int64.fetchOne(
                database,
                sql: """
                    SELECT min(next.run_at_us) FROM models CROSS JOIN jobs AS next WHERE next.id IN (
                        SELECT id FROM jobs INDEXED BY jobs_queued
                        WHERE state = 1 AND model_id = models.id ORDER BY priority DESC, run_at_us, id LIMIT 5000
                    ) AND next.batch_id = (SELECT id FROM batches WHERE name = ?)
                    """,
                arguments: [batch]
            ).map(Timestamp.init)
        }
    }
}
