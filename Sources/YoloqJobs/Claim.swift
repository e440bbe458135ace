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
    /// What to run on.
    public let source: String
    /// The parameters as JSON.
    public let parameters: String
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
        /// It failed for good.
        case failed(JobFailure)
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
}

/// A model that jobs ask for, with its number of jobs in each state.
public struct ServedModel: Sendable, Hashable {
    /// The model's row.
    public let id: Int64
    /// Name, path and hash, as submitted.
    public let reference: ModelReference
    /// Its jobs.
    public let counts: JobCounts
}
