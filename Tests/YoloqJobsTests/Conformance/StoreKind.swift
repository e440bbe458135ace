// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YoloqJobs

/// The stores that are held to what `JobStore` promises.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
    case sqlite
    case reference

    var testDescription: String { rawValue }
}

/// Runs the body with an empty store of a kind, in which a worker called `w` is registered.
func withStore(_ kind: StoreKind, _ body: (any JobStore) throws -> Void) throws {
    switch kind {
    case .sqlite:
        var options = JobQueue.Options()
        options.durability = .normal
        try withQueue(options: options) { try body($0) }
    case .reference:
        let store = ReferenceStore()
        try store.register(worker("w"), now: noon)
        try body(store)
    }
}

/// A worker without a process behind it.
func worker(_ id: String) -> WorkerIdentity {
    WorkerIdentity(id: id, host: "elsewhere", bootID: "none", pid: 1, threads: 1, serves: nil)
}

/// A job with everything at its default but what is changed.
func request(
    _ source: String = "/images/0.jpg",
    model name: String = "net",
    _ change: (inout JobRequest) -> Void = { _ in }
) -> JobRequest {
    var request = JobRequest(model: model(name), source: source)
    change(&request)
    return request
}

/// What a file of these bytes is pinned to.
func pin(_ content: String) -> SourcePin {
    SourcePin(byteCount: content.utf8.count, modifiedAt: noon, sha256: ContentHash(of: content.utf8))
}

/// A job that shares results with jobs on the same content.
func sharing(_ content: String, model name: String = "net", _ change: (inout JobRequest) -> Void = { _ in })
    -> JobRequest
{
    request("/images/\(content).jpg", model: name) { request in
        request.pin = pin(content)
        request.reusesResults = true
        change(&request)
    }
}

/// Errors as workers report them.
let passing = JobFailure(kind: "io", message: "the disk is slow", isRetryable: true)
let lasting = JobFailure(kind: "truncated", message: "the file ends early")
let crash = JobFailure(kind: "killed", message: "signal 11")

extension JobStore {
    /// Claims from all models.
    func take(_ limit: Int = 1, by worker: String = "w", loaded: Int64? = nil, at now: Timestamp = noon) throws
        -> [Claim]
    {
        let models = try models().map(\.id)
        return try claim(limit: limit, models: models, loaded: loaded, worker: worker, now: now, giveUp: { false })
    }

    /// Claims the next job, which must be there.
    func takeOne(by worker: String = "w", at now: Timestamp = noon) throws -> Claim {
        try #require(try take(by: worker, at: now).first)
    }

    /// Records how a job ended; false if the claim did not hold.
    @discardableResult
    func end(_ claim: Claim, _ ending: Outcome.Ending, at end: Timestamp = noon, jitter: Double = 0.5) throws -> Bool {
        try record([Outcome(claim, ending, at: end)], jitter: { jitter }).isEmpty
    }

    /// Submits one job.
    func add(_ request: JobRequest, at now: Timestamp = noon) throws -> JobID {
        try #require(try submit([request], now: now).first)
    }

    /// Submits with receipts.
    func receipts(of requests: [JobRequest], at now: Timestamp = noon, maxQueued: Int? = nil) throws -> [Receipt] {
        var receipts: [Receipt] = []
        try submit(requests, now: now, maxQueued: maxQueued) { receipts += $0 }
        return receipts
    }

    func record(of job: JobID) throws -> JobRecord { try #require(try records([job]).first) }

    func state(of job: JobID) throws -> JobState { try record(of: job).state }

    func states(of jobs: [JobID]) throws -> [JobState] { try records(jobs).map(\.state) }

    /// The jobs of all models by state.
    func totals() throws -> JobCounts { try models().reduce(JobCounts()) { $0 + $1.counts } }

    /// How the tries of a job ended.
    func outcomes(of job: JobID) throws -> [Attempt.Outcome] { try attempts(of: job).map(\.outcome) }
}
