// SPDX-License-Identifier: Apache-2.0

/// A job that a worker holds: what to do, and the token that every write about it must name.
public struct Claim: Sendable, Hashable {
    /// The job's number.
    public let job: JobID
    /// New with every claim: a worker that wakes up after its job was taken back holds a token that is worth nothing.
    public let token: Int64
    /// The model's row, as in `ServedModel.id`.
    public let model: Int64
    /// Counted from 1.
    public let attempt: Int
    /// Processes that died over this job.
    ///
    /// From the first on run it alone in a process of its own: if that one dies too, the job is to blame.
    public let crashes: Int
    /// What to run on.
    public let source: String
    /// What the source was at submit; nil if it was not pinned.
    public let sha256: ContentHash?
    /// Whether its bytes are in the queue: see `JobQueue.content(of:)`.
    public let isInline: Bool
    /// The parameters as JSON.
    public let parameters: String
    /// How long this attempt may take; nil for as long as it takes.
    public let timeLimit: Duration?
    /// What happens after an error that may pass.
    public let retry: RetryPolicy
    /// Not to be started again from then on.
    public let expiresAt: Timestamp?
    /// When the job could first have been claimed.
    public let queuedAt: Timestamp
    /// When it was.
    public let startedAt: Timestamp
}

/// How one claimed job ended, to be recorded exactly once.
public struct Outcome: Sendable, Hashable {
    /// What became of the job.
    public enum Ending: Sendable, Hashable {
        /// It has a result: JSON.
        case succeeded(result: String)
        /// This attempt ended with an error; whether the job is tried again is a matter of its `RetryPolicy`.
        case failed(JobFailure)
        /// The process that ran this job alone died over it; says how.
        case crashed(JobFailure)
        /// Its worker had to stop: it goes back to the queue and the attempt is not counted.
        case interrupted
    }

    /// The claim under which the job ran.
    public let claim: Claim
    /// What became of it.
    public let ending: Ending
    /// When.
    public let finishedAt: Timestamp

    /// Describes the end of a claimed job.
    public init(_ claim: Claim, _ ending: Ending, at finishedAt: Timestamp) {
        self.claim = claim
        self.ending = ending
        self.finishedAt = finishedAt
    }

    /// The crash from which on a job is not run again.
    static let crashLimit = 2

    /// What the end of an attempt means for its job.
    enum Verdict: Hashable {
        case succeed(result: String)
        case fail(JobFailure)
        /// Try again, not before.
        case retry(JobFailure, at: Timestamp)
        /// Back to the queue at once with one crash more.
        case suspect(JobFailure)
        /// Failed for good with one crash more.
        case quarantine(JobFailure)
        /// Back to the queue at once, as if nothing had been.
        case giveBack
    }

    /// Decides what the end of the attempt means for the job.
    ///
    /// - Parameter jitter: A random number from 0 to 1; see `RetryPolicy.delay`.
    /// - Returns: The verdict.
    func verdict(jitter: Double) -> Verdict {
        switch ending {
        case .succeeded(let result): return .succeed(result: result)
        case .interrupted: return .giveBack
        case .crashed(let failure):
            return claim.crashes + 1 < Outcome.crashLimit ? .suspect(failure) : .quarantine(failure)
        case .failed(let failure):
            let at = finishedAt + claim.retry.delay(afterAttempt: claim.attempt, jitter: jitter)
            let isTooLate = claim.expiresAt.map { at >= $0 } ?? false
            guard failure.isRetryable, claim.attempt < claim.retry.maxAttempts, !isTooLate else {
                return .fail(failure)
            }
            return .retry(failure, at: at)
        }
    }
}

/// A model that jobs ask for, with its number of jobs in each state.
public struct ServedModel: Sendable, Hashable {
    /// The model's row.
    public let id: Int64
    /// Name, path and hash, as submitted.
    public let reference: ModelReference
    /// Whether a pause keeps its jobs from being claimed.
    public let isPaused: Bool
    /// Its jobs.
    public let counts: JobCounts
}
