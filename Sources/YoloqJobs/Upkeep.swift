// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What each worker does for the whole queue, twice a second: it queues due jobs, ends expired ones, and gives up workers
/// that are dead or silent.
///
/// Everything is idempotent and costs the same beside any history, so nobody has to lead. Whether a worker is silent is
/// judged by how long its lease has not moved on our own clock, never by comparing its clock with ours: a clock that is set
/// back or forward makes nobody look dead, and keeps nobody alive.
package struct Upkeep {
    /// A worker that was given up.
    package struct Rescue: Sendable, Hashable {
        /// Its id.
        package let worker: String
        /// Why.
        package let cause: RescueCause
        /// How many jobs it held.
        package let jobCount: Int
    }

    private struct Sighting {
        let lease: Timestamp
        let since: SuspendingClock.Instant
    }

    private let queue: JobQueue
    private let ownWorker: String?
    private var sightings: [String: Sighting] = [:]

    /// Starts to look after a queue.
    ///
    /// - Parameters:
    ///   - queue: The queue.
    ///   - worker: The caller's own worker, which it does not judge.
    package init(_ queue: JobQueue, worker: String?) {
        self.queue = queue
        ownWorker = worker
    }

    /// Queues the jobs whose time has come, and ends those whose deadline has passed.
    ///
    /// - Parameter now: The wall clock, since people gave these times.
    /// - Returns: When the next job is to be promoted or expired; nil if none is.
    /// - Throws: `busy`, `diskFull`, `io`.
    package func settleDue(now: Timestamp) throws(JobsError) -> Timestamp? {
        var next = try queue.nextDue()
        while let due = next, due <= now {
            let count = try queue.promote(now: now) + queue.expire(now: now)
            next = try queue.nextDue()
            // Another worker has been quicker.
            if count == 0 { break }
        }
        return next
    }

    /// Gives up workers that are dead or silent.
    ///
    /// - Parameters:
    ///   - now: The wall clock, for the jobs' history.
    ///   - uptime: A clock that only goes forward and stands still while the machine sleeps, for leases.
    /// - Returns: What was given up.
    /// - Throws: `busy`, `diskFull`, `io`.
    package mutating func rescue(
        now: Timestamp,
        uptime: SuspendingClock.Instant
    ) throws(JobsError) -> [Rescue] {
        let workers = try queue.workerSightings().filter { $0.id != ownWorker }
        var rescues: [Rescue] = []
        var seen: [String: Sighting] = [:]
        for worker in workers {
            var sighting = Sighting(lease: worker.lease, since: uptime)
            if let old = sightings[worker.id], old.lease == worker.lease { sighting = old }
            seen[worker.id] = sighting
            let cause: RescueCause
            if worker.lock == .free {
                cause = .death
            } else if uptime - sighting.since >= JobQueue.lease {
                cause = .silence(lease: worker.lease)
            } else {
                continue
            }
            if let count = try queue.rescue(worker: worker.id, because: cause, now: now) {
                rescues.append(Rescue(worker: worker.id, cause: cause, jobCount: count))
            }
        }
        sightings = seen
        return rescues
    }
}

/// What one look at a worker tells.
struct WorkerSighting {
    let id: String
    let lease: Timestamp
    let lock: WorkerLockState
}

extension JobQueue {
    /// Looks at all workers; cheap, since it is done twice a second for ever.
    func workerSightings() throws(JobsError) -> [WorkerSighting] {
        let rows = try read("look at the workers") { database in
            try StoredRow.fetchAll(
                database.cachedStatement(sql: "SELECT id, lease_expires_at_us, boot_id FROM workers"),
                of: "workers"
            ).map { row in
                try (id: row[0] as String, lease: Timestamp(microseconds: row[1]), bootID: row[2] as String)
            }
        }
        return rows.map { id, lease, bootID in
            WorkerSighting(id: id, lease: lease, lock: lock(ofWorker: id, bootID: bootID))
        }
    }
}
