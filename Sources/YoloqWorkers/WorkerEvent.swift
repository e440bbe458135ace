// SPDX-License-Identifier: Apache-2.0

public import YoloqJobs

/// What a worker tells while it works; for logs and progress bars.
///
/// Called on the worker's own threads.
public enum WorkerEvent: Sendable {
    /// A thread has made, warmed and checked its predictor.
    case ready(thread: String, model: String, detail: String)
    /// A model cannot be used; its jobs fail with this reason.
    case unusable(thread: String, model: String, JobFailure)
    /// The end of a job is stored.
    case recorded(Outcome)
    /// A job had been taken back before its end could be stored, and the result was dropped.
    case lost(Claim)
    /// A job was cancelled or its time was over, and its thread has stopped with it.
    case dropped(Claim)
    /// Another worker was given up, and its jobs went back to the queue.
    case rescued(worker: String, because: RescueCause, jobCount: Int)
    /// Something passing went wrong; the worker goes on.
    case trouble(JobsError)
}
