// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

extension JobQueue {
    /// The number of jobs in each state, from counters: the cost does not grow with the history.
    public func counts() throws(JobsError) -> JobCounts {
        try models().reduce(JobCounts()) { $0 + $1.counts }
    }

    /// Every model that a job ever asked for, in the order of their first job, with its counts.
    public func models() throws(JobsError) -> [ServedModel] {
        try read("read the models") { database in
            try StoredRow.fetchAll(
                database.cachedStatement(
                    sql:
                        "SELECT * FROM models JOIN model_counts ON model_counts.model_id = models.id ORDER BY models.id"
                ),
                of: "models"
            ).map { row in
                try ServedModel(
                    id: row["id"],
                    reference: ModelReference(row),
                    isPaused: row["is_paused"],
                    counts: JobCounts(row)
                )
            }
        }
    }

    /// The number of jobs of a batch in each state, from counters.
    ///
    /// - Parameter batch: The batch's name.
    /// - Returns: The counts; nil if there is no such batch.
    /// - Throws: `io`.
    public func counts(ofBatch batch: String) throws(JobsError) -> JobCounts? {
        try read("read a batch") { database in
            try StoredRow.fetchOne(
                database.cachedStatement(
                    sql: "SELECT c.* FROM batches JOIN batch_counts AS c ON c.batch_id = batches.id WHERE name = ?"
                ),
                arguments: [batch],
                of: "batch_counts"
            ).map(JobCounts.init)
        }
    }

    /// The ids of a batch's jobs in order of submission, a page at a time.
    ///
    /// - Parameters:
    ///   - batch: The batch's name.
    ///   - id: The last id of the page before.
    ///   - limit: How many ids to return at most.
    /// - Returns: The next ids; empty at the end.
    /// - Throws: `io`.
    public func jobs(
        ofBatch batch: String,
        after id: JobID = JobID(rawValue: 0),
        limit: Int = 1000
    ) throws(JobsError) -> [JobID] {
        try read("read a batch") { database in
            try Int64.fetchAll(
                database,
                sql: """
                    SELECT jobs.id FROM jobs INDEXED BY jobs_batch
                    WHERE batch_id = (SELECT id FROM batches WHERE name = ?) AND jobs.id > ? ORDER BY jobs.id LIMIT ?
                    """,
                arguments: [batch, id.rawValue, limit]
            ).map(JobID.init)
        }
    }

    /// The jobs of the newest submit, in order.
    ///
    /// One submit gives all its jobs one time; the search goes back from the newest job and ends after 10,000 jobs of
    /// other submits in a row.
    public func jobsOfLastSubmit() throws(JobsError) -> [JobID] {
        var found: [JobID] = []
        var cursor = Int64.max
        var submittedAt: Int64?
        var strangers = 0
        while strangers < 10_000 {
            let rows = try read("read the newest jobs") { database in
                try StoredRow.fetchAll(
                    database.cachedStatement(
                        sql: "SELECT id, created_at_us FROM jobs WHERE id < ? ORDER BY id DESC LIMIT 1000"
                    ),
                    arguments: [cursor]
                ).map { row in try (id: row[0] as Int64, createdAt: row[1] as Int64) }
            }
            guard let last = rows.last else { break }
            for (id, createdAt) in rows {
                if createdAt == submittedAt ?? createdAt {
                    submittedAt = createdAt
                    found.append(JobID(rawValue: id))
                    strangers = 0
                } else {
                    strangers += 1
                }
            }
            cursor = last.id
        }
        return found.reversed()
    }

    /// Reads jobs with their results.
    ///
    /// - Parameter ids: At most a few hundred: all are held in memory.
    /// - Returns: The jobs that exist, in the order of `ids`.
    /// - Throws: `io`.
    public func records(_ ids: [JobID]) throws(JobsError) -> [JobRecord] {
        try records(ids, statement: JobQueue.recordStatement(result: "results.document", join: JobQueue.resultJoin))
    }

    /// Reads jobs without their results, which can be large.
    ///
    /// - Parameter ids: At most a few hundred: all are held in memory.
    /// - Returns: The jobs that exist, in the order of `ids`; their `result` is nil.
    /// - Throws: `io`.
    public func summaries(_ ids: [JobID]) throws(JobsError) -> [JobRecord] {
        try records(ids, statement: JobQueue.recordStatement(result: "NULL AS document", join: ""))
    }

