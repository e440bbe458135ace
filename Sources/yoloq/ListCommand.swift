// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqJobs
import YoloqVision

/// `yoloq list`: shows jobs.
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show jobs, newest first.",
        discussion: """
            All jobs, those of a batch and those in a state are found at once, however many are stored; jobs of a rare kind in \
            a long history take a walk through it. Pages stay whole while the queue moves on: --after names the last job \
            of the page before.
            """
    )

    /// How many jobs are read, and printed, at once.
    private static let chunkCount = 500

    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup var filter: FilterOptions

    @Option(help: ArgumentHelp("How many jobs to show at most.", valueName: "count"))
    var limit = 20

    @Option(help: ArgumentHelp("Go on below this job: the last one of the page before.", valueName: "job"))
    var after: String?

    @Flag(help: "Print a line of JSON for each job.")
    var json = false

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is a number of jobs from 1, not \(limit)") }
        guard let after, JobID(after) == nil else { return }
        throw ValidationError("--after is a job's id, not \"\(after)\"")
    }

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            var missing = limit
            var cursor = after.flatMap { JobID($0) }
            repeat {
                let page = try queue.jobs(
                    matching: filter.filter,
                    after: cursor,
                    limit: min(missing, ListCommand.chunkCount)
                )
                show(page.jobs)
                // Between two reads: nothing is held while the reader of a pipe takes its time.
                try Console.flush()
                missing -= page.jobs.count
                cursor = page.next
            } while cursor != nil && missing > 0
            guard !json, Console.isOutputTerminal else { return }
            Console.print(cursor.map { "next: \(command(after: $0))" } ?? "that is all")
        }
    }

    private func show(_ jobs: [JobRecord]) {
        if json {
            for job in jobs { Console.print(job.listJSON.description) }
        } else {
            let now = Timestamp.now()
            JobTable.lines(jobs.map { $0.cells(asOf: now) }).forEach(Console.print)
        }
    }

    /// What to type for the page behind a job.
    func command(after job: JobID) -> String {
        let database = queueOptions.db.map { ["--db", $0] } ?? []
        let words = filter.words + (limit == 20 ? [] : ["--limit", "\(limit)"]) + ["--after", "\(job)"] + database
        return "yoloq list " + words.map(\.shellQuoted).joined(separator: " ")
    }
}

/// Which jobs, by what they have in common.
struct FilterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Jobs in these states, such as failed,cancelled.", valueName: "state,state"))
    var state: StateList?

    @Option(help: ArgumentHelp("Jobs of the model of this name or path.", valueName: "model"))
    var model: String?

    @Option(help: ArgumentHelp("Jobs of a batch.", valueName: "name"))
    var batch: String?

    @Option(help: ArgumentHelp("Jobs that failed with this kind of error, such as not_found.", valueName: "kind"))
    var kind: String?

    /// What the queue is asked.
    var filter: JobFilter {
        var filter = JobFilter()
        filter.states = state?.states
        filter.model = model.map { name in
            name.contains("/") || name.hasSuffix(".onnx") ? Installation.absolutePath(name) : name
        }
        filter.batch = batch
        filter.errorKind = kind
        return filter
    }

    /// As typed.
    var words: [String] {
        [("--state", state?.text), ("--model", model), ("--batch", batch), ("--kind", kind)]
            .flatMap { option, value in value.map { [option, $0] } ?? [] }
    }
}

/// States as people type them.
struct StateList: ExpressibleByArgument {
    let states: Set<JobState>
    let text: String

    init?(argument: String) {
        let names = argument.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let states = names.compactMap { name in JobState.allCases.first { $0.name == name } }
        guard !names.isEmpty, states.count == names.count else { return nil }
        self.states = Set(states)
        text = argument
    }

    static var allValueStrings: [String] { JobState.allCases.map(\.name) }
}

extension String {
    /// As one word for a shell.
    var shellQuoted: String {
        let isPlain = !isEmpty && allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./,:=@%+".contains($0)) }
        return isPlain ? self : "'" + replacing("'", with: "'\\''") + "'"
    }
}

/// Text in columns.
enum JobTable {
    /// Pads all cells but the last of each row to the width of their column; columns without any text fall away.
    static func lines(_ rows: [[String]]) -> [String] {
        let widths = (rows.first?.indices ?? 0..<0).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).filter { $1 > 0 }.map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

extension JobRecord {
    /// Its line in a list: id, state, since when, model, batch, source, and why it failed or waits.
    fileprivate func cells(asOf now: Timestamp) -> [String] {
        let since =
            finishedAt ?? (state == .running ? startedAt : nil) ?? (state == .scheduled ? runAt : nil) ?? createdAt
        let note: String =
            if let failure { failure.kind } else if let leader = waitsFor { "waits for \(leader)" } else { "" }
        return [id.description, state.name, since.text(asOf: now), model.name, batch ?? "", source, note]
    }

    /// The job whose result it waits for.
    var waitsFor: JobID? { state == .scheduled ? leader : nil }

    /// Its line of JSON; keys may be added to but never renamed.
    var listJSON: JSONValue {
        let error = failure.map { failure -> JSONValue in
            [
                "kind": .string(failure.kind), "message": .string(failure.message),
                "retryable": .bool(failure.isRetryable),
            ]
        }
        return [
            "job": .string(id.description),
            "state": .string(state.name),
            "model": .string(model.name),
            "batch": batch.json,
            "source": .string(source),
            "key": key.json,
            "priority": .int(priority),
            "attempts": .int(attempts),
            "max_attempts": .int(maxAttempts),
            "crashes": .int(crashes),
            "submitted_at": .string(createdAt.text),
            "run_at": runAt.json,
            "expires_at": expiresAt.json,
            "started_at": startedAt.json,
            "finished_at": finishedAt.json,
            "worker": worker.json,
            "error": error ?? .null,
            "waits_for": (waitsFor?.description).json,
            "superseded_by": (supersededBy?.description).json,
        ]
    }
}
