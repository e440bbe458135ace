// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqJobs
import YoloqVideo
import YoloqVision
import YoloqWorkers

/// `yoloq watch`: makes the images that appear in a folder jobs.
struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Make each new image in a folder a job, and each new video some.",
        discussion: """
            Runs until it is stopped (SIGTERM or Ctrl-C). A file becomes a job when it is complete, exactly once for each \
            content, however often the watch is started again; what came while it was not running is found at the start. \
            Hidden and temporary names (.*, *.part, *.tmp, *~) and empty files are passed over. A file that is rewritten with \
            other content, moved or renamed is a new file.
            """
    )

    @Argument(help: ArgumentHelp("The folder to watch.", valueName: "folder"))
    var folder: String

    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup var modelOptions: ModelOptions
    @OptionGroup(title: "Prediction") var prediction: PredictionOptions
    @OptionGroup(title: "Jobs") var jobOptions: JobOptions

    @Flag(help: "Watch also the folders below, and those that are made there.")
    var recursive = false

    @Flag(help: "Take also the images that were there before the folder was watched for the first time.")
    var existing = false

    @Flag(help: "Keep the images' bytes in the queue, each content once, so that the files are needed no more.")
    var inline = false

    @OptionGroup var frames: FrameOptions

    @Option(
        help: ArgumentHelp(
            "While so many jobs wait in the queue, wait instead of submitting; a video goes in whole.",
            valueName: "count"
        )
    )
    var maxQueued: Int?

    @Flag(help: "Print a line of JSON for each job.")
    var json = false

    func validate() throws {
        guard maxQueued.map({ $0 > 0 }) ?? true else { throw ValidationError("--max-queued is a number from 1") }
    }

    func run() throws {
        let path = Installation.absolutePath(folder)
        #if canImport(Glibc)
            // Asking whether a file is complete may send it (see `FileCompleteness`).
            signal(SIGIO, SIG_IGN)
        #endif
        // First of all: what comes while the model is looked at is not missed.
        let events = try FolderEvents(of: path, isRecursive: recursive)
        let model = try modelOptions.resolve()
        let reference = ModelReference(name: model.name, path: model.path, sha256: model.sha256)
        let parameters = try prediction.parameters(for: model.card).json.description
        let stop = StopSignal()
        let signals = SignalListener {
            stop.request()
            events.ring()
        }
        defer { signals.cancel() }
        let settings = FolderWatch.Settings(
            folder: path,
            isRecursive: recursive,
            takesExisting: existing,
            isInline: inline,
            videos: videos(),
            maxQueued: maxQueued,
            name: WatchCommand.name(of: path, model: model.path, key: jobOptions.key)
        )
        try queueOptions.withQueue(create: true) { queue in
            let log = WatchLog(folder: path, isJSON: json)
            var watch = try FolderWatch(
                settings,
                queue: queue,
                stop: stop,
                events: events,
                log: log,
                template: { [jobOptions] in jobOptions.request(reference, parameters: parameters, now: .now()) }
            )
            let result = Result { try watch.run() }
            log.finish()
            try result.get()
        }
    }

    /// What becomes of videos; nil, with a note, where they cannot be taken.
    private func videos() -> VideoRequests? {
        var reason = inline ? "they stay where they are, and --inline is about bytes in the queue" : nil
        if jobOptions.latest != nil { reason = "with --latest the segments of one would cancel each other" }
        do throws(VideoError) { try VideoInfo.checkPrograms() } catch { reason = reason ?? error.message }
        guard let reason else { return VideoRequests(selection: frames.selection) }
        Console.note("yoloq watch: videos are passed over: \(reason)")
        return nil
    }

    /// What tells this watch from others: where the folder really is, the model, and the user's own word.
    ///
    /// Short, since each job's key begins with it.
    static func name(of folder: String, model: String, key: String?) -> String {
        let real = realpath(folder, nil)
        defer { free(real) }
        let place = real.map { String(cString: $0) } ?? folder
        let hash = ContentHash(of: [place, model, key ?? ""].joined(separator: "\0").utf8).description
        return "watch " + hash.prefix(16)
    }
}

/// Tells what a watch does: jobs on standard output, everything else on standard error.
final class WatchLog {
    private let folder: String
    private let isJSON: Bool
    private var newCount = 0
    private var isWaiting = false

    init(folder: String, isJSON: Bool) {
        self.folder = folder
        self.isJSON = isJSON
    }

    func start(found count: Int) {
        Console.note("yoloq watch: \(folder)\(count > 0 ? ", \(counted(count, "file")) to look at" : "")")
    }

    /// Prints a job; for people only new ones, for programs also those that a watch before this one may not have told of.
    func note(_ receipt: Receipt, source: String) {
        isWaiting = false
        if receipt.isNew { newCount += 1 }
        if isJSON {
            let line: JSONValue = [
                "job": .string(receipt.job.description), "source": .string(source), "created": .bool(receipt.isNew),
            ]
            Console.print(line.description)
        } else if receipt.isNew {
            Console.print(Console.isOutputTerminal ? "job \(receipt.job)  \(source)" : receipt.job.description)
        }
    }

    /// Says once why nothing is submitted for now.
    func waits(because reason: String) {
        guard !isWaiting else { return }
        isWaiting = true
        Console.note("yoloq watch: waiting: \(reason)")
    }

    /// Hands over what was printed.
    func flush() throws(CommandFailure) { try Console.flush() }

    func finish() {
        Console.note("yoloq watch: \(counted(newCount, "new job"))")
    }
}
