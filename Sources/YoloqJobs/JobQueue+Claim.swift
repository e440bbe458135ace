// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

extension JobQueue {
    /// By how much a job of the loaded model may be younger and still go first.
    ///
    /// It saves loading models back and forth, and bounds how long the others wait for it.
    public static let loadedModelBonus = Duration.seconds(2)

    /// Takes the next jobs for a worker: of one model, highest priority first, then oldest.
    ///
    /// Jobs of paused models are left, and a job whose deadline has passed ends as expired instead of being given out.
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
        // Each job's token is this and its id, so that the token of each says by itself whether its claim still holds.
        let token = Int64.random(in: 1...Int64.max / 2)
        // No fsync: after a loss of power the job is queued, as it was.
        return try write("claim", durability: .normal, giveUp: giveUp) { database in
            let statement = try HotStatement(JobQueue.claimStatement, in: database)
            statement.bind(token, at: 1)
            statement.bind(worker, at: 2)
            statement.bind(now.microseconds, at: 3)
            statement.bind("[\(models.map(String.init).joined(separator: ","))]", at: 4)
            statement.bind(loaded, at: 5)
            statement.bind(JobQueue.loadedModelBonus.wholeMicroseconds, at: 6)
            statement.bind(limit, at: 7)
            var kinds: WakeKinds = []
            while true {
                var claims: [ClaimedRow] = []
                try statement.forEachRow { claims.append(ClaimedRow($0, token: token)) }
                let late = claims.filter { $0.claim.isLate(at: now) }
                guard late.isEmpty else {
                    // Rare, so simple: put everything back, end what is late, ask again.
                    try unclaim(token, worker: worker, in: database)
                    kinds.formUnion(try expire(now: now, in: database).1)
                    continue
                }
                var changes = CountChanges()
                for claim in claims {
                    changes.move(model: claim.claim.model, batch: claim.batch, from: .queued, to: .running)
                }
                try changes.apply(to: database)
                // RETURNING gives rows in no order.
                return (claims.sorted { $0.goesBefore($1) }.map(\.claim), kinds)
            }
        }
    }

    /// Finds the head of each served model that is not paused, chooses a model by its head, takes the first few jobs of
    /// that model: all through `jobs_queued`, so that the cost depends neither on the backlog nor on the history.
    static let claimStatement = """
        UPDATE jobs SET state = 2, claim_token = ?1 + id, worker_id = ?2, started_at_us = ?3, attempts = attempts + 1
        WHERE id IN (
            SELECT id FROM jobs INDEXED BY jobs_queued
            WHERE state = 1 AND model_id = (
                SELECT head.model_id FROM json_each(?4) AS served
                CROSS JOIN models CROSS JOIN jobs AS head
                WHERE models.id = served.value AND models.is_paused = 0 AND head.id = (
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
        RETURNING id, model_id, batch_id, attempts, crashes, source, source_sha256, input_id IS NOT NULL,
            (SELECT json FROM parameters WHERE parameters.id = parameters_id), time_limit_us, max_attempts,
            backoff_us, backoff_limit_us, expires_at_us, run_at_us, started_at_us, priority
        """

    /// Takes back a claim of this very transaction; who ran the job before, and when, is told by its history.
    private func unclaim(_ token: Int64, worker: String, in database: Database) throws {
        let last = "FROM attempts WHERE attempts.job_id = jobs.id ORDER BY attempts.id DESC LIMIT 1"
        try database.execute(
            sql: """
                UPDATE jobs INDEXED BY jobs_running
                SET state = 1, claim_token = NULL, attempts = attempts - 1,
                    worker_id = (SELECT attempts.worker_id \(last)),
                    started_at_us = (SELECT attempts.started_at_us \(last))
                WHERE state = 2 AND worker_id = ? AND claim_token = ? + id
                """,
            arguments: [worker, token]
        )
    }

    /// The bytes of a job whose submitter handed them over.
    ///
    /// - Parameter job: A job that has not been pruned.
    /// - Returns: The bytes; nil if the job has none in the queue.
    /// - Throws: `io`.
    public func content(of job: JobID) throws(JobsError) -> [UInt8]? {
        try read("read an input") { database in
            try Data.fetchOne(
                database.cachedStatement(
                    sql: "SELECT bytes FROM inputs WHERE id = (SELECT input_id FROM jobs WHERE id = ?)"
                ),
                arguments: [job.rawValue]
            ).map(Array.init)
        }
    }
}

/// What the claim returns of a job, read by position: it is the hottest statement.
private struct ClaimedRow {
    let claim: Claim
    let batch: Int64?
    private let priority: Int64

    init(_ row: HotRow, token: Int64) {
        claim = Claim(
            job: JobID(rawValue: row.integer(0)),
            token: token + row.integer(0),
            model: row.integer(1),
            attempt: Int(row.integer(3)),
            crashes: Int(row.integer(4)),
            source: row.text(5),
            sha256: row.bytes(6).flatMap { ContentHash(bytes: $0) },
            isInline: row.bool(7),
            parameters: row.text(8),
            timeLimit: row.optionalInteger(9).map { .microseconds($0) },
            retry: RetryPolicy(
                maxAttempts: Int(row.integer(10)),
                firstDelay: .microseconds(row.integer(11)),
                longestDelay: .microseconds(row.integer(12))
            ),
            expiresAt: row.optionalInteger(13).map(Timestamp.init),
            queuedAt: Timestamp(microseconds: row.integer(14)),
            startedAt: Timestamp(microseconds: row.integer(15))
        )
        batch = row.optionalInteger(2)
        priority = row.integer(16)
    }

    func goesBefore(_ other: ClaimedRow) -> Bool {
        // Not by the negated priority: the least one has no opposite.
        (other.priority, claim.queuedAt, claim.job) < (priority, other.claim.queuedAt, other.claim.job)
    }
}

extension ContentHash {
    /// Reads a column.
    init?(_ data: Data?) {
        guard let data else { return nil }
        self.init(bytes: Array(data))
    }
}

extension Claim {
    fileprivate func isLate(at now: Timestamp) -> Bool { expiresAt.map { $0 <= now } ?? false }
}
