// SPDX-License-Identifier: Apache-2.0

public import YoloqImages
public import YoloqInference
public import YoloqJobs

/// A worker process: dedicated threads with a predictor each, one thread that records results, and the calling thread,
/// which watches for work, renews the lease and heeds the stop signal.
public struct Worker<E: Engine & ~Copyable>: Sendable {
    /// How a worker works.
    public struct Options: Sendable {
        /// How many jobs it runs at once.
        public var threads = 1
        /// Which models it serves.
        public var serves = ModelFilter.all
        /// Whether it ends when nothing is queued for its models.
        public var untilEmpty = false
        /// What an image may have at most.
        public var limits = ImageLimits()
        /// How long running jobs may take to finish after the stop signal before they are given back.
        public var grace = Duration.seconds(30)

        /// The defaults.
        public init() {}
    }

    /// How a worker ended.
    public enum Ending: Sendable, Hashable {
        /// Its work was done, or it finished what ran after the stop signal.
        case drained
        /// It gave jobs back, since it had to stop at once or the grace period was over. Threads may still be running:
        /// end the process.
        case cutShort(jobsGivenBack: Int)
    }

    /// How often the lease is renewed: three times before it runs out.
    static var heartbeatInterval: Duration { .seconds(5) }
    /// How long at most between two looks at the queue; covers a writer that was killed before it could wake us.
    static var safetyPollInterval: Duration { .seconds(1) }

    private let queue: JobQueue
    private let options: Options
    private let stop: StopSignal
    private let report: @Sendable (WorkerEvent) -> Void
    private let makePredictor: PredictorFactory<E>

    /// Sets up a worker; nothing runs yet.
    ///
    /// - Parameters:
    ///   - queue: Where the jobs are.
    ///   - options: How to work.
    ///   - stop: Asks it to stop.
    ///   - report: Told what happens, on whichever thread it happens.
    ///   - makePredictor: Called on each thread, once for each model the thread comes to need.
    public init(
        queue: JobQueue,
        options: Options,
        stop: StopSignal,
        report: @escaping @Sendable (WorkerEvent) -> Void,
        makePredictor: @escaping PredictorFactory<E>
    ) {
        self.queue = queue
        self.options = options
        self.stop = stop
        self.report = report
        self.makePredictor = makePredictor
    }

    /// Works until asked to stop, or until nothing is left to do.
    ///
    /// - Returns: How it ended. Every outcome that came before is recorded.
    /// - Throws: Why the queue cannot be used any more. What could be given back was. Threads may still be running then: end
    ///   the process without tearing down what they use.
    public func run() throws(JobsError) -> Ending {
        let watcher = try queue.makeWatcher()
        let lock = try queue.addWorker(threads: options.threads, serves: options.serves.names, now: .now())
        let crew = Crew(
            shared: WorkerThread<E>.Shared(
                queue: queue,
                worker: lock.worker,
                serves: options.serves,
                untilEmpty: options.untilEmpty,
                limits: options.limits,
                makePredictor: makePredictor,
                committer: Committer(queue: queue, report: report, onFailure: { watcher.ring() }),
                doorbell: Doorbell(),
                stop: stop,
                report: report
            ),
            count: options.threads,
            preparing: options.serves.preloaded,
            onEnd: { watcher.ring() }
        )
        stop.onRequest {
            crew.shared.doorbell.ringForAll()
            watcher.ring()
        }
        do throws(JobsError) {
            guard try look(after: crew, with: watcher, lock: lock) else {
                // What is finished is recorded first; what still runs goes back, and its late result will be refused.
                try crew.shared.committer.flush()
                return .cutShort(jobsGivenBack: try queue.removeWorker(lock, now: .now()))
            }
            try crew.join()
            _ = try queue.removeWorker(lock, now: .now())
            return .drained
        } catch {
            stop.request()
            // The first error is the one to tell; these may fail for the same reason.
            try? crew.shared.committer.flush()
            _ = try? queue.removeWorker(lock, now: .now())
            throw error
        }
    }

    /// Watches for work, renews the lease and heeds the stop signal until all threads have ended or time is up.
    ///
    /// - Returns: Whether all threads have ended.
    private func look(after crew: Crew<E>, with watcher: WakeWatcher, lock: WorkerLock) throws(JobsError) -> Bool {
        var seen = queue.wakeCounters.work
        var heartbeatAt = ContinuousClock.now + Self.heartbeatInterval
        var pollAt = ContinuousClock.now
        var drainUntil: ContinuousClock.Instant?
        while true {
            if let failure = crew.failure { throw failure }
            guard crew.runningCount > 0 else { return true }
            let now = ContinuousClock.now
            switch stop.urgency {
            case .none: break
            case .drain:
                drainUntil = drainUntil ?? now + options.grace
                if let drainUntil, now >= drainUntil { return false }
            case .atOnce: return false
            }
            if now >= heartbeatAt {
                heartbeatAt = now + Self.heartbeatInterval
                try beat(lock)
            }
            let work = queue.wakeCounters.work
            if work != seen || now >= pollAt {
                seen = work
                pollAt = now + Self.safetyPollInterval
                crew.shared.doorbell.ring()
            }
            watcher.wait(atMost: pollAt - now)
        }
    }

    private func beat(_ lock: WorkerLock) throws(JobsError) {
        do throws(JobsError) {
            guard lock.isInPlace, try queue.renewLease(ofWorker: lock.worker, now: .now()) else {
                throw JobsError(
                    .io,
                    "this worker's entry or lock file was removed, so others take it for dead. Start it again"
                )
            }
        } catch {
            // The lease outlasts two missed beats.
            guard error.code == .busy || error.code == .diskFull else { throw error }
            report(.trouble(error))
        }
    }
}
