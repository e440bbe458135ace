// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqJobs

/// What the doctor looks at in a queue: from the outside first, since a stuck process can keep it from being opened.
struct QueueExamination {
    let options: QueueOptions

    /// The size of the write-ahead log from which on somebody should look: some ten checkpoints have not emptied it.
    private static let longLog = 160 << 20

    /// Everything that was found, in the order in which to read it.
    func findings() -> [Finding] {
        let path = options.path
        guard FileManager.default.fileExists(atPath: path) else {
            let text = "\(path) does not exist yet; the first submit makes it"
            return [Finding("queue", .good, text)] + [fileSystem(path)].compactMap(\.self)
        }
        let users = JobQueue.users(ofQueueAt: path).map { settled($0, path: path) }
        let outside = [fileSystem(path), users.map(locks), log(path, users: users ?? [])].compactMap(\.self)
        do {
            return try options.withQueue(create: false) { queue in
                try [jobs(in: queue)] + outside + workers(of: queue) + pauses(of: queue)
                    + [clock(of: queue), watcher(of: queue)].compactMap(\.self)
            }
        } catch {
            return [Finding("queue", .broken, CommandFailure(error)?.message ?? "\(error)")] + outside
        }
    }

    // MARK: From the outside

    /// A read or write of a moment is no finding: what is held again a little later counts.
    private func settled(_ users: [QueueUser], path: String) -> [QueueUser] {
        guard users.contains(where: { !$0.acts.isEmpty }) else { return users }
        usleep(100_000)
        let later = Dictionary(
            (JobQueue.users(ofQueueAt: path) ?? []).map { ($0.pid, $0.acts) },
            uniquingKeysWith: { $0.union($1) }
        )
        return users.map { user in
            var user = user
            user.keep(later[user.pid] ?? [])
            return user
        }
    }

    private func fileSystem(_ path: String) -> Finding? {
        JobQueue.fileSystem(ofQueueAt: path).map { kind, isNetwork in
            guard isNetwork else { return Finding("files", .good, "on \(kind)") }
            return Finding(
                "files",
                .doubtful,
                "on a network file system (\(kind)), where processes of other hosts can spoil it. Put the queue on a local disk"
            )
        }
    }

    private func locks(_ users: [QueueUser]) -> Finding {
        let held = users.filter { $0.acts.contains(.holdsWriteLock) }.map { "held by \($0.text)" }
        let next = users.filter { $0.acts.contains(.isNextInLine) }.map { "next in line is \($0.text)" }
        let foreign = users.filter { !$0.isYoloq && $0.acts.contains(.writes) }
        guard foreign.isEmpty else {
            let names = foreign.map(\.text).joined(separator: ", ")
            return Finding("lock", .doubtful, "\(names) writes past the write lock. Let other programs only read")
        }
        guard !held.isEmpty else { return Finding("lock", .good, "nobody holds the write lock") }
        let text = "the write lock is \((held + next).joined(separator: ", "))"
        return Finding("lock", .good, "\(text). Stop that process if commands fail as busy")
    }

    private func log(_ path: String, users: [QueueUser]) -> Finding {
        let byteCount = JobQueue.logByteCount(ofQueueAt: path)
        let foreign = users.filter { !$0.isYoloq }
        let readers = foreign.filter { $0.acts.contains(.reads) }
        let idle = foreign.filter { !$0.acts.contains(.reads) }.map(\.text).joined(separator: ", ")
        let guests = idle.isEmpty ? "" : "; also open in \(idle)"
        if !readers.isEmpty {
            let names = readers.map(\.text).joined(separator: " and ")
            let verb = readers.count == 1 ? "ends its read transaction" : "end their read transactions"
            return Finding(
                "log",
                .doubtful,
                "its WAL cannot shrink: \(byteCount.byteText) until \(names) \(verb)\(guests)"
            )
        }
        guard byteCount < Self.longLog else {
            return Finding(
                "log",
                .doubtful,
                "its WAL has grown to \(byteCount.byteText): a backup or a long reader is or was there; the next idle worker "
                    + "cuts it\(guests)"
            )
        }
        return Finding("log", .good, "WAL of \(byteCount.byteText)\(guests)")
    }

    // MARK: From the inside

    private func jobs(in queue: JobQueue) throws -> Finding {
        let counts = try queue.counts()
        let live = try queue.workers(now: .now()).count(where: \.isAlive)
        let text =
            "\(queue.path): \(counts.unfinished) unfinished and \(counts.finished) finished jobs, \(counted(live, "live worker"))"
        return Finding("queue", .good, text)
    }

    private func workers(of queue: JobQueue) throws -> [Finding] {
        let now = Timestamp.now()
        let workers = try queue.workers(now: now)
        let hasLive = workers.contains(where: \.isAlive)
        return try workers.filter { $0.lock != .held }.map { worker in
            let count = try queue.tokens(ofWorker: worker.id).count
            let jobs = count == 0 ? "it has no jobs" : "its \(counted(count, "running job")) will be queued again"
            let when = hasLive ? "by another worker within 2 s" : "as soon as a worker runs: yoloq worker"
            let host = "process \(worker.identity.pid) on \(worker.identity.host)"
            if !worker.isAlive {
                return Finding("worker", .doubtful, "\(worker.id) is dead (\(host)); \(jobs), \(when)")
            }
            let left = (worker.leaseExpiresAt - now).text
            return Finding(
                "worker",
                .doubtful,
                "\(worker.id) is of another machine, or of a time before this one was started (\(host)): unless it is heard "
                    + "of within \(left), \(jobs)"
            )
        }
    }

    private func pauses(of queue: JobQueue) throws -> [Finding] {
        try queue.pauses().map { Finding("pause", .doubtful, "\($0.text): lift it with \($0.resumeCommand)") }
    }

    /// A job of the future: somebody has set the clock back.
    private func clock(of queue: JobQueue) throws -> Finding {
        let now = Timestamp.now()
        guard let newest = try queue.stats().newestJobAt, newest > now + .seconds(1) else {
            return Finding("clock", .good, now.text)
        }
        return Finding(
            "clock",
            .doubtful,
            "it is \(now.text), but the newest job was submitted \(newest.text(asOf: now)): the clock was set back. Leases "
                + "and delays count from the wrong time until then; set the clock right"
        )
    }

    private func watcher(of queue: JobQueue) throws -> Finding? {
        do throws(JobsError) {
            _ = try queue.makeWatcher()
            return nil
        } catch {
            let limits = ["max_user_instances", "max_user_watches"].compactMap { name in
                (try? String(contentsOfFile: "/proc/sys/fs/inotify/\(name)", encoding: .utf8)).map {
                    "fs.inotify.\(name) is \($0.trimmingCharacters(in: .whitespacesAndNewlines))"
                }
            }
            return Finding("watcher", .doubtful, "\(error.message) (\(limits.joined(separator: ", ")))")
        }
    }
}

extension QueueUser {
    /// For people: `process 4711 (python3)`.
    fileprivate var text: String { "process \(pid) (\(command))" }
}

extension PauseScope {
    /// For people.
    var text: String {
        switch self {
        case .everything: "the whole queue is paused"
        case .model(let model): "model \(model) is paused"
        }
    }

    /// What to type to take it back.
    var resumeCommand: String {
        switch self {
        case .everything: "yoloq resume"
        case .model(let model): "yoloq resume \(model.shellQuoted)"
        }
    }
}
