// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqJobs
import YoloqVision

/// How a queue stands, as `status` prints it.
struct QueueOverview {
    let path: String
    let models: [ServedModel]
    let workers: [WorkerRecord]
    let pauses: [PauseScope]
    let wait: OldestWait
    let recent: RecentWork

    init(_ queue: JobQueue, now: Timestamp) throws {
        path = queue.path
        models = try queue.models()
        workers = try queue.workers(now: now)
        pauses = try queue.pauses()
        wait = OldestWait(since: try queue.oldestQueued(), now: now)
        recent = try RecentWork(queue, now: now)
    }

    private var total: JobCounts { models.reduce(JobCounts()) { $0 + $1.counts } }

    /// The rate, and the time for those jobs that somebody will take.
    private var pace: Pace {
        let moving = models.filter { model in
            !model.isPaused && workers.contains { $0.serves(model.reference) }
        }
        return Pace(recent.throughput(), queuedCount: moving.reduce(0) { $0 + $1.counts[.queued] })
    }

    /// For programs: may be added to but never renamed.
    var members: [JSONValue.Member] {
        let stages = recent.stages.map { JSONValue.Member($0.name, $0.json) }
        let failures = recent.failures.map { JSONValue.Member($0.kind, .int($0.count)) }
        let ends: [JSONValue.Member] = [
            .init("models", .array(models.map(\.json))),
            .init("workers", .array(workers.map(\.json))),
            .init("pauses", .array(pauses.map { .string($0.name) })),
            .init("stages_ms", stages.isEmpty ? .null : .object(stages)),
            .init("recent_failures", .object(failures)),
        ]
        return total.members + [wait.member] + ends + pace.members
    }

    /// For people.
    var lines: [String] {
        var lines = [path, "  all  \(total.text)"]
        lines += models.map { "  \($0.reference.name)  \($0.counts.text)\($0.isPaused ? " (paused)" : "")" }
        lines += pauses.map { "  \($0.text): \($0.resumeCommand)" }
        lines += (wait.lines + pace.lines).map { "  \($0)" }
        lines += workers.map(\.line)
        let stages = recent.stages
        if !stages.isEmpty {
            let heading = ["ms of the latest"] + ["p50", "p95", "p99"].map { "      \($0)" }
            lines += JobTable.lines([heading] + stages.map(\.cells)).map { "  \($0)" }
        }
        if !recent.failed.isEmpty {
            let kinds = recent.failures.map { "\($0.count) \($0.kind)" }.joined(separator: ", ")
            lines.append("  of the latest \(counted(recent.failed.count, "failed job")): \(kinds)")
        }
        return lines
    }
}

/// How long the oldest job has waited.
struct OldestWait {
    private let seconds: Double?

    init(since moment: Timestamp?, now: Timestamp) { seconds = moment.map { (now - $0) / .seconds(1) } }

    var member: JSONValue.Member {
        .init("oldest_wait_s", seconds.map { .double(($0 * 1000).rounded() / 1000) } ?? .null)
    }

    var lines: [String] { seconds.map { ["the oldest has waited \(Int($0)) s"] } ?? [] }
}

/// How fast it goes, and how long that takes.
struct Pace {
    private let throughput: Throughput?
    private let queuedCount: Int

    init(_ throughput: Throughput?, queuedCount: Int) {
        self.throughput = throughput
        self.queuedCount = queuedCount
    }

    private var eta: Duration? { queuedCount > 0 ? throughput?.time(for: queuedCount) : nil }

    var members: [JSONValue.Member] {
        func rounded(_ value: Double?) -> JSONValue { value.map { .double(($0 * 100).rounded() / 100) } ?? .null }
        return [
            .init("jobs_per_s", rounded(throughput?.jobsPerSecond)),
            .init("eta_s", rounded(eta.map { $0 / .seconds(1) })),
        ]
    }

    var lines: [String] {
        guard let throughput else { return [] }
        let rate = String(format: "%.1f jobs/s in the last minute", throughput.jobsPerSecond)
        return [eta.map { "\(rate); what is queued takes about \($0.text)" } ?? rate]
    }
}

extension JobCounts {
    private static let printed: [JobState] = [.queued, .scheduled, .running, .succeeded, .failed, .cancelled]

    /// A number for each state, for programs.
    var members: [JSONValue.Member] {
        Self.printed.map { .init($0.name, .int(self[$0])) }
    }

    /// The states that hold jobs, for people.
    var text: String {
        let parts = Self.printed.filter { self[$0] > 0 }.map { "\(self[$0]) \($0.name)" }
        return parts.isEmpty ? "no jobs" : parts.joined(separator: ", ")
    }
}

extension ServedModel {
    fileprivate var json: JSONValue {
        .object(
            [.init("model", .string(reference.name)), .init("path", .string(reference.path))] + counts.members
                + [.init("paused", .bool(isPaused))]
        )
    }
}

extension PauseScope {
    /// As programs see it: the model, or `*` for the whole queue.
    fileprivate var name: String {
        switch self {
        case .everything: "*"
        case .model(let model): model
        }
    }
}

extension WorkerRecord {
    /// For people.
    fileprivate var line: String {
        let served = identity.serves?.joined(separator: ", ") ?? "every model"
        return "  worker \(id)  \(isAlive ? "alive" : "dead")  \(counted(identity.threads, "thread"))  serves \(served)"
    }

    fileprivate var json: JSONValue {
        [
            "worker": .string(id), "alive": .bool(isAlive), "host": .string(identity.host), "pid": .int(identity.pid),
            "threads": .int(identity.threads),
            "serves": identity.serves.map { .array($0.map(JSONValue.string)) } ?? .null,
            "started_at": .string(startedAt.text),
        ]
    }
}
