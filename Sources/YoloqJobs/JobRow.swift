// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What every change of a job's state needs to know of it, read and written in one transaction.
struct JobRow {
    let id: Int64
    let state: JobState
    let model: Int64
    let batch: Int64?
    let reuses: Bool

    /// The columns, in the order of `init`.
    static let columns = "id, state, model_id, batch_id, reuses"

    init(_ row: StoredRow) throws(StoredRow.Damage) {
        guard let state = try JobState(rawValue: row[1]) else { throw row.damage("state") }
        id = try row[0]
        self.state = state
        model = try row[2]
        batch = try row[3]
        reuses = try row[4]
    }

    /// Reads one job; nil if it does not exist.
    static func fetch(_ job: JobID, in database: Database) throws -> JobRow? {
        let sql = "SELECT \(columns) FROM jobs WHERE id = ?"
        return try StoredRow.fetchOne(database.cachedStatement(sql: sql), arguments: [job.rawValue]).map(JobRow.init)
    }
}

/// Changes of one transaction to the jobs' states: what is written at its end, and whom to wake after it.
struct Transition {
    private(set) var kinds: WakeKinds = []
    private var counts = CountChanges()

    /// Notes that a job has gone from one state to another.
    mutating func move(_ job: JobRow, to state: JobState) {
        move(model: job.model, batch: job.batch, from: job.state, to: state)
    }

    /// Notes a new job (`from` is nil), one that has gone from one state to another, or a deleted one (`to` is nil).
    mutating func move(model: Int64, batch: Int64?, from: JobState?, to: JobState?) {
        counts.move(model: model, batch: batch, from: from, to: to)
        switch to {
        case .queued, .scheduled: kinds.insert(.work)
        case .succeeded, .failed, .cancelled: kinds.insert(.results)
        case .running, nil: break
        }
        // Its worker has to learn of it.
        if from == .running, to == .cancelled { kinds.insert(.control) }
    }

    /// Gives those that wait for a job's result what they wait for, or their own place in the queue.
    ///
    /// Call it for each job with `reuses` that has ended.
    mutating func settleFollowers(of leader: Int64, hasResult: Bool, at now: Timestamp, in database: Database) throws {
        let followers = "leader_id = ?1 AND leader_id IS NOT NULL AND state = 0"
        if hasResult {
            try database.cachedStatement(
                sql: """
                    INSERT INTO results (job_id, document)
                    SELECT jobs.id, results.document FROM jobs INDEXED BY jobs_followers
                    JOIN results ON results.job_id = ?1 WHERE \(followers)
                    """
            ).execute(arguments: [leader])
        }
        let change =
            hasResult ? "state = 3, run_at_us = ?2, finished_at_us = ?2" : "state = 1, run_at_us = ?2, leader_id = NULL"
        let rows = try StoredRow.fetchAll(
            database.cachedStatement(
                sql: """
                    UPDATE jobs INDEXED BY jobs_followers SET \(change) WHERE \(followers) RETURNING model_id, batch_id
                    """
            ),
            arguments: [leader, now.microseconds]
        )
        for row in rows {
            try move(model: row[0], batch: row[1], from: .scheduled, to: hasResult ? .succeeded : .queued)
        }
    }

    /// Writes the counters.
    func finish(in database: Database) throws {
        try counts.apply(to: database)
    }
}
