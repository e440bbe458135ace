// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqWorkers

/// What a worker starts for a job over which a process has died; not for people.
struct RunAloneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run-alone",
        abstract: "Run one job from standard input; started by workers.",
        shouldDisplay: false
    )

    @OptionGroup var weights: WeightsOptions
    @OptionGroup var engine: EngineOptions
    @OptionGroup var urls: URLOptions

    func run() throws {
        // Who stops the worker must not look like a job that kills its process: the worker decides when this one ends.
        for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_IGN) }
        guard let job = IsolatedJob(reading: RunAloneCommand.read) else {
            throw CommandFailure(.usage, "run-alone reads a job from a worker; there is none on standard input")
        }
        RunAloneCommand.endWithWorker()
        let answer: [UInt8]
        do throws(InferenceError) {
            let setup = try EngineSetup(engine, directory: weights.directory)
            answer = job.run(limits: engine.limits, urls: urls.policy) { model throws(InferenceError) in
                try setup.makePredictor(for: model)
            }
        } catch {
            answer = job.answer(error)
        }
        try FileHandle.standardOutput.write(contentsOf: answer)
    }

    /// Reads exactly that many bytes; nil if there are no more.
    private static func read(_ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = try? FileHandle.standardInput.read(upToCount: count - bytes.count), !more.isEmpty else {
                return nil
            }
            bytes += more
        }
        return bytes
    }

    /// Ends this process when the worker does: its end of standard input is closed then.
    private static func endWithWorker() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while Foundation.read(STDIN_FILENO, &byte, 1) < 0, errno == EINTR {}
            _exit(ExitStatus.interrupted.rawValue)
        }
    }
}
