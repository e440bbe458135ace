// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

/// A worker process as others see it.
public struct WorkerRecord: Sendable, Hashable {
    /// Who it is and what it serves.
    public let identity: WorkerIdentity
    /// When it started.
    public let startedAt: Timestamp
    /// When its lease runs out unless it is renewed; moves every few seconds while it is well.
    public let leaseExpiresAt: Timestamp
    /// What its lock file tells.
    public let lock: WorkerLockState
    /// Whether it lives: by its lock on the same host, by its lease elsewhere.
    public let isAlive: Bool

    /// Unique for ever: host, process and a random part.
    public var id: String { identity.id }

    /// Whether it lives and would take jobs of a model.
    public func serves(_ model: ModelReference) -> Bool {
        isAlive && (identity.serves.map { $0.contains(model.name) || $0.contains(model.path) } ?? true)
    }
}

extension JobQueue {
    /// How long a worker counts as alive after it last said so, where its lock tells nothing.
    public static let lease = Duration.seconds(15)

    /// Makes this process known as a worker.
    ///
    /// - Parameters:
    ///   - threads: How many jobs it can run at once.
    ///   - serves: The models it serves, by name or by absolute path; nil for every model.
    ///   - now: The time.
    /// - Returns: The lock that proves that the worker lives. Keep it, and give it to `removeWorker` at the end.
    /// - Throws: `busy`, `io`.
    public func addWorker(threads: Int, serves: [String]?, now: Timestamp) throws(JobsError) -> WorkerLock {
        let host = Host.current
        let pid = ProcessInfo.processInfo.processIdentifier
        let random = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        let identity = WorkerIdentity(
            id: "\(host.name)-\(pid)-\(random)",
            host: host.name,
            bootID: host.bootID,
            pid: Int(pid),
            threads: threads,
            serves: serves
        )
        // First the lock, then the row: whoever finds the row finds the lock held.
        let lock = try WorkerLock(worker: identity.id, in: paths)
        try register(identity, now: now)
        return lock
    }

