// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference
import YoloqJobs
import YoloqWorkers

/// Makes each image that is completed in a folder a job, and each video jobs for its segments, exactly once.
///
/// What makes it once is the job's key, which names the watch, the file's place in the folder and the SHA-256 of its content:
/// a file that is seen twice, by an event and by a look or by two processes or after a restart, gives the job that is there.
/// The content, not size and time: a file that is touched or written again with the same bytes is no new job, one rewritten
/// within the file system's grain of time is, and the bytes have to be read for the job's pin anyway.
///
/// What makes it all of them is the mark that the queue keeps for each watch: a moment before which everything was dealt with.
/// A new start looks at files that the file system says were changed since, whatever time their writers gave them, so that it
/// need not read the old ones, nor run those again whose jobs were pruned. A clock that is set back between two starts to
/// before the mark makes it look at everything.
struct FolderWatch {
    /// What to watch for whom.
    struct Settings: Sendable {
        /// An absolute path, as it was given: jobs name their files below it.
        var folder: String
        var isRecursive: Bool
        /// Whether to take what was there before the first start too.
        var takesExisting: Bool
        /// Whether the bytes go into the queue.
        var isInline: Bool
        /// What becomes of videos; nil to pass them over.
        var videos: VideoRequests?
        /// How many jobs may wait in the queue before the watch does; nil for no bound.
        var maxQueued: Int?
        /// Tells this watch from others: the folder, the model, and a name if one was given.
        var name: String
    }

    /// How long a file rests, after its last change, of which nobody can tell whether it is complete.
    private static let restTime = Duration.seconds(2)
    /// How far the mark stays behind: a file that was open for longer without a write, and closed while nobody watched, would
    /// be missed.
    private static let slack = Duration.seconds(60)
    /// How often at most the mark is stored.
    private static let markInterval = Duration.seconds(10)
    /// How long at most until it is looked whether the folder is still in its place, and the queue has room.
    private static let pollInterval = Duration.seconds(1)

    private let settings: Settings
    private let template: @Sendable () -> JobRequest
    private let queue: JobQueue
    private let stop: StopSignal
    private let events: FolderEvents
    private let log: WatchLog

    private var pending = PendingFiles()
    /// What was submitted since the mark: what a look finds again need not be read again.
    private var submitted: [String: FileIdentity] = [:]
    private var mark: Timestamp
    private var markedAt = ContinuousClock.now
    private var isMarkDue = false
    private var pausedUntil: ContinuousClock.Instant?

    /// Starts to watch, and looks what is there.
    ///
    /// - Parameters:
    ///   - settings: What to watch.
    ///   - queue: Where the jobs go.
    ///   - stop: Asks it to stop.
    ///   - events: What happens in the folder.
    ///   - log: Told of each job.
    ///   - template: Makes a job without a source, at the time of the call.
    /// - Throws: `JobsError`.
    init(
        _ settings: Settings,
        queue: JobQueue,
        stop: StopSignal,
        events: FolderEvents,
        log: WatchLog,
        template: @escaping @Sendable () -> JobRequest
    ) throws {
        self.settings = settings
        self.queue = queue
        self.stop = stop
        self.events = events
        self.log = log
        self.template = template
        let now = Timestamp.now()
        let stored = try queue.watchMark(of: settings.name)
        let first = Timestamp(microseconds: 1)
        // What was there before the first start is not taken unasked.
        let start = settings.takesExisting ? first : stored ?? now - .milliseconds(20)
        if stored == nil { try queue.setWatchMark(start, of: settings.name) }
        mark = start > now ? first : start
    }

    /// Watches until asked to stop.
    ///
    /// - Throws: `CommandFailure` if the folder vanishes; `JobsError` if the queue cannot be used any more.
    mutating func run() throws {
        let identity = FileIdentity(path: settings.folder)
        look(into: settings.folder)
        isMarkDue = true
        log.start(found: pending.readyCount)
        while !stop.isRequested {
            for event in try events.next(atMost: waitTime()) { try take(event) }
            // The folder above may have been moved, and that is no event.
            let current = FileIdentity(path: settings.folder)
            guard let current, current.inode == identity?.inode, current.isFolder else { throw vanished }
            try submitReady()
            try storeMark()
        }
        try storeMark(isLast: true)
    }

    private func waitTime() -> Duration {
        let now = ContinuousClock.now
        if let pausedUntil { return max(.zero, pausedUntil - now) }
        if pending.readyCount > 0 { return .zero }
        return max(.zero, min(Self.pollInterval, pending.nextDue.map { $0 - now } ?? Self.pollInterval))
    }

    private var vanished: CommandFailure {
        CommandFailure(
            .noInput,
            "the watched folder \(settings.folder) was removed, moved away or replaced. Jobs of files that were complete before "
                + "are in the queue; put it back and start the watch again"
        )
    }

    // MARK: What happens in the folder

    private mutating func take(_ event: FolderEvent) throws(CommandFailure) {
        switch event {
        case .closed(let path):
            if isWanted(path) { pending.add(path, isClosed: true) }
        case .appeared(let path):
            if isWanted(path) { pending.add(path, isClosed: false) }
        case .disappeared(let path): pending.remove(path)
        case .folder(let path): look(into: path, isNew: true)
        case .overflow: look(into: settings.folder)
        case .vanished: throw vanished
        }
    }

    private func isWanted(_ path: String) -> Bool {
        WatchedNames.isWanted(path, takesVideos: settings.videos != nil)
    }

    private mutating func look(into folder: String, isNew: Bool = false) {
        let scan = FolderScan(
            isRecursive: settings.isRecursive,
            takesVideos: settings.videos != nil,
            mark: mark
        )
        for path in scan.files(in: folder, isNew: isNew) { pending.add(path, isClosed: false) }
    }

