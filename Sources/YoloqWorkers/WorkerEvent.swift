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
    /// Something passing went wrong; the worker goes on.
    case trouble(JobsError)
}