    /// Adds a worker's row; `addWorker` also takes the lock by which others see that it lives.
    public func register(_ worker: WorkerIdentity, now: Timestamp) throws(JobsError) {
        let serves = worker.serves.flatMap { try? String(decoding: JSONEncoder().encode($0), as: UTF8.self) }
        try write("add a worker", durability: .normal) { database in
            try database.execute(
                sql: """
                    INSERT INTO workers (id, host, boot_id, pid, threads, serves, started_at_us, lease_expires_at_us)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    worker.id, worker.host, worker.bootID, worker.pid, worker.threads, serves, now.microseconds,
                    (now + JobQueue.lease).microseconds,
                ]
            )
            return ((), [])
        }
    }

    /// Says that a worker still lives.
    ///
    /// - Parameters:
    ///   - worker: The worker's id.
    ///   - now: The time; the lease runs from here.
    /// - Returns: False if the worker's row is gone: others have taken it for dead.
    /// - Throws: `busy`, `io`.
    public func renewLease(ofWorker worker: String, now: Timestamp) throws(JobsError) -> Bool {
        try write("renew a lease", durability: .normal) { database in
            try database.cachedStatement(sql: "UPDATE workers SET lease_expires_at_us = ? WHERE id = ?")
                .execute(arguments: [(now + JobQueue.lease).microseconds, worker])
            return (database.changesCount == 1, [])
        }
    }

    /// Takes a worker off the list and gives its jobs back; then removes its lock file.
    ///
    /// - Parameters:
    ///   - lock: What `addWorker` gave.
    ///   - now: The time.
    /// - Returns: How many jobs went back; their attempts are not counted.
    /// - Throws: `busy`, `io`; then others find the worker dead once its process has ended.
    public func removeWorker(_ lock: WorkerLock, now: Timestamp) throws(JobsError) -> Int {
        let count = try unregister(worker: lock.worker, now: now)
        // First the row, then the file: a row without a file would look like a worker of another host.
        lock.remove()
        return count
    }

    /// Takes a worker off the list and puts the jobs that it still holds back into the queue, in one transaction.
    ///
    /// From then on it can claim nothing more, and what it finds for those jobs is refused.
    ///
    /// - Parameters:
    ///   - worker: The worker's id.
    ///   - now: The time.
    /// - Returns: How many jobs went back; their attempts are not counted.
    /// - Throws: `busy`, `io`.
    public func unregister(worker: String, now: Timestamp) throws(JobsError) -> Int {
        try write("remove a worker", durability: .normal) { database in
            var transition = Transition()
            let count = try remove(worker, jobsWere: .interrupted, now: now, &transition, in: database)
            return (count, transition.kinds)
        }
    }

    /// Takes a worker off the list that will not do it itself, and puts its jobs back into the queue, in one transaction.
    ///
    /// - Parameters:
    ///   - worker: The worker's id.
    ///   - cause: Why it is given up.
    ///   - now: The time.
    /// - Returns: How many jobs went back; nil if the worker is not on the list, or has renewed its lease since.
    /// - Throws: `busy`, `io`.
    public func rescue(worker: String, because cause: RescueCause, now: Timestamp) throws(JobsError) -> Int? {
        let count: Int? = try write("rescue jobs", durability: .normal) { database in
            let lease = try Int64.fetchOne(
                database,
                sql: "SELECT lease_expires_at_us FROM workers WHERE id = ?",
                arguments: [worker]
            ).map(Timestamp.init)
            switch (cause, lease) {
            case (_, nil): return (nil, [])
            case (.silence(let seen), .some(let lease)) where seen != lease: return (nil, [])
            default: break
            }
            var transition = Transition()
            let outcome: Attempt.Outcome = cause == .death ? .crash : .rescued
            let count = try remove(worker, jobsWere: outcome, now: now, &transition, in: database)
            return (count, transition.kinds)
        }
        if count != nil { WorkerLock.removeFile(ofWorker: worker, in: paths) }
        return count
    }

    /// Takes a worker off the list inside a transaction and puts its jobs back into the queue; returns how many.
    func remove(
        _ worker: String,
        jobsWere outcome: Attempt.Outcome,
        now: Timestamp,
        _ transition: inout Transition,
        in database: Database
    ) throws -> Int {
        // A job with a crash runs alone in a process of its own: its worker's death is not its fault.
        try database.execute(
            sql: """
                INSERT INTO attempts (job_id, number, worker_id, started_at_us, ended_at_us, outcome)
                SELECT id, attempts, worker_id, started_at_us, ?,
                    CASE WHEN crashes > 0 AND ?2 = 'crash' THEN 'rescued' ELSE ?2 END
                FROM jobs INDEXED BY jobs_running WHERE state = 2 AND worker_id = ?
                """,
            arguments: [now.microseconds, outcome.rawValue, worker]
        )
        let crashes = outcome == .crash ? "max(crashes, 1)" : "crashes"
        let rows = try StoredRow.fetchAll(
            database.makeStatement(
                sql: """
                    UPDATE jobs INDEXED BY jobs_running
                    SET state = 1, claim_token = NULL, attempts = attempts - 1, crashes = \(crashes)
                    WHERE state = 2 AND worker_id = ? RETURNING model_id, batch_id
                    """
            ),
            arguments: [worker]
        )
        for row in rows { try transition.move(model: row[0], batch: row[1], from: .running, to: .queued) }
        try transition.finish(in: database)
        try database.execute(sql: "DELETE FROM workers WHERE id = ?", arguments: [worker])
        return rows.count
    }

    /// The tokens under which a worker holds jobs: a claim that is not among them has been taken back or cancelled.
    public func tokens(ofWorker worker: String) throws(JobsError) -> Set<Int64> {
        try read("read a worker's jobs") { database in
            try Int64.fetchSet(
                database.cachedStatement(
                    sql: "SELECT claim_token FROM jobs INDEXED BY jobs_running WHERE state = 2 AND worker_id = ?"
                ),
                arguments: [worker]
            )
        }
    }

    /// What the lock of a worker tells; one of before the machine's last start, or of another machine, tells nothing.
    func lock(ofWorker worker: String, bootID: String) -> WorkerLockState {
        bootID == Host.current.bootID ? WorkerLock.probe(worker: worker, in: paths) : .unknown
    }

    /// All workers on the list, oldest first, dead ones included.
    ///
    /// - Parameter now: The time, for leases.
    /// - Returns: The workers.
    /// - Throws: `io`.
    public func workers(now: Timestamp) throws(JobsError) -> [WorkerRecord] {
        let rows = try read("read the workers") { database in
            try StoredRow.fetchAll(
                database.cachedStatement(sql: "SELECT * FROM workers ORDER BY started_at_us, id"),
                of: "workers"
            ).map { row in
                try (
                    identity: WorkerIdentity(row), startedAt: Timestamp(microseconds: row["started_at_us"]),
                    lease: Timestamp(microseconds: row["lease_expires_at_us"])
                )
            }
        }
        return rows.map { identity, startedAt, lease in
            let lock = lock(ofWorker: identity.id, bootID: identity.bootID)
            return WorkerRecord(
                identity: identity,
                startedAt: startedAt,
                leaseExpiresAt: lease,
                lock: lock,
                isAlive: lock == .held || (lock == .unknown && now < lease)
            )
        }
    }
}

extension WorkerIdentity {
    fileprivate init(_ row: StoredRow) throws(StoredRow.Damage) {
        let serves: String? = try row["serves"]
        try self.init(
            id: row["id"],
            host: row["host"],
            bootID: row["boot_id"],
            pid: row["pid"],
            threads: row["threads"],
            serves: serves.flatMap { try? JSONDecoder().decode([String].self, from: Data($0.utf8)) }
        )
    }
}
