// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

/// A queue remembers the last number as long as nobody else writes; several queues on one file stand for processes.
struct JobNumberTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/queue.db" }

    init() throws { folder = try TemporaryFolder() }

    /// Opens queues on one file, runs the body, closes them, always.
    private func withQueues(_ count: Int, _ body: ([JobQueue]) throws -> Void) throws {
        let queues = try (0..<count).map { _ in try JobQueue(path: path) }
        let result = Result { try body(queues) }
        for queue in queues { try queue.close() }
        try result.get()
    }

    @Test func `queues that submit in turns give each number once`() throws {
        try withQueues(3) { queues in
            var numbers: [Int64] = []
            for round in 0..<4 {
                for (index, queue) in queues.enumerated() {
                    // Models and parameters change too, since their rows are remembered as well.
                    let some = requests(1 + (round + index) % 3, model: "m\(index % 2)")
                    numbers += try queue.submit(some, now: noon).map(\.rawValue)
                }
            }
            #expect(numbers == Array(1...Int64(numbers.count)))
            #expect(try queues[0].check().findings.isEmpty)
        }
    }

    @Test func `a number that another queue has given and pruned is not given again`() throws {
        try withQueues(2) { queues in
            let first = try queues[0].submit(requests(2), now: noon)
            let second = try queues[1].submit(requests(2), now: noon)
            _ = try queues[1].cancel(first + second, now: noon)
            #expect(try queues[1].prune(.cancelled, before: noon + .seconds(1)) == 4)
            #expect(try queues[0].submit(requests(1), now: noon) == [JobID(rawValue: 5)])
        }
        try withQueues(1) { queues in
            let next = try queues[0].submit(requests(1), now: noon)
            #expect(next == [JobID(rawValue: 6)])
        }
    }

    @Test func `a submit that is refused takes no number, and what it added is not remembered`() throws {
        try withQueues(1) { queues in
            let queue = queues[0]
            _ = try queue.submit(requests(1), now: noon)
            for _ in 0..<2 {
                let error = #expect(throws: JobsError.self) {
                    try queue.submit(requests(3, model: "new"), now: noon, maxQueued: 2) { _ in }
                }
                #expect(error?.code == .full)
            }
            #expect(try queue.submit(requests(1, model: "new"), now: noon) == [JobID(rawValue: 2)])
            #expect(try queue.check().findings.isEmpty)
        }
    }
}
