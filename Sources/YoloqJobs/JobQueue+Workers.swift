// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

/// A worker process as others see it.
public struct WorkerRecord: Sendable, Hashable {
    /// Unique for ever: host, process and a random part.
    public let id: String
    /// The host it runs on.
    public let host: String
    /// Its process, for people.
    public let pid: Int
    /// How many jobs it can run at once.
    public let threads: Int
    /// The models it serves, by name or by absolute path; nil if it serves every model.
    public let serves: [String]?
    /// When it started.
    public let startedAt: Timestamp
    /// Whether it lives: by its lock on the same host, by its lease elsewhere.
    public let isAlive: Bool

    /// Whether it lives and would take jobs of a model.
    public func serves(_ model: ModelReference) -> Bool {
        isAlive && (serves.map { $0.contains(model.name) || $0.contains(model.path) } ?? true)
    }
}

extension JobQueue {
    /// How long a worker counts as alive after it last said so, where its lock cannot be looked at.
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
        let host = Host.current()
        let pid = ProcessInfo.processInfo.processIdentifier
        let random = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        // First the lock, then the row: whoever finds the row finds the lock held.
        let lock = try WorkerLock(worker: "\(host.name)-\(pid)-\(random)", in: paths)
        let servesJSON = serves.flatMap { try? String(decoding: JSONEncoder().encode($0), as: UTF8.self) }
        try write("add a worker", durability: .normal) { database in
            try database.execute(
                sql: """
                    INSERT INTO workers (id, host, boot_id, pid, threads, serves, started_at_us, lease_expires_at_us)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    lock.worker, host.name, host.bootID, Int64(pid), threads, servesJSON, now.microseconds,
                    (now + JobQueue.lease).microseconds,
                ]
            )
            return ((), [])
        }
        return lock
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

    /// Takes a worker off the list and puts the jobs that it still holds back into the queue, in one transaction.
    ///
    /// From then on it can claim nothing more, and what it finds for those jobs is refused.
    ///
    /// - Parameters:
    ///   - lock: What `addWorker` gave.
    ///   - now: The time.
    /// - Returns: How many jobs went back; their attempts are not counted.
    /// - Throws: `busy`, `io`; then others find the worker dead once its process has ended.
    public func removeWorker(_ lock: WorkerLock, now: Timestamp) throws(JobsError) -> Int {
        let count = try write("remove a worker", durability: .normal) { database in
            let count = try giveBackJobs(ofWorker: lock.worker, now: now, in: database)
            try database.execute(sql: "DELETE FROM workers WHERE id = ?", arguments: [lock.worker])
            return (count, count > 0 ? .work : [])
        }
        // First the row, then the file: a row without a file would look like a worker of another host.
        lock.remove()
        return count
    }

    private func giveBackJobs(ofWorker worker: String, now: Timestamp, in database: Database) throws -> Int {
        try database.execute(
            sql: """
                INSERT INTO attempts (job_id, number, worker_id, started_at_us, ended_at_us, outcome)
                SELECT id, attempts, worker_id, started_at_us, ?, 'interrupted' FROM jobs INDEXED BY jobs_running
                WHERE state = 2 AND worker_id = ?
                """,
            arguments: [now.microseconds, worker]
        )
        let rows = try Row.fetchAll(
            database,
            sql: """
                UPDATE jobs INDEXED BY jobs_running SET state = 1, claim_token = NULL, attempts = attempts - 1
                WHERE state = 2 AND worker_id = ? RETURNING model_id, batch_id
                """,
            arguments: [worker]
        )
        var changes = CountChanges()
        for row in rows { changes.move(model: row["model_id"], batch: row["batch_id"], from: .running, to: .queued) }
        try changes.apply(to: database)
        return rows.count
    }

    /// All workers on the list, oldest first, dead ones included.
    ///
    /// - Parameter now: The time, for leases.
    /// - Returns: The workers.
    /// - Throws: `io`.
    public func workers(now: Timestamp) throws(JobsError) -> [WorkerRecord] {
        let bootID = Host.current().bootID
        let rows = try read("read the workers") { database in
            try Row.fetchAll(database, sql: "SELECT * FROM workers ORDER BY started_at_us, id")
        }
        return rows.map { row in
            let isLeased = now.microseconds < row["lease_expires_at_us"]
            let isHere = bootID == row["boot_id"]
            let probe = isHere ? WorkerLock.probe(worker: row["id"], in: paths) : .missing
            return WorkerRecord(
                id: row["id"],
                host: row["host"],
                pid: row["pid"],
                threads: row["threads"],
                serves: (row["serves"] as String?).flatMap {
                    try? JSONDecoder().decode([String].self, from: Data($0.utf8))
                },
                startedAt: Timestamp(microseconds: row["started_at_us"]),
                isAlive: probe == .held || (probe == .missing && isLeased)
            )
        }
    }
}
