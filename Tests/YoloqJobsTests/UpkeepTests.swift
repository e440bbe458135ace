// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import YoloqJobs

/// What every worker does for the whole queue.
struct UpkeepTests {
    private static let start = SuspendingClock.now

    /// A worker that no process stands for and whose lock tells nothing.
    private func register(_ id: String, in queue: JobQueue, now: Timestamp = noon) throws {
        let identity = WorkerIdentity(id: id, host: "h", bootID: "another", pid: 1, threads: 1, serves: nil)
        try queue.register(identity, now: now)
    }

    @Test func `a worker whose lease stands still is given up after one lease of our own time`() throws {
        try withQueue { queue in
            let ids = try queue.submit(requests(2), now: noon)
            #expect(try queue.claimAny(limit: 2).count == 2)
            var upkeep = Upkeep(queue, worker: nil)
            #expect(try upkeep.rescue(now: noon, uptime: Self.start).isEmpty)
            #expect(try upkeep.rescue(now: noon, uptime: Self.start + .seconds(14)).isEmpty)
            let rescues = try upkeep.rescue(now: noon + .seconds(15), uptime: Self.start + .seconds(15))
            #expect(rescues.map(\.worker) == ["w"])
            #expect(rescues.map(\.jobCount) == [2])
            #expect(try queue.records(ids).allSatisfy { $0.state == .queued && $0.attempts == 0 && $0.crashes == 0 })
            #expect(try queue.attempts(of: ids[0]).map(\.outcome) == [.rescued])
            #expect(try upkeep.rescue(now: noon, uptime: Self.start + .seconds(60)).isEmpty)
        }
    }

    @Test func `a worker that renews its lease is never given up`() throws {
        try withQueue { queue throws in
            var upkeep = Upkeep(queue, worker: nil)
            for second in stride(from: 0, through: 60, by: 5) {
                #expect(try queue.renewLease(ofWorker: "w", now: noon + .seconds(second)))
                #expect(try upkeep.rescue(now: noon, uptime: Self.start + .seconds(second)).isEmpty)
            }
        }
    }

    @Test(arguments: [-3600, 3600])
    func `a clock that is set back or forward makes nobody dead and keeps nobody alive`(jump: Int) throws {
        try withQueue { queue in
            try register("well", in: queue)
            var upkeep = Upkeep(queue, worker: nil)
            _ = try upkeep.rescue(now: noon, uptime: Self.start)
            // The well one beats by the new clock, the silent one does not.
            let later = noon + .seconds(jump)
            #expect(try queue.renewLease(ofWorker: "well", now: later + .seconds(5)))
            #expect(try upkeep.rescue(now: later, uptime: Self.start + .seconds(10)).isEmpty)
            #expect(try queue.renewLease(ofWorker: "well", now: later + .seconds(10)))
            let rescues = try upkeep.rescue(now: later, uptime: Self.start + .seconds(16))
            #expect(rescues.map(\.worker) == ["w"])
            #expect(try queue.workers(now: later).map(\.id) == ["well"])
        }
    }

    @Test func `a worker of this host whose process is dead is given up at once`() throws {
        try withQueue { queue in
            var lock: WorkerLock? = try queue.addWorker(threads: 1, serves: nil, now: noon)
            let worker = try #require(lock?.worker)
            let ids = try queue.submit(requests(1), now: noon)
            #expect(try queue.claim(models: queue.allModels(), worker: worker, now: noon).count == 1)
            var upkeep = Upkeep(queue, worker: nil)
            #expect(try upkeep.rescue(now: noon, uptime: Self.start).isEmpty)
            lock = nil
            let rescues = try upkeep.rescue(now: noon, uptime: Self.start)
            #expect(rescues.map(\.worker) == [worker])
            #expect(rescues.map(\.cause) == [.death])
            #expect(try queue.records(ids).map(\.crashes) == [1])
            #expect(WorkerLock.probe(worker: worker, in: queue.paths) == .unknown)
        }
    }

    @Test func `due jobs are settled and the next due time is told`() throws {
        try withQueue { queue in
            var delayed = requests(3)
            delayed[0].runAt = noon + .seconds(5)
            delayed[1].runAt = noon + .seconds(9)
            delayed[2].expiresAt = noon + .seconds(7)
            let ids = try queue.submit(delayed, now: noon)
            let upkeep = Upkeep(queue, worker: nil)
            #expect(try upkeep.settleDue(now: noon) == noon + .seconds(5))
            #expect(try upkeep.settleDue(now: noon + .seconds(7)) == noon + .seconds(9))
            #expect(try queue.records(ids).map(\.state) == [.queued, .scheduled, .failed])
            #expect(try upkeep.settleDue(now: noon + .seconds(9)) == nil)
            #expect(try queue.countRows() == queue.counts())
        }
    }

    @Test func `more due jobs than one transaction takes are all settled`() throws {
        try withQueue { queue in
            let late = requests(1300).map { request in
                var request = request
                request.runAt = noon + .seconds(1)
                return request
            }
            _ = try queue.submit(late, now: noon)
            #expect(try Upkeep(queue, worker: nil).settleDue(now: noon + .seconds(1)) == nil)
            #expect(try queue.counts()[.queued] == 1300)
        }
    }

    @Test func `old jobs are deleted, and the file and the log shrink`() throws {
        try withQueue { queue in
            let text = String(repeating: "x", count: 4000)
            _ = try queue.submit(
                requests(4000, batch: "old").map { request in
                    var request = request
                    request.source = text
                    return request
                },
                now: noon
            )
            while true {
                let claims = try queue.claimAny(limit: 500)
                guard !claims.isEmpty else { break }
                _ = try queue.record(claims.map { Outcome($0, .succeeded(result: "{}"), at: noon) })
            }
            let kept = try queue.submit(requests(1), now: noon)
            try queue.cutLog()
            let before = try queue.fileSize()
            var maintenance = Maintenance(queue, retention: Retention(succeeded: .seconds(60)))
            #expect(try maintenance.step(now: noon + .seconds(30)))
            while try maintenance.step(now: noon + .seconds(30)) {}
            #expect(try queue.counts()[.succeeded] == 4000)
            // Not again for a while, whoever asks.
            #expect(try !maintenance.step(now: noon + .seconds(90)))
            while try maintenance.step(now: noon + .seconds(700)) {}
            #expect(try queue.counts().total == 1)
            #expect(try queue.records(kept).count == 1)
            #expect(try queue.counts(ofBatch: "old") == nil)
            #expect(try queue.fileSize() < before / 2)
        }
    }

    @Test func `a log that a reader holds is left as it is`() throws {
        try withQueue { queue in
            _ = try queue.submit(requests(100), now: noon)
            let other = try JobQueue(path: queue.path)
            try other.read("hold a snapshot") { database in
                try database.execute(sql: "BEGIN")
                _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs")
                try queue.cutLog()
                try database.execute(sql: "COMMIT")
            }
            try other.close()
            #expect(try queue.counts()[.queued] == 100)
        }
    }
}

extension JobQueue {
    fileprivate func fileSize() throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    }
}
