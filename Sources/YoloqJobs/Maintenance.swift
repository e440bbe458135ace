// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

/// How long jobs are kept once they have ended.
public struct Retention: Sendable, Hashable {
    /// The times; a state without one is kept for ever.
    public var times: [JobState: Duration]

    /// The defaults: 7 days, and 30 for failed jobs.
    public init(
        succeeded: Duration? = .days(7),
        failed: Duration? = .days(30),
        cancelled: Duration? = .days(7)
    ) {
        times = [:]
        times[.succeeded] = succeeded
        times[.failed] = failed
        times[.cancelled] = cancelled
    }
}

extension Duration {
    /// Days of 24 hours.
    public static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }
}

/// Keeps a queue's file small: deletes old jobs, gives free pages back, and cuts the write-ahead log.
///
/// One process at a time takes a round; each step is one short transaction, so that writers and the caller's heartbeat get
/// their turn in between.
package struct Maintenance {
    /// How often a queue is gone through.
    private static let interval = Duration.seconds(600)
    /// Fewer free pages are left for new jobs.
    private static let freePageLimit = 1000
    /// How many pages one step moves.
    fileprivate static let pageStepCount = 500

    private enum Step {
        case prune([JobState])
        case reclaim
        case cutLog
    }

    private let queue: JobQueue
    private let retention: Retention
    private var next: Step?

    /// Starts to look after a queue.
    package init(_ queue: JobQueue, retention: Retention) {
        self.queue = queue
        self.retention = retention
    }

    /// Does the next step, if one is due.
    ///
    /// - Parameter now: The time.
    /// - Returns: Whether there is more to do at once.
    /// - Throws: `busy`, `diskFull`, `io`.
    package mutating func step(now: Timestamp) throws(JobsError) -> Bool {
        switch next {
        case nil:
            guard try queue.takeTask("prune", every: Maintenance.interval, now: now) else { return false }
            next = .prune(retention.times.keys.sorted { $0.rawValue < $1.rawValue })
        case .prune(let states):
            guard let state = states.first, let time = retention.times[state] else {
                next = .reclaim
                break
            }
            if try queue.prune(state, before: now - time) == 0 { next = .prune(Array(states.dropFirst())) }
        case .reclaim:
            guard try queue.freePageCount() > Maintenance.freePageLimit else {
                next = .cutLog
                break
            }
            _ = try queue.reclaim(pageCount: Maintenance.pageStepCount)
        case .cutLog:
            try queue.cutLog()
            next = nil
        }
        return next != nil
    }
}

extension JobQueue {
    /// Gives all free pages back to the file system and cuts the write-ahead log, step by step.
    ///
    /// - Throws: `busy`, `diskFull`, `io`.
    public func shrink() throws(JobsError) {
        while try freePageCount() > 0 {
            if try reclaim(pageCount: Maintenance.pageStepCount) == 0 { break }
        }
        try cutLog()
    }

    /// Pages in the file that hold nothing.
    func freePageCount() throws(JobsError) -> Int {
        try read("count free pages") { try Int.fetchOne($0, sql: "PRAGMA freelist_count") ?? 0 }
    }
}
