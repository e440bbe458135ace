// SPDX-License-Identifier: Apache-2.0

@testable import YoloqJobs

/// A queue in memory that does what `JobStore` and DESIGN say in the plainest way there is.
///
/// It is what the SQLite store is compared with, so nothing in it is taken from the SQL: every question is answered by
/// looking at all jobs. `ReferenceQueue` is the queue itself; this adds a lock and the chunks of a submit.
final class ReferenceStore: JobStore {
    private let queue = Locked(ReferenceQueue())

    /// The jobs that were added, changed or deleted since this was asked last.
    func takeTouched() -> Set<JobID> {
        queue.withLock { queue in
            defer { queue.touched = [] }
            return queue.touched
        }
    }

    /// All jobs, for a look at everything.
    func allJobs() -> [ReferenceJob] { queue.withLock(\.jobs) }

    func submit(
        _ requests: some Sequence<JobRequest>,
        now: Timestamp,
        maxQueued: Int?,
        acknowledge: ([Receipt]) throws(JobsError) -> Void
    ) throws(JobsError) {
        let requests = Array(requests)
        for start in stride(from: 0, to: requests.count, by: 500) {
            let chunk = Array(requests[start..<min(start + 500, requests.count)])
            let rest = requests.count - start - chunk.count
            let receipts = try queue.withLock { queue throws(JobsError) in
                // On a copy, so that a chunk that is refused leaves nothing behind.
                var next = queue
                let receipts = try next.submit(chunk, rest: rest, maxQueued: maxQueued, now: now)
                queue = next
                return receipts
            }
            try acknowledge(receipts)
        }
    }

    func register(_ worker: WorkerIdentity, now: Timestamp) throws(JobsError) {
        try queue.withLock { queue throws(JobsError) in try queue.register(worker, now: now) }
    }

    func renewLease(ofWorker worker: String, now: Timestamp) -> Bool {
        queue.withLock { $0.renewLease(ofWorker: worker, now: now) }
    }

    func unregister(worker: String, now: Timestamp) -> Int {
        queue.withLock { $0.remove(worker, now: now) { _ in .interrupted } }
    }

    func rescue(worker: String, because cause: RescueCause, now: Timestamp) -> Int? {
        queue.withLock { $0.rescue(worker: worker, because: cause, now: now) }
    }

    func claim(
        limit: Int,
        models: [Int64],
        loaded: Int64?,
        worker: String,
        now: Timestamp,
        giveUp: () -> Bool
    ) -> [Claim] {
        queue.withLock { $0.claim(limit: limit, models: models, loaded: loaded, worker: worker, now: now) }
    }

    func record(_ outcomes: [Outcome], jitter: () -> Double) -> [Claim] {
        queue.withLock { queue in outcomes.filter { !queue.record($0, jitter: jitter()) }.map(\.claim) }
    }

    func tokens(ofWorker worker: String) -> Set<Int64> {
        queue.withLock { queue in
            Set(queue.jobs.filter { $0.state == .running && $0.worker == worker }.compactMap(\.token))
        }
    }

    func promote(now: Timestamp) -> Int { queue.withLock { $0.promote(now: now) } }

    func expire(now: Timestamp) -> Int { queue.withLock { $0.expire(now: now) } }

    func nextDue() -> Timestamp? { queue.withLock { $0.nextDue() } }

    func prune(_ state: JobState, before moment: Timestamp) -> Int {
        queue.withLock { $0.prune(state, before: moment) }
    }

    func cancel(_ jobs: [JobID], now: Timestamp) -> [JobID] {
        queue.withLock { queue in jobs.filter { queue.cancel($0, supersededBy: nil, now: now) } }
    }

    func retry(_ jobs: [JobID], with model: ModelReference?, now: Timestamp) -> [JobID] {
        queue.withLock { queue in jobs.filter { queue.retry($0, with: model, now: now) } }
    }

