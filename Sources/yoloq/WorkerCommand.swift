// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Synchronization
import YoloqInference
import YoloqJobs
import YoloqWorkers

/// `yoloq worker`: runs jobs.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run jobs until told to stop.",
        discussion: """
            Starts dedicated threads; each makes its own model instance, warms it up and checks it before it takes a job. \
            SIGTERM or Ctrl-C: takes no new job, finishes what runs, ends with 0; a second one gives back what runs and ends \
            at once with 130.
            """
    )

    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup var weights: WeightsOptions
    @OptionGroup var engine: EngineOptions
    @OptionGroup(title: "URLs") var urls: URLOptions

    @Option(help: "How many jobs to run at once: a number, or auto for one a core.")
    var threads = ThreadCount.auto

    @Option(help: ArgumentHelp("Serve only these models, by name or path.", valueName: "name,name"))
    var models: String?

    @Flag(help: "End when nothing is queued for the served models and all results are stored.")
    var untilEmpty = false

    @Option(help: ArgumentHelp("How long running jobs may take to finish after the stop signal.", valueName: "time"))
    var grace: TimeSpan?

    @Option(help: ArgumentHelp("How long to keep succeeded and cancelled jobs (7d), or forever.", valueName: "time"))
    var keepSucceeded: KeepTime?

    @Option(help: ArgumentHelp("How long to keep failed jobs (30d), or forever.", valueName: "time"))
    var keepFailed: KeepTime?

    func run() throws {
        let directory = weights.directory
        var options = Worker<OpenVINOEngine>.Options()
        options.threads = threads.count
        options.serves = try servedModels(in: directory)
        options.untilEmpty = untilEmpty
        options.limits = engine.limits
        options.urls = urls.policy
        if let grace { options.grace = grace.duration }
        if let keepSucceeded {
            options.retention.times[.succeeded] = keepSucceeded.duration
            options.retention.times[.cancelled] = keepSucceeded.duration
        }
        if let keepFailed { options.retention.times[.failed] = keepFailed.duration }
        let setup = try EngineSetup(engine, directory: directory)
        let stop = StopSignal()
        let signals = SignalListener { stop.request() }
        defer { signals.cancel() }
        try queueOptions.withQueue(create: true) { queue in
            let waiting = try queue.models().filter { options.serves.contains($0.reference) }
            let log = WorkerLog(total: untilEmpty ? waiting.reduce(0) { $0 + $1.counts[.queued] } : nil)
            Console.note(
                "yoloq worker: \(counted(options.threads, "thread")), \(setup.runtime.name), "
                    + "queue \(queue.path)"
            )
            let worker = Worker(
                queue: queue,
                options: options,
                stop: stop,
                report: log.note,
                makePredictor: { model throws(InferenceError) in try setup.makePredictor(for: model) },
                runAlone: isolation(queue).run
            )
            let ending: Worker<OpenVINOEngine>.Ending
            do throws(JobsError) {
                ending = try worker.run()
            } catch {
                Console.complain(error.message)
                leave(with: CommandFailure(error)?.status ?? .inputOutput)
            }
            log.finish()
            guard case .cutShort(let count) = ending else { return }
            Console.note("\(counted(count, "running job")) given back to the queue")
            leave(with: stop.urgency == .atOnce ? .interrupted : .ok)
        }
    }

    /// Runs single jobs in processes of their own, with the same engine options.
    private func isolation(_ queue: JobQueue) -> IsolatedProcess {
        #if os(Linux)
            // This very program, even if the file has been replaced by a newer one.
            let executable = "/proc/self/exe"
        #else
            let executable = Bundle.main.executablePath ?? CommandLine.arguments[0]
        #endif
        return IsolatedProcess(
            executable: executable,
            arguments: ["run-alone"] + weights.arguments + engine.arguments + urls.arguments,
            queue: queue
        )
    }

    /// Ends the process while threads are still inside the engine: nothing is torn down under them.
    private func leave(with status: ExitStatus) -> Never {
        _exit(status.rawValue)
    }

    private func servedModels(in directory: ModelDirectory) throws -> ModelFilter {
        guard let models else { return .all }
        let names = models.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        return .only(
            try names.map { name in
                let file = try directory.resolve(name)
                let reference = ModelReference(name: file.name, path: file.path, sha256: file.sha256)
                return ModelFilter.Entry(reference, isByPath: name.contains("/") || name.hasSuffix(".onnx"))
            }
        )
    }
}

