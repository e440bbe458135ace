// SPDX-License-Identifier: Apache-2.0

import GRDB

@testable import YoloqJobs

/// What two stores made differently, with the way to it.
struct Mismatch: Error, CustomStringConvertible {
    let description: String
}

/// A random walk through everything that can happen to a queue, taken by two stores side by side.
struct RandomWalk {
    private let queue: JobQueue
    private let reference = ReferenceStore()
    private let seed: UInt64
    private var random: SeededGenerator
    private var now = noon
    private var step = 0
    /// The last operations, oldest first.
    private var log: [() -> String] = []
    private var tally: [String: Int] = [:]
    /// Claims whose jobs may still run, as each store gave them.
    private var held: [(queue: Claim, reference: Claim)] = []
    /// Claims that were recorded, or lost their jobs.
    private var spent: [(queue: Claim, reference: Claim)] = []
    private var leases: [String: Timestamp] = [:]
    private var peak = 0

    init(on queue: JobQueue, seed: UInt64) {
        self.queue = queue
        self.seed = seed
        random = SeededGenerator(seed: seed)
    }

    /// What was done how often.
    var summary: String {
        let counts = tally.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return "at most \(peak) jobs; " + counts.joined(separator: ", ")
    }

    /// Takes some steps, with a look at what each changed, and at everything now and then.
    mutating func take(_ count: Int) throws {
        while step < count {
            step += 1
            // Never twice the same moment.
            now = now + .microseconds(Int64.random(in: 1...200_000, using: &random))
            do {
                try takeStep()
            } catch let error as JobsError {
                throw mismatch("what the step could do", error, "no error")
            }
            try compareTouched()
            try compareSums()
            if step % 500 == 0 || step == count { try compareAll() }
        }
    }

    private mutating func takeStep() throws {
        let jobs = reference.allJobs()
        peak = max(peak, jobs.count)
        if jobs.indices.count(where: { !jobs[$0].state.isFinal }) > 100 { return try cancel(jobs, atMost: 60) }
        if jobs.count > 200 { return try prune(all: true) }
        switch Int.random(in: 0..<1000, using: &random) {
        case ..<200: try submit(jobs)
        case ..<420: try claim()
        case ..<660: try record()
        case ..<700: try cancel(jobs, atMost: 3)
        case ..<750: try retry(jobs)
        case ..<780: try register()
        case ..<790: try unregister()
        case ..<805: try rescue(byDeath: true)
        case ..<820: try rescue(byDeath: false)
        case ..<850: try renew()
        case ..<910: try compare("promote", "", queue.promote(now: now), reference.promote(now: now))
        case ..<940: try compare("expire", "", queue.expire(now: now), reference.expire(now: now))
        case ..<955: try prune(all: false)
        case ..<962: try pause()
        case ..<985: try resume()
        case ..<997:
            note("advance")
            now = now + .microseconds(Int64.random(in: 1...60_000_000, using: &random))
        default:
            note("jump")
            let hour: Int64 = chance(2) ? 3_600_000_000 : -3_600_000_000
            now = now + .microseconds(hour + Int64.random(in: 0...1_000_000, using: &random))
        }
    }

    // MARK: Chance

    private mutating func chance(_ times: Int) -> Bool { Int.random(in: 0..<times, using: &random) == 0 }

    private mutating func pick<C: Collection>(_ choices: C) -> C.Element? { choices.randomElement(using: &random) }

    private mutating func wait(atMost seconds: Int64) -> Duration {
        .microseconds(Int64.random(in: 0...seconds * 1_000_000, using: &random))
    }

    private mutating func someWorker() -> String { "w\(Int.random(in: 0..<6, using: &random))" }

    // MARK: Operations

    private static let hashes = ["a", "b"].map { String(repeating: $0, count: 64) }

