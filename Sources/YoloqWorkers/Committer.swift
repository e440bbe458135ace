// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqJobs

/// Records how jobs ended on a thread of its own, so that no worker thread waits for the disk: all that has gathered goes
/// into one transaction.
final class Committer: @unchecked Sendable {
    // @unchecked because the variables are touched only under `condition`.

    /// How many outcomes may wait.
    ///
    /// Beyond it workers wait too: a disk that does not keep up must not eat the memory.
    static let capacity = 1024

    private let queue: JobQueue
    private let report: @Sendable (WorkerEvent) -> Void
    private let onFailure: @Sendable () -> Void
    private let condition = NSCondition()
    private var waiting: [Outcome] = []
    private var isRecording = false
    private var isClosed = false
    private var storedFailure: JobsError?

    /// Sets up a committer; `run` starts it.
    ///
    /// - Parameters:
    ///   - queue: Where to record.
    ///   - report: Told what was recorded and what went wrong.
    ///   - onFailure: Called when nothing can be recorded any more.
    init(
        queue: JobQueue,
        report: @escaping @Sendable (WorkerEvent) -> Void,
        onFailure: @escaping @Sendable () -> Void
    ) {
        self.queue = queue
        self.report = report
        self.onFailure = onFailure
    }

    /// Why nothing can be recorded any more; nil while all is well.
    var failure: JobsError? {
        condition.withLock { storedFailure }
    }

    /// Hands over the end of a job.
    ///
    /// - Parameter outcome: To be recorded soon.
    /// - Throws: Why nothing can be recorded any more. The job is then found running without a worker.
    func submit(_ outcome: Outcome) throws(JobsError) {
        let failure: JobsError? = condition.withLock {
            while waiting.count >= Committer.capacity, storedFailure == nil { condition.wait() }
            guard storedFailure == nil else { return storedFailure }
            waiting.append(outcome)
            condition.broadcast()
            return nil
        }
        if let failure { throw failure }
    }

    /// Waits until everything handed over is recorded.
    ///
    /// - Throws: Why it could not be.
    func flush() throws(JobsError) {
        let failure: JobsError? = condition.withLock {
            while storedFailure == nil, !waiting.isEmpty || isRecording { condition.wait() }
            return storedFailure
        }
        if let failure { throw failure }
    }

    /// Lets `run` return once everything handed over is recorded.
    func close() {
        condition.withLock {
            isClosed = true
            condition.broadcast()
        }
    }

    /// Records until closed or until the database fails for good.
    ///
    /// The body of the committer's thread.
    func run() {
        while let outcomes = takeAll() {
            do throws(JobsError) {
                let lost = try recordPatiently(outcomes)
                done(nil)
                let lostClaims = Set(lost)
                for outcome in outcomes {
                    report(lostClaims.contains(outcome.claim) ? .lost(outcome.claim) : .recorded(outcome))
                }
            } catch {
                done(error)
                onFailure()
                return
            }
        }
    }

    private func takeAll() -> [Outcome]? {
        condition.withLock {
            while waiting.isEmpty, !isClosed { condition.wait() }
            guard !waiting.isEmpty else { return nil }
            defer {
                waiting.removeAll(keepingCapacity: true)
                isRecording = true
            }
            return waiting
        }
    }

    private func done(_ error: JobsError?) {
        condition.withLock {
            isRecording = false
            storedFailure = error
            condition.broadcast()
        }
    }

    /// Tries again while the trouble is of the passing kind: the write lock was held for long, or the disk was full.
    private func recordPatiently(_ outcomes: [Outcome]) throws(JobsError) -> [Claim] {
        var tries = 0
        while true {
            do throws(JobsError) {
                return try queue.record(outcomes)
            } catch {
                tries += 1
                guard error.code == .busy || error.code == .diskFull, tries < 6 else { throw error }
                report(.trouble(error))
                Thread.sleep(forTimeInterval: Double(tries))
            }
        }
    }
}
