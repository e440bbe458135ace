// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import YoloqJobs
import YoloqVision

/// `yoloq status`: how the queue stands.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how many jobs are in each state, and who works on them.",
        discussion: """
            The counts come from counters, and times, rate and failures from the latest 500 jobs: the command is as fast \
            after a million jobs as after one. The rate is that of the last minute, without the time in which there was \
            nothing to do.
            """
    )

    @OptionGroup var selection: JobSelection
    @OptionGroup var queueOptions: QueueOptions

    @Flag(help: "Print one line of JSON.")
    var json = false

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            if let batch = selection.batch {
                guard let counts = try queue.counts(ofBatch: batch) else {
                    throw CommandFailure.noBatch(batch, in: queue)
                }
                try show(counts, of: batch, in: queue)
            } else if selection.isEmpty {
                try showAll(queue)
            } else {
                try showJobs(selection.ids(in: queue), in: queue)
            }
        }
    }

    private func show(_ counts: JobCounts, of batch: String, in queue: JobQueue) throws {
        let now = Timestamp.now()
        let throughput = try RecentWork(queue, now: now).throughput { $0.batch == batch }
        let pace = Pace(throughput, queuedCount: counts[.queued])
        let oldest = counts[.queued] > 0 ? try queue.oldestQueued(ofBatch: batch) : nil
        let wait = OldestWait(since: oldest, now: now)
        if json {
            let members = [.init("batch", .string(batch))] + counts.members + [wait.member] + pace.members
            Console.print(JSONValue.object(members).description)
        } else {
            Console.print("\(batch)  \(counts.text)")
            (wait.lines + pace.lines).forEach { Console.print("  \($0)") }
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
        let overview = try QueueOverview(queue, now: .now())
        if json {
            Console.print(JSONValue.object(overview.members).description)
        } else {
            overview.lines.forEach(Console.print)
        }
        let waiting = Dictionary(overview.models.map { ($0.reference, $0.counts[.queued]) }, uniquingKeysWith: +)
        if let note = try queue.noteOnUnservedModels(waiting) { Console.note(note) }
    }
}
