// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

/// Waiting in async code.
struct ResultWaiterTests {
    /// A queue and a waiter, closed in the right order whatever happens.
    private func withWaiter(_ body: (JobQueue, ResultWaiter) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let queue = try JobQueue(path: folder.path + "/queue.db")
        try queue.addTestWorker()
        let waiter = try ResultWaiter(queue)
        var failure: (any Error)?
        do { try await body(queue, waiter) } catch { failure = error }
        waiter.close()
        try queue.close()
        if let failure { throw failure }
    }

    @Test func `many tasks wait for jobs that other threads end`() async throws {
        try await withWaiter { queue, waiter in
            let ids = try queue.submit(requests(40), now: noon)
            try await withThrowingTaskGroup(of: [JobRecord].self) { group in
                for id in ids { group.addTask { try await waiter.wait(for: [id], timeout: nil) } }
                group.addTask { try await waiter.wait(for: ids, timeout: nil) }
                while true {
                    let claims = try queue.claimAny(limit: 7)
                    guard !claims.isEmpty else { break }
                    _ = try queue.record(claims.map { Outcome($0, .succeeded(result: "\($0.job)"), at: noon) })
                }
                var count = 0
                for try await records in group {
                    #expect(records.allSatisfy { $0.state == .succeeded && $0.result == "\($0.id)" })
                    #expect(records.map(\.id) == records.map(\.id).sorted())
                    count += records.count
                }
                #expect(count == 80)
            }
        }
    }

    @Test func `when the time is over the jobs come back as they are`() async throws {
        try await withWaiter { queue, waiter in
            let ids = try queue.submit(requests(1), now: noon)
            let records = try await waiter.wait(for: ids, timeout: .milliseconds(20))
            #expect(records.map(\.state) == [.queued])
        }
    }

    @Test func `jobs that do not exist are not waited for`() async throws {
        try await withWaiter { _, waiter async throws in
            #expect(try await waiter.wait(for: [], timeout: nil).isEmpty)
            #expect(try await waiter.wait(for: [JobID(rawValue: 17)], timeout: nil).isEmpty)
        }
    }

    @Test func `closing ends every wait with an error`() async throws {
        let folder = try TemporaryFolder()
        let queue = try JobQueue(path: folder.path + "/queue.db")
        let waiter = try ResultWaiter(queue)
        let ids = try queue.submit(requests(1), now: noon)
        let wait = Task { try await waiter.wait(for: ids, timeout: nil) }
        waiter.close()
        await #expect(throws: JobsError.self) { try await wait.value }
        await #expect(throws: JobsError.self) { try await waiter.wait(for: ids, timeout: nil) }
        try queue.close()
    }
}
