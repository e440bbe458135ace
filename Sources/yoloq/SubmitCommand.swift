// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqJobs
import YoloqVision

/// `yoloq submit`: puts images into the queue.
struct SubmitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Put images into the queue.",
        discussion: """
            When the command has ended well, the jobs are stored safely and some worker will run them. On a terminal it \
            prints what to type next; into a pipe, the jobs' ids.
            """
    )

    @Argument(help: ArgumentHelp("Image files, folders with images, or quoted patterns.", valueName: "image"))
    var images: [String]

    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup var modelOptions: ModelOptions
    @OptionGroup(title: "Prediction") var prediction: PredictionOptions

    @Option(help: ArgumentHelp("The group the jobs belong to; made if it does not exist.", valueName: "name"))
    var batch: String?

    @Option(help: ArgumentHelp("JSON of your own that travels with the jobs to their results.", valueName: "json"))
    var meta: String?

    @Flag(help: "Pass over arguments that name no image, with a note, instead of refusing them all.")
    var skipMissing = false

    @Flag(help: "Wait until the jobs have ended, and print their results.")
    var wait = false

    @Flag(help: "Print a line of JSON for each job, then one that sums up.")
    var json = false

    func validate() throws {
        if let batch, batch.allSatisfy(\.isNumber) {
            throw ValidationError(
                "a batch needs a name, not the number \"\(batch)\" (did you mean worker --batch-size?)"
            )
        }
    }

    func run() throws {
        let inputs = Inputs(images)
        try inputs.check(skipMissing: skipMissing, advice: "Nothing was submitted; correct it, or add --skip-missing")
        let model = try modelOptions.resolve()
        let parameters = try prediction.parameters(for: model.card)
        let request = JobRequest(
            model: ModelReference(name: model.name, path: model.path, sha256: model.sha256),
            source: "",
            parameters: parameters.json.description,
            meta: meta,
            batch: batch
        )
        try queueOptions.withQueue(create: true) { queue in
            let ids = try submit(inputs.paths, like: request, to: queue)
            guard wait else { return }
            try waitAndPrint(ids, in: queue)
        }
    }

    private func submit(_ paths: [String], like request: JobRequest, to queue: JobQueue) throws -> [JobID] {
        let requests = paths.lazy.map { path in
            var request = request
            request.source = path
            return request
        }
        var ids: [JobID] = []
        var bar = ProgressBar("submitting")
        do {
            try queue.submit(requests, now: .now()) { receipts in
                let chunk = receipts.map(\.job)
                report(chunk, of: paths[ids.count..<(ids.count + chunk.count)])
                ids += chunk
                bar.update(ids.count, of: paths.count)
            }
        } catch {
            bar.finish()
            if let first = ids.first, let last = ids.last {
                Console.complain("\(ids.count) of \(paths.count) are stored, as jobs \(first) to \(last)")
            }
            throw error
        }
        bar.finish()
        try summarize(ids, model: request.model.name)
        return ids
    }

    /// Prints jobs that are safe now.
    private func report(_ ids: [JobID], of paths: ArraySlice<String>) {
        for (id, path) in zip(ids, paths) {
            if json {
                let line: JSONValue = ["job": .string(id.description), "source": .string(path), "created": true]
                Console.print(line.description)
            } else if !Console.isOutputTerminal && !wait {
                Console.print(id.description)
            }
        }
        // A pipe that is full or closed must not look like a failed submit; the end of the command tells.
        try? Console.flush()
    }

    private func summarize(_ ids: [JobID], model: String) throws {
        if json {
            let line: JSONValue = ["batch": batch.map(JSONValue.string) ?? .null, "count": .int(ids.count)]
            Console.print(line.description)
        } else if Console.isOutputTerminal, let first = ids.first, let last = ids.last {
            let range = ids.count == 1 ? "job \(first)" : "\(ids.count) jobs, \(first) to \(last),"
            Console.print("\(range) queued for \(model)\(batch.map { " in batch \($0)" } ?? "")")
            guard !wait else { return }
            let which = batch.map { "--batch \($0)" } ?? (ids.count == 1 ? "\(first)" : "--last")
            Console.print("  run:     yoloq worker --until-empty")
            Console.print("  results: yoloq result \(which)")
        }
        try Console.flush()
    }

    private func waitAndPrint(_ ids: [JobID], in queue: JobQueue) throws {
        let outcome = try ResultStream(queue: queue, printer: ResultPrinter(format: json ? .jsonl : .text))
            .printAsTheyEnd(ids, timeout: nil)
        if outcome.failedCount > 0 { throw CommandFailure(.jobFailed) }
    }
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
        ]
    }
}
