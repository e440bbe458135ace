// SPDX-License-Identifier: Apache-2.0

/// One unit of work to submit.
///
/// The queue looks into none of its texts.
public struct JobRequest: Sendable, Hashable {
    /// The model to run.
    public var model: ModelReference
    /// What to run it on; for images the absolute path.
    public var source: String
    /// What the source was when the job was made, so that a worker notices a changed file; nil to take what is there.
    public var pin: SourcePin?
    /// The bytes to run on, kept in the queue; nil to read them from `source` when the job runs.
    public var content: InlineContent?
    /// The parameters as JSON.
    ///
    /// Equal texts are stored once, so keep the keys in one order.
    public var parameters: String
    /// The submitter's own JSON, handed through to the result.
    public var meta: String?
    /// The name of the group the job belongs to; made if it does not exist.
    ///
    /// It must hold a character that is no digit.
    public var batch: String?
    /// Higher runs first among the jobs that are queued.
    public var priority: Int
    /// Not before this moment; nil for at once.
    public var runAt: Timestamp?
    /// A job that has not started by then ends as `failed` with kind `expired`; nil if it is worth running at any time.
    public var expiresAt: Timestamp?
    /// How long one attempt may take; nil for as long as it takes.
    public var timeLimit: Duration?
    /// What happens after an error that may pass.
    public var retry = RetryPolicy()
    /// Names this submit: while a job of the same key is stored, it is what the submit gives, and nothing is added.
    public var key: String?
    /// Names a source of which only the newest job matters: this job cancels those of the same name that wait.
    public var latestKey: String?
    /// Whether to share results by content: a stored result of the same bytes, model hash and parameters becomes this
    /// job's at once, and a job that is queued or runs is joined, unless this one is not to run yet.
    ///
    /// Needs a `pin` or `content`, and looks at jobs alone that ask for the same: at the oldest of them, if there are more.
    public var reusesResults = false

    /// Describes a job to submit.
    public init(
        model: ModelReference,
        source: String,
        parameters: String = "{}",
        meta: String? = nil,
        batch: String? = nil,
        priority: Int = 0
    ) {
        self.model = model
        self.source = source
        self.parameters = parameters
        self.meta = meta
        self.batch = batch
        self.priority = priority
    }
}

/// What a submit made of one request.
public struct Receipt: Sendable, Hashable {
    /// The job that stands for the request.
    public let job: JobID
    /// Whether the job was added now; false if one of the same key was there.
    public let isNew: Bool

    /// Describes what became of a request.
    public init(job: JobID, isNew: Bool) {
        self.job = job
        self.isNew = isNew
    }
}

/// How often and when a job is tried again after an error that may pass.
///
/// Permanent errors are not tried again, and the death of a process is counted apart (see `Claim.crashes`).
public struct RetryPolicy: Sendable, Hashable {
    /// How many attempts end with an error before the job fails, from 1 to 1000.
    public var maxAttempts: Int
    /// The wait before the second attempt; each further one is twice as long.
    public var firstDelay: Duration
    /// No wait is longer, jitter aside.
    public var longestDelay: Duration

    /// The defaults: three attempts, after 2 s and 4 s.
    public init(
        maxAttempts: Int = 3,
        firstDelay: Duration = .seconds(2),
        longestDelay: Duration = .seconds(600)
    ) {
        self.maxAttempts = maxAttempts
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
    }

    /// The wait before the next attempt.
    ///
    /// - Parameters:
    ///   - attempt: The attempt that failed, from 1.
    ///   - jitter: A random number from 0 to 1, so that jobs that failed together do not come back together.
    /// - Returns: The doubled and bounded delay, times 0.75 to 1.25.
    public func delay(afterAttempt attempt: Int, jitter: Double) -> Duration {
        // Bounded before it is doubled again: a power of two of a long delay is more than a duration can hold.
        var doubled = min(firstDelay, longestDelay)
        for _ in 1..<max(attempt, 1) where doubled > .zero && doubled < longestDelay {
            doubled = min(doubled * 2, longestDelay)
        }
        return doubled * (0.75 + 0.5 * jitter)
    }
}