    /// A changed file, a copy, and one file under two names are among them.
    private static let models = [
        ModelReference(name: "a", path: "/m/a.onnx", sha256: hashes[0]),
        ModelReference(name: "a", path: "/m/a.onnx", sha256: hashes[1]),
        ModelReference(name: "b", path: "/m/b.onnx", sha256: hashes[0]),
        ModelReference(name: "c", path: "/m/c.onnx", sha256: hashes[1]),
        ModelReference(name: "alias", path: "/m/c.onnx", sha256: hashes[1]),
    ]

    private mutating func someRequest() -> JobRequest {
        let content = "\(Int.random(in: 0..<6, using: &random))"
        var request = JobRequest(model: pick(RandomWalk.models) ?? RandomWalk.models[0], source: "/\(content).jpg")
        if chance(2) { request.pin = pin(content) }
        if chance(6) { request.content = InlineContent(Array(content.utf8)) }
        if chance(4) { request.parameters = #"{"conf":0.5}"# }
        if chance(8) { request.meta = "[\(step)]" }
        if chance(2) { request.batch = "b\(Int.random(in: 0..<5, using: &random))" }
        if chance(3) { request.priority = Int.random(in: -1...2, using: &random) }
        if chance(4) { request.runAt = now + wait(atMost: 40) + .seconds(-5) }
        if chance(4) { request.expiresAt = now + wait(atMost: 60) + .seconds(-2) }
        if chance(4) { request.timeLimit = .seconds(1) + wait(atMost: 60) }
        if chance(2) {
            request.retry.maxAttempts = Int.random(in: 1...5, using: &random)
            request.retry.firstDelay = wait(atMost: 3)
            request.retry.longestDelay = wait(atMost: 9)
        }
        if chance(6) { request.key = "k\(Int.random(in: 0..<12, using: &random))" }
        if chance(6) { request.latestKey = "l\(Int.random(in: 0..<4, using: &random))" }
        if request.pin != nil || request.content != nil { request.reusesResults = chance(2) }
        if chance(200) { request.batch = "17" }
        if chance(200) { request.retry.maxAttempts = 0 }
        return request
    }

    private mutating func submit(_ jobs: [ReferenceJob]) throws {
        let requests = (0..<Int.random(in: 1...4, using: &random)).map { _ in someRequest() }
        let maxQueued =
            chance(10) ? max(0, jobs.indices.count { jobs[$0].waits } + Int.random(in: -2...3, using: &random)) : nil
        func submit(to store: some JobStore) -> Result<[Receipt], JobsError> {
            var receipts: [Receipt] = []
            do throws(JobsError) {
                try store.submit(requests, now: now, maxQueued: maxQueued) { receipts += $0 }
            } catch {
                return .failure(JobsError(error.code, ""))
            }
            return .success(receipts)
        }
        try compare(
            "submit",
            "\(requests) at most \(maxQueued ?? -1)",
            submit(to: queue),
            submit(to: reference)
        )
    }

    private mutating func claim() throws {
        let models = reference.models().map(\.id).filter { _ in !chance(3) }
        let loaded = chance(2) ? pick(models) : nil
        let limit = Int.random(in: 1...4, using: &random)
        let worker = someWorker()
        func claim(from store: some JobStore) throws -> [Claim] {
            try store.claim(limit: limit, models: models, loaded: loaded, worker: worker, now: now, giveUp: { false })
        }
        let (first, second) = (try claim(from: queue), try claim(from: reference))
        try compare(
            "claim",
            "\(limit) of \(models), loaded \(loaded ?? 0), for \(worker)",
            first.map(\.withoutToken),
            second.map(\.withoutToken)
        )
        held += zip(first, second).map { (queue: $0, reference: $1) }
    }

    private mutating func record() throws {
        var pairs: [(queue: Claim, reference: Claim)] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            if !held.isEmpty {
                pairs.append(held.remove(at: Int.random(in: 0..<held.count, using: &random)))
            }
        }
        spent += pairs
        // Somebody who wakes up late.
        if chance(8), let late = pick(spent), !pairs.contains(where: { $0.queue.token == late.queue.token }) {
            pairs.append(late)
        }
        if spent.count > 60 { spent.removeFirst(30) }
        let endings = pairs.map { _ in someEnding() }
        let jitter = pick([0, 0.25, 0.5, 1]) ?? 0
        func record(in store: some JobStore, _ claims: [Claim]) throws -> [Claim] {
            try store.record(zip(claims, endings).map { Outcome($0, $1, at: now) }, jitter: { jitter })
        }
        try compare(
            "record",
            "\(zip(pairs.map(\.queue.job), endings).map { "\($0): \($1)" }), jitter \(jitter)",
            record(in: queue, pairs.map(\.queue)).map(\.withoutToken),
            record(in: reference, pairs.map(\.reference)).map(\.withoutToken)
        )
    }

