// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

struct PositionTests {
    @Test func `jobs of the same model with the same or a higher priority are ahead, in the order of the claim`() throws
    {
        try withQueue { queue in
            let first = try queue.submit(requests(3), now: noon)
            let later = try queue.submit(requests(2), now: noon + .seconds(1))
            let urgent = try queue.submit(requests(2, priority: 5), now: noon + .seconds(2))
            _ = try queue.submit(requests(9, model: "other", priority: 9), now: noon)
            let order = urgent + first + later
            for (index, job) in order.enumerated() {
                #expect(try queue.jobsAhead(of: job)?.value == index, "job \(job)")
            }
            let claimed = try queue.claim(limit: 7, models: [1], worker: "w", now: noon + .seconds(3))
            #expect(claimed.map(\.job) == order)
            #expect(try queue.jobsAhead(of: order[0]) == nil, "it runs")
        }
    }

    @Test func `what is ahead is not counted beyond a bound`() throws {
        try withQueue { queue in
            let ids = try queue.submit(requests(10_002), now: noon)
            let counts = try [ids[9_999], ids[10_000], ids[10_001]].map { try queue.jobsAhead(of: $0) }
            #expect(counts.map { $0?.value } == [9_999, 10_000, 10_000])
            #expect(counts.map { $0?.isBounded } == [false, false, true])
            let urgent = try queue.submit(requests(1, priority: -1), now: noon)
            #expect(try queue.jobsAhead(of: urgent[0])?.isBounded == true)
        }
    }
}
