// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `yoloq export`: the results of many jobs, for other programs.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the results of jobs for other programs.",
        discussion: """
            jsonl unless --format says otherwise. Jobs without a result are left out and counted on standard error. Ends with \
            status 1 if a job failed and with 75 if one has not ended yet; what there is has been written then too.
            """
    )

    @OptionGroup var selection: JobSelection
    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup var form: FormatOptions

    func validate() throws {
        guard !selection.isEmpty else { throw ValidationError("which jobs? Give ids, --batch NAME or --last") }
        guard form.format != .text else {
            throw ValidationError("text is for people. Export another format, or use yoloq result")
        }
    }

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            var printer = try form.printer(fallback: .jsonl)
            printer.leavesOutUnsuccessful = true
            var stream = ResultStream(queue: queue, printer: printer)
            try stream.print(selection).check()
        }
    }
}
