// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqJobs

/// Runs the measurements of `yoloq bench queue`, each on a new queue in one folder.
struct Bench {
    let folder: URL
    let rounds: Int

    /// Lets the queue and the bare loop do the same, in turns.
    func compare(_ plan: BenchPlan) throws -> Comparison {
        var stretches: [BenchSide: [Stretch]] = [:]
        for round in 0..<rounds {
            let sides: [BenchSide] = round.isMultiple(of: 2) ? [.queue, .bare] : [.bare, .queue]
            for side in sides {
                let database = try makeQueue()
                let lane = BenchLaneWork(database: database, side: side, plan: plan)
                stretches[side, default: []].append(try lane.measure())
                removeQueue(database)
            }
        }
        let queue = stretches[.queue] ?? []
        let bare = stretches[.bare] ?? []
        return Comparison(
            plan: plan,
            jobCount: (queue.reduce(0) { $0 + $1.jobCount }, bare.reduce(0) { $0 + $1.jobCount }),
            queue: Spread(queue.map(\.jobsPerSecond)),
            bare: Spread(bare.map(\.jobsPerSecond)),
            ratio: Spread(zip(queue, bare).map { $0.jobsPerSecond / $1.jobsPerSecond })
        )
    }

    /// Measures how soon a sleeping process has a job that another one submits.
    func measurePickup(count: Int, pause: Int, durability: Durability) throws -> [Latency] {
        let database = try makeQueue()
        defer { removeQueue(database) }
        let worker = try BenchChild(["pickup", database, durability.rawValue, "pickup", "\(count)", "1"])
        try worker.waitUntilReady()
        let submitted = try withQueue(database, durability) { queue in
            let clock = try CommitClock(queue)
            return try withExtendedLifetime(clock) {
                try (0..<count).map { _ in
                    // So that the other one is asleep again, and no rhythm arises.
                    usleep(.random(in: UInt32(pause * 600)...UInt32(pause * 1400)))
                    return try clock.submit(to: queue)
                }
            }
        }
        let claimedAt = Dictionary(uniqueKeysWithValues: try worker.finish().map { ($0[0], $0[1]) })
        let pairs = submitted.compactMap { job in claimedAt[job.job.rawValue].map { (job, $0) } }
        let syncs = try DiskProbe.syncTimes(path: folder.appending(path: "probe").path, count: count)
        return [
            Latency(
                what: "pickup after COMMIT",
                durability: durability,
                microseconds: pairs.map { Double($1 - $0.committedAt) / 1000 }
            ),
            Latency(
                what: "pickup after the call of submit",
                durability: durability,
                microseconds: pairs.map { Double($1 - $0.calledAt) / 1000 }
            ),
            Latency(what: "fdatasync of 4 KiB", durability: nil, microseconds: syncs.map { Double($0) / 1000 }),
        ]
    }

    /// Measures how soon a new process has the job of one that was killed: from the kill to the claim, the start of the process
    /// included.
    func measureRecovery(count: Int, durability: Durability) throws -> Latency {
        let database = try makeQueue()
        defer { removeQueue(database) }
        let times = try (0..<count).map { _ in
            try withQueue(database, durability) { queue in
                try QueueLane(queue).submit(1)
            }
            let victim = try BenchChild(["hold", database, durability.rawValue, "recovery", "1", "1"])
            try victim.waitUntilReady()
            let killedAt = victim.kill()
            let heir = try BenchChild(["take-over", database, durability.rawValue, "recovery", "1", "1"])
            let numbers = try heir.finish()
            victim.waitUntilExit()
            guard let claimedAt = numbers.first?.first else {
                throw CommandFailure(.inputOutput, "a process of the benchmark has printed nothing")
            }
            return Double(claimedAt - killedAt) / 1000
        }
        return Latency(what: "recovery of a killed worker's job", durability: durability, microseconds: times)
    }