    private mutating func someEnding() -> Outcome.Ending {
        switch Int.random(in: 0..<20, using: &random) {
        case ..<9: .succeeded(result: "[\(step)]")
        case ..<13: .failed(passing)
        case ..<15: .failed(lasting)
        case ..<18: .crashed(JobFailure(kind: "killed", message: "signal \(step % 32)", isRetryable: chance(2)))
        default: .interrupted
        }
    }

    private mutating func someJobs(_ jobs: [ReferenceJob], atMost count: Int) -> [JobID] {
        (0..<Int.random(in: 1...count, using: &random)).map { _ in
            pick(jobs)?.id ?? JobID(rawValue: 1)
        }
    }

    private mutating func cancel(_ jobs: [ReferenceJob], atMost count: Int) throws {
        let ids = someJobs(jobs, atMost: count)
        try compare("cancel", "\(ids)", queue.cancel(ids, now: now), reference.cancel(ids, now: now))
    }

    private mutating func retry(_ jobs: [ReferenceJob]) throws {
        let ids = someJobs(jobs, atMost: 4)
        let model = chance(3) ? pick(RandomWalk.models) : nil
        try compare(
            "retry",
            "\(ids) with \(model?.path ?? "their model")",
            queue.retry(ids, with: model, now: now),
            reference.retry(ids, with: model, now: now)
        )
    }

    private mutating func register() throws {
        let worker = worker(someWorker())
        func register(in store: some JobStore) -> JobsError.Code? {
            do throws(JobsError) { try store.register(worker, now: now) } catch { return error.code }
            return nil
        }
        let code = register(in: queue)
        try compare("register", worker.id, code, register(in: reference))
        if code == nil { leases[worker.id] = now + JobQueue.lease }
    }

    private mutating func unregister() throws {
        let worker = someWorker()
        try compare(
            "unregister",
            worker,
            queue.unregister(worker: worker, now: now),
            reference.unregister(worker: worker, now: now)
        )
    }

    private mutating func rescue(byDeath: Bool) throws {
        let worker = someWorker()
        // Now and then with the lease of long ago.
        let lease = (leases[worker] ?? now) + (chance(3) ? .seconds(-1) : .zero)
        let cause = byDeath ? RescueCause.death : .silence(lease: lease)
        try compare(
            "rescue",
            "\(worker) because \(cause)",
            queue.rescue(worker: worker, because: cause, now: now),
            reference.rescue(worker: worker, because: cause, now: now)
        )
    }

    private mutating func renew() throws {
        let worker = someWorker()
        let isKnown = try queue.renewLease(ofWorker: worker, now: now)
        try compare("renew", worker, isKnown, reference.renewLease(ofWorker: worker, now: now))
        if isKnown { leases[worker] = now + JobQueue.lease }
    }

