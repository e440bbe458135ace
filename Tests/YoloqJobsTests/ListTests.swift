// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

struct ListTests {
    /// 120 jobs of two models, in three batches or none, in every state.
    private func fill(_ queue: JobQueue) throws {
        for number in 0..<12 {
            let name = number % 4 == 0 ? "rare" : "net"
            let batch = ["a", "b", nil][number % 3]
            var some = requests(10, model: name, batch: batch)
            some[9].runAt = noon + .seconds(1000)
            let ids = try queue.submit(some, now: noon + .seconds(number))
            _ = try queue.cancel([ids[number % 5]], now: noon + .seconds(100))
        }
        let claims = try queue.claimAny(limit: 40, now: noon + .seconds(200))
        let failure = JobFailure(kind: "truncated", message: "m", isRetryable: false)
        let missing = JobFailure(kind: "not_found", message: "m", isRetryable: false)
        _ = try queue.record(
            claims.dropLast(5).enumerated().map { index, claim in
                let ending: Outcome.Ending =
                    index % 3 == 0 ? .failed(index == 9 ? missing : failure) : .succeeded(result: "{}")
                // Not in the order of their ids.
                return Outcome(claim, ending, at: noon + .seconds(300 + index * 7 % 11))
            }
        )
    }

    /// Reads a list to its end; `between` runs behind each page.
    private func ids(
        _ filter: JobFilter,
        limit: Int,
        stepCount: Int,
        in queue: JobQueue,
        between: (Int) throws -> Void = { _ in }
    ) throws -> [JobID] {
        var ids: [JobID] = []
        var cursor: JobID?
        var pageCount = 0
        repeat {
            let page = try queue.jobs(matching: filter, after: cursor, limit: limit, stepCount: stepCount)
            #expect(page.jobs.count <= limit)
            ids += page.jobs.map(\.id)
            cursor = page.next
            pageCount += 1
            try between(pageCount)
        } while cursor != nil
        return ids
    }

    private func everyJob(in queue: JobQueue) throws -> [JobRecord] {
        try queue.records((1...2000).map { JobID(rawValue: $0) }).reversed()
    }

    private static let filters: [JobFilter] = {
        let states: [Set<JobState>?] =
            [nil, [.failed], [.queued, .running], [.scheduled], [.succeeded, .cancelled], Set(JobState.allCases)]
        var filters: [JobFilter] = []
        for states in states {
            for model in [nil, "rare", "/models/net.onnx", "none"] {
                for batch in [nil, "b", "none"] {
                    for kind in [nil, "truncated", "not_found", "none"] {
                        var filter = JobFilter()
                        filter.states = states
                        filter.model = model
                        filter.batch = batch
                        filter.errorKind = kind
                        filters.append(filter)
                    }
                }
            }
        }
        return filters
    }()

    private func matches(_ job: JobRecord, _ filter: JobFilter) -> Bool {
        (filter.states?.contains(job.state) ?? true)
            && (filter.model.map { [job.model.name, job.model.path].contains($0) } ?? true)
            && (filter.batch.map { job.batch == $0 } ?? true)
            && (filter.errorKind.map { job.failure?.kind == $0 } ?? true)
    }

    @Test(arguments: [1, 2, 7, 5000])
    func `every filter gives all that match, newest first, in pages of any size`(stepCount: Int) throws {
        try withQueue { queue in
            try fill(queue)
            let jobs = try everyJob(in: queue)
            #expect(jobs.count == 120)
            for filter in Self.filters {
                let expected = jobs.filter { matches($0, filter) }.map(\.id)
                for limit in [3, 50, 1000] {
                    let found = try ids(filter, limit: limit, stepCount: stepCount, in: queue)
                    #expect(found == expected, "\(filter), \(limit)")
                }
            }
        }
    }

    @Test(arguments: [JobState.queued, .failed, .succeeded], [3, 5000])
    func `pages stay disjoint and complete while jobs move between them`(state: JobState, stepCount: Int) throws {
        try withQueue { queue in
            try fill(queue)
            var filter = JobFilter()
            filter.states = [state]
            var steady = Set(try everyJob(in: queue).filter { $0.state == state }.map(\.id))
            let before = steady
            let listed = try ids(filter, limit: 4, stepCount: stepCount, in: queue) { page in
                guard page < 20 else { return }
                // New jobs above, and old ones that go, come back and end anew.
                _ = try queue.submit(requests(3), now: noon + .seconds(400 + page))
                let failed = try queue.records(steady.sorted()).filter { $0.state == .failed }.map(\.id)
                _ = try queue.retry(Array(failed.prefix(1)), now: noon + .seconds(400 + page))
                let claims = try queue.claimAny(limit: 2, now: noon + .seconds(500 + page))
                _ = try queue.record(
                    claims.map { Outcome($0, .succeeded(result: "{}"), at: noon + .seconds(600 + page)) }
                )
                steady.subtract(try queue.records(steady.sorted()).filter { $0.state != state }.map(\.id))
            }
            #expect(Set(listed).count == listed.count, "a job is on two pages")
            #expect(steady.subtracting(listed).isEmpty, "a job is on no page")
            #expect(listed == listed.sorted(by: >))
            #expect(Set(listed).isSubset(of: before) || state != .failed)
        }
    }

    @Test func `a page goes on behind a job that was pruned`() throws {
        try withQueue { queue in
            let ids = try queue.submit(requests(6), now: noon)
            _ = try queue.cancel([ids[3]], now: noon)
            _ = try queue.prune(.cancelled, before: noon + .seconds(1))
            let page = try queue.jobs(matching: JobFilter(), after: ids[3], limit: 2)
            #expect(page.jobs.map(\.id) == [ids[2], ids[1]])
            #expect(page.next == ids[1])
            #expect(try queue.jobs(matching: JobFilter(), after: ids[1], limit: 1).next == nil)
        }
    }

    @Test func `a list does not read results`() throws {
        try withQueue { queue in
            _ = try queue.submit(requests(1), now: noon)
            let claim = try #require(try queue.claimAny().first)
            _ = try queue.record([Outcome(claim, .succeeded(result: "{}"), at: noon)])
            let job = try #require(try queue.jobs(matching: JobFilter(), after: nil, limit: 1).jobs.first)
            #expect(job.state == .succeeded && job.result == nil)
        }
    }
}
