// SPDX-License-Identifier: Apache-2.0

/// What a durable queue does, apart from where it keeps its jobs.
///
/// `JobQueue` is the one for SQLite. The suite in `Tests/YoloqJobsTests/Conformance` is written against this protocol, so
/// that another store can be held to it. Every call is atomic: it has happened wholly or not at all when it returns or
/// throws, `submit` chunk by chunk. Time and randomness come in as arguments.
public protocol JobStore: Sendable {
    // MARK: Producers

    /// Puts jobs into the queue, in chunks; see `JobQueue.submit`.
    func submit(
        _ requests: some Sequence<JobRequest>,
        now: Timestamp,
        maxQueued: Int?,
        acknowledge: ([Receipt]) throws(JobsError) -> Void
    ) throws(JobsError)

    // MARK: Workers

    /// Makes a worker known: only known workers can claim.
    func register(_ worker: WorkerIdentity, now: Timestamp) throws(JobsError)

    /// Says that a worker lives; false if it is not known any more.
    func renewLease(ofWorker worker: String, now: Timestamp) throws(JobsError) -> Bool

    /// Takes a worker off the list and gives its jobs back; returns how many.
    func unregister(worker: String, now: Timestamp) throws(JobsError) -> Int

    /// Takes a worker off the list that does not do it itself; nil if it is not known, or has been heard of since.
    func rescue(worker: String, because cause: RescueCause, now: Timestamp) throws(JobsError) -> Int?

    /// Takes the next jobs of one model for a worker; if one of them is late, first ends all that are, as `expire` does.
    func claim(
        limit: Int,
        models: [Int64],
        loaded: Int64?,
        worker: String,
        now: Timestamp,
        giveUp: () -> Bool
    ) throws(JobsError) -> [Claim]

    /// Writes how claimed jobs ended; returns the claims that no longer held.
    func record(_ outcomes: [Outcome], jitter: () -> Double) throws(JobsError) -> [Claim]

    /// The tokens under which a worker holds jobs, one for each.
    func tokens(ofWorker worker: String) throws(JobsError) -> Set<Int64>

    // MARK: Upkeep

    /// Queues jobs whose time has come, 500 at most; returns how many.
    func promote(now: Timestamp) throws(JobsError) -> Int

    /// Ends jobs whose deadline has passed before they started, 500 at most; returns how many.
    func expire(now: Timestamp) throws(JobsError) -> Int

    /// When the next job is to be promoted or expired; nil if none is.
    func nextDue() throws(JobsError) -> Timestamp?

    /// Deletes jobs that ended in one state before a moment, 500 at most; returns how many.
    func prune(_ state: JobState, before: Timestamp) throws(JobsError) -> Int

    // MARK: Control

    /// Ends jobs that have not ended; returns those it ended.
    func cancel(_ jobs: [JobID], now: Timestamp) throws(JobsError) -> [JobID]

    /// Queues jobs that failed or were cancelled; returns those it queued.
    func retry(_ jobs: [JobID], with model: ModelReference?, now: Timestamp) throws(JobsError) -> [JobID]

    /// Lets nobody claim jobs of a model, or of any; false if that was so already.
    func pause(_ scope: PauseScope, now: Timestamp) throws(JobsError) -> Bool

    /// Takes a pause back; false if there was none.
    func resume(_ scope: PauseScope) throws(JobsError) -> Bool

    /// The pauses there are.
    func pauses() throws(JobsError) -> [PauseScope]

    // MARK: Consumers

    /// Jobs with their results, in the order asked for, without those that do not exist.
    func records(_ jobs: [JobID]) throws(JobsError) -> [JobRecord]

    /// The tries of a job, oldest first; empty if it was never claimed or does not exist.
    func attempts(of job: JobID) throws(JobsError) -> [Attempt]

    /// Every model that a job ever asked for, with its counts.
    func models() throws(JobsError) -> [ServedModel]

    /// The counts of a batch; nil if there is none.
    func counts(ofBatch batch: String) throws(JobsError) -> JobCounts?
}

extension JobStore {
    /// Puts a few jobs into the queue, all or none if there are at most 500.
    ///
    /// - Parameters:
    ///   - requests: The jobs, in the order in which they shall run.
    ///   - now: The time of submission.
    /// - Returns: The job of each request, in the order of the requests; the jobs are safe.
    /// - Throws: As the other form.
    @discardableResult
    public func submit(_ requests: [JobRequest], now: Timestamp) throws(JobsError) -> [JobID] {
        var ids: [JobID] = []
        ids.reserveCapacity(requests.count)
        try submit(requests, now: now, maxQueued: nil) { ids += $0.map(\.job) }
        return ids
    }
}

/// Who a worker process is and what it serves.
public struct WorkerIdentity: Sendable, Hashable {
    /// Unique for ever.
    public let id: String
    /// The host it runs on.
    public let host: String
    /// The host's start, so that a lock of before is not taken for one of now.
    public let bootID: String
    /// Its process, for people.
    public let pid: Int
    /// How many jobs it can run at once.
    public let threads: Int
    /// The models it serves, by name or by absolute path; nil for every model.
    public let serves: [String]?

    /// Describes a worker.
    public init(id: String, host: String, bootID: String, pid: Int, threads: Int, serves: [String]?) {
        self.id = id
        self.host = host
        self.bootID = bootID
        self.pid = pid
        self.threads = threads
        self.serves = serves
    }
}

/// Why a worker is given up by others.
public enum RescueCause: Sendable, Hashable {
    /// Its process died: each of its jobs has one crash more, unless it ran alone in a process of its own.
    case death
    /// It has not renewed its lease for too long; the lease as it was seen, so that one who wakes up in time keeps its
    /// jobs.
    case silence(lease: Timestamp)
}

/// What a pause is about.
public enum PauseScope: Sendable, Hashable {
    /// Every job.
    case everything
    /// Jobs of models of this name or absolute path; the name `*` is every job.
    case model(String)
}
