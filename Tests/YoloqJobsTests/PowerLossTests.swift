// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import YoloqJobs

/// Cuts the power at many points of a recorded run and looks what is left.
///
/// `YOLOQ_SEED` repeats a run, as far as SQLite's own random numbers allow; `YOLOQ_POWER_LOSS_CUTS` asks for more cuts.
struct PowerLossTests {
    private static let environment = ProcessInfo.processInfo.environment

    private static func seed() -> UInt64 {
        environment["YOLOQ_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
    }

    private static func cutCount(or few: Int) -> Int {
        environment["YOLOQ_POWER_LOSS_CUTS"].flatMap { Int($0) } ?? few
    }

    @Test func `a power cut at any moment takes nothing acknowledged at full durability`() throws {
        let seed = Self.seed()
        let workload = try Workload(durability: .full, seed: seed)
        let cuts = workload.cuts(count: Self.cutCount(or: 256))
        var losses: [String] = []
        try workload.visit(cuts) { cut, findings in losses += findings.losses + findings.damage }
        #expect(losses.isEmpty, "YOLOQ_SEED=\(seed): \(losses.count) of \(cuts.count) cuts: \(losses.prefix(3))")
        print("power loss at full: YOLOQ_SEED=\(seed), \(cuts.count) cuts, \(workload.summary)")
    }

    /// Shows that the test above can fail, and what `normal` costs.
    @Test func `at normal durability a power cut takes acknowledged jobs but damages nothing`() throws {
        let seed = Self.seed()
        let workload = try Workload(durability: .normal, seed: seed)
        let cuts = workload.cutsAfterPromises(count: max(Self.cutCount(or: 256) / 6, 40))
        var lossyCutCount = 0
        var damage: [String] = []
        try workload.visit(cuts) { cut, findings in
            if !findings.losses.isEmpty { lossyCutCount += 1 }
            damage += findings.damage
        }
        #expect(damage.isEmpty, "YOLOQ_SEED=\(seed): \(damage.count) of \(cuts.count) cuts: \(damage.prefix(3))")
        #expect(lossyCutCount > 0, "YOLOQ_SEED=\(seed)")
        print("power loss at normal: YOLOQ_SEED=\(seed), \(lossyCutCount) of \(cuts.count) cuts lost something")
    }

    @Test func `a kill at any moment takes nothing acknowledged even at normal durability`() throws {
        let seed = Self.seed()
        let workload = try Workload(durability: .normal, seed: seed)
        let cuts = workload.cuts(count: Self.cutCount(or: 256) / 6)
        var losses: [String] = []
        try workload.visit(cuts, .kill) { cut, findings in losses += findings.losses + findings.damage }
        #expect(losses.isEmpty, "YOLOQ_SEED=\(seed): \(losses.count) of \(cuts.count) cuts: \(losses.prefix(3))")
    }
}

/// A recorded run of submits, claims and results, with what was acknowledged when.
private struct Workload {
    /// What the queue promised, and how many changes the record held by then.
    enum Promise {
        case submitted(JobID, JobRequest, after: Int)
        case ended(JobID, Outcome.Ending, after: Int)

        var operationCount: Int {
            switch self {
            case .submitted(_, _, let count), .ended(_, _, let count): count
            }
        }
    }

    /// One way for a run to end early.
    struct Cut {
        /// How many changes the disk was told of before.
        let operationCount: Int
        /// Chooses what arrives of those that were not synced.
        let seed: UInt64
    }

    /// What ends the run.
    enum Ending { case powerCut, kill }

    /// What was wrong with a queue opened on what was left.
    struct Findings {
        /// Promises that were not kept.
        var losses: [String] = []
        /// What contradicts itself.
        var damage: [String] = []
    }

    private let seed: UInt64
    private var operations: [FaultVFS.Operation] = []
    private var promises: [Promise] = []

    /// Runs it.
    init(durability: Durability, seed: UInt64) throws {
        self.seed = seed
        let vfs = FaultVFS()
        vfs.record()
        let folder = try TemporaryFolder(in: TemporaryFolder.memory)
        let options = vfs.options {
            $0.durability = durability
            $0.checkpointFrameCount = 60
        }
        var random = SplitMix64(seed: seed)
        // Closing removes the log and opening makes a new one.
        for _ in 0..<3 {
            let queue = try JobQueue(path: folder.path + "/queue.db", options: options)
            let result = Result {
                try queue.addTestWorkerIfMissing()
                for round in 0..<10 { try work(on: queue, round: round, vfs: vfs, random: &random) }
            }
            try queue.close()
            try result.get()
        }
        operations = vfs.operations
    }