    func pause(_ scope: PauseScope, now: Timestamp) throws(JobsError) -> Bool {
        guard scope != .model("") else { throw JobsError(.invalidRequest, "no model is called that") }
        return queue.withLock { $0.pauses.insert(scope.plain).inserted }
    }

    func resume(_ scope: PauseScope) -> Bool { queue.withLock { $0.pauses.remove(scope.plain) != nil } }

    func pauses() -> [PauseScope] { queue.withLock { Array($0.pauses) } }

    func records(_ jobs: [JobID]) -> [JobRecord] {
        queue.withLock { queue in jobs.compactMap { queue.record(of: $0) } }
    }

    func attempts(of job: JobID) -> [Attempt] {
        queue.withLock { queue in queue.index(of: job).map { queue.jobs[$0].tries } ?? [] }
    }

    func models() -> [ServedModel] {
        queue.withLock { queue in
            var counts = [JobCounts](repeating: JobCounts(), count: queue.models.count)
            for index in queue.jobs.indices {
                counts[Int(queue.jobs[index].model) - 1][queue.jobs[index].state] += 1
            }
            return queue.models.indices.map { index in
                ServedModel(
                    id: Int64(index + 1),
                    reference: queue.models[index],
                    isPaused: queue.isPaused(Int64(index + 1)),
                    counts: counts[index]
                )
            }
        }
    }

    func counts(ofBatch batch: String) -> JobCounts? {
        queue.withLock { queue in
            var counts = JobCounts()
            for job in queue.jobs where job.request.batch == batch { counts[job.state] += 1 }
            // A batch is there as long as a job of it is.
            return counts.total > 0 ? counts : nil
        }
    }
}

/// A job of the reference queue.
struct ReferenceJob {
    /// Kept by reference, since jobs are copied all the time.
    private final class Kept: Sendable {
        let request: JobRequest

        init(_ request: JobRequest) { self.request = request }
    }

    let id: JobID
    private let kept: Kept
    let createdAt: Timestamp
    var model: Int64
    var state: JobState
    /// nil: waits for its leader.
    var runAt: Timestamp?
    var expiresAt: Timestamp?
    var startedAt: Timestamp?
    var finishedAt: Timestamp?
    var worker: String?
    var token: Int64?
    var attempts = 0
    var crashes = 0
    var failure: JobFailure?
    var leader: JobID?
    var supersededBy: JobID?
    var result: String?
    /// Every try, the running one included.
    var tries: [Attempt] = []

    init(id: JobID, request: JobRequest, createdAt: Timestamp, model: Int64, runAt: Timestamp) {
        self.id = id
        kept = Kept(request)
        self.createdAt = createdAt
        self.model = model
        self.runAt = runAt
        state = runAt > createdAt ? .scheduled : .queued
        expiresAt = request.expiresAt
    }

    var request: JobRequest { kept.request }

    var content: ContentHash? { request.content?.sha256 ?? request.pin?.sha256 }

    var waits: Bool { state == .scheduled || state == .queued }

    /// Higher priority first, then the oldest, then the first that was submitted.
    func goesBefore(_ other: ReferenceJob) -> Bool {
        if request.priority != other.request.priority { return request.priority > other.request.priority }
        if runAt != other.runAt, let runAt, let otherRunAt = other.runAt { return runAt < otherRunAt }
        return id < other.id
    }

    /// Ends the try that runs.
    mutating func endTry(_ outcome: Attempt.Outcome, _ failure: JobFailure?, at end: Timestamp) {
        guard let last = tries.popLast() else { preconditionFailure("a running job has a try") }
        tries.append(
            Attempt(
                number: last.number,
                worker: last.worker,
                startedAt: last.startedAt,
                endedAt: end,
                outcome: outcome,
                failure: failure
            )
        )
    }

    /// As a try that did not end its job is remembered: of an error it is known that it may pass, of nothing else.
    mutating func rememberTry(_ outcome: Attempt.Outcome, _ failure: JobFailure?, at end: Timestamp) {
        endTry(
            outcome,
            failure.map { JobFailure(kind: $0.kind, message: $0.message, isRetryable: outcome == .error) },
            at: end
        )
    }
}

