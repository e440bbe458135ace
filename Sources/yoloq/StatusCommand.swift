// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import YoloqJobs
import YoloqVision

/// `yoloq status`: how the queue stands.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how many jobs are in each state, and who works on them.",
        discussion: "The counts come from counters: the command is as fast after a million jobs as after one."
    )

    @OptionGroup var selection: JobSelection
    @OptionGroup var queueOptions: QueueOptions

    @Flag(help: "Print one line of JSON.")
    var json = false

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            if let batch = selection.batch {
                guard let counts = try queue.counts(ofBatch: batch) else {
                    throw CommandFailure(.noInput, "there is no batch \"\(batch)\" in \(queue.path)")
                }
                show(counts, of: batch)
            } else if selection.isEmpty {
                try showAll(queue)
            } else {
                try showJobs(selection.ids(in: queue), in: queue)
            }
        }
    }

    private func show(_ counts: JobCounts, of batch: String) {
        if json {
            Console.print(JSONValue.object([.init("batch", .string(batch))] + counts.members).description)
        } else {
            Console.print("\(batch)  \(counts.text)")
        }
    }

    private func showJobs(_ ids: [JobID], in queue: JobQueue) throws {
        let states = try queue.states(ids)
        for id in ids {
            guard let state = states[id] else {
                throw CommandFailure(.noInput, "there is no job \(id) in \(queue.path)")
            }
            let line: JSONValue = ["job": .string(id.description), "state": .string(state.name)]
            Console.print(json ? line.description : "\(id)  \(state.name)")
        }
    }

    private func showAll(_ queue: JobQueue) throws {
        let now = Timestamp.now()
        let models = try queue.models()
        let workers = try queue.workers(now: now)
        let total = models.reduce(JobCounts()) { $0 + $1.counts }
        let oldestWait = try queue.oldestQueued().map { (now - $0) / .seconds(1) }
        if json {
            let members =
                total.members + [
                    .init("oldest_wait_s", oldestWait.map { .double(($0 * 1000).rounded() / 1000) } ?? .null),
                    .init("models", .array(models.map(\.json))),
                    .init("workers", .array(workers.map(\.json))),
                ]
            Console.print(JSONValue.object(members).description)
        } else {
            Console.print("\(queue.path)")
            Console.print("  all  \(total.text)")
            for model in models { Console.print("  \(model.reference.name)  \(model.counts.text)") }
            if let oldestWait { Console.print("  the oldest has waited \(Int(oldestWait)) s") }
            for worker in workers {
                let served = worker.identity.serves?.joined(separator: ", ") ?? "every model"
                Console.print(
                    "  worker \(worker.id)  \(worker.isAlive ? "alive" : "dead")  "
                        + "\(worker.identity.threads) thread\(worker.identity.threads == 1 ? "" : "s")  serves \(served)"
                )
            }
        }
        let waiting = Dictionary(models.map { ($0.reference, $0.counts[.queued]) }, uniquingKeysWith: +)
        if let note = try queue.noteOnUnservedModels(waiting) { Console.note(note) }
    }
}

extension JobCounts {
    private static let printed: [JobState] = [.queued, .scheduled, .running, .succeeded, .failed, .cancelled]

    fileprivate var members: [JSONValue.Member] {
        Self.printed.map { .init($0.name, .int(self[$0])) }
    }

    /// The states that hold jobs.
    fileprivate var text: String {
        let parts = Self.printed.filter { self[$0] > 0 }.map { "\(self[$0]) \($0.name)" }
        return parts.isEmpty ? "no jobs" : parts.joined(separator: ", ")
    }
}

extension ServedModel {
    fileprivate var json: JSONValue {
        .object([.init("model", .string(reference.name)), .init("path", .string(reference.path))] + counts.members)
    }
}

extension WorkerRecord {
    fileprivate var json: JSONValue {
        [
            "worker": .string(id), "alive": .bool(isAlive), "host": .string(identity.host), "pid": .int(identity.pid),
            "threads": .int(identity.threads),
            "serves": identity.serves.map { .array($0.map(JSONValue.string)) } ?? .null,
            "started_at": .string(startedAt.text),
        ]
    }
}
