// SPDX-License-Identifier: Apache-2.0

import GRDB

extension JobQueue {
    /// By how much a job of the loaded model may be younger and still go first.
    ///
    /// It saves loading models back and forth, and bounds how long the others wait for it.
    public static let loadedModelBonus = Duration.seconds(2)

    /// Takes the next jobs for a worker: of one model, highest priority first, then oldest.
    ///
    /// - Parameters:
    ///   - limit: How many jobs to take at most.
    ///   - models: The models that the worker serves, as in `ServedModel.id`.
    ///   - loaded: The model it used last, preferred within `loadedModelBonus` among jobs of equal priority.
    ///   - worker: The worker's id; one that is not on the list gets nothing.
    ///   - now: The time.
    ///   - giveUp: Asked while waiting for the write lock; true ends the wait with `interrupted`.
    /// - Returns: The claims, in the order in which to run them; empty if no job waits for these models.
    /// - Throws: `busy`, `interrupted`, `io`. A claim that did not come back here is a running job without a worker.
    public func claim(
        limit: Int = 1,
        models: [Int64],
        loaded: Int64? = nil,
        worker: String,
        now: Timestamp,
        giveUp: () -> Bool = { false }
    ) throws(JobsError) -> [Claim] {
        guard !models.isEmpty, limit > 0 else { return [] }
        let token = Int64.random(in: 1...Int64.max)
        // No fsync: after a loss of power the job is queued, as it was.
        return try write("claim", durability: .normal, giveUp: giveUp) { database in
            let rows = try Row.fetchAll(
                database.cachedStatement(sql: JobQueue.claimStatement),
                arguments: [
                    token, worker, now.microseconds, "[\(models.map(String.init).joined(separator: ","))]", loaded,
                    JobQueue.loadedModelBonus.wholeMicroseconds, limit,
                ]
            )
            var changes = CountChanges()
            for row in rows {
                changes.move(model: row["model_id"], batch: row["batch_id"], from: .queued, to: .running)
            }
            if !rows.isEmpty { try changes.apply(to: database) }
            // RETURNING gives rows in no order.
            let claims = rows.sorted(by: JobQueue.runsBefore).map { Claim($0, token: token) }
            return (claims, [])
        }
    }

    /// Finds the head of each served model, chooses a model by its head, takes the first few jobs of that model: all
    /// through `jobs_queued`, so that the cost depends neither on the backlog nor on the history.
    static let claimStatement = """
        UPDATE jobs SET state = 2, claim_token = ?1, worker_id = ?2, started_at_us = ?3, attempts = attempts + 1
        WHERE id IN (
            SELECT id FROM jobs INDEXED BY jobs_queued
            WHERE state = 1 AND model_id = (
                SELECT head.model_id FROM json_each(?4) AS served CROSS JOIN jobs AS head
                WHERE head.id = (
                    SELECT id FROM jobs INDEXED BY jobs_queued
                    WHERE state = 1 AND model_id = served.value
                    ORDER BY priority DESC, run_at_us, id LIMIT 1
                )
                ORDER BY head.priority DESC,
                    head.run_at_us - CASE WHEN head.model_id = ?5 THEN ?6 ELSE 0 END,
                    head.id
                LIMIT 1
            )
            ORDER BY priority DESC, run_at_us, id LIMIT ?7
        ) AND EXISTS (SELECT 1 FROM workers WHERE workers.id = ?2)
        RETURNING id, model_id, batch_id, attempts, source, priority, run_at_us, started_at_us,
            (SELECT json FROM parameters WHERE parameters.id = parameters_id) AS parameters
        """

    private static func runsBefore(_ left: Row, _ right: Row) -> Bool {
        func key(_ row: Row) -> (Int64, Int64, Int64) {
            let priority: Int64 = row["priority"]
            return (-priority, row["run_at_us"], row["id"])
        }
        return key(left) < key(right)
    }
}

extension Claim {
    fileprivate init(_ row: Row, token: Int64) {
        self.init(
            job: JobID(rawValue: row["id"]),
            token: token,
            model: row["model_id"],
            attempt: row["attempts"],
            source: row["source"],
            parameters: row["parameters"],
            queuedAt: Timestamp(microseconds: row["run_at_us"]),
            startedAt: Timestamp(microseconds: row["started_at_us"])
        )
    }
}