    /// Measures what a job costs without and with a history.
    func measureHistory(_ storedCount: Int) throws -> [HistoryLine] {
        let database = try makeQueue()
        defer { removeQueue(database) }
        return try withQueue(database, .full) { queue in
            let before = try CycleCost.measure(on: queue, count: 201)
            try queue.addHistory(storedCount)
            let after = try CycleCost.measure(on: queue, count: 201)
            return [HistoryLine(storedCount: 0, cost: before), HistoryLine(storedCount: storedCount, cost: after)]
        }
    }

    private func makeQueue() throws -> String {
        let path = folder.appending(path: "\(UUID().uuidString).db").path
        try QueueLane.prepare(path)
        return path
    }

    private func removeQueue(_ path: String) {
        for suffix in ["", "-wal", "-shm", "-lock", "-turn", "-wake", "-workers"] {
            try? FileManager.default.removeItem(atPath: path + suffix)
        }
    }
}

/// Opens a queue, runs the body, closes it, always.
private func withQueue<R>(_ path: String, _ durability: Durability, _ body: (JobQueue) throws -> R) throws -> R {
    var options = JobQueue.Options()
    options.durability = durability
    options.createsIfMissing = false
    let queue = try JobQueue(path: path, options: options)
    let result = Result { try body(queue) }
    try queue.close()
    return try result.get()
}

/// Who does the work.
enum BenchSide: String {
    case queue, bare
}

/// One side's work on one queue.
struct BenchLaneWork: Sendable {
    let database: String
    let side: BenchSide
    let part: BenchPart
    let durability: Durability
    let lanes: BenchLanes
    let jobCount: Int
    let batchCount: Int

    init(database: String, side: BenchSide, plan: BenchPlan) {
        self.database = database
        self.side = side
        part = plan.part
        durability = plan.durability
        lanes = plan.lanes
        jobCount = plan.jobCount
        batchCount = plan.batchCount
    }

    /// Does it and returns the time it took.
    func measure() throws -> Stretch {
        switch lanes {
        case .threads(let count): try measure(threadCount: count)
        case .processes(let count): try measure(processCount: count)
        }
    }

    private func measure(threadCount: Int) throws -> Stretch {
        let share = jobCount / threadCount
        switch side {
        case .queue:
            return try withQueue(database, durability) { queue in
                try Stretch.sideBySide(threadCount) { whenReady in
                    try QueueLane(queue).run(part, jobCount: share, batchCount: batchCount, whenReady: whenReady)
                }
            }
        case .bare:
            return try Stretch.sideBySide(threadCount) { whenReady in
                try BareLane(path: database, durability: durability)
                    .run(part, jobCount: share, batchCount: batchCount, whenReady: whenReady)
            }
        }
    }

    private func measure(processCount: Int) throws -> Stretch {
        let children = try (0..<processCount).map { _ in
            try BenchChild([
                side.rawValue, database, durability.rawValue, part.rawValue, "\(jobCount / processCount)",
                "\(batchCount)",
            ])
        }
        for child in children { try child.waitUntilReady() }
        for child in children { try child.start() }
        return Stretch.joining(
            try children.map { child in
                guard let numbers = try child.finish().first, numbers.count == 3 else {
                    throw CommandFailure(.inputOutput, "a process of the benchmark has printed nothing")
                }
                return Stretch(jobCount: Int(numbers[0]), start: numbers[1], end: numbers[2])
            }
        )
    }

    /// Does one process's share of the work.
    func runAsChild(whenReady: () -> Void) throws -> Stretch {
        switch side {
        case .queue:
            try withQueue(database, durability) { queue in
                try QueueLane(queue).run(part, jobCount: jobCount, batchCount: batchCount, whenReady: whenReady)
            }
        case .bare:
            try BareLane(path: database, durability: durability)
                .run(part, jobCount: jobCount, batchCount: batchCount, whenReady: whenReady)
        }
    }
}