    private mutating func work(on queue: JobQueue, round: Int, vfs: FaultVFS, random: inout SplitMix64) throws {
        let requests = (0..<Int.random(in: 1...12, using: &random)).map { index in
            JobRequest(
                model: model("net\(Int.random(in: 0..<3, using: &random))"),
                source: "/images/\(round)-\(index).jpg",
                meta: #"{"filler":"\#(filler(upTo: 800, random: &random))"}"#,
                batch: Bool.random(using: &random) ? "batch" : nil,
                priority: Int.random(in: 0..<3, using: &random)
            )
        }
        let ids = try queue.submit(requests, now: noon)
        promises += zip(ids, requests).map { .submitted($0, $1, after: vfs.operationCount) }
        for _ in 0..<Int.random(in: 0..<3, using: &random) {
            let claims = try queue.claimAny(limit: Int.random(in: 1...6, using: &random))
            let outcomes = claims.map { claim in
                let ending: Outcome.Ending =
                    switch Int.random(in: 0..<10, using: &random) {
                    case 0: .failed(JobFailure(kind: "kind", message: "of job \(claim.job)"))
                    case 1: .interrupted
                    case 2: .failed(JobFailure(kind: "kind", message: "passing", isRetryable: true))
                    case 3: .crashed(JobFailure(kind: "kind", message: "died"))
                    default: .succeeded(result: #"{"of":"\#(claim.job) \#(filler(upTo: 6000, random: &random))"}"#)
                    }
                return Outcome(claim, ending, at: noon + .seconds(1))
            }
            let lost = try queue.record(outcomes)
            guard lost.isEmpty else { preconditionFailure("nobody else is there to take jobs back") }
            promises += outcomes.map { .ended($0.claim.job, $0.ending, after: vfs.operationCount) }
        }
        if round % 4 == 3 { try growAndShrink(queue) }
    }

    /// Adds jobs and deletes them, so that the file gets shorter, and cuts the log.
    private func growAndShrink(_ queue: JobQueue) throws {
        let request = JobRequest(
            model: model("gone"),
            source: "s",
            meta: "\"" + String(repeating: "y", count: 5000) + "\""
        )
        let ids = try queue.submit(Array(repeating: request, count: 20), now: noon)
        _ = try queue.cancel(ids, now: noon)
        _ = try queue.prune(.cancelled, before: noon + .seconds(1))
        _ = try queue.reclaim(pageCount: 100)
        try queue.cutLog()
    }

    private func filler(upTo limit: Int, random: inout SplitMix64) -> String {
        String(repeating: "x", count: Int.random(in: 0...limit, using: &random))
    }

    /// In numbers.
    var summary: String {
        let syncCount = operations.count { $0.call == .sync }
        let checkpointCount = operations.count { $0.call == .sync && $0.file == .database }
        let truncationCount = operations.count { $0.call == .truncate }
        return "\(operations.count) changes, \(syncCount) syncs of which \(checkpointCount) of the database, "
            + "\(truncationCount) truncations, \(promises.count) promises"
    }

    /// Chooses cuts: just before and just after syncs first, each once; then anywhere.
    func cuts(count: Int) -> [Cut] {
        var random = SplitMix64(seed: seed ^ 0xC075)
        let syncs = operations.indices.filter { operations[$0].call == .sync }
        let boundaries = (syncs + syncs.map { $0 + 1 }).shuffled(using: &random)
        var points = Array(boundaries.prefix(count * 3 / 4))
        while points.count < count {
            points.append(Int.random(in: 0...operations.count, using: &random))
        }
        return points.sorted().map { Cut(operationCount: $0, seed: random.next()) }
    }

    /// Chooses cuts between a promise and the next change of the disk.
    func cutsAfterPromises(count: Int) -> [Cut] {
        var random = SplitMix64(seed: seed ^ 0xC075)
        let points = promises.map(\.operationCount).shuffled(using: &random).prefix(count).sorted()
        return points.map { Cut(operationCount: $0, seed: random.next()) }
    }

    /// Opens a queue on what each cut leaves and says what it found.
    ///
    /// - Parameters:
    ///   - cuts: In their order in time.
    ///   - ending: What ends the run.
    ///   - report: Told of each.
    /// - Throws: If the files cannot be written.
    func visit(_ cuts: [Cut], _ ending: Ending = .powerCut, report: (Cut, Findings) -> Void) throws {
        var disk = DiskModel()
        var appliedCount = 0
        for cut in cuts {
            for operation in operations[appliedCount..<cut.operationCount] { disk.apply(operation) }
            appliedCount = cut.operationCount
            var random = SplitMix64(seed: cut.seed)
            let files = ending == .kill ? disk.afterKill() : disk.afterPowerCut(using: &random)
            let folder = try TemporaryFolder(in: TemporaryFolder.memory)
            try write(files, to: folder.path)
            report(cut, findings(in: folder.path + "/queue.db", after: cut))
        }
    }

    private func findings(in path: String, after cut: Cut) -> Findings {
        var findings = Findings()
        do {
            let queue = try JobQueue(path: path)
            let result = Result { try look(at: queue, after: cut, &findings) }
            try queue.close()
            try result.get()
        } catch {
            findings.damage.append("\(cut): \(error)")
        }
        return findings
    }

    private func look(at queue: JobQueue, after cut: Cut, _ findings: inout Findings) throws {
        let kept = promises.filter { $0.operationCount <= cut.operationCount }
        let records = try Dictionary(
            uniqueKeysWithValues: queue.records(
                kept.compactMap { if case .submitted(let id, _, _) = $0 { id } else { nil } }
            ).map { ($0.id, $0) }
        )
        for promise in kept where !promise.isKept(by: records) { findings.losses.append("\(cut): \(promise)") }

        for check in ["integrity_check", "foreign_key_check"] {
            let found = try queue.read(check) { try Row.fetchAll($0, sql: "PRAGMA \(check)").map(\.description) }
            if !found.allSatisfy({ $0.contains("ok") }) { findings.damage.append("\(cut): \(found.prefix(3))") }
        }
        if try queue.counts() != queue.countRows() { findings.damage.append("\(cut): the counters are wrong") }
        for (name, table, key) in [("model", "model_counts", "model_id"), ("batch", "batch_counts", "batch_id")]
        where try queue.wrongCountersCount(in: table, by: key) > 0 {
            findings.damage.append("\(cut): the counters of a \(name) are wrong")
        }
        // It works on.
        try queue.addTestWorkerIfMissing()
        let id = try queue.submit(requests(1, priority: 100), now: noon)
        if try queue.claimAny().map(\.job) != id { findings.damage.append("\(cut): the queue does not work") }
    }
}

extension Workload.Promise {
    fileprivate func isKept(by records: [JobID: JobRecord]) -> Bool {
        switch self {
        case .submitted(let id, let request, _):
            guard let record = records[id] else { return false }
            return record.model == request.model && record.source == request.source && record.meta == request.meta
                && record.batch == request.batch && record.parameters == request.parameters
        case .ended(let id, .succeeded(let result), _):
            return records[id]?.state == .succeeded && records[id]?.result == result
        case .ended(let id, .failed(let failure), _) where !failure.isRetryable:
            return records[id]?.state == .failed && records[id]?.failure == failure
        case .ended(let id, _, _):
            // Such an attempt is not the job's end.
            return records[id] != nil
        }
    }
}

extension JobQueue {
    /// As `addTestWorker`, for a queue that may have it.
    func addTestWorkerIfMissing() throws {
        if try workers(now: noon).isEmpty { try addTestWorker() }
    }

    /// How many rows of a table of counters do not say what the jobs' rows say.
    func wrongCountersCount(in table: String, by key: String) throws -> Int {
        let wrong = JobState.allCases.map { state in
            """
            \(state.name) <> (SELECT count(*) FROM jobs WHERE jobs.\(key) = \(table).\(key) AND state = \(state.rawValue))
            """
        }
        let sql = "SELECT count(*) FROM \(table) WHERE " + wrong.joined(separator: " OR ")
        return try read("check counters") { try Int.fetchOne($0, sql: sql) ?? 0 }
    }
}
