// SPDX-License-Identifier: Apache-2.0

import YoloqJobs

/// Waits until jobs have ended, and says so when nobody works on them.
struct Waiter {
    /// How many unfinished jobs are looked at in one go.
    ///
    /// Jobs end about in order, so the first ones are looked at each time, and another window in turn.
    private static let windowCount = 1000
    /// How often it is checked whether a worker lives.
    private static let workerCheckInterval = Duration.seconds(5)

    private let queue: JobQueue
    private var open: [JobID]
    private var cursor = 0
    private var isWarned = false

    /// How many of them have ended.
    private(set) var finishedCount = 0

    /// Waits for these jobs.
    init(queue: JobQueue, jobs: [JobID]) {
        self.queue = queue
        open = jobs
    }

    /// Waits until all jobs have ended or the time is over.
    ///
    /// - Parameters:
    ///   - timeout: How long at most; nil for as long as it takes.
    ///   - onFinished: Called with jobs that have ended, soon after they have.
    ///   - onProgress: Called now and then with the count of ended jobs.
    /// - Returns: Whether all have ended.
    /// - Throws: `JobsError`, or what the callbacks throw.
    mutating func wait(
        timeout: Duration?,
        onFinished: ([JobID]) throws -> Void,
        onProgress: (Int) -> Void
    ) throws -> Bool {
        let watcher = try queue.makeWatcher()
        let deadline = timeout.map { ContinuousClock.now + $0 }
        var checkedAt: ContinuousClock.Instant?
        while true {
            let seen = queue.wakeCounters.results
            while try takeFinished(onFinished) {}
            onProgress(finishedCount)
            guard !open.isEmpty else { return true }
            let now = ContinuousClock.now
            if let deadline, now >= deadline { return false }
            if checkedAt.map({ now - $0 >= Self.workerCheckInterval }) ?? true {
                checkedAt = now
                try warnIfNobodyWorks()
            }
            guard queue.wakeCounters.results == seen else { continue }
            let rest = deadline.map { $0 - now } ?? .seconds(1)
            watcher.wait(atMost: min(rest, .seconds(1)))
        }
    }

    /// Takes ended jobs out of the first window and of another one; true if it found any and there may be more.
    private mutating func takeFinished(_ onFinished: ([JobID]) throws -> Void) throws -> Bool {
        var isProgress = try takeFinished(from: 0, onFinished)
        cursor += Self.windowCount
        if cursor >= open.count { cursor = 0 }
        if cursor > 0 { isProgress = try takeFinished(from: cursor, onFinished) || isProgress }
        return isProgress && !open.isEmpty
    }

    private mutating func takeFinished(from start: Int, _ onFinished: ([JobID]) throws -> Void) throws -> Bool {
        let range = start..<min(start + Self.windowCount, open.count)
        let states = try queue.states(open[range])
        func hasEnded(_ job: JobID) -> Bool { states[job]?.isFinal ?? true }
        let finished = open[range].filter(hasEnded)
        guard !finished.isEmpty else { return false }
        open.replaceSubrange(range, with: open[range].filter { !hasEnded($0) })
        finishedCount += finished.count
        try onFinished(finished)
        return true
    }

    /// Says once which models nobody serves.
    private mutating func warnIfNobodyWorks() throws {
        guard !isWarned else { return }
        let jobs = try queue.records(Array(open.prefix(Self.windowCount))).filter { !$0.state.isFinal }
        guard let note = try queue.noteOnUnservedModels(Dictionary(grouping: jobs, by: \.model).mapValues(\.count))
        else { return }
        isWarned = true
        Console.note(note)
    }
}

extension JobQueue {
    /// Says which models jobs wait for that no live worker serves.
    ///
    /// - Parameter waiting: The number of waiting jobs by model.
    /// - Returns: A sentence for standard error; nil if all are served.
    /// - Throws: `JobsError`.
    func noteOnUnservedModels(_ waiting: [ModelReference: Int]) throws -> String? {
        let workers = try workers(now: .now())
        let unserved = waiting.filter { model, count in count > 0 && !workers.contains { $0.serves(model) } }
        guard !unserved.isEmpty else { return nil }
        return unserved.sorted { $0.key.path < $1.key.path }.map { model, count in
            "\(count) job\(count == 1 ? " needs" : "s need") \(model.name); no live worker serves it: run yoloq worker"
        }.joined(separator: "\n")
    }
}
