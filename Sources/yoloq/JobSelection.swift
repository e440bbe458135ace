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
        if let batch { return try ids(ofBatch: batch, in: queue) }
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

    private func ids(ofBatch batch: String, in queue: JobQueue) throws -> [JobID] {
        var ids: [JobID] = []
        while true {
            let page = try queue.jobs(ofBatch: batch, after: ids.last ?? JobID(rawValue: 0))
            guard !page.isEmpty else { break }
            ids += page
        }
        guard !ids.isEmpty else { throw CommandFailure.noBatch(batch, in: queue) }
        return ids
    }
}

extension CommandFailure {
    /// A batch that was named does not exist.
    static func noBatch(_ name: String, in queue: JobQueue) -> CommandFailure {
        CommandFailure(.noInput, "there is no batch \"\(name)\" in \(queue.path)")
    }
}
