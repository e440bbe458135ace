// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `yoloq export`: writes results of many jobs for other programs.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the results of many jobs for other programs.",
        discussion: """
            A page at a time, so that any number of results takes little memory; a file is there whole or not at all. Says on \
            standard error how many jobs have no result, and ends with status 1 if a job failed and with 75 if one has not \
            ended yet: what there is has been written then.
            """
    )

    @OptionGroup var selection: JobSelection
    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup var options: ExportOptions

    func validate() throws {
        guard !selection.isEmpty else { throw ValidationError("which jobs? Give ids, --batch NAME or --last") }
        guard options.format != .text else {
            throw ValidationError("text is for people: use yoloq result, or another format")
        }
    }

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            var stream = ResultStream(queue: queue, printer: try options.printer(defaultFormat: .jsonl))
            let ids = try selection.ids(in: queue)
            let outcome = try stream.print(ids)
            let without = [(outcome.failedCount, "failed or cancelled"), (outcome.unfinishedCount, "not ended")]
                .filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
            if !without.isEmpty {
                Console.note("\(without.joined(separator: ", ")) of \(counted(ids.count, "job"))")
            }
            if outcome.unfinishedCount > 0 { throw CommandFailure(.tryLater) }
            if outcome.failedCount > 0 { throw CommandFailure(.jobFailed) }
        }
    }
}
