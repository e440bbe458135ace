// SPDX-License-Identifier: Apache-2.0

import GRDB

extension JobQueue {
    /// Writes how claimed jobs ended: all of them in one transaction, each at most once.
    ///
    /// An attempt that failed with an error that may pass leads to another one as the job's `RetryPolicy` says; a job over
    /// which a second process has died is not run again.
    ///
    /// - Parameters:
    ///   - outcomes: The ends, at most one for each claim.
    ///   - jitter: Gives random numbers from 0 to 1 for the times of further attempts.
    /// - Returns: The claims that no longer held: their jobs had been taken back or cancelled, so what their worker found
    ///   was dropped. An empty array is the rule.
    /// - Throws: `busy` or `diskFull`: nothing was written, and the same call may be made again; `io`: nothing is known.
    public func record(
        _ outcomes: [Outcome],
        jitter: () -> Double = { .random(in: 0...1) }
    ) throws(JobsError) -> [Claim] {
        guard !outcomes.isEmpty else { return [] }
        return try write("record results", durability: options.durability) { database in
            var lost: [Claim] = []
            var transition = Transition()
            for outcome in outcomes
            where try !end(outcome, outcome.verdict(jitter: jitter()), &transition, in: database) {
                lost.append(outcome.claim)
            }
            try transition.finish(in: database)
            return (lost, transition.kinds)
        }
    }

    /// Ends the attempt if the claim still holds; false if it does not.
    private func end(
        _ outcome: Outcome,
        _ verdict: Outcome.Verdict,
        _ transition: inout Transition,
        in database: Database
    ) throws -> Bool {
        let claim = outcome.claim
        let row = try Row.fetchAll(
            database.cachedStatement(sql: verdict.statement),
            arguments: verdict.arguments(at: outcome.finishedAt) + [claim.job.rawValue, claim.token]
        ).first
        guard let row else { return false }
        transition.move(model: row[0], batch: row[1], from: .running, to: verdict.state)
        switch verdict {
        case .succeed(let result):
            try database.cachedStatement(sql: "INSERT INTO results (job_id, document) VALUES (?, ?)")
                .execute(arguments: [claim.job.rawValue, result])
        case .fail, .quarantine: break
        case .retry(let failure, _): try remember(outcome, as: .error, failure, in: database)
        case .suspect(let failure): try remember(outcome, as: .crash, failure, in: database)
        case .giveBack: try remember(outcome, as: .interrupted, nil, in: database)
        }
        if row[2], verdict.state.isFinal {
            try transition.settleFollowers(
                of: claim.job.rawValue,
                hasResult: verdict.state == .succeeded,
                at: outcome.finishedAt,
                in: database
            )
        }
        return true
    }

    /// Adds an attempt that did not end its job to the history.
    private func remember(
        _ outcome: Outcome,
        as kind: Attempt.Outcome,
        _ failure: JobFailure?,
        in database: Database
    ) throws {
        let sql = """
            INSERT INTO attempts (job_id, number, worker_id, started_at_us, ended_at_us, outcome, error_kind, error_message)
            SELECT id, ?, worker_id, started_at_us, ?, ?, ?, ? FROM jobs WHERE id = ?
            """
        try database.cachedStatement(sql: sql).execute(arguments: [
            outcome.claim.attempt, outcome.finishedAt.microseconds, kind.rawValue, failure?.kind, failure?.message,
            outcome.claim.job.rawValue,
        ])
    }
}

extension Outcome.Verdict {
    /// The state the job goes to.
    fileprivate var state: JobState {
        switch self {
        case .succeed: .succeeded
        case .fail, .quarantine: .failed
        case .retry: .scheduled
        case .suspect, .giveBack: .queued
        }
    }

    fileprivate var statement: String {
        switch self {
        case .succeed: Fenced.succeed
        case .fail: Fenced.fail
        case .retry: Fenced.retry
        case .suspect: Fenced.suspect
        case .quarantine: Fenced.quarantine
        case .giveBack: Fenced.giveBack
        }
    }

    fileprivate func arguments(at end: Timestamp) -> StatementArguments {
        switch self {
        case .succeed: [end.microseconds]
        case .fail(let failure), .quarantine(let failure):
            [end.microseconds, failure.kind, failure.message, failure.isRetryable]
        case .retry(_, let at): [at.microseconds]
        case .suspect, .giveBack: []
        }
    }
}

/// UPDATEs by primary key that change nothing unless the claim still holds.
private enum Fenced {
    static let succeed = statement("state = 3, finished_at_us = ?")
    static let fail = statement(
        "state = 4, finished_at_us = ?, error_kind = ?, error_message = ?, error_retryable = ?"
    )
    static let quarantine = statement(
        """
        state = 4, finished_at_us = ?, error_kind = ?, error_message = ?, error_retryable = ?,
        attempts = attempts - 1, crashes = crashes + 1
        """
    )
    static let retry = statement("state = 0, run_at_us = ?")
    static let suspect = statement("state = 1, attempts = attempts - 1, crashes = crashes + 1")
    static let giveBack = statement("state = 1, attempts = attempts - 1")

    private static func statement(_ change: String) -> String {
        """
        UPDATE jobs SET claim_token = NULL, \(change) WHERE id = ? AND claim_token = ? AND state = 2
        RETURNING model_id, batch_id, reuses
        """
    }
}