/// The reference queue: jobs in order of submission, models in order of appearance, workers with their leases.
struct ReferenceQueue {
    private(set) var jobs: [ReferenceJob] = []
    private(set) var models: [ModelReference] = []
    private var leases: [String: Timestamp] = [:]
    private var lastJob: Int64 = 0
    private var lastToken: Int64 = 0
    var pauses: Set<PauseScope> = []
    var touched: Set<JobID> = []

    // MARK: Looking

    func index(of job: JobID) -> Int? {
        var low = 0
        var high = jobs.count
        while low < high {
            let middle = (low + high) / 2
            if jobs[middle].id < job { low = middle + 1 } else { high = middle }
        }
        return low < jobs.count && jobs[low].id == job ? low : nil
    }

    func isPaused(_ model: Int64) -> Bool {
        let reference = models[Int(model) - 1]
        return pauses.contains(.everything) || pauses.contains(.model(reference.name))
            || pauses.contains(.model(reference.path))
    }

    func record(of id: JobID) -> JobRecord? {
        guard let index = index(of: id) else { return nil }
        let job = jobs[index]
        return JobRecord(
            id: id,
            state: job.state,
            model: models[Int(job.model) - 1],
            batch: job.request.batch,
            source: job.request.source,
            sha256: job.content,
            isInline: job.request.content != nil,
            parameters: job.request.parameters,
            meta: job.request.meta,
            priority: job.request.priority,
            key: job.request.key,
            createdAt: job.createdAt,
            runAt: job.runAt,
            expiresAt: job.expiresAt,
            timeLimit: job.request.timeLimit,
            startedAt: job.startedAt,
            finishedAt: job.finishedAt,
            attempts: job.attempts,
            maxAttempts: job.request.retry.maxAttempts,
            crashes: job.crashes,
            worker: job.worker,
            failure: job.failure,
            leader: job.leader,
            supersededBy: job.supersededBy,
            result: job.result
        )
    }

    // MARK: Changing one job

    private mutating func change(_ index: Int, _ body: (inout ReferenceJob) -> Void) {
        touched.insert(jobs[index].id)
        body(&jobs[index])
    }

    /// Ends a job for good, and gives those that follow it what they wait for.
    private mutating func end(
        _ index: Int,
        as state: JobState,
        at now: Timestamp,
        _ body: (inout ReferenceJob) -> Void = { _ in }
    ) {
        change(index) { job in
            job.state = state
            job.finishedAt = now
            job.token = nil
            body(&job)
        }
        let leader = jobs[index]
        for follower in jobs.indices
        where jobs[follower].state == .scheduled && jobs[follower].leader == leader.id {
            change(follower) { job in
                job.runAt = now
                if let result = leader.result {
                    job.state = .succeeded
                    job.result = result
                    job.finishedAt = now
                } else {
                    job.state = .queued
                    job.leader = nil
                }
            }
        }
    }

    // MARK: Submit

    mutating func submit(
        _ requests: [JobRequest],
        rest: Int,
        maxQueued: Int?,
        now: Timestamp
    ) throws(JobsError) -> [Receipt] {
        for request in requests { try check(request) }
        let waiting = jobs.indices.count { jobs[$0].waits }
        var receipts: [Receipt] = []
        var newest: [String: JobID] = [:]
        for request in requests {
            if let key = request.key, let job = jobs.indices.first(where: { jobs[$0].request.key == key }) {
                receipts.append(Receipt(job: jobs[job].id, isNew: false))
                continue
            }
            let job = add(request, now: now)
            if let name = request.latestKey { newest[name] = job }
            receipts.append(Receipt(job: job, isNew: true))
        }
        for (name, newer) in newest {
            for index in jobs.indices
            where jobs[index].request.latestKey == name && jobs[index].waits && jobs[index].id != newer {
                _ = cancel(jobs[index].id, supersededBy: newer, now: now)
            }
        }
        let wanted = jobs.indices.count { jobs[$0].waits } + rest
        if let maxQueued, wanted > maxQueued, wanted > waiting {
            throw JobsError(.full, "too many jobs wait")
        }
        return receipts
    }

