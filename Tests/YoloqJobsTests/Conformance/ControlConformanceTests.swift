// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

/// What every store does on request: cancel, retry, pause, prune.
struct ControlConformanceTests {
    // MARK: Cancel

    @Test(arguments: StoreKind.allCases)
    func `jobs that have not ended are cancelled, others are left`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let done = try store.add(request())
            try store.end(store.takeOne(), .succeeded(result: "{}"))
            let running = try store.add(request())
            let claim = try store.takeOne()
            let queued = try store.add(request())
            let scheduled = try store.add(request { $0.runAt = noon + .seconds(60) })
            let asked = [scheduled, done, queued, JobID(rawValue: 99), running, queued]
            #expect(try store.cancel(asked, now: noon + .seconds(1)) == [scheduled, queued, running])
            for record in try store.records([running, queued, scheduled]) {
                #expect(record.state == .cancelled && record.finishedAt == noon + .seconds(1))
                #expect(record.failure == nil && record.supersededBy == nil && record.result == nil)
            }
            #expect(try store.tokens(ofWorker: "w").isEmpty)
            #expect(try !store.end(claim, .succeeded(result: "{}")))
            #expect(try store.record(of: running).result == nil)
            #expect(try store.take(9).isEmpty)
            #expect(try store.promote(now: noon + .seconds(60)) == 0)
            #expect(try store.nextDue() == nil)
            #expect(try store.cancel([], now: noon).isEmpty)
        }
    }

    // MARK: Retry

    @Test(arguments: StoreKind.allCases)
    func `a failed job is queued again with all its attempts`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request { $0.retry.maxAttempts = 1 })
            try store.end(store.takeOne(), .failed(lasting), at: noon + .seconds(1))
            #expect(try store.retry([job], with: nil, now: noon + .seconds(2)) == [job])
            let record = try store.record(of: job)
            #expect(record.state == .queued && record.attempts == 0 && record.runAt == noon + .seconds(2))
            #expect(record.failure == nil && record.finishedAt == nil && record.model == model())
            #expect(try store.outcomes(of: job) == [.error])
            let claim = try store.takeOne(at: noon + .seconds(3))
            #expect(claim.attempt == 1)
            try store.end(claim, .succeeded(result: "{}"), at: noon + .seconds(4))
            #expect(try store.outcomes(of: job) == [.error, .succeeded])
            #expect(try store.attempts(of: job).first?.failure?.message == lasting.message)
            #expect(try store.retry([job], with: nil, now: noon + .seconds(5)).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a retry in the moment of the failure keeps the history too`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request())
            try store.end(store.takeOne(), .interrupted)
            try store.end(store.takeOne(), .failed(lasting))
            _ = try store.retry([job], with: nil, now: noon)
            #expect(try store.outcomes(of: job) == [.interrupted, .error])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a cancelled job is queued again, and its try is remembered as interrupted`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(requests(2), now: noon)
            _ = try store.takeOne(at: noon + .seconds(1))
            _ = try store.cancel(jobs, now: noon + .seconds(2))
            #expect(try store.retry(jobs, with: nil, now: noon + .seconds(3)) == jobs)
            #expect(try store.outcomes(of: jobs[0]) == [.interrupted])
            #expect(try store.attempts(of: jobs[0]).first?.endedAt == noon + .seconds(2))
            #expect(try store.outcomes(of: jobs[1]).isEmpty)
            #expect(try store.totals()[.queued] == 2)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a job that was cancelled between its tries has each of them once`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request())
            try store.end(store.takeOne(), .failed(passing), at: noon + .seconds(1))
            _ = try store.cancel([job], now: noon + .seconds(2))
            #expect(try store.outcomes(of: job) == [.error])
            _ = try store.retry([job], with: nil, now: noon + .seconds(3))
            #expect(try store.outcomes(of: job) == [.error])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a retry can give jobs another model`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(requests(2, batch: "b"), now: noon)
            for claim in try store.take(2) { try store.end(claim, .failed(lasting)) }
            #expect(try store.retry([jobs[0]], with: model("new"), now: noon) == [jobs[0]])
            let models = try store.models()
            #expect(models.map(\.reference) == [model(), model("new")])
            #expect(models.map { $0.counts[.failed] } == [1, 0])
            #expect(models.map { $0.counts[.queued] } == [0, 1])
            #expect(try store.counts(ofBatch: "b")?[.queued] == 1)
            #expect(try store.counts(ofBatch: "b")?.total == 2)
            #expect(try store.takeOne().model == models[1].id)
            #expect(try store.record(of: jobs[0]).model == model("new"))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a retry of nothing makes no model known`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request())
            #expect(try store.retry([job, JobID(rawValue: 99)], with: model("new"), now: noon).isEmpty)
            #expect(try store.models().count == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a retried job runs alone if a process died over it, and has no deadline`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request { $0.expiresAt = noon + .seconds(10) })
            for _ in 0..<2 { try store.end(store.takeOne(), .crashed(crash)) }
            _ = try store.retry([job], with: nil, now: noon + .seconds(60))
            let record = try store.record(of: job)
            #expect(record.state == .queued && record.expiresAt == nil && record.crashes == 1)
            #expect(try store.outcomes(of: job) == [.crash, .crash])
            #expect(try store.takeOne(at: noon + .seconds(61)).crashes == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a superseded or a following job that is retried runs itself`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let frame = request { $0.latestKey = "camera" }
            let jobs = try store.submit([frame, frame], now: noon)
            let leader = try store.add(sharing("cat"))
            let follower = try store.add(sharing("cat"))
            _ = try store.cancel([follower], now: noon)
            #expect(try store.retry([jobs[0], follower], with: nil, now: noon) == [jobs[0], follower])
            #expect(try store.record(of: jobs[0]).supersededBy == nil)
            #expect(try store.record(of: follower).leader == nil)
            #expect(try store.states(of: [jobs[0], leader, follower]) == [.queued, .queued, .queued])
        }
    }

    // MARK: Pauses

    @Test(arguments: StoreKind.allCases)
    func `a pause keeps jobs from being claimed until it is taken back`(kind: StoreKind) throws {
        let scopes: [PauseScope] = [.everything, .model("a"), .model("/models/a.onnx")]
        try withStore(kind) { store in
            for scope in scopes {
                _ = try store.submit(requests(1, model: "a"), now: noon)
                _ = try store.submit(requests(1, model: "b"), now: noon + .seconds(1))
                #expect(try store.pause(scope, now: noon))
                #expect(try !store.pause(scope, now: noon))
                #expect(try store.pauses() == [scope])
                #expect(try store.models().map(\.isPaused) == [true, scope == .everything])
                #expect(try store.take().isEmpty == (scope == .everything))
                #expect(try store.resume(scope))
                #expect(try !store.resume(scope))
                #expect(try store.models().map(\.isPaused) == [false, false])
                while try !store.take().isEmpty {}
                #expect(try store.totals()[.queued] == 0)
            }
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `what runs goes on during a pause, and upkeep too`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let delayed = try store.add(request { $0.runAt = noon + .seconds(1) })
            _ = try store.add(request())
            let claim = try store.takeOne()
            _ = try store.pause(.everything, now: noon)
            #expect(try store.promote(now: noon + .seconds(1)) == 1)
            #expect(try store.state(of: delayed) == .queued)
            #expect(try store.end(claim, .succeeded(result: "{}")))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a model can be paused before any job asks for it`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.pause(.model("later"), now: noon)
            _ = try store.add(request(model: "later"))
            #expect(try store.models().map(\.isPaused) == [true])
            #expect(try store.take().isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `pauses of one model under several names are taken back one by one`(kind: StoreKind) throws {
        let scopes: [PauseScope] = [.everything, .model("net"), .model(model().path)]
        try withStore(kind) { store in
            _ = try store.add(request())
            for scope in scopes { _ = try store.pause(scope, now: noon) }
            #expect(try Set(store.pauses()) == Set(scopes))
            for scope in scopes {
                #expect(try store.take().isEmpty)
                _ = try store.resume(scope)
            }
            #expect(try store.take().count == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `an asterisk is every job, and no name is no model`(kind: StoreKind) throws {
        try withStore(kind) { store throws in
            #expect(try store.pause(.model("*"), now: noon))
            #expect(try store.pauses() == [.everything])
            #expect(try store.resume(.everything))
            let error = #expect(throws: JobsError.self) { try store.pause(.model(""), now: noon) }
            #expect(error?.code == .invalidRequest)
        }
    }

    // MARK: Pruning

    @Test(arguments: StoreKind.allCases)
    func `pruning takes jobs of one state that ended before a moment`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(requests(6), now: noon)
            let claims = try store.take(5)
            try store.end(claims[0], .succeeded(result: "{}"), at: noon + .seconds(1))
            try store.end(claims[1], .succeeded(result: "{}"), at: noon + .seconds(2))
            try store.end(claims[2], .failed(lasting), at: noon + .seconds(1))
            _ = try store.cancel([jobs[3]], now: noon + .seconds(1))
            #expect(try store.prune(.succeeded, before: noon + .seconds(1)) == 0)
            #expect(try store.prune(.succeeded, before: noon + .seconds(2)) == 1)
            #expect(try store.records(jobs).map(\.id) == Array(jobs[1...]))
            #expect(try store.prune(.failed, before: noon + .seconds(9)) == 1)
            #expect(try store.prune(.cancelled, before: noon + .seconds(9)) == 1)
            #expect(try store.states(of: jobs) == [.succeeded, .running, .queued])
            #expect(try store.totals().total == 3)
            #expect(try store.attempts(of: jobs[0]).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `pruning goes by 500, the oldest first`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(requests(501), now: noon)
            _ = try store.cancel([jobs[500]], now: noon)
            _ = try store.cancel(Array(jobs[..<500]), now: noon + .seconds(1))
            #expect(try store.prune(.cancelled, before: noon + .seconds(2)) == 500)
            #expect(try store.records([jobs[500]]).isEmpty)
            #expect(try store.totals().total == 1)
            #expect(try store.prune(.cancelled, before: noon + .seconds(2)) == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `ids are not given again after pruning`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request())
            _ = try store.cancel([job], now: noon)
            _ = try store.prune(.cancelled, before: noon + .seconds(1))
            #expect(try store.add(request()) == JobID(rawValue: 2))
        }
    }
}
