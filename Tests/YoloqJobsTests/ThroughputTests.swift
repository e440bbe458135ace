// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

struct ThroughputTests {
    /// A job that ran between two moments, in seconds before noon.
    private func job(from start: Double?, to end: Double) -> FinishedJob {
        FinishedJob(
            id: JobID(rawValue: 1),
            model: 1,
            batch: nil,
            startedAt: start.map { noon + .seconds(-$0) },
            finishedAt: noon + .seconds(-end),
            errorKind: nil,
            result: nil
        )
    }

    private func rate(_ jobs: [FinishedJob]) -> Double? { Throughput(of: jobs, now: noon)?.jobsPerSecond }

    @Test func `jobs behind each other and jobs side by side`() throws {
        let row = (0..<10).map { job(from: Double($0) + 1, to: Double($0)) }
        #expect(try abs(#require(rate(row)) - 1) < 1e-9)
        let pairs = row + row
        #expect(try abs(#require(rate(pairs)) - 2) < 1e-9)
        #expect(Throughput(of: pairs, now: noon)?.time(for: 10) == .seconds(5))
    }

    @Test func `idle time is left out and short pauses are not`() throws {
        let early = (0..<5).map { job(from: 51 + Double($0), to: 50 + Double($0)) }
        let late = (0..<5).map { job(from: 1 + Double($0), to: Double($0)) }
        #expect(try abs(#require(rate(early + late)) - 1) < 1e-9)
        let halting = (0..<5).map { job(from: 0.5 + Double($0), to: Double($0)) }
        #expect(try abs(#require(rate(halting)) - 5 / 4.5) < 1e-9)
    }

    @Test func `of a job that began before the minute a part counts`() throws {
        #expect(try abs(#require(rate([job(from: 120, to: 0)])) - 1.0 / 120) < 1e-9)
    }

    @Test func `nothing lately gives no rate`() {
        #expect(rate([]) == nil)
        #expect(rate([job(from: 100, to: 61)]) == nil)
        #expect(rate([job(from: nil, to: 1)]) == nil, "it took over another job's result")
        #expect(rate([job(from: -5, to: -9)]) == nil, "the clock was set back since")
        #expect(rate([job(from: 1, to: 1)]) == 1000, "faster than the clock tells")
    }

    @Test func `the latest jobs come latest first and of one state`() throws {
        try withQueue { queue in
            _ = try queue.submit(requests(6, batch: "b"), now: noon)
            let claims = try queue.claimAny(limit: 6)
            let failure = JobFailure(kind: "truncated", message: "m")
            for (index, claim) in claims.enumerated() {
                let ending: Outcome.Ending = index % 2 == 0 ? .succeeded(result: "{\"n\":\(index)}") : .failed(failure)
                _ = try queue.record([Outcome(claim, ending, at: noon + .seconds(10 - index))])
            }
            let succeeded = try queue.recent(.succeeded, limit: 2)
            #expect(succeeded.map(\.id.rawValue) == [1, 3])
            #expect(succeeded.map(\.result) == ["{\"n\":0}", "{\"n\":2}"])
            #expect(succeeded.allSatisfy { $0.batch == "b" && $0.errorKind == nil && $0.startedAt == noon })
            let failed = try queue.recent(.failed, limit: 9)
            #expect(failed.map(\.id.rawValue) == [2, 4, 6])
            #expect(failed.allSatisfy { $0.errorKind == "truncated" && $0.result == nil })
        }
    }

    @Test func `the oldest wait is found behind other models and priorities`() throws {
        try withQueue { queue in
            #expect(try queue.oldestQueued() == nil)
            _ = try queue.submit(requests(2, model: "a", priority: 9), now: noon + .seconds(4))
            _ = try queue.submit(requests(2, model: "a"), now: noon + .seconds(3))
            _ = try queue.submit(requests(2, model: "b", priority: 1), now: noon + .seconds(2))
            _ = try queue.submit(requests(1, model: "b", priority: -5), now: noon + .seconds(1))
            _ = try queue.submit(requests(2, model: "c", priority: .min), now: noon + .seconds(5))
            #expect(try queue.oldestQueued() == noon + .seconds(1))
            _ = try queue.cancel([JobID(rawValue: 7)], now: noon)
            #expect(try queue.oldestQueued() == noon + .seconds(2))
        }
    }

    @Test func `the oldest wait of a batch`() throws {
        try withQueue { queue in
            _ = try queue.submit(requests(2), now: noon)
            _ = try queue.submit(requests(2, batch: "b"), now: noon + .seconds(5))
            #expect(try queue.oldestQueued(ofBatch: "b") == noon + .seconds(5))
            #expect(try queue.oldestQueued(ofBatch: "none") == nil)
        }
    }
}