    private func check(_ request: JobRequest) throws(JobsError) {
        let isValid =
            !request.source.isEmpty && request.key != "" && request.latestKey != ""
            && (1...1000).contains(request.retry.maxAttempts)
            && request.timeLimit.map { $0 >= .microseconds(1) && $0 < years(101) } ?? true
            && request.retry.firstDelay >= .zero && request.retry.firstDelay < years(101)
            && request.retry.longestDelay >= .zero && request.retry.longestDelay < years(101)
            && [request.runAt, request.expiresAt].compactMap(\.self).allSatisfy { moment in
                moment.microseconds > 0 && moment < Timestamp(microseconds: 0) + years(8031)
            }
            && (!request.reusesResults || request.pin != nil || request.content != nil)
            && request.batch.map { name in !name.allSatisfy(\.isNumber) } ?? true
        guard isValid else { throw JobsError(.invalidRequest, "the request is wrong") }
    }

    private func years(_ count: Int64) -> Duration { .seconds(count * 365 * 86400) }

    private mutating func add(_ request: JobRequest, now: Timestamp) -> JobID {
        let model = row(of: request.model)
        lastJob += 1
        var job = ReferenceJob(
            id: JobID(rawValue: lastJob),
            request: request,
            createdAt: now,
            model: model,
            runAt: request.runAt ?? now
        )
        if let twin = twin(of: job) {
            job.leader = twin.id
            if let result = twin.result {
                job.state = .succeeded
                job.result = result
                job.runAt = now
                job.finishedAt = now
            } else {
                job.state = .scheduled
                job.runAt = nil
            }
        }
        touched.insert(job.id)
        jobs.append(job)
        return job.id
    }

    private mutating func row(of model: ModelReference) -> Int64 {
        // The file makes the model, not the name by which it was first asked for.
        let index = models.firstIndex { $0.path == model.path && $0.sha256 == model.sha256 }
        if index == nil { models.append(model) }
        return Int64(index ?? models.count - 1) + 1
    }

    /// What the job can share: a result, else a job that runs, else one that is queued; the oldest of the first model.
    private func twin(of job: ReferenceJob) -> ReferenceJob? {
        guard job.request.reusesResults else { return nil }
        let twins = jobs.indices.filter { other in
            jobs[other].request.reusesResults && jobs[other].content == job.content
                && jobs[other].request.parameters == job.request.parameters
                && models[Int(jobs[other].model) - 1].sha256 == models[Int(job.model) - 1].sha256
        }.map { jobs[$0] }
        // A job that is not to run yet waits for its time, not for another job.
        let states: [JobState] = job.state == .scheduled ? [.succeeded] : [.succeeded, .running, .queued]
        for state in states {
            let inState = twins.filter { $0.state == state }
            if let first = inState.min(by: { ($0.model, $0.id) < ($1.model, $1.id) }) { return first }
        }
        return nil
    }

    // MARK: Workers

    mutating func register(_ worker: WorkerIdentity, now: Timestamp) throws(JobsError) {
        guard leases[worker.id] == nil, !worker.id.isEmpty, worker.threads > 0 else {
            throw JobsError(.invalidRequest, "there is such a worker, or it can do nothing")
        }
        leases[worker.id] = now + JobQueue.lease
    }

    mutating func renewLease(ofWorker worker: String, now: Timestamp) -> Bool {
        guard leases[worker] != nil else { return false }
        leases[worker] = now + JobQueue.lease
        return true
    }

    mutating func rescue(worker: String, because cause: RescueCause, now: Timestamp) -> Int? {
        guard let lease = leases[worker] else { return nil }
        switch cause {
        case .death:
            // A job that ran alone in a process of its own did not kill its worker.
            return remove(worker, now: now) { $0.crashes == 0 ? .crash : .rescued }
        case .silence(let seen):
            return lease == seen ? remove(worker, now: now) { _ in .rescued } : nil
        }
    }

