// SPDX-License-Identifier: Apache-2.0

import YoloqInference
import YoloqJobs

/// What the calling thread of a worker does while the others run jobs: it rings for work, renews the lease, drops jobs that
/// were cancelled or took too long, looks after the queue, and heeds the stop signal.
///
/// It never infers, so nothing that a model does keeps the lease from being renewed.
struct Lookout<E: Engine & ~Copyable> {
    /// How often the lease is renewed: three times before it runs out.
    static var heartbeatInterval: Duration { .seconds(5) }
    /// How often other workers are looked at.
    static var roundInterval: Duration { .milliseconds(500) }
    /// How long at most between two looks for work and for due times: that covers a writer that was killed before it could
    /// wake us, and a clock that was set forward.
    static var pollInterval: Duration { .seconds(1) }
    /// How often at most due times are looked up while writers wake us all the time.
    static var dueInterval: Duration { .milliseconds(20) }
    /// How often it is asked whether the file needs tidying.
    static var maintenanceInterval: Duration { .seconds(60) }

    private let queue: JobQueue
    private let crew: Crew<E>
    private let watcher: WakeWatcher
    private let lock: WorkerLock
    private let options: Worker<E>.Options
    private let shared: WorkerThread<E>.Shared

    private var upkeep: Upkeep
    private var maintenance: Maintenance
    private var seen: WakeCounters
    private var heartbeatAt: ContinuousClock.Instant
    private var roundAt: ContinuousClock.Instant
    private var pollAt: ContinuousClock.Instant
    private var dueAt: ContinuousClock.Instant
    private var maintenanceAt: ContinuousClock.Instant
    private var drainUntil: ContinuousClock.Instant?

    init(
        queue: JobQueue,
        crew: Crew<E>,
        watcher: WakeWatcher,
        lock: WorkerLock,
        options: Worker<E>.Options
    ) {
        self.queue = queue
        self.crew = crew
        self.watcher = watcher
        self.lock = lock
        self.options = options
        shared = crew.shared
        upkeep = Upkeep(queue, worker: lock.worker)
        maintenance = Maintenance(queue, retention: options.retention)
        seen = WakeCounters()
        let now = ContinuousClock.now
        heartbeatAt = now + Self.heartbeatInterval
        (roundAt, pollAt, dueAt, maintenanceAt) = (now, now, now, now)
    }

    /// Looks out until all threads have ended or the time to stop is over.
    ///
    /// - Returns: Whether all threads have ended.
    /// - Throws: Why the worker has to stop at once.
    mutating func run() throws(JobsError) -> Bool {
        while true {
            if let failure = crew.failure { throw failure }
            guard crew.runningCount > 0 else { return true }
            let now = ContinuousClock.now
            if mustStop(at: now) { return false }
            try dropOverdue(at: now)
            try heedCounters(at: now)
            if now >= heartbeatAt { try beat(at: now) }
            if now >= roundAt { try round(at: now) }
            if now >= pollAt { try poll(at: now) }
            if now >= dueAt { try settleDue(at: now) }
            if now >= maintenanceAt { try maintain(at: now) }
            watcher.wait(atMost: nextEvent - .now)
        }
    }

    private var nextEvent: ContinuousClock.Instant {
        let fixed = [heartbeatAt, roundAt, pollAt, dueAt, maintenanceAt]
        return (fixed + [drainUntil, shared.running.nextDeadline].compactMap(\.self)).min() ?? roundAt
    }

    private mutating func mustStop(at now: ContinuousClock.Instant) -> Bool {
        switch shared.stop.urgency {
        case .none: return false
        case .drain:
            let end = drainUntil ?? now + options.grace
            drainUntil = end
            return now >= end
        case .atOnce: return true
        }
    }

