// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

extension JobQueue {
    /// Claims jobs as an idle worker does, asleep until there is one.
    ///
    /// - Parameters:
    ///   - count: How many jobs to wait for.
    ///   - whenReady: Called when the watch stands.
    ///   - report: Told each job and when its claim returned, by `monotonicNanoseconds`.
    /// - Throws: `JobsError`.
    package func pickUp(
        _ count: Int,
        whenReady: () -> Void,
        report: (JobID, Int64) -> Void
    ) throws(JobsError) {
        let watcher = try makeWatcher()
        let lane = QueueLane(self)
        whenReady()
        var left = count
        while left > 0 {
            let seen = wakeCounters.work
            let claims = try claim(models: [BenchJob.modelRow], worker: BenchJob.worker.id, now: .now())
            let claimedAt = monotonicNanoseconds()
            guard let claim = claims.first else {
                if wakeCounters.work == seen { watcher.wait(atMost: .seconds(1)) }
                continue
            }
            left -= 1
            report(claim.job, claimedAt)
            try JobsError.wrapping("record", path: path) { try lane.record(claims) }
        }
    }
}

/// Tells when the queue's last COMMIT returned inside SQLite, before any code of ours went on.
package final class CommitClock: @unchecked Sendable {
    // @unchecked because `committedAt` is written only under the write lock and read by the thread that has just written.

    private var committedAt: Int64 = 0

    /// Starts to listen to the connection that writes.
    ///
    /// The clock must outlive the queue.
    ///
    /// - Parameter queue: Where to listen.
    /// - Throws: `JobsError`.
    package init(_ queue: JobQueue) throws(JobsError) {
        try queue.write("listen to commits", durability: .normal) { database in
            sqlite3_trace_v2(
                database.sqliteConnection,
                UInt32(SQLITE_TRACE_PROFILE),
                { _, context, statement, _ in
                    guard let context, let statement, let sql = sqlite3_sql(OpaquePointer(statement)),
                        strncmp(sql, "COMMIT", 6) == 0
                    else { return 0 }
                    let clock = Unmanaged<CommitClock>.fromOpaque(context).takeUnretainedValue()
                    clock.committedAt = monotonicNanoseconds()
                    return 0
                },
                Unmanaged.passUnretained(self).toOpaque()
            )
            return ((), [])
        }
    }

    /// Submits a job.
    ///
    /// - Parameter queue: The queue listened to.
    /// - Returns: The job, when the call began, and when its COMMIT returned.
    /// - Throws: `JobsError`.
    package func submit(to queue: JobQueue) throws(JobsError) -> (job: JobID, calledAt: Int64, committedAt: Int64) {
        let calledAt = monotonicNanoseconds()
        let ids = try queue.submit([BenchJob.request], now: .now())
        return (ids[0], calledAt, committedAt)
    }
}
