// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import YoloqInference
import YoloqJobs
import YoloqVision

/// `yoloq cancel`: ends jobs that have not ended.
struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "End jobs that have not ended.",
        discussion: "A running job is stopped at its next stage; what it finds is refused."
    )

    @OptionGroup var selection: JobSelection
    @OptionGroup var queueOptions: QueueOptions

    @Flag(help: "Print one line of JSON.")
    var json = false

    func validate() throws {
        guard !selection.isEmpty else { throw ValidationError("which jobs? Give ids, --batch NAME or --last") }
    }

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            let ids = try selection.ids(in: queue)
            try selection.checkExistence(of: ids, in: queue)
            var count = 0
            for part in ids.chunks(of: JobQueue.submitChunkCount) {
                count += try queue.cancel(Array(part), now: .now()).count
            }
            report(count, of: ids.count)
        }
    }

    private func report(_ count: Int, of total: Int) {
        if json {
            let line: JSONValue = ["cancelled": .int(count), "ended_before": .int(total - count)]
            Console.print(line.description)
        } else {
            let rest = total == count ? "" : "; \(total - count) had ended before"
            Console.print("\(counted(count, "job")) cancelled\(rest)")
        }
    }
}

/// `yoloq pause`: lets nobody claim jobs.
struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Let no worker take jobs, of some models or of any; what runs goes on.",
        discussion: "Lasts until yoloq resume, whatever is stopped or started in between."
    )

    @Argument(help: ArgumentHelp("Models by name or path; none for the whole queue.", valueName: "model"))
    var models: [String] = []

    @OptionGroup var queueOptions: QueueOptions

    func run() throws {
        try queueOptions.withQueue(create: true) { queue in
            for scope in PauseScope.scopes(models) {
                let isNew = try queue.pause(scope, now: .now())
                let known = try queue.isKnown(scope) ? "" : " (no job has asked for it yet)"
                Console.note("\(scope.subject) \(isNew ? "is paused" : "was paused before")\(known)")
            }
        }
    }
}

/// `yoloq resume`: takes pauses back.
struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Take a pause back.",
        discussion: "A pause of the whole queue and one of a model are two: each has to be taken back."
    )

    @Argument(help: ArgumentHelp("Models as they were paused; none for the whole queue.", valueName: "model"))
    var models: [String] = []

    @OptionGroup var queueOptions: QueueOptions

    func run() throws {
        try queueOptions.withQueue(create: false) { queue in
            for scope in PauseScope.scopes(models) {
                let wasPaused = try queue.resume(scope)
                Console.note("\(scope.subject) \(wasPaused ? "goes on" : "was not paused")")
            }
            let left = try queue.pauses().map(\.subject)
            if !left.isEmpty { Console.note("still paused: \(left.joined(separator: ", "))") }
        }
    }
}

extension PauseScope {
    /// What the arguments of `pause` and `resume` are about.
    static func scopes(_ models: [String]) -> [PauseScope] {
        models.isEmpty
            ? [.everything]
            : models.map { .model($0.contains("/") ? Installation.absolutePath($0) : $0) }
    }

    /// What is paused, for people.
    var subject: String {
        switch self {
        case .everything: "the whole queue"
        case .model(let name): name
        }
    }
}

extension JobQueue {
    /// Whether a job ever asked for what a pause is about.
    fileprivate func isKnown(_ scope: PauseScope) throws -> Bool {
        guard case .model(let name) = scope else { return true }
        return try models().contains { $0.reference.name == name || $0.reference.path == name }
    }
}

extension Array {
    /// Cuts the array into pieces.
    func chunks(of count: Int) -> some Sequence<ArraySlice<Element>> {
        stride(from: 0, to: self.count, by: count).lazy.map { self[$0..<Swift.min($0 + count, self.count)] }
    }
}
