// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `yoloq result`: prints what was found.
struct ResultCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "result",
        abstract: "Print the results of jobs.",
        discussion: """
            "predictions" is null unless the job succeeded; an empty list means that nothing was found. Ends with status 1 \
            if a job failed and with 75 if one has not ended yet.
            """
    )

    @OptionGroup var selection: JobSelection
    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup var resultOptions: ResultOptions

    @Flag(help: "Print every try of each job: worker, times, how it ended.")
    var attempts = false

    func validate() throws {
        guard !selection.isEmpty else { throw ValidationError("which jobs? Give ids, --batch NAME or --last") }
    }

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            var stream = ResultStream(queue: queue, printer: try resultOptions.printer, withHistory: attempts)
            try stream.print(selection).check()
        }
    }
}
