// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import YoloqJobs

/// Threads that race for the same rows of one file through two queue objects, as two processes would.
struct RaceTests {
    private static let threadCount = 8

    /// Opens one file twice and closes both, always.
    private func withTwoQueues(_ body: ([JobQueue]) throws -> Void) throws {
        var options = JobQueue.Options()
        options.durability = .normal
        let folder = try TemporaryFolder()
        try withExtendedLifetime(folder) {
            let queues = try (0..<2).map { _ in try JobQueue(path: folder.path + "/queue.db", options: options) }
            let result = Result { try body(queues) }
            for queue in queues { try queue.close() }
            try result.get()
        }
    }

    /// Runs a body on eight threads that start together, every other one on the second queue.
    ///
    /// - Returns: What each thread found, in no order.
    private func race<R: Sendable>(
        on queues: [JobQueue],
        _ body: @escaping @Sendable (JobQueue, _ thread: Int) throws -> R
    ) throws -> [R] {
        let found = Locked<[Result<R, any Error>]>([])
        let (ready, go, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        for thread in 0..<RaceTests.threadCount {
            let queue = queues[thread % 2]
            Thread {
                ready.signal()
                go.wait()
                let result = Result { try body(queue, thread) }
                found.withLock { $0.append(result) }
                done.signal()
            }.start()
        }
        for _ in 0..<RaceTests.threadCount { ready.wait() }
        for _ in 0..<RaceTests.threadCount { go.signal() }
        for _ in 0..<RaceTests.threadCount { done.wait() }
        return try found.withLock { $0 }.map { try $0.get() }
    }

    @Test func `submits of one key that race make one job`() throws {
        try withTwoQueues { queues in
            for round in 0..<20 {
                let receipts = try race(on: queues) { queue, _ in
                    try queue.receipts(of: [request { $0.key = "k\(round)" }])[0]
                }
                #expect(Set(receipts.map(\.job)).count == 1)
                #expect(receipts.count { $0.isNew } == 1)
            }
            #expect(try queues[0].counts().total == 20)
        }
    }

    @Test func `submits of the newest frame that race leave one waiting`() throws {
        try withTwoQueues { queues in
            let jobs = try race(on: queues) { queue, _ in
                try (0..<5).map { _ in try queue.add(request { $0.latestKey = "camera" }) }
            }.flatMap { $0 }
            let waiting = try queues[0].records(jobs).filter { $0.state == .queued }.map(\.id)
            #expect(waiting == [jobs.max()])
            #expect(try queues[0].countRows() == queues[0].counts())
        }
    }

    @Test func `submits of one content that race are run once`() throws {
        try withTwoQueues { queues in
            let jobs = try race(on: queues) { queue, _ in
                try (0..<5).map { _ in try queue.add(sharing("cat")) }
            }.flatMap { $0 }
            #expect(try queues[0].counts()[.queued] == 1)
            try queues[0].register(worker("w"), now: noon)
            try queues[0].end(queues[0].takeOne(), .succeeded(result: "{}"))
            #expect(try queues[1].states(of: jobs).allSatisfy { $0 == .succeeded })
        }
    }

    @Test func `claims that race take each job once`() throws {
        try withTwoQueues { queues in
            let jobs = try queues[0].submit(requests(300), now: noon)
            for thread in 0..<RaceTests.threadCount { try queues[0].register(worker("w\(thread)"), now: noon) }
            let claims = try race(on: queues) { queue, thread in
                var claims: [Claim] = []
                while true {
                    let more = try queue.take(1 + thread % 3, by: "w\(thread)")
                    if more.isEmpty { return claims }
                    claims += more
                }
            }
            #expect(claims.flatMap { $0 }.map(\.job).sorted() == jobs)
            #expect(Set(claims.flatMap { $0 }.map(\.token)).count == 300)
            #expect(try queues[0].countRows() == queues[0].counts())
        }
    }

    @Test func `outcomes that race are recorded once`() throws {
        try withTwoQueues { queues in
            try queues[0].register(worker("w"), now: noon)
            let job = try queues[0].add(request())
            let claim = try queues[0].takeOne()
            let held = try race(on: queues) { queue, thread in
                (thread, try queue.end(claim, .succeeded(result: "\(thread)")))
            }
            let winners = held.filter(\.1).map { "\($0.0)" }
            #expect(winners.count == 1)
            #expect(try queues[1].record(of: job).result == winners.first)
        }
    }

    @Test func `rescues of one worker that race are done once`() throws {
        try withTwoQueues { queues in
            let jobs = try queues[0].submit(requests(20), now: noon)
            for round in 1...5 {
                try queues[0].register(worker("w"), now: noon)
                #expect(try queues[0].take(20).count == 20)
                let counts = try race(on: queues) { queue, _ in
                    try queue.rescue(worker: "w", because: .silence(lease: noon + JobQueue.lease), now: noon)
                }
                #expect(counts.compactMap(\.self) == [20])
                #expect(try queues[1].attempts(of: jobs[0]).count == round)
            }
            #expect(try queues[0].countRows() == queues[0].counts())
        }
    }

    @Test func `a rescue that races with the end of the job loses or wins, not both`() throws {
        try withTwoQueues { queues in
            for _ in 0..<10 {
                try queues[0].register(worker("w"), now: noon)
                let job = try queues[0].add(request())
                let claim = try queues[0].takeOne()
                let found = try race(on: queues) { queue, thread in
                    if thread < 4 { return try queue.rescue(worker: "w", because: .death, now: noon) == 1 }
                    return try queue.end(claim, .succeeded(result: "{}"))
                }
                #expect(found.count { $0 } == 1)
                let state = try queues[0].state(of: job)
                #expect(state == .succeeded || state == .queued)
                _ = try queues[0].cancel([job], now: noon)
                _ = try queues[0].unregister(worker: "w", now: noon)
            }
        }
    }
}

/// What the SQLite store alone has: bytes that submitters hand over.
struct InlineContentTests {
    @Test func `bytes are stored once and go with their last job`() throws {
        try withQueue { queue in
            func stored() throws -> [Int] {
                try queue.read("count inputs") { database in
                    try Int.fetchAll(database, sql: "SELECT job_count FROM inputs ORDER BY id")
                }
            }
            let bytes = InlineContent([1, 2, 3])
            let jobs = try queue.submit(
                [
                    request { $0.content = bytes }, request { $0.content = bytes },
                    request { $0.content = InlineContent([]) },
                ],
                now: noon
            )
            #expect(try stored() == [2, 1])
            #expect(try queue.content(of: jobs[1]) == [1, 2, 3])
            #expect(try queue.content(of: jobs[2]) == [])
            #expect(try queue.content(of: queue.add(request())) == nil)
            #expect(try queue.takeOne().isInline)
            _ = try queue.cancel([jobs[0]], now: noon)
            #expect(try queue.prune(.cancelled, before: noon + .seconds(1)) == 1)
            #expect(try stored() == [1, 1])
            #expect(try queue.content(of: jobs[0]) == nil)
            _ = try queue.cancel([jobs[1], jobs[2]], now: noon)
            #expect(try queue.prune(.cancelled, before: noon + .seconds(1)) == 2)
            #expect(try stored().isEmpty)
        }
    }

    @Test func `a refused submit leaves no bytes behind`() throws {
        try withQueue { queue throws in
            #expect(throws: JobsError.self) {
                try queue.receipts(of: [request { $0.content = InlineContent([1]) }], maxQueued: 0)
            }
            let count = try queue.read("count inputs") { try Int.fetchOne($0, sql: "SELECT count(*) FROM inputs") }
            #expect(count == 0)
        }
    }
}
