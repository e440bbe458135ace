// SPDX-License-Identifier: Apache-2.0

import YoloqJobs

/// What the threads of one worker run right now, and which of it nobody wants any more.
///
/// A thread asks between two stages whether its job is still wanted; the thread that looks after the worker marks those
/// that were cancelled or took too long.
final class RunningJobs: Sendable {
    private struct Entry {
        let claim: Claim
        /// The end of the job's time limit.
        let deadline: ContinuousClock.Instant?
        var isWanted = true
        var isOverdue = false
    }

    private let entries = Locked<[Int64: Entry]>([:])

    /// Notes that a thread begins with a job.
    func begin(_ claim: Claim) {
        let entry = Entry(claim: claim, deadline: claim.timeLimit.map { .now + $0 })
        entries.withLock { $0[claim.token] = entry }
    }

    /// Notes that a thread has done with a job.
    ///
    /// - Parameter claim: As it was begun.
    /// - Returns: Whether its end is still to be recorded.
    func end(_ claim: Claim) -> Bool {
        entries.withLock { $0.removeValue(forKey: claim.token)?.isWanted ?? false }
    }

    /// Whether a job that was begun is still wanted.
    func isWanted(_ claim: Claim) -> Bool {
        entries.withLock { $0[claim.token]?.isWanted ?? false }
    }

    /// Jobs whose claim is to be compared with the queue.
    var wantedTokens: Set<Int64> {
        entries.withLock { entries in Set(entries.filter { $0.value.isWanted }.keys) }
    }

    /// Lets the threads drop jobs.
    func drop(_ tokens: Set<Int64>) {
        entries.withLock { entries in
            for token in tokens { entries[token]?.isWanted = false }
        }
    }

    /// Takes the jobs whose time limit is over: their threads drop them at the next stage.
    ///
    /// - Parameter now: The time.
    /// - Returns: Each such job once.
    func takeOverdue(at now: ContinuousClock.Instant) -> [Claim] {
        entries.withLock { entries in
            let overdue = entries.filter { entry in
                entry.value.isWanted && entry.value.deadline.map { $0 <= now } ?? false
            }
            for token in overdue.keys {
                entries[token]?.isWanted = false
                entries[token]?.isOverdue = true
            }
            return overdue.values.map(\.claim)
        }
    }

    /// A job that its thread has not let go for a while after its time limit.
    func stuck(for patience: Duration, at now: ContinuousClock.Instant) -> Claim? {
        entries.withLock { entries in
            entries.values.first { entry in
                entry.isOverdue && entry.deadline.map { $0 + patience <= now } ?? false
            }?.claim
        }
    }

    /// When the next time limit is over; nil if no running job has one.
    var nextDeadline: ContinuousClock.Instant? {
        entries.withLock { entries in entries.values.filter(\.isWanted).compactMap(\.deadline).min() }
    }
}
