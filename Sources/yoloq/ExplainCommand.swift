// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import YoloqJobs
import YoloqVision

/// `yoloq explain`: says why a job is where it is.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say why a job waits, or how it ended, and what to type."
    )

    @Argument(help: ArgumentHelp("The job's id.", valueName: "job"))
    var job: String

    @OptionGroup var queueOptions: QueueOptions

    @Flag(help: "Print one line of JSON.")
    var json = false

    func validate() throws {
        guard JobID(job) == nil else { return }
        throw ValidationError("\"\(job)\" is no job: ids are whole numbers from 1")
    }

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            guard let id = JobID(job), let record = try queue.summaries([id]).first else {
                throw CommandFailure(.noInput, "there is no job \(job) in \(queue.path)")
            }
            let explanation = try Explanation(of: record, in: queue, now: .now())
            if json {
                Console.print(explanation.json.description)
            } else {
                explanation.lines.forEach(Console.print)
            }
        }
    }
}

/// Why a job is where it is: one or more reasons, the weightiest first.
struct Explanation {
    /// One reason.
    struct Reason {
        /// A word for programs.
        let code: String
        /// A sentence.
        let text: String
        /// What to type; nil if there is nothing to do.
        let command: String?

        init(_ code: String, _ text: String, _ command: String? = nil) {
            self.code = code
            self.text = text
            self.command = command
        }
    }

    private let job: JobRecord
    private(set) var reasons: [Reason] = []
    /// How many queued jobs of its model go before it; nil unless it is queued.
    private(set) var ahead: BoundedCount?
    /// The time until its turn at the present rate; nil if that is not known.
    private(set) var eta: Duration?

    /// Looks at a job and at what it depends on.
    init(of job: JobRecord, in queue: JobQueue, now: Timestamp) throws {
        self.job = job
        switch job.state {
        case .scheduled: try explainScheduled(queue, now)
        case .queued: try explainQueued(queue, now)
        case .running: try explainRunning(queue, now)
        case .succeeded: explainSucceeded(now)
        case .failed: explainFailed()
        case .cancelled: explainCancelled(now)
        }
    }

    private mutating func add(_ code: String, _ text: String, _ command: String? = nil) {
        reasons.append(Reason(code, text, command))
    }

    // MARK: Waiting

    private mutating func explainScheduled(_ queue: JobQueue, _ now: Timestamp) throws {
        if let leader = job.waitsFor {
            let state = try queue.states([leader])[leader]?.name ?? "gone"
            add(
                "waits_for_result",
                "it waits for the result of job \(leader) (\(state)), which runs the same image, model and parameters",
                "yoloq explain \(leader)"
            )
        } else if let runAt = job.runAt {
            let when = "\(runAt.text) (\(runAt.text(asOf: now)))"
            let last = try queue.attempts(of: job.id).last { $0.outcome == .error }
            if job.attempts > 0, let failure = last?.failure {
                add(
                    "retry",
                    "it is tried again at \(when), attempt \(job.attempts + 1) of \(job.maxAttempts), after "
                        + "\(failure.kind): \(failure.message)"
                )
            } else {
                add("scheduled", "it is not to run before \(when)")
            }
        }
        try addObstacles(queue)
        addDeadline(now)
    }

    private mutating func explainQueued(_ queue: JobQueue, _ now: Timestamp) throws {
        try addObstacles(queue)
        if job.crashes > 0 {
            add("suspect", "a process died over it, so it runs alone, in a process of its own")
        }
        ahead = try queue.jobsAhead(of: job.id)
        if let ahead {
            eta =
                reasons.contains { ["paused", "no_worker"].contains($0.code) }
                ? nil : try eta(behind: ahead, queue, now)
            add("in_line", place(behind: ahead))
        } else {
            add("in_line", "it has just been taken: ask again")
        }
        addDeadline(now)
    }

    /// What keeps everybody from taking it.
    private mutating func addObstacles(_ queue: JobQueue) throws {
        let names = [job.model.name, job.model.path]
        for pause in try queue.pauses() where pause == .everything || names.contains(where: { pause == .model($0) }) {
            add("paused", pause.text, pause.resumeCommand)
        }
        let workers = try queue.workers(now: .now()).filter(\.isAlive)
        guard !workers.contains(where: { $0.serves(job.model) }) else { return }
        let others = workers.isEmpty ? "" : " (\(counted(workers.count, "worker")) for other models)"
        add("no_worker", "no live worker serves \(job.model.name)\(others)", "yoloq worker")
    }

