// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import YoloqJobs

struct WakeTests {
    @Test func `submit raises the work counter, a result the other one, a claim none`() throws {
        try withQueue { queue in
            let start = queue.wakeCounters
            _ = try queue.submit(requests(1), now: noon)
            #expect(queue.wakeCounters.work == start.work + 1)
            let submitted = queue.wakeCounters
            let claim = try #require(try queue.claimAny().first)
            #expect(queue.wakeCounters == submitted)
            _ = try queue.record([Outcome(claim, .succeeded(result: "{}"), at: noon)])
            #expect(queue.wakeCounters.results == start.results + 1)
            #expect(queue.wakeCounters.work == submitted.work)
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a submit wakes a sleeper long before its time is up`() throws {
        try withQueue { queue in
            let watcher = try queue.makeWatcher()
            let seen = queue.wakeCounters
            Thread.detachNewThread { _ = try? queue.submit(requests(1), now: noon) }
            // A sleeper that is not woken runs into the test's time limit.
            while queue.wakeCounters == seen { watcher.wait(atMost: .seconds(700)) }
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a ring before the wait is not slept through`() throws {
        try withQueue { queue in
            let watcher = try queue.makeWatcher()
            watcher.ring()
            watcher.wait(atMost: .seconds(700))
        }
    }

    @Test(arguments: [false, true])
    func `a deadline rings for results, and for work if somebody waited for that job`(isFollowed: Bool) throws {
        try withQueue { queue in
            _ = try queue.add(sharing("cat") { $0.expiresAt = noon + .seconds(1) })
            if isFollowed { _ = try queue.add(sharing("cat")) }
            let before = queue.wakeCounters
            _ = try queue.expire(now: noon + .seconds(1))
            #expect(queue.wakeCounters.results == before.results + 1)
            #expect(queue.wakeCounters.work == before.work + (isFollowed ? 1 : 0))
        }
    }
}