    mutating func remove(_ worker: String, now: Timestamp, as outcome: (ReferenceJob) -> Attempt.Outcome) -> Int {
        leases[worker] = nil
        let held = jobs.indices.filter { jobs[$0].state == .running && jobs[$0].worker == worker }
        for index in held {
            let outcome = outcome(jobs[index])
            change(index) { job in
                job.rememberTry(outcome, nil, at: now)
                if outcome == .crash { job.crashes += 1 }
                job.giveBack()
            }
        }
        return held.count
    }

    mutating func claim(limit: Int, models served: [Int64], loaded: Int64?, worker: String, now: Timestamp) -> [Claim] {
        guard limit > 0, leases[worker] != nil else { return [] }
        while true {
            let free = jobs.indices.filter { index in
                jobs[index].state == .queued && served.contains(jobs[index].model) && !isPaused(jobs[index].model)
            }.sorted { jobs[$0].goesBefore(jobs[$1]) }
            // The first of each model with the loaded one's moved forward, and the first of these.
            var heads: [Int64: ReferenceJob] = [:]
            for index in free where heads[jobs[index].model] == nil { heads[jobs[index].model] = jobs[index] }
            if let loaded, let runAt = heads[loaded]?.runAt {
                heads[loaded]?.runAt = runAt + (.zero - JobQueue.loadedModelBonus)
            }
            guard let head = heads.values.min(by: { $0.goesBefore($1) }) else { return [] }
            let taken = free.filter { jobs[$0].model == head.model }.prefix(limit)
            // Whoever meets a late job ends all that are late, and looks again.
            if taken.contains(where: { isLate(jobs[$0], at: now) }) {
                _ = expire(now: now)
                continue
            }
            return taken.map { take($0, for: worker, now: now) }
        }
    }

    private func isLate(_ job: ReferenceJob, at now: Timestamp) -> Bool { job.expiresAt.map { $0 <= now } ?? false }

    private mutating func take(_ index: Int, for worker: String, now: Timestamp) -> Claim {
        lastToken += 1
        let token = lastToken
        change(index) { job in
            job.state = .running
            job.token = token
            job.worker = worker
            job.startedAt = now
            job.attempts += 1
            job.tries.append(
                Attempt(
                    number: job.attempts,
                    worker: worker,
                    startedAt: now,
                    endedAt: nil,
                    outcome: .running,
                    failure: nil
                )
            )
        }
        let job = jobs[index]
        return Claim(
            job: job.id,
            token: token,
            model: job.model,
            attempt: job.attempts,
            crashes: job.crashes,
            source: job.request.source,
            sha256: job.content,
            isInline: job.request.content != nil,
            parameters: job.request.parameters,
            timeLimit: job.request.timeLimit,
            retry: job.request.retry,
            expiresAt: job.expiresAt,
            queuedAt: job.runAt ?? now,
            startedAt: now
        )
    }

    /// Records an end if the claim still holds; false if it does not.
    mutating func record(_ outcome: Outcome, jitter: Double) -> Bool {
        guard let index = index(of: outcome.claim.job), jobs[index].token == outcome.claim.token else { return false }
        let end = outcome.finishedAt
        switch outcome.ending {
        case .succeeded(let result):
            self.end(index, as: .succeeded, at: end) { job in
                job.result = result
                job.endTry(.succeeded, nil, at: end)
            }
        case .failed(let failure):
            let job = jobs[index]
            let next = end + job.request.retry.delay(afterAttempt: job.attempts, jitter: jitter)
            if failure.isRetryable, job.attempts < job.request.retry.maxAttempts, !isLate(job, at: next) {
                change(index) { job in
                    job.rememberTry(.error, failure, at: end)
                    job.state = .scheduled
                    job.runAt = next
                    job.token = nil
                }
            } else {
                self.end(index, as: .failed, at: end) { job in
                    job.failure = failure
                    job.endTry(.error, failure, at: end)
                }
            }
        case .crashed(let failure):
            if jobs[index].crashes == 0 {
                change(index) { job in
                    job.rememberTry(.crash, failure, at: end)
                    job.crashes = 1
                    job.giveBack()
                }
            } else {
                self.end(index, as: .failed, at: end) { job in
                    job.failure = failure
                    job.endTry(.crash, failure, at: end)
                    job.crashes += 1
                    job.attempts -= 1
                }
            }
        case .interrupted:
            change(index) { job in
                job.rememberTry(.interrupted, nil, at: end)
                job.giveBack()
            }
        }
        return true
    }

