// SPDX-License-Identifier: Apache-2.0

/// A job as it is stored, with its result if it has one.
public struct JobRecord: Sendable, Hashable {
    /// The job's number.
    public let id: JobID
    /// Where it is on its way.
    public let state: JobState
    /// The model it asks for.
    public let model: ModelReference
    /// The batch it belongs to.
    public let batch: String?
    /// What it runs on.
    public let source: String
    /// What the source was at submit, if it was pinned.
    public let sha256: ContentHash?
    /// Whether its bytes are kept in the queue.
    public let isInline: Bool
    /// The parameters as JSON.
    public let parameters: String
    /// The submitter's own JSON.
    public let meta: String?
    /// Higher runs first.
    public let priority: Int
    /// The submitter's name for it.
    public let key: String?
    /// When it was submitted.
    public let createdAt: Timestamp
    /// Not before; nil for one that waits for another job's result, or waited for it to its end.
    public let runAt: Timestamp?
    /// Not to be started from then on.
    public let expiresAt: Timestamp?
    /// How long one attempt may take; nil for as long as it takes.
    public let timeLimit: Duration?
    /// When its last attempt was claimed; nil if it never was.
    public let startedAt: Timestamp?
    /// When it ended; nil until then.
    public let finishedAt: Timestamp?
    /// Tries so far, the running one included; interrupted ones and those whose process died are not counted.
    public let attempts: Int
    /// How many attempts it may take.
    public let maxAttempts: Int
    /// Processes that died over it.
    public let crashes: Int
    /// The worker that ran it last.
    public let worker: String?
    /// Why it failed; nil unless it did.
    public let failure: JobFailure?
    /// The job that shares its result with this one, or will, or would have if this one had not been ended before.
    public let leader: JobID?
    /// The newer job of the same `latestKey` that cancelled this one.
    public let supersededBy: JobID?
    /// The result's JSON; nil unless it succeeded.
    public let result: String?
}

/// One try of a job that has ended, or is running.
public struct Attempt: Sendable, Hashable {
    /// How a try ended.
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// It still runs.
        case running
        /// It gave the result.
        case succeeded
        /// It ended with an error, which `failure` tells.
        case error
        /// Somebody cancelled the job; after a retry of the job such a try counts as interrupted.
        case cancelled
        /// Its worker had to stop; not counted.
        case interrupted
        /// Its process died; not counted as an attempt but as a crash.
        case crash
        /// Its worker was given up: it had not been heard of for a lease, or its machine started anew, or it died while the
        /// job ran alone in a process of its own. Not counted.
        case rescued
    }

    /// From 1; a try that is not counted leaves its number to the next.
    public let number: Int
    /// The worker that ran it.
    public let worker: String
    /// When it was claimed.
    public let startedAt: Timestamp
    /// When it ended; nil while it runs.
    public let endedAt: Timestamp?
    /// How it ended.
    public let outcome: Outcome
    /// What went wrong, in the words of whoever noticed.
    ///
    /// Of a try that did not end its job, every error counts as retryable, and nothing else does.
    public let failure: JobFailure?
}
