// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

/// What every store does for workers: claims, outcomes, retries, rescue.
struct ClaimConformanceTests {
    // MARK: Order

    @Test(arguments: StoreKind.allCases)
    func `higher priority goes first, then the older job, then the one submitted first`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let young = try store.submit(requests(2), now: noon + .seconds(1))
            let old = try store.submit(requests(2), now: noon)
            let urgent = try store.submit(requests(1, priority: 1), now: noon + .seconds(2))
            let idle = try store.submit(requests(1, priority: -1), now: noon)
            let claims = try store.take(9, at: noon + .seconds(3))
            #expect(claims.map(\.job) == urgent + old + young + idle)
            #expect(claims.map(\.queuedAt)[1] == noon)
            #expect(claims.allSatisfy { $0.startedAt == noon + .seconds(3) && $0.attempt == 1 && $0.crashes == 0 })
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `every priority is taken, the least and the greatest too`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let least = try store.add(request { $0.priority = .min })
            let greatest = try store.add(request { $0.priority = .max })
            #expect(try store.take(2).map(\.job) == [greatest, least])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `one claim takes jobs of one served model, the one with the first job`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let b = try store.submit(requests(2, model: "b"), now: noon + .seconds(1))
            let a = try store.submit(requests(3, model: "a"), now: noon)
            let rows = try store.models()
            #expect(rows.map(\.reference.name) == ["b", "a"])
            #expect(try store.take(2).map(\.job) == Array(a[..<2]))
            let only = try store.claim(
                limit: 9,
                models: [rows[0].id, 77],
                loaded: nil,
                worker: "w",
                now: noon,
                giveUp: { false }
            )
            #expect(only.map(\.job) == b)
            #expect(try store.claim(limit: 9, models: [], loaded: nil, worker: "w", now: noon) { false }.isEmpty)
            #expect(try store.take(0).isEmpty)
            #expect(try store.take(9).map(\.job) == [a[2]])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the loaded model goes first while its job is no more than the bonus younger`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.submit(requests(1, model: "other"), now: noon)
            _ = try store.submit(requests(1, model: "loaded"), now: noon + .seconds(2) + .microseconds(1))
            let rows = try store.models().map(\.id)
            #expect(try store.take(loaded: rows[1]).first?.model == rows[0])
            _ = try store.submit(requests(1, model: "other"), now: noon + .seconds(1))
            #expect(try store.take(loaded: rows[1]).first?.model == rows[1])
            _ = try store.submit(requests(1, model: "loaded"), now: noon)
            _ = try store.submit(requests(1, model: "other", priority: 1), now: noon + .seconds(9))
            #expect(try store.take(loaded: rows[1]).first?.model == rows[0])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a claim tells what to do`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let policy = RetryPolicy(maxAttempts: 7, firstDelay: .milliseconds(1500), longestDelay: .seconds(9))
            let job = try store.add(
                request("/x.jpg") { request in
                    request.pin = pin("bytes")
                    request.parameters = "[]"
                    request.timeLimit = .milliseconds(2500)
                    request.retry = policy
                    request.expiresAt = noon + .seconds(60)
                }
            )
            let claim = try store.takeOne()
            #expect(claim.job == job && claim.source == "/x.jpg" && claim.parameters == "[]")
            #expect(claim.sha256 == ContentHash(of: "bytes".utf8) && !claim.isInline)
            #expect(claim.timeLimit == .milliseconds(2500) && claim.retry == policy)
            #expect(claim.expiresAt == noon + .seconds(60))
            #expect(try claim.model == store.models()[0].id)
        }
    }

    // MARK: Time

    @Test(arguments: StoreKind.allCases)
    func `a delayed job is promoted at its time and not before`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request { $0.runAt = noon + .seconds(10) })
            #expect(try store.state(of: job) == .scheduled)
            #expect(try store.nextDue() == noon + .seconds(10))
            #expect(try store.promote(now: noon + .seconds(10) + .microseconds(-1)) == 0)
            #expect(try store.take(at: noon + .seconds(11)).isEmpty)
            #expect(try store.promote(now: noon + .seconds(10)) == 1)
            #expect(try store.nextDue() == nil)
            #expect(try store.takeOne(at: noon + .seconds(11)).queuedAt == noon + .seconds(10))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a time that has passed is no delay`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let past = try store.add(request { $0.runAt = noon + .seconds(-10) })
            let now = try store.add(request { $0.runAt = noon })
            #expect(try store.states(of: [past, now]) == [.queued, .queued])
            #expect(try store.record(of: past).runAt == noon + .seconds(-10))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `promotion goes by 500, the longest due first`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let late = (0..<501).map { number in
                request { $0.runAt = noon + .seconds(1000 - number) }
            }
            let jobs = try store.submit(late, now: noon)
            #expect(try store.promote(now: noon + .seconds(5000)) == 500)
            #expect(try store.state(of: jobs[0]) == .scheduled)
            #expect(try store.state(of: jobs[500]) == .queued)
            #expect(try store.promote(now: noon + .seconds(5000)) == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a job that has not started by its deadline fails as expired`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let queued = try store.add(request { $0.expiresAt = noon + .seconds(10) })
            let delayed = try store.add(
                request { request in
                    request.runAt = noon + .seconds(20)
                    request.expiresAt = noon + .seconds(11)
                }
            )
            #expect(try store.nextDue() == noon + .seconds(10))
            #expect(try store.expire(now: noon + .seconds(9)) == 0)
            #expect(try store.expire(now: noon + .seconds(10)) == 1)
            let record = try store.record(of: queued)
            #expect(record.state == .failed && record.failure?.kind == "expired")
            #expect(record.failure?.isRetryable == false && record.finishedAt == noon + .seconds(10))
            #expect(try store.nextDue() == noon + .seconds(11))
            #expect(try store.expire(now: noon + .seconds(60)) == 1)
            #expect(try store.state(of: delayed) == .failed)
            #expect(try store.nextDue() == nil)
            #expect(try store.attempts(of: queued).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a late job is never handed out and keeps nobody from the next`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let late = try store.submit(
                (0..<3).map { _ in request(model: "a") { $0.expiresAt = noon + .seconds(5) } },
                now: noon
            )
            let next = try store.add(request(model: "b"), at: noon + .seconds(1))
            let claims = try store.take(2, at: noon + .seconds(5))
            #expect(claims.map(\.job) == [next])
            #expect(try store.states(of: late) == [.failed, .failed, .failed])
            #expect(try store.totals()[.failed] == 3)
            #expect(try store.totals()[.running] == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a claim that meets a late job forgets nothing of the others`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let kept = try store.add(request(model: "a"))
            let late = try store.add(request(model: "a") { $0.expiresAt = noon + .seconds(5) })
            for claim in try store.take(2) { try store.end(claim, .interrupted, at: noon + .seconds(1)) }
            let urgent = try store.add(
                request(model: "a") { request in
                    request.expiresAt = noon + .seconds(5)
                    request.priority = 9
                }
            )
            let other = try store.add(request(model: "b") { $0.priority = 5 })
            #expect(try store.take(3, at: noon + .seconds(6)).map(\.job) == [other])
            #expect(try store.states(of: [kept, late, urgent]) == [.queued, .failed, .failed])
            for record in try store.records([kept, late]) {
                #expect(record.startedAt == noon && record.worker == "w" && record.attempts == 0)
            }
            #expect(try store.outcomes(of: late) == [.interrupted])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a running job may pass its deadline, but is not started again`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(
                (0..<2).map { _ in request { $0.expiresAt = noon + .seconds(10) } },
                now: noon
            )
            let claims = try store.take(2)
            #expect(try store.expire(now: noon + .seconds(60)) == 0)
            try store.end(claims[0], .succeeded(result: "{}"), at: noon + .seconds(60))
            try store.end(claims[1], .interrupted, at: noon + .seconds(60))
            #expect(try store.take(at: noon + .seconds(60)).isEmpty)
            #expect(try store.states(of: jobs) == [.succeeded, .failed])
            #expect(try store.outcomes(of: jobs[1]) == [.interrupted])
        }
    }

    // MARK: Retries

    @Test(arguments: StoreKind.allCases)
    func `errors that may pass are tried again after doubled and bounded delays`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(
                request {
                    $0.retry = RetryPolicy(maxAttempts: 5, firstDelay: .seconds(2), longestDelay: .seconds(10))
                }
            )
            var now = noon
            let delays: [(jitter: Double, wait: Duration)] = [
                (0.5, .seconds(2)), (0, .seconds(3)), (1, .seconds(10)), (1, .milliseconds(12500)),
            ]
            for (index, (jitter, wait)) in delays.enumerated() {
                let claim = try store.takeOne(at: now)
                #expect(claim.attempt == index + 1)
                try store.end(claim, .failed(passing), at: now, jitter: jitter)
                let record = try store.record(of: job)
                #expect(record.state == .scheduled && record.runAt == now + wait && record.attempts == index + 1)
                #expect(record.failure == nil && record.finishedAt == nil)
                now = now + wait
                #expect(try store.promote(now: now + .microseconds(-1)) == 0)
                #expect(try store.promote(now: now) == 1)
            }
            try store.end(store.takeOne(at: now), .failed(passing), at: now)
            let record = try store.record(of: job)
            #expect(record.state == .failed && record.failure == passing && record.attempts == 5)
            let attempts = try store.attempts(of: job)
            #expect(attempts.map(\.number) == [1, 2, 3, 4, 5])
            #expect(attempts.allSatisfy { $0.outcome == .error && $0.failure == passing && $0.worker == "w" })
        }
    }

    @Test func `the delay has its bounds at any attempt`() {
        let policy = RetryPolicy()
        #expect(policy.delay(afterAttempt: 1, jitter: 0) == .milliseconds(1500))
        #expect(policy.delay(afterAttempt: 1, jitter: 1) == .milliseconds(2500))
        #expect(policy.delay(afterAttempt: 1000, jitter: 1) == .seconds(750))
        #expect(policy.delay(afterAttempt: 0, jitter: 0.5) == .seconds(2))
        let none = RetryPolicy(firstDelay: .zero)
        #expect(none.delay(afterAttempt: 30, jitter: 1) == .zero)
        let years = RetryPolicy(firstDelay: .seconds(1_000_000_000), longestDelay: .seconds(1_000_000_000))
        #expect(years.delay(afterAttempt: 1000, jitter: 1) > .seconds(1_200_000_000))
    }

    @Test(arguments: StoreKind.allCases)
    func `an error that lasts is final at once`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request())
            try store.end(store.takeOne(), .failed(lasting), at: noon + .seconds(1))
            let record = try store.record(of: job)
            #expect(record.state == .failed && record.failure == lasting && record.finishedAt == noon + .seconds(1))
            #expect(try store.outcomes(of: job) == [.error])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `an error whose retry would be past the deadline is final`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(
                [
                    request { $0.expiresAt = noon + .seconds(2) },
                    request { $0.expiresAt = noon + .seconds(2) + .microseconds(1) },
                ],
                now: noon
            )
            for claim in try store.take(2) { try store.end(claim, .failed(passing)) }
            #expect(try store.states(of: jobs) == [.failed, .scheduled])
            #expect(try store.record(of: jobs[0]).failure == passing)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a job that waits to be tried again can expire and keeps its tries`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request { $0.expiresAt = noon + .seconds(10) })
            try store.end(store.takeOne(), .failed(passing))
            #expect(try store.expire(now: noon + .seconds(10)) == 1)
            #expect(try store.record(of: job).failure?.kind == "expired")
            #expect(try store.outcomes(of: job) == [.error])
        }
    }

    // MARK: Fences

    @Test(arguments: StoreKind.allCases)
    func `an outcome is recorded once, and a late one spoils nothing`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(requests(2), now: noon)
            let first = try store.take(2)
            try store.end(first[0], .interrupted)
            let second = try store.takeOne()
            #expect(second.job == first[0].job && second.token != first[0].token)
            let lost = try store.record(
                [
                    Outcome(first[0], .succeeded(result: #""late""#), at: noon),
                    Outcome(first[1], .succeeded(result: #""neighbour""#), at: noon),
                ],
                jitter: { 0.5 }
            )
            #expect(lost == [first[0]])
            #expect(try store.end(second, .succeeded(result: #""second""#)))
            let endings: [Outcome.Ending] = [
                .succeeded(result: "1"), .failed(passing), .failed(lasting), .crashed(crash), .interrupted,
            ]
            for ending in endings { #expect(try !store.end(second, ending)) }
            #expect(try store.records(jobs).map(\.result) == [#""second""#, #""neighbour""#])
            #expect(try store.totals()[.succeeded] == 2)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `tokens are those of the jobs that a worker holds`(kind: StoreKind) throws {
        try withStore(kind) { store in
            try store.register(worker("v"), now: noon)
            let jobs = try store.submit(requests(3), now: noon)
            let mine = try store.take(2)
            let other = try store.takeOne(by: "v")
            #expect(try store.tokens(ofWorker: "w") == Set(mine.map(\.token)))
            #expect(try store.tokens(ofWorker: "v") == [other.token])
            #expect(try store.tokens(ofWorker: "nobody").isEmpty)
            _ = try store.cancel([jobs[0]], now: noon)
            #expect(try store.tokens(ofWorker: "w") == [mine[1].token])
            try store.end(mine[1], .succeeded(result: "{}"))
            #expect(try store.tokens(ofWorker: "w").isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `an interrupted job goes back where it was with its attempts`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request { $0.retry.maxAttempts = 1 })
            _ = try store.add(request(), at: noon + .seconds(1))
            for round in 1...3 {
                let claim = try store.takeOne(at: noon + .seconds(round))
                #expect(claim.job == job && claim.attempt == 1 && claim.queuedAt == noon)
                try store.end(claim, .interrupted, at: noon + .seconds(round))
            }
            let record = try store.record(of: job)
            #expect(record.state == .queued && record.attempts == 0 && record.crashes == 0)
            #expect(record.startedAt == noon + .seconds(3) && record.worker == "w")
            let attempts = try store.attempts(of: job)
            #expect(attempts.map(\.number) == [1, 1, 1])
            #expect(attempts.allSatisfy { $0.outcome == .interrupted && $0.failure == nil && $0.endedAt != nil })
        }
    }

    // MARK: Workers

    @Test(arguments: StoreKind.allCases)
    func `only a registered worker claims`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.submit(requests(2), now: noon)
            #expect(try store.take(by: "stranger").isEmpty)
            try store.register(worker("stranger"), now: noon)
            #expect(try store.take(by: "stranger").count == 1)
            #expect(try store.unregister(worker: "stranger", now: noon) == 1)
            #expect(try store.take(by: "stranger").isEmpty)
            #expect(try store.totals()[.queued] == 2)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a worker is registered once at a time`(kind: StoreKind) throws {
        try withStore(kind) { store throws in
            let error = #expect(throws: JobsError.self) { try store.register(worker("w"), now: noon) }
            #expect(error?.code == .invalidRequest)
            #expect(try store.renewLease(ofWorker: "w", now: noon))
            #expect(try !store.renewLease(ofWorker: "nobody", now: noon))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a worker that leaves gives its jobs back uncounted`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request())
            let claim = try store.takeOne()
            #expect(try store.unregister(worker: "w", now: noon + .seconds(1)) == 1)
            #expect(try store.unregister(worker: "w", now: noon + .seconds(1)) == 0)
            let record = try store.record(of: job)
            #expect(record.state == .queued && record.attempts == 0 && record.crashes == 0 && record.worker == "w")
            #expect(try store.attempts(of: job).map(\.endedAt) == [noon + .seconds(1)])
            #expect(try store.outcomes(of: job) == [.interrupted])
            #expect(try !store.end(claim, .succeeded(result: "{}")))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the death of a worker is one crash of each of its jobs`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(requests(2), now: noon)
            let claims = try store.take(2)
            #expect(try store.rescue(worker: "w", because: .death, now: noon + .seconds(1)) == 2)
            #expect(try store.rescue(worker: "w", because: .death, now: noon + .seconds(1)) == nil)
            for record in try store.records(jobs) {
                #expect(record.state == .queued && record.attempts == 0 && record.crashes == 1)
            }
            #expect(try store.outcomes(of: jobs[0]) == [.crash])
            #expect(try !store.end(claims[0], .succeeded(result: "{}")))
            try store.register(worker("v"), now: noon)
            #expect(try store.takeOne(by: "v").crashes == 1)
            // It ran alone in a process of its own: not its fault.
            #expect(try store.rescue(worker: "v", because: .death, now: noon + .seconds(2)) == 1)
            #expect(try store.record(of: jobs[0]).crashes == 1)
            #expect(try store.outcomes(of: jobs[0]) == [.crash, .rescued])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a second crash of a job that runs alone is final, for the reason given`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request { $0.retry.maxAttempts = 1 })
            try store.end(store.takeOne(), .crashed(crash), at: noon + .seconds(1))
            #expect(try store.record(of: job).crashes == 1)
            #expect(try store.record(of: job).attempts == 0)
            let claim = try store.takeOne()
            #expect(claim.crashes == 1 && claim.attempt == 1)
            try store.end(claim, .crashed(crash), at: noon + .seconds(2))
            let record = try store.record(of: job)
            #expect(record.state == .failed && record.failure == crash)
            #expect(record.crashes == 2)
            #expect(record.attempts == 0)
            let attempts = try store.attempts(of: job)
            #expect(attempts.map(\.outcome) == [.crash, .crash])
            #expect(attempts.map(\.number) == [1, 1])
            #expect(attempts.map { $0.failure?.kind } == ["killed", "killed"])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a silent worker is given up, unless its lease has moved`(kind: StoreKind) throws {
        try withStore(kind) { store in
            try store.register(worker("v"), now: noon)
            let job = try store.add(request())
            let claim = try store.takeOne(by: "v")
            let lease = noon + JobQueue.lease
            #expect(try store.renewLease(ofWorker: "v", now: noon + .seconds(5)))
            #expect(try store.rescue(worker: "v", because: .silence(lease: lease), now: noon + .seconds(60)) == nil)
            #expect(try store.state(of: job) == .running)
            let moved = lease + .seconds(5)
            #expect(try store.rescue(worker: "v", because: .silence(lease: moved), now: noon + .seconds(60)) == 1)
            let record = try store.record(of: job)
            #expect(record.state == .queued && record.attempts == 0 && record.crashes == 0)
            #expect(try store.outcomes(of: job) == [.rescued])
            #expect(try !store.renewLease(ofWorker: "v", now: noon + .seconds(61)))
            #expect(try !store.end(claim, .succeeded(result: "{}")))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `nobody is rescued who is not known`(kind: StoreKind) throws {
        try withStore(kind) { store throws in
            #expect(try store.rescue(worker: "nobody", because: .death, now: noon) == nil)
            #expect(try store.rescue(worker: "nobody", because: .silence(lease: noon), now: noon) == nil)
            #expect(try store.rescue(worker: "w", because: .death, now: noon) == 0)
        }
    }

    // MARK: History

    @Test(arguments: StoreKind.allCases)
    func `the history tells of every try, in one moment too`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(request { $0.retry.firstDelay = .zero })
            try store.end(store.takeOne(), .interrupted)
            try store.end(store.takeOne(), .crashed(crash))
            try store.end(store.takeOne(), .failed(passing))
            _ = try store.promote(now: noon)
            _ = try store.takeOne()
            #expect(try store.outcomes(of: job) == [.interrupted, .crash, .error, .running])
            let last = try #require(try store.attempts(of: job).last)
            #expect(last.number == 2 && last.endedAt == nil && last.startedAt == noon)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the history tells how the last try ended`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(requests(3), now: noon)
            let claims = try store.take(3)
            try store.end(claims[0], .succeeded(result: "{}"), at: noon + .seconds(1))
            try store.end(claims[1], .failed(lasting), at: noon + .seconds(1))
            _ = try store.cancel([jobs[2]], now: noon + .seconds(1))
            #expect(try jobs.map { try store.outcomes(of: $0) } == [[.succeeded], [.error], [.cancelled]])
            for job in jobs { #expect(try store.attempts(of: job).first?.endedAt == noon + .seconds(1)) }
            #expect(try store.attempts(of: jobs[1]).first?.failure == lasting)
        }
    }
}
