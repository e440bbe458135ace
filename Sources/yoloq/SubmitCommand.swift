// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqJobs
import YoloqVideo
import YoloqVision
import YoloqWorkers

/// `yoloq submit`: puts images into the queue.
struct SubmitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Put images into the queue.",
        discussion: """
            When the command has ended well, the jobs are stored safely and some worker will run them. On a terminal it \
            prints what to type next; into a pipe, the jobs' ids. An image that changes before it is run is reported, not \
            silently run. A video becomes a batch of jobs for segments of its frames: use --batch NAME with status, wait, \
            result and cancel.
            """
    )

    @Argument(
        help: ArgumentHelp(
            "Image files, folders with images, quoted patterns, or URLs, which the worker fetches; - for an image's bytes on "
                + "standard input.",
            valueName: "image"
        )
    )
    var images: [String] = []

    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup var modelOptions: ModelOptions
    @OptionGroup(title: "Prediction") var prediction: PredictionOptions
    @OptionGroup(title: "Jobs") var jobOptions: JobOptions

    @Option(
        help: ArgumentHelp("Also the files named in this list, one a line; - for standard input.", valueName: "list")
    )
    var fromFile: String?

    @Flag(help: "The names in the list end with NUL bytes, as find -print0 writes them.")
    var null = false

    @Flag(help: "Take also the images in the folders below.")
    var recursive = false

    @Flag(help: "Keep the images' bytes in the queue, each content once, so that the files are needed no more.")
    var inline = false

    @OptionGroup var frames: FrameOptions

    @Flag(
        help: """
            Let URLs lead to this machine and to private networks too, if the worker allows it. Only for URLs whose origin \
            you trust.
            """
    )
    var allowPrivateUrls = false

    @Option(help: ArgumentHelp("Refuse, with status 75, if more jobs than this would wait.", valueName: "count"))
    var maxQueued: Int?

    @Flag(help: "Pass over arguments that name no image, with a note, instead of refusing them all.")
    var skipMissing = false

    @Flag(help: "Wait until the jobs have ended, and print their results.")
    var wait = false

    @Flag(help: "Print a line of JSON for each job, then one that sums up.")
    var json = false

    func validate() throws {
        guard !images.isEmpty || fromFile != nil else {
            throw ValidationError("which images? Give files or --from-file")
        }
        guard !images.contains("-") || (images.count == 1 && fromFile == nil) else {
            throw ValidationError("- stands alone: an image's bytes on standard input")
        }
        guard !null || fromFile != nil else { throw ValidationError("--null is about --from-file") }
        guard !inline || !images.contains(where: URLSource.isURL) else {
            throw ValidationError("--inline is about files: a URL is fetched by the worker, when the job runs")
        }
    }

    func run() throws {
        let inputs = try images == ["-"] ? nil : checkedInputs()
        let model = try modelOptions.resolve()
        let parameters = try prediction.parameters(for: model.card).json.description
        let now = Timestamp.now()
        let template = jobOptions.request(
            ModelReference(name: model.name, path: model.path, sha256: model.sha256),
            parameters: allowPrivateUrls ? URLSource.allowingPrivate(parameters) : parameters,
            now: now
        )
        try queueOptions.withQueue(create: true) { queue in
            var command = self
            if inputs?.firstVideo != nil, jobOptions.batch == nil {
                let name = VideoRequests.batchName(for: jobOptions.key)
                command.jobOptions.batch = name
                // Otherwise the command prints it with what it has stored.
                if !json && !Console.isOutputTerminal { Console.note("batch \(name)") }
            }
            var submission = Submission(command: command, queue: queue, model: model.name, now: now)
            if let inputs {
                var template = template
                template.batch = command.jobOptions.batch
                let videos = VideoRequests(selection: frames.selection)
                try submission.submit(
                    RequestStream(paths: inputs, template: template, isInline: inline, videos: videos)
                )
            } else {
                try submission.submit([requestFromStandardInput(like: template)])
            }
            guard wait else { return }
            try waitAndPrint(submission.ids, in: queue)
        }
    }

    /// The images that were named; all exist, unless the missing ones are to be passed over.
    private func checkedInputs() throws -> Inputs {
        let list = try fromFile.map { try PathList(path: $0, isNullSeparated: null) }
        var inputs = Inputs(images, list: list, isRecursive: recursive, takesVideos: true)
        try inputs.check(skipMissing: skipMissing, advice: "Nothing was submitted; correct it, or add --skip-missing")
        if let video = inputs.firstVideo {
            guard !inline else {
                throw CommandFailure(
                    .usage,
                    "--inline is about images: videos stay where they are, and \(video) is one. Submit videos without it"
                )
            }
            guard jobOptions.latest == nil else {
                throw CommandFailure(
                    .usage,
                    "--latest is about single images: the segments of a video such as \(video) would cancel each other. "
                        + "Submit videos without it"
                )
            }
        }
        guard jobOptions.key == nil || inputs.count == 1 else {
            throw CommandFailure(
                .usage,
                "--key names one job, and there are \(inputs.count) images. Submit them one by one"
            )
        }
        return inputs
    }

    private func requestFromStandardInput(like template: JobRequest) throws -> JobRequest {
        let bytes = try FileHandle.standardInput.readToEnd() ?? Data()
        guard !bytes.isEmpty else { throw CommandFailure(.noInput, "there is no image on standard input") }
        var request = template
        request.source = "-"
        request.content = InlineContent([UInt8](bytes))
        return request
    }

    private func waitAndPrint(_ ids: [JobID], in queue: JobQueue) throws {
        let outcome = try ResultStream(queue: queue, printer: ResultPrinter(format: json ? .jsonl : .text))
            .printAsTheyEnd(ids, timeout: nil)
        if outcome.failedCount > 0 { throw CommandFailure(.jobFailed) }
    }
}

