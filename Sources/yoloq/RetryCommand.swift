// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import YoloqInference
import YoloqJobs
import YoloqVision

/// `yoloq retry`: queues jobs again that failed or were cancelled.
struct RetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Queue jobs again that failed or were cancelled.",
        discussion: """
            They get all their attempts anew; what they failed with stays in their history (result --attempts). Without \
            --cancelled only failed jobs are queued.
            """
    )

    @OptionGroup var selection: JobSelection

    @Option(help: ArgumentHelp("Failed jobs of this kind, such as timeout.", valueName: "kind"))
    var kind: String?

    @Flag(help: "All failed jobs.")
    var all = false

    @Flag(help: "Cancelled jobs too.")
    var cancelled = false

    @Flag(help: "Run them on the models as they are now, for jobs whose model file has changed since.")
    var useCurrent = false

    @OptionGroup var weights: WeightsOptions
    @OptionGroup var queueOptions: QueueOptions

    @Flag(help: "Print one line of JSON.")
    var json = false

    func validate() throws {
        guard !selection.isEmpty || kind != nil || all else {
            throw ValidationError("which jobs? Give ids, --batch NAME, --last, --kind KIND or --all")
        }
        guard selection.jobs.isEmpty && !selection.last || kind == nil && !all else {
            throw ValidationError("--kind and --all go with --batch or stand alone")
        }
    }

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            var models = CurrentModels(directory: useCurrent ? weights.directory : nil)
            var count = 0
            if !selection.jobs.isEmpty || selection.last {
                let ids = try selection.ids(in: queue)
                try selection.checkExistence(of: ids, in: queue)
                for part in ids.chunks(of: JobQueue.submitChunkCount) {
                    count += try retry(queue.records(Array(part)), in: queue, &models)
                }
            } else {
                count = try retryMatching(in: queue, &models)
            }
            if json {
                Console.print((["retried": .int(count)] as JSONValue).description)
            } else {
                Console.print("\(counted(count, "job")) queued again")
            }
        }
    }

    /// Goes through the jobs that the options describe, page by page.
    private func retryMatching(in queue: JobQueue, _ models: inout CurrentModels) throws -> Int {
        var filter = JobFilter()
        filter.states = cancelled ? [.failed, .cancelled] : [.failed]
        filter.batch = selection.batch
        filter.errorKind = kind
        if let batch = selection.batch, try queue.counts(ofBatch: batch) == nil {
            throw CommandFailure.noBatch(batch, in: queue)
        }
        var count = 0
        var last: JobID?
        repeat {
            let page = try queue.jobs(matching: filter, after: last, limit: JobQueue.submitChunkCount)
            count += try retry(page.jobs, in: queue, &models)
            last = page.next
        } while last != nil
        return count
    }

    private func retry(_ jobs: [JobRecord], in queue: JobQueue, _ models: inout CurrentModels) throws -> Int {
        let wanted = jobs.filter { $0.state == .failed || cancelled && $0.state == .cancelled }
        var count = 0
        for (model, jobs) in Dictionary(grouping: wanted, by: \.model) {
            count += try queue.retry(jobs.map(\.id), with: models.current(model), now: .now()).count
        }
        return count
    }
}

/// The models that jobs ask for, as their files are now.
private struct CurrentModels {
    /// nil to keep the models as they were submitted.
    let directory: ModelDirectory?
    private var found: [ModelReference: ModelReference] = [:]

    init(directory: ModelDirectory?) { self.directory = directory }

    /// What to run instead of a model; nil to keep it.
    mutating func current(_ model: ModelReference) throws -> ModelReference? {
        guard let directory else { return nil }
        if let known = found[model] { return known }
        let file = try directory.resolve(model.path)
        let reference = ModelReference(name: model.name, path: model.path, sha256: file.sha256)
        found[model] = reference
        return reference
    }
}
