// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Waits for jobs on behalf of any number of tasks, with one thread for all of them.
///
/// Make one per queue and keep it; close it before the queue. The thread sleeps until some process records a result, so
/// waiting costs nothing and needs no polling.
public final class ResultWaiter: Sendable {
    private struct Waiting {
        var open: Set<JobID>
        let jobs: [JobID]
        let deadline: ContinuousClock.Instant?
        let continuation: CheckedContinuation<Result<[JobRecord], JobsError>, Never>
    }

    private struct State {
        var waiting: [UUID: Waiting] = [:]
        var isClosed = false
        var hasEnded = false
    }

    /// How long at most between two looks: that covers a writer that was killed before it could wake us.
    private static let interval = Duration.seconds(1)

    private let queue: JobQueue
    private let watcher: WakeWatcher
    private let state = Locked(State())
    private let ended = DispatchSemaphore(value: 0)

    /// Starts to watch a queue.
    ///
    /// - Parameter queue: The queue; it must stay open until `close` has returned.
    /// - Throws: `io` if the system has no more watchers to give.
    public init(_ queue: JobQueue) throws(JobsError) {
        self.queue = queue
        watcher = try queue.makeWatcher()
        let thread = Thread { [self] in
            run()
            ended.signal()
        }
        thread.name = "yoloq-wait"
        thread.start()
    }

    /// Waits until jobs have ended: succeeded, failed, cancelled, or pruned.
    ///
    /// A task that is cancelled goes on waiting until its timeout: give one.
    ///
    /// - Parameters:
    ///   - jobs: The jobs; any number.
    ///   - timeout: How long to wait at most; nil for as long as it takes.
    /// - Returns: The jobs as they are when all have ended or the time is over, in the order asked for, without those that do
    ///   not exist: look at their states.
    /// - Throws: `interrupted` if the waiter is closed, `io`.
    public func wait(for jobs: [JobID], timeout: Duration?) async throws(JobsError) -> [JobRecord] {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        let result = await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                guard !state.isClosed, !state.hasEnded else { return false }
                state.waiting[UUID()] = Waiting(
                    open: Set(jobs),
                    jobs: jobs,
                    deadline: deadline,
                    continuation: continuation
                )
                return true
            }
            if isOpen {
                watcher.ring()
            } else {
                continuation.resume(returning: .failure(ResultWaiter.closed))
            }
        }
        return try result.get()
    }

    /// Ends the thread; whoever still waits gets an error.
    ///
    /// Call it once.
    public func close() {
        state.withLock { $0.isClosed = true }
        watcher.ring()
        ended.wait()
    }

    private static let closed = JobsError(.interrupted, "stopped while waiting for results: the waiter was closed")

    private func run() {
        // A jump in the counters between two looks is not slept through: the watcher was armed before the first.
        while !state.withLock(\.isClosed) {
            do throws(JobsError) {
                try settle()
            } catch {
                end(error)
                return
            }
            let next = state.withLock { state in state.waiting.values.compactMap(\.deadline).min() }
            let rest = next.map { max($0 - .now, .zero) } ?? ResultWaiter.interval
            watcher.wait(atMost: min(rest, ResultWaiter.interval))
        }
        end(ResultWaiter.closed)
    }

    /// Answers everybody whose jobs have ended or whose time is over.
    private func settle() throws(JobsError) {
        let open = state.withLock { state in state.waiting.values.reduce(into: Set()) { $0.formUnion($1.open) } }
        let states = try queue.states(open)
        let ended = open.filter { states[$0]?.isFinal ?? true }
        let now = ContinuousClock.now
        let ready = state.withLock { state in
            for id in state.waiting.keys { state.waiting[id]?.open.subtract(ended) }
            let ready = state.waiting.filter { entry in
                entry.value.open.isEmpty || entry.value.deadline.map { $0 <= now } ?? false
            }
            for id in ready.keys { state.waiting[id] = nil }
            return ready
        }
        for waiting in ready.values { waiting.continuation.resume(returning: records(waiting.jobs)) }
    }

    private func records(_ jobs: [JobID]) -> Result<[JobRecord], JobsError> {
        do throws(JobsError) {
            return .success(try queue.records(jobs))
        } catch {
            return .failure(error)
        }
    }

    private func end(_ error: JobsError) {
        let left = state.withLock { state in
            state.hasEnded = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for waiting in left.values { waiting.continuation.resume(returning: .failure(error)) }
    }
}