/// One run of the command: what is stored so far, and what is said about it.
private struct Submission {
    let command: SubmitCommand
    let queue: JobQueue
    let model: String
    let now: Timestamp

    /// The jobs, if somebody waits for them.
    private(set) var ids: [JobID] = []
    private var first: JobID?
    private var last: JobID?
    private var count = 0
    private var newCount = 0

    init(command: SubmitCommand, queue: JobQueue, model: String, now: Timestamp) {
        self.command = command
        self.queue = queue
        self.model = model
        self.now = now
    }

    mutating func submit(_ requests: some Sequence<JobRequest>) throws {
        let total = requests.underestimatedCount
        var bar = ProgressBar("submitting")
        // The sources of the chunk on its way, since only the jobs come back.
        let sources = Locked<[String]>([])
        let noted = requests.lazy.map { [isNoted = command.json] request in
            if isNoted { sources.withLock { $0.append(request.source) } }
            return request
        }
        do {
            try queue.submit(Announced(noted, count: total), now: now, maxQueued: command.maxQueued) { receipts in
                note(
                    receipts,
                    sources: sources.withLock { names in
                        defer { names.removeFirst(min(receipts.count, names.count)) }
                        return Array(names.prefix(receipts.count))
                    }
                )
                bar.update(count, of: max(total, count))
            }
        } catch {
            bar.finish()
            if let first, let last {
                Console.complain("\(count) of \(max(total, count)) are stored, as jobs \(first) to \(last)")
            }
            throw error
        }
        bar.finish()
        try summarize()
    }

    /// Notes and prints jobs that are safe now.
    private mutating func note(_ receipts: [Receipt], sources: [String]) {
        first = first ?? receipts.first?.job
        last = receipts.last?.job ?? last
        count += receipts.count
        newCount += receipts.count { $0.isNew }
        if command.wait { ids += receipts.map(\.job) }
        if command.json {
            for (receipt, source) in zip(receipts, sources) {
                let line: JSONValue = [
                    "job": .string(receipt.job.description), "source": .string(source), "created": .bool(receipt.isNew),
                ]
                Console.print(line.description)
            }
        } else if !Console.isOutputTerminal && !command.wait {
            for receipt in receipts { Console.print(receipt.job.description) }
        }
        // A pipe that is full or closed must not look like a failed submit; the end of the command tells.
        try? Console.flush()
    }

    private func summarize() throws {
        let batch = command.jobOptions.batch
        if command.json {
            let line: JSONValue = [
                "batch": batch.map(JSONValue.string) ?? .null, "count": .int(count), "created": .int(newCount),
            ]
            Console.print(line.description)
        } else if Console.isOutputTerminal, let first, let last {
            let range = count == 1 ? "job \(first)" : "\(count) jobs, \(first) to \(last),"
            let what =
                newCount == count ? "queued" : newCount == 0 ? "was there already" : "queued, \(newCount) of them new,"
            Console.print("\(range) \(what) for \(model)\(batch.map { " in batch \($0)" } ?? "")")
            guard !command.wait else { return }
            let which = batch.map { "--batch \($0)" } ?? (count == 1 ? "\(first)" : "--last")
            Console.print("  run:     yoloq worker --until-empty")
            Console.print("  results: yoloq result \(which)")
        }
        try Console.flush()
    }
}

/// A sequence that knows its length, whatever is done to it on the way.
private struct Announced<Base: Sequence>: Sequence {
    private let base: Base
    let underestimatedCount: Int

    init(_ base: Base, count: Int) {
        self.base = base
        underestimatedCount = count
    }

    func makeIterator() -> Base.Iterator { base.makeIterator() }
}

extension PredictionParameters {
    /// The keys in the order in which the field writes them.
    var json: JSONValue {
        [
            "conf": .double(confidenceThreshold),
            "iou": .double(iouThreshold),
            "max_det": .int(maxDetections),
            "classes": classes.map { .array($0.map(JSONValue.int)) } ?? .null,
            "agnostic_nms": .bool(isClassAgnostic),
            "imgsz": imageSize.map(JSONValue.int) ?? .null,
            "letterbox": .string(letterbox.rawValue),
            "retina_masks": .bool(isMaskNative),
            "slice": slicing.map(\.json) ?? .null,
            "family": family.map(JSONValue.string) ?? .null,
        ]
    }
}

extension Slicing {
    fileprivate var json: JSONValue {
        ["size": .int(size), "overlap": .double(overlap), "merge": .string(merging.rawValue)]
    }
}