    private func records(_ ids: [JobID], statement sql: String) throws(JobsError) -> [JobRecord] {
        try read("read jobs") { database in
            let statement = try database.cachedStatement(sql: sql)
            return try ids.compactMap {
                try StoredRow.fetchOne(statement, arguments: [$0.rawValue]).map(JobRecord.init)
            }
        }
    }

    private static let resultJoin = "LEFT JOIN results ON results.job_id = jobs.id"

    private static func recordStatement(result: String, join: String) -> String {
        """
        SELECT jobs.*, models.name, models.path, models.sha256, batches.name AS batch_name,
            parameters.json AS parameters_json, \(result)
        FROM jobs JOIN models ON models.id = jobs.model_id
        JOIN parameters ON parameters.id = jobs.parameters_id
        LEFT JOIN batches ON batches.id = jobs.batch_id
        \(join)
        WHERE jobs.id = ?
        """
    }

    /// The tries of a job, oldest first.
    ///
    /// - Parameter job: Any job.
    /// - Returns: The tries; empty if it was never claimed or does not exist.
    /// - Throws: `io`.
    public func attempts(of job: JobID) throws(JobsError) -> [Attempt] {
        try read("read attempts") { database in
            var attempts = try StoredRow.fetchAll(
                database.cachedStatement(sql: "SELECT * FROM attempts WHERE job_id = ? ORDER BY id"),
                arguments: [job.rawValue],
                of: "attempts"
            ).map(Attempt.init)
            let last = try StoredRow.fetchOne(
                database.cachedStatement(sql: "SELECT * FROM jobs WHERE id = ?"),
                arguments: [job.rawValue]
            )
            if let own = try last.flatMap(Attempt.init(job:)), !Attempt.isMoved(own, after: attempts.last) {
                attempts.append(own)
            }
            return attempts
        }
    }

    /// The states of jobs, for those that exist.
    ///
    /// - Parameter ids: Any number.
    /// - Returns: The state of each id that exists.
    /// - Throws: `io`.
    public func states(_ ids: some Sequence<JobID>) throws(JobsError) -> [JobID: JobState] {
        try read("read states") { database in
            let statement = try database.cachedStatement(sql: "SELECT id, state FROM jobs WHERE id = ?")
            var states: [JobID: JobState] = [:]
            for id in ids {
                states[id] = try StoredRow.fetchOne(statement, arguments: [id.rawValue]).map { try $0.state }
            }
            return states
        }
    }

    /// Whether any job is queued, from counters.
    package func hasQueued() throws(JobsError) -> Bool {
        try read("look for queued jobs") { database in
            try HotStatement("SELECT 1 FROM model_counts WHERE queued > 0 LIMIT 1", in: database).readInteger() != nil
        }
    }

    /// When the job that waits longest could first have been claimed; nil if none waits.
    public func oldestQueued() throws(JobsError) -> Timestamp? {
        try read("read the oldest wait") { database in
            try Int64.fetchOne(database, sql: JobQueue.oldestQueuedStatement).map(Timestamp.init)
        }
    }

    static let oldestQueuedStatement = "\(QueuedHeads.table) SELECT min(run_at_us) FROM heads"
}

/// The first queued job of each model and priority, each found by one step through `jobs_queued`: how many jobs wait makes
/// no difference.
enum QueuedHeads {
    /// Begins a statement that reads `heads (model_id, priority, run_at_us)`.
    static let table = """
        WITH RECURSIVE heads (model_id, priority, run_at_us) AS (
            SELECT * FROM (
                SELECT model_id, priority, run_at_us FROM jobs INDEXED BY jobs_queued
                WHERE state = 1 ORDER BY model_id, priority DESC, run_at_us LIMIT 1
            )
            UNION ALL
            SELECT next.model_id, next.priority, next.run_at_us FROM heads CROSS JOIN jobs AS next
            WHERE next.id = coalesce(
                (
                    SELECT id FROM jobs INDEXED BY jobs_queued
                    WHERE state = 1 AND model_id = heads.model_id AND priority < heads.priority
                    ORDER BY priority DESC, run_at_us, id LIMIT 1
                ),
                (
                    SELECT id FROM jobs INDEXED BY jobs_queued
                    WHERE state = 1 AND model_id > heads.model_id
                    ORDER BY model_id, priority DESC, run_at_us, id LIMIT 1
                )
            )
        )
        """
}

extension StoredRow {
    /// The state of a job.
    var state: JobState {
        get throws(Damage) {
            guard let state = try JobState(rawValue: self["state"]) else { throw damage("state") }
            return state
        }
    }