    private mutating func prune(all: Bool) throws {
        let states: [JobState] =
            all ? [.succeeded, .failed, .cancelled] : [pick([.succeeded, .failed, .cancelled]) ?? .failed]
        let moment = all ? now + .seconds(7200) : now + (.zero - wait(atMost: 120))
        for state in states {
            try compare(
                "prune",
                "\(state) before \(moment.microseconds)",
                queue.prune(state, before: moment),
                reference.prune(state, before: moment)
            )
        }
    }

    private mutating func someScope() -> PauseScope {
        pick([.everything, .model("a"), .model("c"), .model("alias"), .model("/m/b.onnx")]) ?? .everything
    }

    private mutating func pause() throws {
        let scope = someScope()
        try compare("pause", "\(scope)", queue.pause(scope, now: now), reference.pause(scope, now: now))
    }

    private mutating func resume() throws {
        let scope = someScope()
        try compare("resume", "\(scope)", queue.resume(scope), reference.resume(scope))
    }

    // MARK: Comparing

    private mutating func note(_ name: String, _ details: @escaping () -> String = { "" }) {
        tally[name, default: 0] += 1
        let (step, time) = (step, now - noon)
        log.append { "\(step) at \(time): \(name) \(details())" }
        if log.count > 30 { log.removeFirst() }
    }

    private mutating func compare<T: Equatable>(
        _ name: String,
        _ details: @autoclosure @escaping () -> String,
        _ queue: T,
        _ reference: T
    ) throws {
        note(name, details)
        try same("what \(name) returned", queue, reference)
    }

    private func same<T: Equatable>(_ what: String, _ found: T, _ expected: T) throws {
        guard found == expected else { throw mismatch(what, found, expected) }
    }

    private func mismatch(_ what: String, _ found: Any, _ expected: Any) -> Mismatch {
        Mismatch(
            description: """
                YOLOQ_SEED=\(seed), step \(step): \(what) differs.
                queue:     \(found)
                reference: \(expected)
                The last operations:
                \(log.map { $0() }.joined(separator: "\n"))
                """
        )
    }

    /// The jobs that the reference changed are the same in the queue; of many, some, since reading them is what takes long.
    private func compareTouched() throws {
        for job in reference.takeTouched().sorted().prefix(4) { try compare(job) }
    }

    private func compare(_ job: JobID) throws {
        try same("job \(job)", queue.records([job]).first?.comparable, reference.records([job]).first?.comparable)
        try same("the history of \(job)", queue.attempts(of: job), reference.attempts(of: job))
    }

    /// Counters, due time, the sums over all jobs, and what must hold at any time.
    private mutating func compareSums() throws {
        if step % 20 == 0 { try same("the models", queue.models(), reference.models()) }
        try same("the next due time", queue.nextDue(), reference.nextDue())
        let sums = try queue.read("sum") { database in
            try Row.fetchOne(database.cachedStatement(sql: RandomWalk.sums)).map { row in
                (0..<row.count).map { row[$0] as Int64 }
            } ?? []
        }
        try same("the sums over all jobs", sums, reference.allJobs().sums + [0, 0, 0, 0, 0])
        let worker = someWorker()
        let tokens = reference.tokens(ofWorker: worker)
        try same(
            "the tokens of \(worker)",
            queue.tokens(ofWorker: worker),
            Set(held.filter { tokens.contains($0.reference.token) }.map(\.queue.token))
        )
    }

    private func compareAll() throws {
        let jobs = reference.allJobs()
        for job in jobs { try compare(job.id) }
        let lastID = jobs.last?.id.rawValue ?? 0
        try same("the job after the last", queue.records([JobID(rawValue: lastID + 1)]), [])
        for number in 0..<5 {
            try same("batch \(number)", queue.counts(ofBatch: "b\(number)"), reference.counts(ofBatch: "b\(number)"))
        }
        try same("the pauses", Set(queue.pauses()), Set(reference.pauses()))
    }

    private static let counters = JobState.allCases.map { "\($0.name) * \($0.rawValue + 1)" }.joined(separator: " + ")

