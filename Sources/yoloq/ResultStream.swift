// SPDX-License-Identifier: Apache-2.0

import YoloqJobs

/// Prints the results of jobs, a page at a time, so that memory does not grow with their number.
struct ResultStream {
    private static let pageCount = 100

    let queue: JobQueue
    var printer: ResultPrinter
    /// Whether each job's tries are printed too.
    var withHistory = false

    /// What came of the jobs.
    struct Outcome {
        /// Jobs that ended as failed or cancelled.
        var failedCount = 0
        /// Jobs that have not ended.
        var unfinishedCount = 0
        /// Whether the time was over before all had ended.
        var isTimedOut = false

        /// Turns the outcome into the command's status.
        ///
        /// - Throws: `CommandFailure` with status 75 if a job has not ended, with 1 if one failed.
        func check() throws(CommandFailure) {
            if unfinishedCount > 0 { throw CommandFailure(.tryLater) }
            if failedCount > 0 { throw CommandFailure(.jobFailed) }
        }
    }

    /// Prints jobs as they are now.
    ///
    /// - Parameter selection: Which jobs, in the order in which to print them.
    /// - Returns: What came of them.
    /// - Throws: `CommandFailure` with status 66 if a job does not exist; `JobsError`.
    mutating func print(_ selection: JobSelection) throws -> Outcome {
        var outcome = Outcome()
        try selection.forEachPage(in: queue) { try printPages(of: $0, &outcome) }
        try printer.finish()
        return outcome
    }

    /// Waits for jobs and prints each when it has ended.
    ///
    /// - Parameters:
    ///   - ids: The jobs.
    ///   - timeout: How long to wait at most; nil for as long as it takes.
    /// - Returns: What came of them.
    /// - Throws: `JobsError`.
    consuming func printAsTheyEnd(_ ids: [JobID], timeout: Duration?) throws -> Outcome {
        var stream = self
        var outcome = Outcome()
        var waiter = Waiter(queue: stream.queue, jobs: ids)
        var bar = ProgressBar("waiting")
        let isDone = try waiter.wait(timeout: timeout) { finished in
            bar.finish()
            try stream.printPages(of: finished, &outcome)
        } onProgress: { count in
            bar.update(count, of: ids.count)
        }
        bar.finish()
        try stream.printer.finish()
        outcome.isTimedOut = !isDone
        return outcome
    }

    private mutating func printPages(of ids: [JobID], _ outcome: inout Outcome) throws {
        var rest = ids[...]
        while !rest.isEmpty {
            let page = Array(rest.prefix(Self.pageCount))
            rest = rest.dropFirst(page.count)
            let records = try queue.records(page)
            if records.count < page.count {
                let found = Set(records.map(\.id))
                let missing = page.filter { !found.contains($0) }.map(\.description).joined(separator: ", ")
                throw CommandFailure(.noInput, "there is no job \(missing) in \(queue.path)")
            }
            for record in records {
                if record.state == .failed || record.state == .cancelled { outcome.failedCount += 1 }
                if !record.state.isFinal { outcome.unfinishedCount += 1 }
                let whole = try ResultRecord(record, in: queue, withHistory: withHistory)
                for frame in whole.frames(in: record.result) { try printer.print(frame) }
            }
        }
    }
}
