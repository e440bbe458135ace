// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation

/// The command `yoloq`: everything else is a subcommand of it.
@main
struct Yoloq: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "yoloq",
        abstract: "A durable task queue for YOLO inference.",
        discussion: """
            Submit images, run workers, fetch results: what is acknowledged is not lost.

              yoloq submit photos/ --model yolo11n
              yoloq worker --threads 2 --until-empty
              yoloq result --last

            \(ExitStatus.help)
            """,
        version: yoloqVersion,
        subcommands: [
            SubmitCommand.self, WatchCommand.self, WorkerCommand.self, StatusCommand.self, ResultCommand.self,
            WaitCommand.self, ExportCommand.self,
            ListCommand.self, ExplainCommand.self, CancelCommand.self, RetryCommand.self, PauseCommand.self,
            ResumeCommand.self,
            PruneCommand.self, PredictCommand.self, ModelsCommand.self, DoctorCommand.self, DBCommand.self,
            BenchCommand.self, RunAloneCommand.self,
        ]
    )

    /// Parses the arguments, runs the command, and ends the process with a status of `ExitStatus`.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
            try Console.flush()
        } catch {
            // What was printed before the trouble counts: a failed job's record, for one.
            try? Console.flush()
            guard let failure = CommandFailure(error) else { exit(withError: error) }
            if !failure.message.isEmpty { Console.complain(failure.message) }
            Foundation.exit(failure.status.rawValue)
        }
    }
}

/// The version of this program.
let yoloqVersion = "0.1.0"
