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
        let update = try HotStatement(verdict.statement, in: database)
        update.bind(claim.job.rawValue, at: 1)
        update.bind(claim.token, at: 2)
        verdict.bind(to: update, at: outcome.finishedAt)
        var isHeld = false
        var reuses = false
        try update.forEachRow { row in
            isHeld = true
            reuses = row.bool(2)
            transition.move(
                model: row.integer(0),
                batch: row.optionalInteger(1),
                from: .running,
                to: verdict.state
            )
        }
        guard isHeld else { return false }
        switch verdict {
        case .succeed(let result):
            let insert = try HotStatement(JobQueue.insertResultStatement, in: database)
            insert.bind(claim.job.rawValue, at: 1)
            insert.bind(result, at: 2)
            try insert.run()
        case .fail, .quarantine: break
        case .retry(let failure, _): try remember(outcome, as: .error, failure, in: database)
        case .suspect(let failure): try remember(outcome, as: .crash, failure, in: database)
        case .giveBack: try remember(outcome, as: .interrupted, nil, in: database)
        }
        if reuses, verdict.state.isFinal {
            try transition.settleFollowers(
                of: claim.job.rawValue,
                hasResult: verdict.state == .succeeded,
                at: outcome.finishedAt,
                in: database
            )
        }
        return true
    }

    static let insertResultStatement = "INSERT INTO results (job_id, document) VALUES (?, ?)"

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

    /// Binds what comes behind the job and its token.
    fileprivate func bind(to statement: HotStatement, at end: Timestamp) {
        switch self {
        case .succeed: statement.bind(end.microseconds, at: 3)
        case .fail(let failure), .quarantine(let failure):
            statement.bind(end.microseconds, at: 3)
            statement.bind(failure.kind, at: 4)
            statement.bind(failure.message, at: 5)
            statement.bind(failure.isRetryable, at: 6)
        case .retry(_, let at): statement.bind(at.microseconds, at: 3)
        case .suspect, .giveBack: break
        }
    }
}

/// UPDATEs by primary key that change nothing unless the claim still holds.
enum Fenced {
    static let succeed = statement("state = 3, finished_at_us = ?3")
    static let fail = statement(
        "state = 4, finished_at_us = ?3, error_kind = ?4, error_message = ?5, error_retryable = ?6"
    )
    static let quarantine = statement(
        """
        state = 4, finished_at_us = ?3, error_kind = ?4, error_message = ?5, error_retryable = ?6,
        attempts = attempts - 1, crashes = crashes + 1
        """
    )
    static let retry = statement("state = 0, run_at_us = ?3")
    static let suspect = statement("state = 1, attempts = attempts - 1, crashes = crashes + 1")
    static let giveBack = statement("state = 1, attempts = attempts - 1")

    private static func statement(_ change: String) -> String {
        """
        UPDATE jobs SET claim_token = NULL, \(change) WHERE id = ?1 AND claim_token = ?2 AND state = 2
        RETURNING model_id, batch_id, reuses
        """
    }
}
