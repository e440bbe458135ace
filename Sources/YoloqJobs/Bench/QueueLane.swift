// SPDX-License-Identifier: Apache-2.0

/// The work done by a `JobQueue`.
package struct QueueLane: BenchLane, Sendable {
    private let queue: JobQueue

    /// Uses a queue that `prepare` has been called for.
    package init(_ queue: JobQueue) { self.queue = queue }

    /// Makes a queue with what both lanes need: one worker and the rows of one model.
    ///
    /// - Parameter path: The database; its folder must exist.
    /// - Throws: `JobsError`.
    package static func prepare(_ path: String) throws(JobsError) {
        let queue = try JobQueue(path: path)
        try queue.register(BenchJob.worker, now: .now())
        try queue.submit([BenchJob.request], now: .now())
        let claims = try queue.claim(models: [BenchJob.modelRow], worker: BenchJob.worker.id, now: .now())
        _ = try queue.record(claims.map { Outcome($0, .succeeded(result: BenchJob.result), at: .now()) })
        try queue.close()
    }

    package func submit(_ count: Int) throws {
        try queue.submit(repeatElement(BenchJob.request, count: count), now: .now(), maxQueued: nil) { _ in }
    }

    package func claim(_ limit: Int) throws -> [Claim] {
        try queue.claim(
            limit: limit,
            models: [BenchJob.modelRow],
            loaded: BenchJob.modelRow,
            worker: BenchJob.worker.id,
            now: .now()
        )
    }

    package func record(_ held: [Claim]) throws {
        let now = Timestamp.now()
        let lost = try queue.record(held.map { Outcome($0, .succeeded(result: BenchJob.result), at: now) })
        guard lost.isEmpty else { throw JobsError(.io, "\(lost.count) claims were lost in a benchmark") }
    }
}

/// The job that is measured, as a command would submit it.
package enum BenchJob {
    /// The worker that claims.
    static let worker = WorkerIdentity(id: "bench", host: "bench", bootID: "none", pid: 1, threads: 1, serves: nil)
    /// The row of its model, the first one.
    package static let modelRow: Int64 = 1
    static let model = ModelReference(
        name: "yolo11n",
        path: "/srv/models/yolo11n.onnx",
        sha256: String(repeating: "a", count: 64)
    )
    static let source = "/data/images/000123456.jpg"
    static let parameters =
        #"{"conf":0.25,"iou":0.7,"max_det":300,"classes":null,"agnostic_nms":false,"imgsz":null,"letterbox":"auto"}"#
    static let request = JobRequest(model: model, source: source, parameters: parameters)
    /// As long as a result with three boxes.
    static let result = #"{"predictions":"\#(String(repeating: "x", count: 280))"}"#
}
