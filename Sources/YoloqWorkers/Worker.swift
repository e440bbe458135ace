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
        /// What it does with images at URLs.
        public var urls = URLPolicy()
        /// How long running jobs may take to finish after the stop signal before they are given back.
        public var grace = Duration.seconds(30)
        /// How long a thread may stay inside the engine after its job's time limit before the worker gives itself up.
        public var stuckPatience = Duration.seconds(30)
        /// How long ended jobs are kept.
        public var retention = Retention()

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

    private let queue: JobQueue
    private let options: Options
    private let stop: StopSignal
    private let report: @Sendable (WorkerEvent) -> Void
    private let makePredictor: PredictorFactory<E>
    private let runAlone: IsolatedRunner

    /// Sets up a worker; nothing runs yet.
    ///
    /// - Parameters:
    ///   - queue: Where the jobs are.
    ///   - options: How to work.
    ///   - stop: Asks it to stop.
    ///   - report: Told what happens, on whichever thread it happens.
    ///   - makePredictor: Called on each thread, once for each model the thread comes to need.
    ///   - runAlone: Runs jobs over which a process has died.
    public init(
        queue: JobQueue,
        options: Options,
        stop: StopSignal,
        report: @escaping @Sendable (WorkerEvent) -> Void,
        makePredictor: @escaping PredictorFactory<E>,
        runAlone: @escaping IsolatedRunner
    ) {
        self.queue = queue
        self.options = options
        self.stop = stop
        self.report = report
        self.makePredictor = makePredictor
        self.runAlone = runAlone
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
                urls: options.urls,
                makePredictor: makePredictor,
                runAlone: runAlone,
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
            var lookout = Lookout(queue: queue, crew: crew, watcher: watcher, lock: lock, options: options)
            guard try lookout.run() else {
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
}
