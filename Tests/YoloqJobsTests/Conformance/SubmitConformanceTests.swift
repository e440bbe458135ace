// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

/// What every store does with what is submitted: keys, newest only, sharing, bounds, batches.
struct SubmitConformanceTests {
    @Test(arguments: StoreKind.allCases)
    func `a record tells everything that was said at submit`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let job = try store.add(
                request("/a b.jpg") { request in
                    request.pin = pin("bytes")
                    request.content = InlineContent([1, 2, 3])
                    request.parameters = #"{"conf":0.5}"#
                    request.meta = #"{"camera":3}"#
                    request.batch = "night"
                    request.priority = 7
                    request.key = "k"
                    request.expiresAt = noon + .seconds(60)
                    request.retry.maxAttempts = 5
                }
            )
            let record = try store.record(of: job)
            #expect(record.id == job && record.state == .queued && record.model == model())
            #expect(record.source == "/a b.jpg" && record.batch == "night" && record.priority == 7)
            #expect(record.sha256 == ContentHash(of: [1, 2, 3]) && record.isInline)
            #expect(record.parameters == #"{"conf":0.5}"# && record.meta == #"{"camera":3}"# && record.key == "k")
            #expect(record.createdAt == noon && record.runAt == noon && record.expiresAt == noon + .seconds(60))
            #expect(record.attempts == 0 && record.maxAttempts == 5 && record.crashes == 0)
            #expect(record.startedAt == nil && record.finishedAt == nil && record.worker == nil)
            #expect(record.failure == nil && record.leader == nil && record.supersededBy == nil)
            #expect(record.result == nil)
            #expect(try store.attempts(of: job).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `ids rise in the order of submission`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(requests(1201), now: noon) + store.submit(requests(3), now: noon)
            #expect(jobs == (1...1204).map { JobID(rawValue: $0) })
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `records come in the order asked for, without jobs that do not exist`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let jobs = try store.submit(requests(3), now: noon)
            let asked = [jobs[2], JobID(rawValue: 99), jobs[0]]
            #expect(try store.records(asked).map(\.id) == [jobs[2], jobs[0]])
            #expect(try store.attempts(of: JobID(rawValue: 99)).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a wrong request refuses its whole chunk`(kind: StoreKind) throws {
        let wrong: [(inout JobRequest) -> Void] = [
            { $0.source = "" }, { $0.key = "" }, { $0.latestKey = "" }, { $0.batch = "17" }, { $0.batch = "" },
            { $0.retry.maxAttempts = 0 }, { $0.retry.maxAttempts = 1001 }, { $0.timeLimit = .zero },
            { $0.reusesResults = true }, { $0.timeLimit = .nanoseconds(1) }, { $0.timeLimit = .seconds(Int64.max) },
            { $0.retry.firstDelay = .seconds(-1) }, { $0.retry.longestDelay = .seconds(Int64.max) },
            { $0.runAt = Timestamp(microseconds: 0) }, { $0.runAt = Timestamp(microseconds: .max) },
            { $0.expiresAt = Timestamp(microseconds: .min) },
        ]
        try withStore(kind) { store throws in
            for change in wrong {
                let error = #expect(throws: JobsError.self) {
                    try store.submit([request(model: "unseen"), request("/0.jpg", change)], now: noon)
                }
                #expect(error?.code == .invalidRequest)
            }
            #expect(try store.models().isEmpty)
            #expect(try store.add(request()) == JobID(rawValue: 1))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a model is its file, under the name it was first asked for`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.add(request(model: "net"))
            let alias = ModelReference(name: "alias", path: model().path, sha256: model().sha256)
            let job = try store.add(request { $0.model = alias })
            #expect(try store.models().map(\.reference) == [model()])
            #expect(try store.record(of: job).model == model())
        }
    }

    // MARK: Keys

    @Test(arguments: StoreKind.allCases)
    func `a job of a stored key is given instead of a new one`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let keyed = request { $0.key = "k" }
            let first = try store.receipts(of: [keyed])
            let other = request("/other.jpg", model: "other") { request in
                request.key = "k"
                request.batch = "b"
            }
            let second = try store.receipts(of: [other], at: noon + .seconds(1))
            #expect(first.map(\.isNew) == [true])
            #expect(second == [Receipt(job: first[0].job, isNew: false)])
            #expect(try store.totals().total == 1)
            #expect(try store.models().count == 1)
            #expect(try store.counts(ofBatch: "b") == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a key counts within one submit too`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let keyed = request { $0.key = "k" }
            let receipts = try store.receipts(of: [keyed, request(), keyed])
            #expect(receipts.map(\.isNew) == [true, true, false])
            #expect(receipts[2].job == receipts[0].job)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a key holds until its job is pruned, whatever became of it`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let keyed = request { $0.key = "k" }
            let job = try store.add(keyed)
            try store.end(store.takeOne(), .succeeded(result: "{}"))
            #expect(try store.add(keyed) == job)
            #expect(try store.prune(.succeeded, before: noon + .seconds(1)) == 1)
            #expect(try store.receipts(of: [keyed]).map(\.isNew) == [true])
        }
    }

    // MARK: Newest only

    @Test(arguments: StoreKind.allCases)
    func `a newer job of the same source cancels those that wait`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let frame = request { $0.latestKey = "camera" }
            let queued = try store.add(frame)
            let delayed = try store.add(
                request { request in
                    request.latestKey = "camera"
                    request.runAt = noon + .seconds(60)
                }
            )
            // The second has cancelled the first already.
            let stranger = try store.add(request { $0.latestKey = "gate" })
            let newest = try store.add(frame, at: noon + .seconds(1))
            #expect(
                try store.states(of: [queued, delayed, stranger, newest]) == [.cancelled, .cancelled, .queued, .queued]
            )
            #expect(try store.record(of: queued).supersededBy == delayed)
            #expect(try store.record(of: delayed).supersededBy == newest)
            #expect(try store.record(of: delayed).finishedAt == noon + .seconds(1))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `of one submit the last job of a source is the newest`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let frame = request { $0.latestKey = "camera" }
            let jobs = try store.submit([frame, frame, request(), frame], now: noon)
            #expect(try store.states(of: jobs) == [.cancelled, .cancelled, .queued, .queued])
            #expect(try store.records(jobs).map(\.supersededBy) == [jobs[3], jobs[3], nil, nil])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a running job is left by a newer one`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let frame = request { $0.latestKey = "camera" }
            let old = try store.add(frame)
            let claim = try store.takeOne()
            _ = try store.add(frame)
            #expect(try store.state(of: old) == .running)
            #expect(try store.end(claim, .succeeded(result: "{}")))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a newer frame that shares with the older one runs itself`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let frame = sharing("still") { $0.latestKey = "camera" }
            let jobs = try store.submit([frame, frame], now: noon)
            #expect(try store.states(of: jobs) == [.cancelled, .queued])
            #expect(try store.record(of: jobs[1]).leader == nil)
            #expect(try store.record(of: jobs[1]).runAt == noon)
        }
    }

    // MARK: Sharing

    @Test(arguments: StoreKind.allCases)
    func `a stored result of the same content is given at once`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let first = try store.add(sharing("cat"))
            try store.end(store.takeOne(), .succeeded(result: #"{"cats":1}"#))
            let second = try store.add(sharing("cat") { $0.source = "/copy.jpg" }, at: noon + .seconds(9))
            let record = try store.record(of: second)
            #expect(record.state == .succeeded && record.result == #"{"cats":1}"# && record.leader == first)
            #expect(record.runAt == noon + .seconds(9) && record.finishedAt == noon + .seconds(9))
            #expect(record.startedAt == nil && record.attempts == 0 && record.worker == nil)
            #expect(try store.attempts(of: second).isEmpty)
            #expect(try store.totals()[.succeeded] == 2)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a stored result is given to a delayed job at once too`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.add(sharing("cat"))
            try store.end(store.takeOne(), .succeeded(result: "{}"))
            let delayed = try store.add(sharing("cat") { $0.runAt = noon + .seconds(60) })
            #expect(try store.state(of: delayed) == .succeeded)
        }
    }

    @Test(arguments: StoreKind.allCases, [false, true])
    func `a job under way is joined and its result shared`(kind: StoreKind, isRunning: Bool) throws {
        try withStore(kind) { store in
            let leader = try store.add(sharing("cat"))
            let early = isRunning ? try store.takeOne() : nil
            let followers = try store.submit([sharing("cat"), sharing("cat")], now: noon)
            let waiting = try store.record(of: followers[0])
            #expect(waiting.state == .scheduled && waiting.leader == leader && waiting.runAt == nil)
            #expect(try store.promote(now: noon + .seconds(86400)) == 0)
            #expect(try store.nextDue() == nil)
            let claim = try early ?? store.takeOne()
            #expect(try store.take(9).isEmpty)
            try store.end(claim, .succeeded(result: "{}"), at: noon + .seconds(3))
            for record in try store.records(followers) {
                #expect(record.state == .succeeded && record.result == "{}" && record.leader == leader)
                #expect(record.finishedAt == noon + .seconds(3) && record.attempts == 0)
            }
            #expect(try store.totals()[.succeeded] == 3)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a follower runs itself when its leader fails`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.add(sharing("cat"))
            let follower = try store.add(sharing("cat"))
            try store.end(store.takeOne(), .failed(lasting), at: noon + .seconds(3))
            let record = try store.record(of: follower)
            #expect(record.state == .queued && record.leader == nil && record.runAt == noon + .seconds(3))
            try store.end(store.takeOne(), .succeeded(result: "{}"))
            #expect(try store.state(of: follower) == .succeeded)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a follower waits while its leader is tried again, given back or rescued`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.add(sharing("cat"))
            let follower = try store.add(sharing("cat"))
            try store.end(store.takeOne(), .interrupted)
            try store.end(store.takeOne(), .crashed(crash))
            try store.end(store.takeOne(), .failed(passing))
            #expect(try store.promote(now: noon + .seconds(60)) == 1)
            _ = try store.takeOne()
            #expect(try store.rescue(worker: "w", because: .death, now: noon) == 1)
            #expect(try store.state(of: follower) == .scheduled)
        }
    }

    @Test(arguments: StoreKind.allCases, [false, true])
    func `a follower runs itself when its leader is cancelled`(kind: StoreKind, isRunning: Bool) throws {
        try withStore(kind) { store in
            let leader = try store.add(sharing("cat"))
            let follower = try store.add(sharing("cat"))
            if isRunning { _ = try store.takeOne() }
            #expect(try store.cancel([leader], now: noon) == [leader])
            #expect(try store.state(of: follower) == .queued)
            #expect(try store.totals()[.queued] == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a follower runs itself when its leader expires`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let leader = try store.add(sharing("cat") { $0.expiresAt = noon + .seconds(5) })
            let follower = try store.add(sharing("cat"))
            #expect(try store.expire(now: noon + .seconds(5)) == 1)
            #expect(try store.states(of: [leader, follower]) == [.failed, .queued])
        }
    }

    @Test(arguments: StoreKind.allCases, [false, true])
    func `a leader and its follower can expire together`(kind: StoreKind, byClaim: Bool) throws {
        try withStore(kind) { store in
            let late = sharing("cat") { $0.expiresAt = noon + .seconds(5) }
            let jobs = try store.submit([late, late], now: noon)
            if byClaim {
                #expect(try store.take(at: noon + .seconds(6)).isEmpty)
            } else {
                #expect(try store.expire(now: noon + .seconds(6)) == 2)
            }
            #expect(try store.states(of: jobs) == [.failed, .failed])
            #expect(try store.totals()[.failed] == 2)
            #expect(try store.totals().total == 2)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a follower that expires or is cancelled leaves its leader alone`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let leader = try store.add(sharing("cat"))
            let late = try store.add(sharing("cat") { $0.expiresAt = noon + .seconds(5) })
            let unwanted = try store.add(sharing("cat"))
            #expect(try store.expire(now: noon + .seconds(5)) == 1)
            #expect(try store.cancel([unwanted], now: noon) == [unwanted])
            try store.end(store.takeOne(), .succeeded(result: "{}"))
            #expect(try store.states(of: [leader, late, unwanted]) == [.succeeded, .failed, .cancelled])
            #expect(try store.records([late, unwanted]).allSatisfy { $0.result == nil })
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `sharing goes on through those who shared`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.add(sharing("cat"))
            let follower = try store.add(sharing("cat"), at: noon)
            try store.end(store.takeOne(), .succeeded(result: "{}"))
            // With the first job gone, the one that shared its result is shared with.
            _ = try store.add(sharing("cat") { $0.batch = "later" }, at: noon + .seconds(1))
            #expect(try store.prune(.succeeded, before: noon + .seconds(1)) == 2)
            #expect(try store.records([follower]).isEmpty)
            let third = try store.add(sharing("cat"), at: noon + .seconds(2))
            #expect(try store.state(of: third) == .succeeded)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `followers of a failed leader join each other no more, but a new job joins one of them`(kind: StoreKind) throws
    {
        try withStore(kind) { store in
            _ = try store.add(sharing("cat"))
            let followers = try store.submit([sharing("cat"), sharing("cat")], now: noon)
            try store.end(store.takeOne(), .failed(lasting))
            #expect(try store.states(of: followers) == [.queued, .queued])
            let fourth = try store.add(sharing("cat"))
            #expect(try store.record(of: fourth).leader == followers[0])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a job that is not to run yet joins nobody and is not joined`(kind: StoreKind) throws {
        try withStore(kind) { store in
            let first = try store.add(sharing("cat"))
            let delayed = try store.add(sharing("cat") { $0.runAt = noon + .seconds(60) })
            #expect(try store.record(of: delayed).leader == nil)
            #expect(try store.cancel([first], now: noon) == [first])
            #expect(try store.state(of: delayed) == .scheduled)
            #expect(try store.record(of: delayed).runAt == noon + .seconds(60))
            let third = try store.add(sharing("cat"))
            #expect(try store.state(of: third) == .queued)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `other content, parameters or model file share nothing`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.add(sharing("cat"))
            let changed = ModelReference(name: "net", path: model().path, sha256: String(repeating: "b", count: 64))
            let others = try store.submit(
                [
                    sharing("dog"), sharing("cat") { $0.parameters = #"{"conf":0.5}"# },
                    sharing("cat") { $0.model = changed }, sharing("cat") { $0.reusesResults = false },
                ],
                now: noon
            )
            #expect(try store.states(of: others) == [.queued, .queued, .queued, .queued])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the same model file at another path is shared with, and bytes in the queue with a file's`(kind: StoreKind)
        throws
    {
        try withStore(kind) { store in
            let first = try store.add(sharing("cat", model: "net"))
            let copy = try store.add(sharing("cat", model: "copy-of-net"))
            let inline = try store.add(
                sharing("cat") { request in
                    request.pin = nil
                    request.content = InlineContent(Array("cat".utf8))
                }
            )
            #expect(try store.records([copy, inline]).map(\.leader) == [first, first])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a job that does not want to share is not shared with`(kind: StoreKind) throws {
        try withStore(kind) { store in
            _ = try store.add(sharing("cat") { $0.reusesResults = false })
            #expect(try store.state(of: store.add(sharing("cat"))) == .queued)
        }
    }

    // MARK: Bounds

    @Test(arguments: StoreKind.allCases)
    func `a submit that would make too many jobs wait is refused whole`(kind: StoreKind) throws {
        try withStore(kind) { store throws in
            _ = try store.receipts(of: requests(3), maxQueued: 3)
            let error = #expect(throws: JobsError.self) { try store.receipts(of: requests(1), maxQueued: 3) }
            #expect(error?.code == .full)
            let long = #expect(throws: JobsError.self) { try store.receipts(of: requests(1000), maxQueued: 1000) }
            #expect(long?.code == .full)
            #expect(try store.totals().total == 3)
            _ = try store.takeOne()
            #expect(try store.receipts(of: requests(1), maxQueued: 3).count == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `delayed jobs wait too, and those that need not wait are let in`(kind: StoreKind) throws {
        try withStore(kind) { store throws in
            let keyed = request { request in
                request.key = "k"
                request.runAt = noon + .seconds(60)
            }
            let job = try store.receipts(of: [keyed], maxQueued: 1)[0].job
            // The same submit again, such as after a crash of the submitter, adds nothing.
            #expect(try store.receipts(of: [keyed], maxQueued: 1) == [Receipt(job: job, isNew: false)])
            #expect(try store.receipts(of: [keyed], maxQueued: 0) == [Receipt(job: job, isNew: false)])
            let error = #expect(throws: JobsError.self) { try store.receipts(of: [request()], maxQueued: 1) }
            #expect(error?.code == .full)
            _ = try store.cancel([job], now: noon)
            // A newer frame takes the place of the older one.
            let frame = request { $0.latestKey = "camera" }
            #expect(try store.receipts(of: [frame], maxQueued: 1).count == 1)
            #expect(try store.receipts(of: [frame], maxQueued: 1).count == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `what was acknowledged stays when the acknowledgement throws`(kind: StoreKind) throws {
        try withStore(kind) { store throws in
            #expect(throws: JobsError.self) {
                try store.submit(requests(1200), now: noon, maxQueued: nil) { _ throws(JobsError) in
                    throw JobsError(.interrupted, "enough")
                }
            }
            #expect(try store.totals().total == 500)
        }
    }

    // MARK: Batches

    @Test(arguments: StoreKind.allCases)
    func `a batch counts its jobs through all states until the last is pruned`(kind: StoreKind) throws {
        try withStore(kind) { store in
            #expect(try store.counts(ofBatch: "b") == nil)
            let jobs = try store.submit(requests(3, batch: "b") + requests(1, batch: "c"), now: noon)
            let claims = try store.take(2)
            try store.end(claims[0], .succeeded(result: "{}"))
            try store.end(claims[1], .failed(lasting))
            _ = try store.cancel([jobs[2]], now: noon)
            var expected = JobCounts()
            for state in [JobState.succeeded, .failed, .cancelled] { expected[state] = 1 }
            #expect(try store.counts(ofBatch: "b") == expected)
            #expect(try store.prune(.succeeded, before: noon + .seconds(1)) == 1)
            #expect(try store.prune(.failed, before: noon + .seconds(1)) == 1)
            #expect(try store.counts(ofBatch: "b")?.total == 1)
            #expect(try store.prune(.cancelled, before: noon + .seconds(1)) == 1)
            #expect(try store.counts(ofBatch: "b") == nil)
            #expect(try store.counts(ofBatch: "c")?.total == 1)
            _ = try store.add(request { $0.batch = "b" })
            #expect(try store.counts(ofBatch: "b")?.total == 1)
        }
    }
}