    /// Rings for work, and finds out which running jobs were cancelled.
    private mutating func heedCounters(at now: ContinuousClock.Instant) throws(JobsError) {
        let counters = queue.wakeCounters
        if counters.work != seen.work {
            shared.doorbell.ring()
            // What was submitted may be due sooner than anything before.
            dueAt = min(dueAt, now + Self.dueInterval)
        }
        if counters.control != seen.control { try dropCancelled() }
        seen = counters
    }

    private func dropCancelled() throws(JobsError) {
        // First what we run, then what we hold: a job claimed in between is not taken for one that was cancelled.
        let wanted = shared.running.wantedTokens
        guard !wanted.isEmpty else { return }
        shared.running.drop(wanted.subtracting(try queue.tokens(ofWorker: lock.worker)))
    }

    private func dropOverdue(at now: ContinuousClock.Instant) throws(JobsError) {
        for claim in shared.running.takeOverdue(at: now) {
            let limit = claim.timeLimit.map { "\($0)" } ?? ""
            let failure = JobFailure(
                kind: "timeout",
                message:
                    "it took longer than its time limit of \(limit). Give it more with --time-limit, or look at the image",
                isRetryable: true
            )
            // The thread may be inside the engine for longer; its result will be refused.
            try shared.committer.submit(Outcome(claim, .failed(failure), at: .now()))
        }
        if let claim = shared.running.stuck(for: options.stuckPatience, at: now) {
            throw JobsError(
                .stuck,
                "a thread has been inside the engine for job \(claim.job) since long after its time limit and cannot be "
                    + "stopped. Start the worker again"
            )
        }
    }

    private mutating func round(at now: ContinuousClock.Instant) throws(JobsError) {
        roundAt = now + Self.roundInterval
        do throws(JobsError) {
            for rescue in try upkeep.rescue(now: .now(), uptime: .now) {
                shared.report(.rescued(worker: rescue.worker, because: rescue.cause, jobCount: rescue.jobCount))
            }
        } catch {
            try passOver(error)
        }
    }

    /// Looks for what nobody woke us for; wakes no thread for nothing.
    private mutating func poll(at now: ContinuousClock.Instant) throws(JobsError) {
        pollAt = now + Self.pollInterval
        dueAt = now
        do throws(JobsError) {
            // With `untilEmpty` a thread that could not ask last time has to find out that there is nothing.
            let isToRing = try options.untilEmpty ? true : queue.hasQueued()
            if isToRing { shared.doorbell.ring() }
        } catch {
            try passOver(error)
        }
    }

    private mutating func settleDue(at now: ContinuousClock.Instant) throws(JobsError) {
        // The next poll looks again.
        dueAt = now + Self.pollInterval * 2
        do throws(JobsError) {
            let wallClock = Timestamp.now()
            guard let due = try upkeep.settleDue(now: wallClock) else { return }
            dueAt = min(dueAt, now + max(due - wallClock, Self.dueInterval))
        } catch {
            try passOver(error)
        }
    }

    private mutating func maintain(at now: ContinuousClock.Instant) throws(JobsError) {
        maintenanceAt = now + Self.maintenanceInterval
        do throws(JobsError) {
            if try maintenance.step(now: .now()) { maintenanceAt = now }
        } catch {
            try passOver(error)
        }
    }

    private mutating func beat(at now: ContinuousClock.Instant) throws(JobsError) {
        heartbeatAt = now + Self.heartbeatInterval
        do throws(JobsError) {
            guard lock.isInPlace, try queue.renewLease(ofWorker: lock.worker, now: .now()) else {
                throw JobsError(
                    .io,
                    "this worker's entry or lock file was removed, so others take it for dead. Start it again"
                )
            }
        } catch {
            // The lease outlasts two missed beats.
            try passOver(error)
        }
    }

    /// Goes on after trouble that passes by itself.
    private func passOver(_ error: JobsError) throws(JobsError) {
        guard error.code == .busy || error.code == .diskFull else { throw error }
        shared.report(.trouble(error))
    }
}
