// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqJobs

/// `yoloq wait`: returns when jobs have ended.
struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until jobs have ended.",
        discussion: """
            Shows a progress bar on a terminal. With --json or another format it prints each result when it comes. Ends with \
            status 1 if a job failed and with 124 if the time was over first.
            """
    )

    @OptionGroup var selection: JobSelection
    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup(title: "Output") var resultOptions: ResultOptions

    @Option(help: ArgumentHelp("How long to wait at most, such as 500ms, 60s or 5m.", valueName: "time"))
    var timeout: TimeSpan?

    func validate() throws {
        guard !selection.isEmpty else { throw ValidationError("which jobs? Give ids, --batch NAME or --last") }
    }

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            let ids = try selection.ids(in: queue)
            try selection.checkExistence(of: ids, in: queue)
            let outcome =
                try resultOptions.isEmpty ? waitQuietly(for: ids, in: queue) : printResults(of: ids, in: queue)
            if outcome.isTimedOut { throw CommandFailure(.timedOut, "the time was over before all jobs had ended") }
            if outcome.failedCount > 0 { throw CommandFailure(.jobFailed) }
        }
    }

    private func printResults(of ids: [JobID], in queue: JobQueue) throws -> ResultStream.Outcome {
        try ResultStream(queue: queue, printer: resultOptions.printer).printAsTheyEnd(ids, timeout: timeout?.duration)
    }

    private func waitQuietly(for ids: [JobID], in queue: JobQueue) throws -> ResultStream.Outcome {
        var outcome = ResultStream.Outcome()
        var waiter = Waiter(queue: queue, jobs: ids)
        var bar = ProgressBar("waiting")
        let isDone = try waiter.wait(timeout: timeout?.duration) { finished in
            outcome.failedCount += try queue.states(finished).values.count { $0 != .succeeded }
        } onProgress: { count in
            bar.update(count, of: ids.count)
        }
        bar.finish()
        outcome.isTimedOut = !isDone
        return outcome
    }
}