    private mutating func addDeadline(_ now: Timestamp) {
        guard let expiresAt = job.expiresAt else { return }
        add("expires", "it fails as expired unless it has started by \(expiresAt.text) (\(expiresAt.text(asOf: now)))")
    }

    private func eta(behind ahead: BoundedCount, _ queue: JobQueue, _ now: Timestamp) throws -> Duration? {
        let row = try queue.models().first { $0.reference == job.model }?.id
        return try RecentWork(queue, now: now).throughput { $0.model == row }?.time(for: ahead.value + 1)
    }

    private func place(behind ahead: BoundedCount) -> String {
        guard ahead.value > 0 else { return "it is the next of its model" }
        let count = ahead.isBounded ? "more than 10,000 jobs" : counted(ahead.value, "job")
        let bound = ahead.isBounded ? "more than" : "about"
        let time = eta.map { "; its turn comes in \(bound) \($0.text) at the present rate" } ?? ""
        return
            "\(count) of its model with the same or a higher priority \(ahead.value == 1 ? "goes" : "go") before it\(time)"
    }

    // MARK: Running

    private mutating func explainRunning(_ queue: JobQueue, _ now: Timestamp) throws {
        let worker = try queue.workers(now: now).first { $0.id == job.worker }
        let place = worker.map { "process \($0.identity.pid) on \($0.identity.host)" } ?? "a worker that is gone"
        let since = job.startedAt.map { "since \($0.text) (\($0.text(asOf: now)))" } ?? ""
        let limit = job.timeLimit.map { ", for at most \($0.text)" } ?? ""
        add(
            "running",
            "\(job.worker ?? "") (\(place)) runs it \(since), attempt \(job.attempts) of \(job.maxAttempts)\(limit)"
        )
        if job.crashes > 0 {
            add("suspect", "a process died over it before, so it runs alone, in a process of its own")
        }
        guard worker?.isAlive != true else { return }
        let others = try queue.workers(now: now).contains(where: \.isAlive)
        add(
            "worker_dead",
            "that worker is dead; the job is queued again \(others ? "by another worker within 2 s" : "as soon as a worker runs")",
            others ? nil : "yoloq worker"
        )
    }

    // MARK: Ended

    private mutating func explainSucceeded(_ now: Timestamp) {
        let shared = job.leader.map { ", with the result of job \($0)" } ?? ""
        let when = job.finishedAt.map { " \($0.text(asOf: now))" } ?? ""
        add("succeeded", "it succeeded\(when)\(shared)", "yoloq result \(job.id)")
    }

    private mutating func explainFailed() {
        guard let failure = job.failure else { return }
        let tries = job.attempts > 0 ? " at attempt \(job.attempts) of \(job.maxAttempts)" : ""
        add(failure.kind, "it failed\(tries) with \(failure.kind): \(failure.message)")
        let advice = FailureAdvice.advice(for: failure.kind)
        add("advice", advice.text, advice.command(job))
    }

    private mutating func explainCancelled(_ now: Timestamp) {
        let when = job.finishedAt.map { " \($0.text(asOf: now))" } ?? ""
        if let newer = job.supersededBy {
            add(
                "superseded",
                "it was cancelled\(when) by job \(newer), newer of the same --latest key",
                "yoloq explain \(newer)"
            )
        } else {
            add("cancelled", "somebody cancelled it\(when)", "yoloq retry \(job.id) --cancelled")
        }
    }

    // MARK: Output

    /// For people: a heading, then a line for each reason with what to type below it.
    var lines: [String] {
        ["job \(job.id): \(job.state.name)  \(job.model.name)  \(job.source)"]
            + reasons.flatMap { ["  \($0.text)"] + ($0.command.map { ["    \($0)"] } ?? []) }
    }

    /// For programs; keys may be added to but never renamed.
    var json: JSONValue {
        [
            "job": .string(job.id.description),
            "state": .string(job.state.name),
            "model": .string(job.model.name),
            "source": .string(job.source),
            "reasons": .array(
                reasons.map {
                    ["reason": .string($0.code), "text": .string($0.text), "command": $0.command.json]
                }
            ),
            "ahead": ahead.map { .int($0.value) } ?? .null,
            "ahead_bounded": ahead.map { .bool($0.isBounded) } ?? .null,
            "eta_s": eta.map { .double((($0 / .seconds(1)) * 100).rounded() / 100) } ?? .null,
        ]
    }
}
