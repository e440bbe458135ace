// SPDX-License-Identifier: Apache-2.0

import GRDB

extension JobQueue {
    /// Ends jobs that have not ended.
    ///
    /// A running one ends too: its worker is told and stops at the next stage, and what it finds is refused.
    ///
    /// - Parameters:
    ///   - jobs: At most a few hundred: all are changed in one transaction.
    ///   - now: The time.
    /// - Returns: The jobs that this call ended; the others had ended before, or do not exist.
    /// - Throws: `busy`, `diskFull`, `io`.
    public func cancel(_ jobs: [JobID], now: Timestamp) throws(JobsError) -> [JobID] {
        guard !jobs.isEmpty else { return [] }
        return try write("cancel", durability: options.durability) { database in
            var transition = Transition()
            let cancelled = try jobs.filter { try cancel($0, supersededBy: nil, now: now, &transition, in: database) }
            try transition.finish(in: database)
            return (cancelled, transition.kinds)
        }
    }

    /// Ends a job inside a transaction; false if it had ended.
    func cancel(
        _ job: JobID,
        supersededBy newer: JobID?,
        now: Timestamp,
        _ transition: inout Transition,
        in database: Database
    ) throws -> Bool {
        guard let row = try JobRow.fetch(job, in: database), !row.state.isFinal else { return false }
        try database.cachedStatement(
            sql: "UPDATE jobs SET state = 5, claim_token = NULL, finished_at_us = ?, superseded_by = ? WHERE id = ?"
        ).execute(arguments: [now.microseconds, newer?.rawValue, job.rawValue])
        transition.move(row, to: .cancelled)
        if row.reuses { try transition.settleFollowers(of: row.id, hasResult: false, at: now, in: database) }
        return true
    }

    /// Queues jobs that failed or were cancelled, with all their attempts before them again.
    ///
    /// What they failed with goes into their history, and a try that was cancelled as an interrupted one. A job over which
    /// a process has died runs alone again, and a deadline does not hold any more.
    ///
    /// - Parameters:
    ///   - jobs: At most a few hundred: all are changed in one transaction.
    ///   - model: What to run them on instead of the model they were submitted for; nil to keep it.
    ///   - now: The time.
    /// - Returns: The jobs that this call queued.
    /// - Throws: `busy`, `diskFull`, `io`.
    public func retry(
        _ jobs: [JobID],
        with model: ModelReference? = nil,
        now: Timestamp
    ) throws(JobsError) -> [JobID] {
        guard !jobs.isEmpty else { return [] }
        return try write("retry", durability: options.durability) { database in
            var transition = Transition()
            var lookup = RowLookup(now: now)
            let queued = try jobs.filter { job in
                guard let row = try JobRow.fetch(job, in: database), [.failed, .cancelled].contains(row.state)
                else { return false }
                try rememberLastTry(of: job, in: database)
                // Here, so that a model becomes known with its first job.
                let model = try model.map { try lookup.model($0, in: database) } ?? row.model
                try database.cachedStatement(
                    sql: """
                        UPDATE jobs SET state = 1, model_id = ?, run_at_us = ?, attempts = 0, crashes = min(crashes, 1),
                            finished_at_us = NULL, error_kind = NULL, error_message = NULL, error_retryable = NULL,
                            superseded_by = NULL, leader_id = NULL, expires_at_us = NULL
                        WHERE id = ?
                        """
                ).execute(arguments: [model, now.microseconds, job.rawValue])
                transition.move(model: row.model, batch: row.batch, from: row.state, to: nil)
                transition.move(model: model, batch: row.batch, from: nil, to: .queued)
                return true
            }
            try transition.finish(in: database)
            return (queued, transition.kinds)
        }
    }

    /// Moves the last attempt of a job from its own row to the history, unless it never ran or is there already.
    ///
    /// One that was cancelled becomes an interrupted one: it did not end its job after all.
    private func rememberLastTry(of job: JobID, in database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO attempts
                    (job_id, number, worker_id, started_at_us, ended_at_us, outcome, error_kind, error_message)
                SELECT id, attempts + (crashes >= \(Outcome.crashLimit)), worker_id, started_at_us, finished_at_us,
                    CASE WHEN state = 5 THEN 'interrupted' WHEN crashes >= \(Outcome.crashLimit) THEN 'crash' ELSE 'error' END,
                    error_kind, error_message
                FROM jobs WHERE id = ?1 AND started_at_us IS NOT NULL AND (
                    error_kind <> '\(JobQueue.expiredKind)' OR NOT EXISTS (
                        SELECT 1 FROM attempts WHERE job_id = ?1 AND attempts.started_at_us = jobs.started_at_us
                    )
                )
                """
        ).execute(arguments: [job.rawValue])
    }

    // MARK: Pauses

    /// Lets nobody claim jobs of a model, or of any; what runs goes on.
    ///
    /// - Parameters:
    ///   - scope: What to pause; a model that no job has asked for yet may be named too.
    ///   - now: The time.
    /// - Returns: False if that pause was there already.
    /// - Throws: `busy`, `diskFull`, `io`.
    @discardableResult
    public func pause(_ scope: PauseScope, now: Timestamp) throws(JobsError) -> Bool {
        try write("pause", durability: options.durability) { database in
            try database.execute(
                sql: "INSERT INTO pauses (model, created_at_us) VALUES (?, ?) ON CONFLICT DO NOTHING",
                arguments: [scope.text, now.microseconds]
            )
            let isNew = database.changesCount == 1
            try JobQueue.applyPauses(in: database)
            return (isNew, [])
        }
    }

    /// Takes a pause back.
    ///
    /// - Parameter scope: As it was paused.
    /// - Returns: False if there was no such pause.
    /// - Throws: `busy`, `diskFull`, `io`.
    @discardableResult
    public func resume(_ scope: PauseScope) throws(JobsError) -> Bool {
        try write("resume", durability: options.durability) { database in
            try database.execute(sql: "DELETE FROM pauses WHERE model = ?", arguments: [scope.text])
            let wasThere = database.changesCount == 1
            try JobQueue.applyPauses(in: database)
            return (wasThere, .work)
        }
    }

    /// The pauses there are.
    public func pauses() throws(JobsError) -> [PauseScope] {
        try read("read the pauses") { database in
            try String.fetchAll(database, sql: "SELECT model FROM pauses ORDER BY model").map(PauseScope.init(text:))
        }
    }

    /// Marks each model that a pause is about; there are only as many rows as models ever used.
    static func applyPauses(in database: Database) throws {
        try database.execute(
            sql: """
                UPDATE models SET is_paused = EXISTS (
                    SELECT 1 FROM pauses WHERE pauses.model IN ('*', models.name, models.path)
                )
                """
        )
    }
}

extension PauseScope {
    /// As the column keeps it.
    fileprivate var text: String {
        switch self {
        case .everything: "*"
        case .model(let name): name
        }
    }

    fileprivate init(text: String) {
        self = text == "*" ? .everything : .model(text)
    }
}