    /// Sums over all jobs, as `sums` of the reference has them; then how many rows break a rule that always
    /// holds: a result for each success and for nothing else, a listed worker for each running job, a leader that has not
    /// ended for each follower, as many uses of each input as its counter says.
    private static let sums = """
        SELECT count(*), ifnull(sum(id * (state + 1)), 0), ifnull(sum(id * (attempts * 7 + crashes * 3 + model_id)), 0),
            ifnull(sum(id * (CASE WHEN run_at_us = \(JobQueue.never) THEN 0 ELSE run_at_us END % 1009)), 0),
            ifnull(sum(id * (ifnull(finished_at_us, 0) % 1013 + ifnull(started_at_us, 0) % 1019)), 0),
            ifnull(sum(id * (ifnull(leader_id, 0) + ifnull(superseded_by, 0) % 1021)), 0),
            (SELECT ifnull(sum(model_id * (\(counters))), 0) FROM model_counts),
            ifnull(sum(state = 3), 0) - (SELECT count(*) FROM results),
            (SELECT count(*) FROM jobs AS job INDEXED BY jobs_running
                WHERE state = 2 AND NOT EXISTS (SELECT 1 FROM workers WHERE workers.id = job.worker_id)),
            (SELECT count(*) FROM jobs AS job INDEXED BY jobs_followers
                WHERE state = 0 AND leader_id IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = job.leader_id AND jobs.state <= 2)),
            count(input_id) - (SELECT ifnull(sum(job_count), 0) FROM inputs),
            (SELECT count(*) FROM inputs WHERE job_count = 0)
        FROM jobs
        """
}

extension [ReferenceJob] {
    fileprivate var sums: [Int64] {
        var sums: [Int64] = [Int64(count), 0, 0, 0, 0, 0, 0]
        for index in indices {
            let id = self[index].id.rawValue
            sums[1] += id * Int64(self[index].state.rawValue + 1)
            sums[6] += self[index].model * Int64(self[index].state.rawValue + 1)
            sums[2] += id * (Int64(self[index].attempts * 7 + self[index].crashes * 3) + self[index].model)
            sums[3] += id * ((self[index].runAt?.microseconds ?? 0) % 1009)
            sums[4] +=
                id
                * ((self[index].finishedAt?.microseconds ?? 0) % 1013 + (self[index].startedAt?.microseconds ?? 0)
                    % 1019)
            sums[5] += id * ((self[index].leader?.rawValue ?? 0) + (self[index].supersededBy?.rawValue ?? 0) % 1021)
        }
        return sums
    }
}

extension Claim {
    /// Tokens are each store's own.
    fileprivate var withoutToken: Claim {
        Claim(
            job: job,
            token: 0,
            model: model,
            attempt: attempt,
            crashes: crashes,
            source: source,
            sha256: sha256,
            isInline: isInline,
            parameters: parameters,
            timeLimit: timeLimit,
            retry: retry,
            expiresAt: expiresAt,
            queuedAt: queuedAt,
            startedAt: startedAt
        )
    }
}

extension JobRecord {
    /// The words about a deadline are each store's own.
    fileprivate var comparable: JobRecord {
        guard let failure, failure.kind == "expired" else { return self }
        return JobRecord(
            id: id,
            state: state,
            model: model,
            batch: batch,
            source: source,
            sha256: sha256,
            isInline: isInline,
            parameters: parameters,
            meta: meta,
            priority: priority,
            key: key,
            createdAt: createdAt,
            runAt: runAt,
            expiresAt: expiresAt,
            timeLimit: timeLimit,
            startedAt: startedAt,
            finishedAt: finishedAt,
            attempts: attempts,
            maxAttempts: maxAttempts,
            crashes: crashes,
            worker: worker,
            failure: JobFailure(kind: failure.kind, message: "", isRetryable: failure.isRetryable),
            leader: leader,
            supersededBy: supersededBy,
            result: result
        )
    }
}