    /// The moment in a column, if there is one.
    fileprivate func moment(_ column: String) throws(Damage) -> Timestamp? {
        try (self[column] as Int64?).map(Timestamp.init)
    }

    /// The job in a column, if there is one.
    fileprivate func job(_ column: String) throws(Damage) -> JobID? {
        try (self[column] as Int64?).map(JobID.init)
    }
}

extension ModelReference {
    fileprivate init(_ row: StoredRow) throws(StoredRow.Damage) {
        try self.init(name: row["name"], path: row["path"], sha256: row["sha256"])
    }
}

extension JobCounts {
    fileprivate init(_ row: StoredRow) throws(StoredRow.Damage) {
        self.init()
        for state in JobState.allCases {
            self[state] = try row[state.name]
            // Sums of such numbers do not overflow.
            guard 0..<(1 << 48) ~= self[state] else { throw row.damage(state.name) }
        }
    }
}

extension JobRecord {
    fileprivate init(_ row: StoredRow) throws(StoredRow.Damage) {
        let runAt = try row.moment("run_at_us")
        try self.init(
            id: JobID(rawValue: row["id"]),
            state: row.state,
            model: ModelReference(row),
            batch: row["batch_name"],
            source: row["source"],
            sha256: ContentHash(row["source_sha256"] as Data?),
            isInline: (row["input_id"] as Int64?) != nil,
            parameters: row["parameters_json"],
            meta: row["meta"],
            priority: row["priority"],
            key: row["key"],
            createdAt: Timestamp(microseconds: row["created_at_us"]),
            runAt: runAt?.microseconds == JobQueue.never ? nil : runAt,
            expiresAt: row.moment("expires_at_us"),
            timeLimit: (row["time_limit_us"] as Int64?).map { .microseconds($0) },
            startedAt: row.moment("started_at_us"),
            finishedAt: row.moment("finished_at_us"),
            attempts: row["attempts"],
            maxAttempts: row["max_attempts"],
            crashes: row["crashes"],
            worker: row["worker_id"],
            failure: JobFailure(row),
            leader: row.job("leader_id"),
            supersededBy: row.job("superseded_by"),
            result: row["document"]
        )
    }
}

extension JobFailure {
    /// Reads the reason in a job's row; nil unless it failed.
    fileprivate init?(_ row: StoredRow) throws(StoredRow.Damage) {
        guard let kind = try row["error_kind"] as String? else { return nil }
        try self.init(kind: kind, message: row["error_message"], isRetryable: row["error_retryable"])
    }
}

extension Attempt {
    /// A row of the history.
    fileprivate init(_ row: StoredRow) throws(StoredRow.Damage) {
        guard let outcome = try Outcome(rawValue: row["outcome"]) else { throw row.damage("outcome") }
        let kind: String? = try row["error_kind"]
        try self.init(
            number: row["number"],
            worker: row["worker_id"],
            startedAt: Timestamp(microseconds: row["started_at_us"]),
            endedAt: Timestamp(microseconds: row["ended_at_us"]),
            outcome: outcome,
            failure: kind.map { kind throws(StoredRow.Damage) in
                try JobFailure(kind: kind, message: row["error_message"], isRetryable: outcome == .error)
            }
        )
    }

    /// Whether the last try of a job is in the history already: so it is if the job ended while it waited.
    fileprivate static func isMoved(_ own: Attempt, after last: Attempt?) -> Bool {
        // Only cancelling and deadlines end a job that waits; its last try began when that in the history did.
        guard own.outcome == .cancelled || own.failure?.kind == JobQueue.expiredKind else { return false }
        return own.startedAt == last?.startedAt
    }

    /// The try that a job's own row tells of; nil if it waits, or ended without one.
    fileprivate init?(job row: StoredRow) throws(StoredRow.Damage) {
        guard let startedAt = try row.moment("started_at_us") else { return nil }
        let failure = try JobFailure(row)
        // So many a job has that failed with a crash, and no other.
        let isCrash = try (row["crashes"] as Int) >= YoloqJobs.Outcome.crashLimit
        let outcome: Outcome
        switch try row.state {
        case .scheduled, .queued: return nil
        case .running: outcome = .running
        case .succeeded: outcome = .succeeded
        case .failed: outcome = isCrash ? .crash : .error
        case .cancelled: outcome = .cancelled
        }
        try self.init(
            number: (row["attempts"] as Int) + (isCrash ? 1 : 0),
            worker: row["worker_id"],
            startedAt: startedAt,
            endedAt: row.moment("finished_at_us"),
            outcome: outcome,
            failure: failure
        )
    }
}
