// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

struct JobQueueTests {
    @Test func `a submitted job is queued with everything that was said about it`() throws {
        try withQueue { queue in
            let request = JobRequest(
                model: model(),
                source: "/a b.jpg",
                parameters: #"{"conf":0.5}"#,
                meta: #"{"camera":3}"#,
                batch: "night"
            )
            let ids = try queue.submit([request], now: noon)
            let record = try #require(try queue.records(ids).first)
            #expect(record.state == .queued)
            #expect(record.model == model())
            #expect(record.source == "/a b.jpg")
            #expect(record.parameters == #"{"conf":0.5}"#)
            #expect(record.meta == #"{"camera":3}"#)
            #expect(record.batch == "night")
            #expect(record.createdAt == noon)
            #expect(record.attempts == 0)
            #expect(
                record.startedAt == nil && record.finishedAt == nil && record.failure == nil && record.result == nil
            )
        }
    }

    @Test func `jobs are claimed oldest first and higher priority before`() throws {
        try withQueue { queue in
            let low = try queue.submit(requests(2), now: noon)
            let high = try queue.submit(requests(1, priority: 5), now: noon + .seconds(1))
            let claims = try queue.claimAny(limit: 10, now: noon + .seconds(2))
            #expect(claims.map(\.job) == high + low)
            #expect(Set(claims.map(\.token)).count == 3)
            #expect(claims.allSatisfy { $0.attempt == 1 && $0.startedAt == noon + .seconds(2) })
        }
    }

    @Test func `a claim takes jobs of one model only`() throws {
        try withQueue { queue in
            _ = try queue.submit(requests(2, model: "a") + requests(2, model: "b"), now: noon)
            #expect(Set(try queue.claimAny(limit: 10).map(\.model)).count == 1)
        }
    }

    @Test func `the loaded model goes first within the bonus and not beyond it`() throws {
        try withQueue { queue in
            _ = try queue.submit(requests(1, model: "old"), now: noon)
            _ = try queue.submit(requests(1, model: "soon"), now: noon + .seconds(1))
            _ = try queue.submit(requests(1, model: "late"), now: noon + .seconds(3))
            let rows = try queue.allModels()
            #expect(try queue.claimAny(loaded: rows[2]).first?.model == rows[0])
            #expect(try queue.claimAny(loaded: rows[2]).first?.model == rows[1])
            _ = try queue.submit(requests(1, model: "old"), now: noon + .seconds(2))
            #expect(try queue.claimAny(loaded: rows[2]).first?.model == rows[2])
        }
    }

    @Test func `a claim takes nothing of models that are not served`() throws {
        try withQueue { queue in
            _ = try queue.submit(requests(1, model: "a") + requests(1, model: "b"), now: noon)
            let rows = try queue.allModels()
            #expect(try queue.claim(limit: 10, models: [rows[1]], worker: "w", now: noon).map(\.model) == [rows[1]])
            #expect(try queue.claim(limit: 10, models: [rows[1]], worker: "w", now: noon).isEmpty)
            #expect(try queue.claim(models: [], worker: "w", now: noon).isEmpty)
        }
    }

    @Test func `a completed job has its result and a failed one its reason`() throws {
        try withQueue { queue in
            let ids = try queue.submit(requests(2), now: noon)
            let claims = try queue.claimAny(limit: 2)
            let failure = JobFailure(kind: "truncated", message: "the file ends early", isRetryable: false)
            let lost = try queue.record([
                Outcome(claims[0], .succeeded(result: #"{"found":1}"#), at: noon + .seconds(1)),
                Outcome(claims[1], .failed(failure), at: noon + .seconds(2)),
            ])
            #expect(lost.isEmpty)
            let records = try queue.records(ids)
            #expect(records.map(\.state) == [.succeeded, .failed])
            #expect(records[0].result == #"{"found":1}"#)
            #expect(records[0].failure == nil)
            #expect(records[0].worker == "w")
            #expect(records[1].failure == failure)
            #expect(records[1].finishedAt == noon + .seconds(2))
            #expect(records[1].result == nil)
        }
    }

    @Test func `an outcome is recorded once`() throws {
        try withQueue { queue in
            let ids = try queue.submit(requests(1), now: noon)
            let claim = try #require(try queue.claimAny().first)
            #expect(try queue.record([Outcome(claim, .succeeded(result: "1"), at: noon)]).isEmpty)
            #expect(try queue.record([Outcome(claim, .succeeded(result: "2"), at: noon)]) == [claim])
            #expect(try queue.records(ids).first?.result == "1")
        }
    }

    @Test func `a claim that was given back cannot be completed and spoils no neighbour`() throws {
        try withQueue { queue in
            let ids = try queue.submit(requests(2), now: noon)
            let first = try queue.claimAny(limit: 2)
            _ = try queue.record([Outcome(first[0], .interrupted, at: noon)])
            let second = try #require(try queue.claimAny().first)
            #expect(second.job == first[0].job)
            #expect(second.token != first[0].token)
            let lost = try queue.record([
                Outcome(first[0], .succeeded(result: #""late""#), at: noon),
                Outcome(first[1], .succeeded(result: #""neighbour""#), at: noon),
            ])
            #expect(lost == [first[0]])
            #expect(try queue.record([Outcome(second, .succeeded(result: #""second""#), at: noon)]).isEmpty)
            #expect(try queue.records(ids).map(\.result) == [#""second""#, #""neighbour""#])
        }
    }

    @Test func `an interrupted job keeps its attempts`() throws {
        try withQueue { queue in
            let ids = try queue.submit(requests(1), now: noon)
            for _ in 0..<3 {
                let claim = try #require(try queue.claimAny().first)
                #expect(claim.attempt == 1)
                _ = try queue.record([Outcome(claim, .interrupted, at: noon)])
            }
            let record = try #require(try queue.records(ids).first)
            #expect(record.state == .queued)
            #expect(record.attempts == 0)
        }
    }

    @Test func `counters say what the rows say`() throws {
        try withQueue { queue in
            _ = try queue.submit(requests(7, model: "a", batch: "one") + requests(5, model: "b"), now: noon)
            let claims = try queue.claimAny(limit: 4)
            _ = try queue.record([
                Outcome(claims[0], .succeeded(result: "{}"), at: noon),
                Outcome(claims[1], .failed(JobFailure(kind: "x", message: "y")), at: noon),
                Outcome(claims[2], .interrupted, at: noon),
            ])
            let counts = try queue.counts()
            #expect(try queue.countRows() == counts)
            #expect(counts.total == 12)
            #expect(counts[.running] == 1)
            let batch = try #require(try queue.counts(ofBatch: "one"))
            #expect(batch.total == 7)
            #expect(batch.finished == 2)
            #expect(try queue.counts(ofBatch: "two") == nil)
        }
    }

    @Test func `a batch grows over several submits and is read page by page`() throws {
        try withQueue { queue in
            let ids =
                try queue.submit(requests(3, batch: "b"), now: noon) + queue.submit(requests(2, batch: "b"), now: noon)
            let first = try queue.jobs(ofBatch: "b", limit: 4)
            let second = try queue.jobs(ofBatch: "b", after: try #require(first.last), limit: 4)
            #expect(first + second == ids)
        }
    }

    @Test(arguments: ["", "17", "007"])
    func `a batch name without a letter is refused`(name: String) throws {
        try withQueue { queue throws in
            let error = #expect(throws: JobsError.self) { try queue.submit(requests(1, batch: name), now: noon) }
            #expect(error?.code == .invalidRequest)
            #expect(try queue.counts().total == 0)
        }
    }

    @Test func `meta that is no JSON is refused before anything is written`() throws {
        try withQueue { queue throws in
            var list = requests(3)
            list[2].meta = "{oops"
            let error = #expect(throws: JobsError.self) { try queue.submit(list, now: noon) }
            #expect(error?.code == .invalidRequest)
            #expect(try queue.counts().total == 0)
        }
    }

    @Test func `a long submit is acknowledged chunk by chunk in order`() throws {
        try withQueue { queue in
            var chunks: [[JobID]] = []
            try queue.submit(requests(1201).lazy.map { $0 }, now: noon) { chunks.append($0.map(\.job)) }
            #expect(chunks.map(\.count) == [500, 500, 201])
            let ids = chunks.flatMap { $0 }
            #expect(ids == ids.sorted())
            #expect(try queue.counts()[.queued] == 1201)
            #expect(try queue.jobsOfLastSubmit() == ids)
        }
    }

    @Test func `the newest submit is told from the ones before`() throws {
        try withQueue { queue in
            #expect(try queue.jobsOfLastSubmit().isEmpty)
            _ = try queue.submit(requests(3), now: noon)
            let last = try queue.submit(requests(2), now: noon + .seconds(1))
            #expect(try queue.jobsOfLastSubmit() == last)
        }
    }

    @Test func `ids are read from digits only`() {
        #expect(JobID("17") == JobID(rawValue: 17))
        for text in ["", "0", "-1", "+1", "1.5", "x1", "٣", "99999999999999999999"] { #expect(JobID(text) == nil) }
    }

    @Test func `a worker is alive while it holds its lock and gone when removed`() throws {
        try withQueue { queue in
            let lock = try queue.addWorker(threads: 2, serves: ["net"], now: noon)
            let worker = try #require(try queue.workers(now: noon + .seconds(60)).first { $0.id == lock.worker })
            #expect(worker.isAlive)
            #expect(worker.identity.threads == 2)
            #expect(worker.serves(model("net")) && !worker.serves(model("other")))
            #expect(try queue.renewLease(ofWorker: lock.worker, now: noon))
            #expect(try queue.removeWorker(lock, now: noon) == 0)
            #expect(try queue.workers(now: noon).map(\.id) == ["w"])
            #expect(try !queue.renewLease(ofWorker: lock.worker, now: noon))
        }
    }

    @Test func `a worker whose lock is free is dead at once`() throws {
        try withQueue { queue in
            var lock: WorkerLock? = try queue.addWorker(threads: 1, serves: nil, now: noon)
            #expect(lock?.isInPlace == true)
            lock = nil
            #expect(try queue.workers(now: noon).allSatisfy { !$0.isAlive })
        }
    }

    @Test func `a removed worker's jobs go back with their attempts, and it gets no others`() throws {
        try withQueue { queue throws in
            let lock = try queue.addWorker(threads: 1, serves: nil, now: noon)
            let ids = try queue.submit(requests(3, batch: "b"), now: noon)
            let models = try queue.allModels()
            let mine = try queue.claim(limit: 2, models: models, worker: lock.worker, now: noon)
            let other = try queue.claim(limit: 1, models: models, worker: "w", now: noon)
            #expect(try queue.removeWorker(lock, now: noon + .seconds(1)) == 2)
            #expect(try queue.records(ids).map(\.state) == [.queued, .queued, .running])
            #expect(try queue.records(ids).map(\.attempts) == [0, 0, 1])
            #expect(try queue.countRows() == queue.counts())
            #expect(try queue.counts(ofBatch: "b")?[.queued] == 2)
            #expect(try queue.record(mine.map { Outcome($0, .succeeded(result: "{}"), at: noon) }) == mine)
            #expect(try queue.record(other.map { Outcome($0, .succeeded(result: "{}"), at: noon) }).isEmpty)
            #expect(try queue.claim(limit: 1, models: models, worker: lock.worker, now: noon).isEmpty)
        }
    }
}
