// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference
import YoloqJobs
import YoloqVision
import YoloqWorkers

/// One result as it is printed, of a job or of `predict`.
///
/// The keys of its JSON may be added to but never renamed.
struct ResultRecord {
    var job: String?
    var batch: String?
    var state: String
    var model: String
    var source: String
    var meta: String?
    var submittedAt: Timestamp?
    var startedAt: Timestamp?
    var finishedAt: Timestamp?
    var worker: String?
    var attempts: Int
    var failure: JobFailure?
    var parameters: String
    var document: ResultDocument?

    /// The record of a stored job.
    init(_ job: JobRecord) throws {
        self.job = job.id.description
        batch = job.batch
        state = job.state.name
        model = job.model.name
        source = job.source
        meta = job.meta
        submittedAt = job.createdAt
        startedAt = job.startedAt
        finishedAt = job.finishedAt
        worker = job.worker
        attempts = job.attempts
        failure = job.failure
        parameters = job.parameters
        do {
            document = try job.result.map(ResultDocument.init(decoding:))
        } catch {
            throw CommandFailure(
                .inputOutput,
                "the stored result of job \(job.id) cannot be read: \(error). Run the job again"
            )
        }
    }

    /// The record of an image that was run without a queue.
    init(
        source: String,
        model: String,
        parameters: String,
        startedAt: Timestamp,
        finishedAt: Timestamp,
        _ outcome: Result<ResultDocument, ImageFailure>
    ) {
        self.source = source
        self.model = model
        self.parameters = parameters
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        attempts = 1
        switch outcome {
        case .success(let document):
            state = JobState.succeeded.name
            self.document = document
        case .failure(let failure):
            state = JobState.failed.name
            self.failure = JobFailure(failure)
        }
    }

    /// One line of JSON.
    var json: JSONValue {
        let error = failure.map { failure -> JSONValue in
            [
                "kind": .string(failure.kind), "message": .string(failure.message),
                "retryable": .bool(failure.isRetryable),
            ]
        }
        let parts = Dictionary(uniqueKeysWithValues: (document?.members ?? []).map { ($0.key, $0.value) })
        return [
            "schema": 1,
            "job": job.map(JSONValue.string) ?? .null,
            "batch": batch.map(JSONValue.string) ?? .null,
            "state": .string(state),
            "model": .string(model),
            "task": parts["task"] ?? .null,
            "source": .string(source),
            // Line breaks can stand only between the tokens of JSON; a record is one line.
            "meta": meta.map { .raw($0.replacing(/[\r\n]+/, with: " ")) } ?? .null,
            "submitted_at": submittedAt.json,
            "started_at": startedAt.json,
            "finished_at": finishedAt.json,
            "worker": worker.map(JSONValue.string) ?? .null,
            "image": parts["image"] ?? .null,
            "attempts": .int(attempts),
            "error": error ?? .null,
            "warnings": parts["warnings"] ?? [],
            "predictions": parts["predictions"] ?? .null,
            "parameters": .raw(parameters),
            "provenance": parts["provenance"] ?? .null,
            "timing_ms": parts["timing_ms"] ?? .null,
        ]
    }

    /// The list that Ultralytics' `Results.summary()` gives; null unless the job succeeded.
    var ultralytics: JSONValue {
        document.map { .array($0.predictions.map(\.json)) } ?? .null
    }

    /// For people: a heading and a line for each prediction.
    var lines: [String] {
        let heading = [job.map { "job \($0)" }, URL(filePath: source).lastPathComponent].compactMap { $0 }
            .joined(separator: "  ")
        if let failure { return ["\(heading)  failed: \(failure.kind): \(failure.message)"] }
        guard let document else { return ["\(heading)  \(state)"] }
        let count = document.predictions.count
        let milliseconds = String(format: "%.1f", document.timing.inference)
        let summary =
            "\(heading)  \(document.image.width)x\(document.image.height)  \(model)  "
            + "\(count) detection\(count == 1 ? "" : "s")  \(milliseconds) ms inference"
        let width = document.predictions.map(\.name.count).max() ?? 0
        return [summary] + document.warnings.map { "  warning: \($0)" }
            + document.predictions.map { detection in
                let name = detection.name.padding(toLength: width, withPad: " ", startingAt: 0)
                let box = detection.box
                return "  \(name)  "
                    + String(
                        format: "%.3f  x %7.1f …%7.1f  y %7.1f …%7.1f",
                        detection.confidence,
                        box.x1,
                        box.x2,
                        box.y1,
                        box.y2
                    )
            }
    }
}
