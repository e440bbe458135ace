// SPDX-License-Identifier: Apache-2.0

import GRDB

extension JobQueue {
    /// Writes how claimed jobs ended: all of them in one transaction, each at most once.
    ///
    /// - Parameter outcomes: The ends, at most one for each claim.
    /// - Returns: The claims that no longer held: their jobs had been taken back, so what their worker found was dropped.
    ///   An empty array is the rule.
    /// - Throws: `busy` or `diskFull`: nothing was written, and the same call may be made again; `io`: nothing is known.
    public func record(_ outcomes: [Outcome]) throws(JobsError) -> [Claim] {
        guard !outcomes.isEmpty else { return [] }
        return try write("record results", durability: options.durability) { database in
            var changes = CountChanges()
            var lost: [Claim] = []
            var kinds: WakeKinds = []
            for outcome in outcomes {
                guard let row = try end(outcome, in: database) else {
                    lost.append(outcome.claim)
                    continue
                }
                changes.move(model: row["model_id"], batch: row["batch_id"], from: .running, to: outcome.state)
                if case .succeeded(let result) = outcome.ending {
                    try database.cachedStatement(sql: "INSERT INTO results (job_id, document) VALUES (?, ?)")
                        .execute(arguments: [outcome.claim.job.rawValue, result])
                }
                kinds.insert(outcome.state.isFinal ? .results : .work)
            }
            try changes.apply(to: database)
            return (lost, kinds)
        }
    }

    /// Ends the attempt if the claim still holds; nil if it does not.
    private func end(_ outcome: Outcome, in database: Database) throws -> Row? {
        let claim = outcome.claim
        let fence = "WHERE id = ? AND claim_token = ? AND state = 2 RETURNING model_id, batch_id"
        switch outcome.ending {
        case .succeeded:
            let sql = "UPDATE jobs SET state = 3, claim_token = NULL, finished_at_us = ? \(fence)"
            return try Row.fetchAll(
                database.cachedStatement(sql: sql),
                arguments: [outcome.finishedAt.microseconds, claim.job.rawValue, claim.token]
            ).first
        case .failed(let failure):
            let sql = """
                UPDATE jobs SET state = 4, claim_token = NULL, finished_at_us = ?, error_kind = ?, error_message = ?,
                    error_retryable = ? \(fence)
                """
            return try Row.fetchAll(
                database.cachedStatement(sql: sql),
                arguments: [
                    outcome.finishedAt.microseconds, failure.kind, failure.message, failure.isRetryable,
                    claim.job.rawValue, claim.token,
                ]
            ).first
        case .interrupted:
            let sql = "UPDATE jobs SET state = 1, claim_token = NULL, attempts = attempts - 1 \(fence)"
            let row = try Row.fetchAll(
                database.cachedStatement(sql: sql),
                arguments: [claim.job.rawValue, claim.token]
            ).first
            if row != nil { try remember(outcome, as: "interrupted", in: database) }
            return row
        }
    }

    /// Adds an attempt that did not end its job to the history.
    private func remember(_ outcome: Outcome, as kind: String, in database: Database) throws {
        let sql = """
            INSERT INTO attempts (job_id, number, worker_id, started_at_us, ended_at_us, outcome)
            SELECT id, ?, worker_id, started_at_us, ?, ? FROM jobs WHERE id = ?
            """
        try database.cachedStatement(sql: sql).execute(arguments: [
            outcome.claim.attempt, outcome.finishedAt.microseconds, kind, outcome.claim.job.rawValue,
        ])
    }
}

extension Outcome {
    /// The state the job goes to.
    fileprivate var state: JobState {
        switch ending {
        case .succeeded: .succeeded
        case .failed: .failed
        case .interrupted: .queued
        }
    }
}