/// A number of threads, or one for each core.
enum ThreadCount: ExpressibleByArgument {
    case auto
    case exactly(Int)

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
        } else if let count = Int(argument), (1...1024).contains(count) {
            self = .exactly(count)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { "auto" }

    /// The number.
    var count: Int {
        switch self {
        case .auto: ProcessInfo.processInfo.activeProcessorCount
        case .exactly(let count): count
        }
    }
}

/// Calls back for SIGTERM and SIGINT, on a thread of its own, not inside the signal handler.
final class SignalListener {
    private let sources: [any DispatchSourceSignal]

    init(_ onSignal: @escaping @Sendable () -> Void) {
        sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler(handler: onSignal)
            source.activate()
            return source
        }
    }

    /// Stops listening; from then on the signals are ignored.
    func cancel() {
        for source in sources { source.cancel() }
    }
}

/// Tells on standard error what a worker does: a progress bar on a terminal, and a line at the end.
final class WorkerLog: Sendable {
    private struct State {
        var bar = ProgressBar("working")
        var succeeded = 0
        var failed = 0
        var first: ContinuousClock.Instant?
        var last: ContinuousClock.Instant?
    }

    private let total: Int?
    private let state = Mutex(State())

    /// Starts the log.
    ///
    /// - Parameter total: How many jobs there are to do; nil if the worker goes on for ever.
    init(total: Int?) { self.total = total }

    /// Notes an event; may be called on any thread.
    func note(_ event: WorkerEvent) {
        switch event {
        case .ready(let thread, let model, let detail):
            say("\(thread): \(model) ready (\(detail))")
        case .unusable(let thread, let model, let failure):
            say("\(thread): \(model) cannot be used, its jobs fail: \(failure.message)")
        case .recorded(let outcome):
            count(outcome)
        case .lost(let claim):
            say("job \(claim.job) had been taken back; its result was dropped")
        case .dropped(let claim):
            say("job \(claim.job) was stopped: it was cancelled, or its time was over")
        case .rescued(let worker, let cause, let count):
            let why = cause == .death ? "has died" : "has not been heard of"
            say("worker \(worker) \(why); \(counted(count, "job")) of it queued again")
        case .trouble(let error):
            say("going on after: \(error.message)")
        }
    }

    private func count(_ outcome: Outcome) {
        state.withLock { state in
            let now = ContinuousClock.now
            state.first = state.first ?? now
            state.last = now
            switch outcome.ending {
            case .succeeded: state.succeeded += 1
            case .failed, .crashed: state.failed += 1
            case .interrupted: return
            }
            let done = state.succeeded + state.failed
            state.bar.update(done, of: total.map { max($0, done) })
        }
        if case .failed(let failure) = outcome.ending {
            say("job \(outcome.claim.job) failed: \(failure.kind): \(failure.message)")
        }
    }

    private func say(_ line: String) {
        state.withLock { $0.bar.finish() }
        Console.note("yoloq worker: \(line)")
    }

    /// Sums up.
    func finish() {
        state.withLock { state in
            state.bar.finish()
            let done = state.succeeded + state.failed
            var line = "yoloq worker: \(state.succeeded) succeeded, \(state.failed) failed"
            if let first = state.first, let last = state.last, done > 1, last > first {
                line += String(format: ", %.1f jobs/s", Double(done - 1) / ((last - first) / .seconds(1)))
            }
            Console.note(line)
        }
    }
}
