// SPDX-License-Identifier: Apache-2.0

extension JobQueue {
    /// Claims a job as a worker whose process is about to be killed.
    ///
    /// - Returns: The lock that a worker keeps while it lives.
    /// - Throws: `JobsError`.
    package func holdJob() throws(JobsError) -> WorkerLock {
        let lock = try addWorker(threads: 1, serves: nil, now: .now())
        let claims = try claim(models: [BenchJob.modelRow], worker: lock.worker, now: .now())
        guard !claims.isEmpty else { throw JobsError(.io, "a benchmark's job is missing") }
        return lock
    }

    /// Gives up dead workers and takes one of their jobs, as a worker that starts does.
    ///
    /// - Returns: When the claim returned, by `monotonicNanoseconds`.
    /// - Throws: `JobsError`.
    package func takeOver() throws(JobsError) -> Int64 {
        let lock = try addWorker(threads: 1, serves: nil, now: .now())
        var upkeep = Upkeep(self, worker: lock.worker)
        var claims: [Claim] = []
        while claims.isEmpty {
            _ = try upkeep.rescue(now: .now(), uptime: .now)
            claims = try claim(models: [BenchJob.modelRow], worker: lock.worker, now: .now())
        }
        let claimedAt = monotonicNanoseconds()
        _ = try record(claims.map { Outcome($0, .succeeded(result: BenchJob.result), at: .now()) })
        _ = try removeWorker(lock, now: .now())
        return claimedAt
    }
}
