// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import YoloqJobs
import YoloqVision

/// `yoloq prune`: deletes jobs that ended some time ago.
struct PruneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Delete jobs that ended some time ago, and shrink the file.",
        discussion: """
            Workers do this by themselves every ten minutes: succeeded and cancelled jobs after 7 days, failed ones after 30 \
            (worker --keep-succeeded, --keep-failed). A job goes with its result, history and inline image.
            """
    )

    @Option(help: ArgumentHelp("Only jobs in these states (succeeded,cancelled,failed).", valueName: "state,state"))
    var state: String?

    @Option(help: ArgumentHelp("Jobs that ended longer ago; the default is what workers keep.", valueName: "time"))
    var olderThan: TimeSpan?

    @OptionGroup var queueOptions: QueueOptions

    @Flag(help: "Print one line of JSON.")
    var json = false

    func validate() throws { _ = try states }

    private var states: [JobState] {
        get throws {
            let final: [JobState] = [.succeeded, .failed, .cancelled]
            guard let state else { return final }
            return try state.split(separator: ",").map { name in
                guard let state = final.first(where: { $0.name == name }) else {
                    throw ValidationError(
                        "--state is one of \(final.map(\.name).joined(separator: ", ")), not \"\(name)\""
                    )
                }
                return state
            }
        }
    }

    func run() throws {
        let times = Retention().times
        try queueOptions.withQueue(create: false) { queue in
            let now = Timestamp.now()
            var bar = ProgressBar("pruning")
            var counts: [(JobState, Int)] = []
            for state in try states {
                let moment = now - (olderThan?.duration ?? times[state] ?? .zero)
                var count = 0
                while true {
                    let step = try queue.prune(state, before: moment)
                    guard step > 0 else { break }
                    count += step
                    bar.update(counts.reduce(count) { $0 + $1.1 }, of: nil)
                }
                counts.append((state, count))
            }
            try queue.shrink()
            bar.finish()
            if json {
                Console.print(JSONValue.object(counts.map { .init($0.name, .int($1)) }).description)
            } else {
                let text = counts.map { "\($1) \($0.name)" }.joined(separator: ", ")
                Console.print("deleted \(text)")
            }
        }
    }
}
