// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import YoloqJobs

/// Which jobs a command is about.
struct JobSelection: ParsableArguments {
    @Argument(help: ArgumentHelp("Jobs, by their ids.", valueName: "job"))
    var jobs: [String] = []

    @Option(help: ArgumentHelp("All jobs of a batch.", valueName: "name"))
    var batch: String?

    @Flag(help: "The jobs of the newest submit.")
    var last = false

    func validate() throws {
        let kinds = [!jobs.isEmpty, batch != nil, last].count { $0 }
        guard kinds <= 1 else { throw ValidationError("give jobs, or --batch, or --last: one of them") }
        for text in jobs where JobID(text) == nil {
            throw ValidationError("\"\(text)\" is no job: ids are whole numbers from 1 (for a batch: --batch \(text))")
        }
    }

    /// Whether nothing was chosen.
    var isEmpty: Bool { jobs.isEmpty && batch == nil && !last }

    /// The ids of the chosen jobs, in the order of the arguments or of submission.
    func ids(in queue: JobQueue) throws -> [JobID] {
        if let batch {
            var ids: [JobID] = []
            try forEachPage(of: batch, in: queue) { ids += $0 }
            return ids
        }
        if last {
            let ids = try queue.jobsOfLastSubmit()
            guard !ids.isEmpty else { throw CommandFailure(.noInput, "no job was ever submitted to \(queue.path)") }
            return ids
        }
        return jobs.compactMap { JobID($0) }
    }

    /// Refuses ids that name no job.
    ///
    /// - Throws: `CommandFailure` with status 66.
    func checkExistence(of ids: [JobID], in queue: JobQueue) throws {
        guard !jobs.isEmpty else { return }
        let states = try queue.states(ids)
        guard let missing = ids.first(where: { states[$0] == nil }) else { return }
        throw CommandFailure(.noInput, "there is no job \(missing) in \(queue.path)")
    }

    /// Calls `body` with the ids of the chosen jobs, those of a batch a page at a time: a batch takes the same memory
    /// however large it is.
    ///
    /// - Throws: `CommandFailure` with status 66 if there is no such batch; `JobsError`, or what `body` throws.
    func forEachPage(in queue: JobQueue, _ body: ([JobID]) throws -> Void) throws {
        if let batch { try forEachPage(of: batch, in: queue, body) } else { try body(ids(in: queue)) }
    }

    private func forEachPage(of batch: String, in queue: JobQueue, _ body: ([JobID]) throws -> Void) throws {
        var page = try queue.jobs(ofBatch: batch)
        guard !page.isEmpty else { throw CommandFailure.noBatch(batch, in: queue) }
        while let last = page.last {
            try body(page)
            page = try queue.jobs(ofBatch: batch, after: last)
        }
    }
}

extension CommandFailure {
    /// A batch that was named does not exist.
    static func noBatch(_ name: String, in queue: JobQueue) -> CommandFailure {
        CommandFailure(.noInput, "there is no batch \"\(name)\" in \(queue.path)")
    }
}
