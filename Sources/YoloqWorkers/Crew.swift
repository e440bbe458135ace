// SPDX-License-Identifier: Apache-2.0

import YoloqInference
import YoloqJobs

/// The threads of a running worker.
final class Crew<E: Engine & ~Copyable>: Sendable {
    let shared: WorkerThread<E>.Shared
    private let roll: Roll
    private let threads: [DedicatedThread]
    private let committer: DedicatedThread

    /// Starts everything.
    ///
    /// - Parameters:
    ///   - shared: What the threads share.
    ///   - count: How many worker threads to start.
    ///   - models: What each makes ready before its first claim.
    ///   - onEnd: Called when a worker thread has ended, on that thread.
    init(
        shared: WorkerThread<E>.Shared,
        count: Int,
        preparing models: [ModelReference],
        onEnd: @escaping @Sendable () -> Void
    ) {
        let roll = Roll(count: count)
        self.shared = shared
        self.roll = roll
        committer = DedicatedThread(name: "yoloq-commit") { shared.committer.run() }
        threads = (0..<count).map { index in
            DedicatedThread(name: "yoloq-w\(index)") {
                var thread = WorkerThread(name: "w\(index)", shared: shared)
                do throws(JobsError) {
                    try thread.run(preparing: models)
                    roll.leave(because: nil)
                } catch {
                    roll.leave(because: error)
                }
                onEnd()
            }
        }
    }

    /// Worker threads that have not ended.
    var runningCount: Int { roll.runningCount }

    /// Why the first thread that failed did.
    var failure: JobsError? { roll.failure ?? shared.committer.failure }

    /// Waits for all threads and for the last result to be recorded.
    ///
    /// Call it when the worker threads end by themselves.
    ///
    /// - Throws: Why a result could not be recorded.
    func join() throws(JobsError) {
        for thread in threads { thread.join() }
        shared.committer.close()
        committer.join()
        try shared.committer.flush()
        if let failure { throw failure }
    }
}

/// Which worker threads are still there.
private final class Roll: Sendable {
    private struct State {
        var runningCount: Int
        var failure: JobsError?
    }

    private let state: Locked<State>

    init(count: Int) { state = Locked(State(runningCount: count)) }

    var runningCount: Int { state.withLock(\.runningCount) }

    var failure: JobsError? { state.withLock(\.failure) }

    func leave(because failure: JobsError?) {
        state.withLock { state in
            state.runningCount -= 1
            state.failure = state.failure ?? failure
        }
    }
}