    // MARK: Into the queue

    /// Submits what is ready, as far as the queue has room.
    private mutating func submitReady() throws {
        if let pausedUntil, pausedUntil > .now { return }
        pausedUntil = nil
        let room = try room()
        guard room > 0 else { return pause("the queue is full (--max-queued)") }
        let now = ContinuousClock.now
        let files = pending.take(
            min(room, JobQueue.submitChunkCount),
            videoCount: ProcessInfo.processInfo.activeProcessorCount,
            now: now
        )
        guard !files.isEmpty else { return }
        var ready: [(request: JobRequest, file: PendingFiles.File, identity: FileIdentity?)] = []
        for (file, look) in zip(files, looks(at: files)) {
            switch look {
            case .ready(let requests, let identity):
                // A video is in the queue when its last segment is.
                ready += requests.enumerated().map { ($1, file, $0 == requests.count - 1 ? identity : nil) }
            case .beingWritten(let since): pending.noteWriter(of: file.path, since: since)
            case .restless(let time): pending.rest(file, until: now + time)
            case .nothing: break
            }
        }
        guard !ready.isEmpty else { return }
        // A video goes in whole.
        let maxQueued = ready.allSatisfy { $0.identity != nil } ? settings.maxQueued : nil
        do throws(JobsError) {
            try queue.submit(ready.map(\.request), now: .now(), maxQueued: maxQueued) {
                receipts throws(JobsError) in
                // A chunk of many bytes ends sooner.
                for (receipt, (_, file, identity)) in zip(receipts, ready) {
                    if let identity { submitted[file.path] = identity }
                    log.note(receipt, source: file.path)
                }
                ready.removeFirst(receipts.count)
            }
        } catch {
            guard [.full, .busy, .diskFull].contains(error.code) else { throw error }
            pending.putBack(ready.filter { $0.identity != nil }.map(\.file))
            pause(error.message)
        }
        isMarkDue = true
        try log.flush()
    }

    /// How many jobs may go in now.
    private func room() throws -> Int {
        guard let limit = settings.maxQueued, pending.readyCount > 0 || pending.nextDue != nil else { return .max }
        let waiting = try queue.models().reduce(0) { $0 + $1.counts[.queued] + $1.counts[.scheduled] }
        return limit - waiting
    }

    private mutating func pause(_ reason: String) {
        pausedUntil = .now + Self.pollInterval
        log.waits(because: reason)
    }

    /// What a look at a file gave.
    private enum Look: Sendable {
        case ready([JobRequest], FileIdentity)
        case beingWritten(since: Timestamp)
        /// It may not be complete: to be looked at again.
        case restless(Duration)
        /// It is gone, empty, no file, or in the queue already.
        case nothing
    }

    /// Looks at files, on all cores: each is read once.
    private func looks(at files: [PendingFiles.File]) -> [Look] {
        let looks = Locked([Look](repeating: .nothing, count: files.count))
        let (settings, submitted, request) = (settings, submitted, template())
        DispatchQueue.concurrentPerform(iterations: files.count) { index in
            let file = files[index]
            let look = Self.look(at: file, known: submitted[file.path], settings, like: request)
            looks.withLock { $0[index] = look }
        }
        return looks.withLock(\.self)
    }

    private static func look(
        at file: PendingFiles.File,
        known: FileIdentity?,
        _ settings: Settings,
        like template: JobRequest
    ) -> Look {
        guard let identity = FileIdentity(path: file.path), !identity.isFolder, identity != known else {
            return .nothing
        }
        switch identity.isRegular ? FileCompleteness.of(file.path) : .complete {
        case .complete: break
        case .beingWritten: return .beingWritten(since: min(identity.changedAt, .now()))
        case .unknown:
            let age = Timestamp.now() - identity.changedAt
            // A time in the future says nothing.
            if !file.isClosed, age >= .zero, age < restTime { return .restless(restTime - age) }
        }
        // Whoever made it will come back to it.
        guard !identity.isRegular || identity.byteCount > 0 else { return .nothing }
        var request = template
        request.source = file.path
        let videos = VideoRequests.isVideo(file.path) ? settings.videos : nil
        if settings.isInline {
            request.content = RequestStream.content(ofFileAt: file.path)
        } else {
            request.pin = SourcePin(ofFileAt: file.path)
        }
        let content = request.content?.sha256 ?? request.pin?.sha256
        let version = content?.description ?? "\(identity.byteCount) \(identity.modifiedAt) \(identity.inode)"
        request.key = "\(settings.name): \(file.path.dropFirst(settings.folder.count + 1)) \(version)"
        request.reusesResults = request.reusesResults && content != nil
        var requests = [request]
        if let videos {
            // A segment says itself which file it is of.
            request.pin = nil
            request.batch = request.batch ?? VideoRequests.batchName(for: request.key)
            requests = videos.requests(for: file.path, like: request)
        }
        // What was changed while it was read is not what the hash says.
        guard FileIdentity(path: file.path) == identity else { return .restless(.milliseconds(20)) }
        return .ready(requests, identity)
    }

    // MARK: How far it has come

    /// Stores that everything up to now is dealt with, if it is.
    private mutating func storeMark(isLast: Bool = false) throws {
        guard isMarkDue, pending.isEmpty, isLast || .now - markedAt >= Self.markInterval else { return }
        let now = Timestamp.now()
        let handled = min(pending.oldestWrite ?? now, now) - Self.slack
        do throws(JobsError) {
            try queue.setWatchMark(max(mark, handled), of: settings.name)
        } catch {
            guard [.busy, .diskFull].contains(error.code) else { throw error }
            return
        }
        isMarkDue = false
        markedAt = .now
        mark = max(mark, handled)
        submitted = submitted.filter { $0.value.changedAt >= mark }
    }
}