    // MARK: Upkeep

    mutating func promote(now: Timestamp) -> Int {
        let due = jobs.indices.filter { index in
            jobs[index].state == .scheduled && jobs[index].runAt.map { $0 <= now } ?? false
        }
        // The longest due first, if there are too many.
        let first = due.sorted { (jobs[$0].runAt ?? now, jobs[$0].id) < (jobs[$1].runAt ?? now, jobs[$1].id) }
            .prefix(500)
        for index in first { change(index) { $0.state = .queued } }
        return first.count
    }

    mutating func expire(now: Timestamp) -> Int {
        let late = jobs.indices.filter { jobs[$0].waits && isLate(jobs[$0], at: now) }
        let first = late.sorted { (jobs[$0].expiresAt ?? now, $0) < (jobs[$1].expiresAt ?? now, $1) }.prefix(500)
        for index in first {
            end(index, as: .failed, at: now) { job in
                job.failure = JobFailure(kind: "expired", message: "its deadline passed")
            }
        }
        return first.count
    }

    func nextDue() -> Timestamp? {
        var due: Timestamp?
        for index in jobs.indices where jobs[index].waits {
            if jobs[index].state == .scheduled, let runAt = jobs[index].runAt { due = min(due ?? runAt, runAt) }
            if let expiresAt = jobs[index].expiresAt { due = min(due ?? expiresAt, expiresAt) }
        }
        return due
    }

    mutating func prune(_ state: JobState, before moment: Timestamp) -> Int {
        let old = jobs.filter { $0.state == state && $0.finishedAt.map { $0 < moment } ?? false }
            .sorted { ($0.finishedAt ?? moment, $0.id) < ($1.finishedAt ?? moment, $1.id) }
        let pruned = Set(old.prefix(500).map(\.id))
        touched.formUnion(pruned)
        jobs.removeAll { pruned.contains($0.id) }
        return pruned.count
    }

    // MARK: Control

    mutating func cancel(_ id: JobID, supersededBy newer: JobID?, now: Timestamp) -> Bool {
        guard let index = index(of: id), !jobs[index].state.isFinal else { return false }
        let isRunning = jobs[index].state == .running
        end(index, as: .cancelled, at: now) { job in
            if isRunning { job.endTry(.cancelled, nil, at: now) }
            job.supersededBy = newer
        }
        return true
    }

    mutating func retry(_ id: JobID, with model: ModelReference?, now: Timestamp) -> Bool {
        guard let index = index(of: id), [.failed, .cancelled].contains(jobs[index].state) else { return false }
        var row = jobs[index].model
        if let model { row = self.row(of: model) }
        change(index) { job in
            // What ended the job did not end it after all.
            if let last = job.tries.last, let end = last.endedAt {
                job.rememberTry(last.outcome == .cancelled ? .interrupted : last.outcome, last.failure, at: end)
            }
            job.model = row
            job.state = .queued
            job.runAt = now
            job.attempts = 0
            job.crashes = min(job.crashes, 1)
            job.finishedAt = nil
            job.failure = nil
            job.supersededBy = nil
            job.leader = nil
            job.expiresAt = nil
        }
        return true
    }
}

extension ReferenceJob {
    /// Puts a job whose try is not counted back where it was.
    fileprivate mutating func giveBack() {
        state = .queued
        token = nil
        attempts -= 1
    }
}

extension PauseScope {
    /// `*` names every job.
    fileprivate var plain: PauseScope { self == .model("*") ? .everything : self }
}
