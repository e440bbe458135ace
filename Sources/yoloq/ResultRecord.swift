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
    /// Every try, if they were asked for.
    var history: [Attempt]?
    var key: String?
    var reusedFrom: JobID?
    var inlineContent: InlineSource?
    var failure: JobFailure?
    var parameters: String
    var document: ResultDocument?
    /// Which frame of a video it is; nil for an image.
    var frame: FrameOfVideo?
    /// Which of the job's predictions the document has, from 1, if only some are shown; nil for all.
    var numbers: [Int]?

    /// Where the bytes of an image are that is kept in a queue.
    struct InlineSource {
        let job: JobID
        let queue: JobQueue
    }

    /// The record of a stored job.
    ///
    /// - Parameters:
    ///   - job: The job.
    ///   - queue: Where it is.
    ///   - withHistory: Whether to read all its tries.
    /// - Throws: `JobsError`, or `CommandFailure` if the stored result cannot be read.
    init(_ job: JobRecord, in queue: JobQueue, withHistory: Bool = false) throws {
        history = withHistory ? try queue.attempts(of: job.id) : nil
        key = job.key
        reusedFrom = job.state == .succeeded ? job.leader : nil
        inlineContent = job.isInline ? InlineSource(job: job.id, queue: queue) : nil
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

    /// The records of the frames that the job looked at; the record itself for an image, or a job without a result.
    ///
    /// - Parameter result: What the job stored.
    /// - Returns: In the order of the frames.
    func frames(in result: String?) -> [ResultRecord] {
        guard let result, document != nil, VideoJob.isVideo(parameters: parameters),
            let object = try? JSONSerialization.jsonObject(with: Data(result.utf8)) as? [String: Any],
            let frames = object["frames"] as? [[String: Any]]
        else { return [self] }
        return frames.compactMap { frame in
            var whole = object
            whole["frames"] = nil
            for key in ["predictions", "timing_ms"] { whole[key] = frame[key] }
            guard let index = frame["frame"] as? Int, let seconds = frame["time_s"] as? Double,
                let hash = frame["sha256"] as? String,
                let data = try? JSONSerialization.data(withJSONObject: whole),
                var document = try? ResultDocument(decoding: String(decoding: data, as: UTF8.self))
            else { return nil }
            document.image.sha256 = hash
            var record = self
            record.document = document
            record.frame = FrameOfVideo(index: index, seconds: seconds)
            return record
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
            "frame": frame.map { .int($0.index) } ?? .null,
            "time_s": frame.map { .double($0.seconds) } ?? .null,
            "image": parts["image"] ?? .null,
            "attempts": .int(attempts),
            "error": error ?? .null,
            "warnings": parts["warnings"] ?? [],
            "predictions": parts["predictions"] ?? .null,
            "parameters": .raw(parameters),
            "provenance": parts["provenance"] ?? .null,
            "timing_ms": parts["timing_ms"] ?? .null,
            "key": key.map(JSONValue.string) ?? .null,
            "reused_from": reusedFrom.map { .string($0.description) } ?? .null,
            "history": history.map { .array($0.map(\.json)) } ?? .null,
        ]
    }

    /// The list that Ultralytics' `Results.summary()` gives; null unless the job succeeded.
    var ultralytics: JSONValue {
        document.map { .array($0.predictions.map(\.summary)) } ?? .null
    }

    /// For people: a heading, a line for each prediction, and one for each try if they were asked for.
    var lines: [String] { resultLines + (history ?? []).map { "  \($0.line)" } }

    private var resultLines: [String] {
        let place = frame.map { String(format: "frame %d at %.3f s", $0.index, $0.seconds) }
        let heading = [job.map { "job \($0)" }, URL(filePath: source).lastPathComponent, place].compactMap { $0 }
            .joined(separator: "  ")
        if let failure { return ["\(heading)  failed: \(failure.kind): \(failure.message)"] }
        guard let document else { return ["\(heading)  \(state)"] }
        let count = document.predictions.count
        let milliseconds = String(format: "%.1f", document.timing.inference)
        let summary =
            "\(heading)  \(document.image.width)x\(document.image.height)  \(model)  "
            + "\(counted(count, "detection"))  \(milliseconds) ms inference"
        let width = document.predictions.map(\.name.count).max() ?? 0
        return [summary] + document.warnings.map { "  warning: \($0)" }
            + document.predictions.map { detection in
                let name = detection.name.padding(toLength: width, withPad: " ", startingAt: 0)
                return "  \(name)  " + String(format: "%.3f", detection.confidence) + detection.place
            }
    }
}

extension ResultDocument.Detection {
    /// Where it is, for people; begins with two spaces unless it is empty.
    fileprivate var place: String {
        if let rotated {
            let degrees = rotated.angle * 180 / .pi
            return String(
                format: "  at %7.1f,%7.1f  %6.1f x%6.1f  turned %5.1f°",
                rotated.cx,
                rotated.cy,
                rotated.w,
                rotated.h,
                degrees
            )
        }
        guard let box else { return "" }
        var text = String(format: "  x %7.1f …%7.1f  y %7.1f …%7.1f", box.x1, box.x2, box.y1, box.y2)
        if let keypoints { text += "  \(counted(keypoints.x.count, "keypoint"))" }
        if let segments { text += "  outline of \(counted(segments.x.count, "point"))" }
        return text
    }
}

extension Attempt {
    fileprivate var json: JSONValue {
        [
            "number": .int(number),
            "worker": .string(worker),
            "started_at": .string(startedAt.text),
            "ended_at": endedAt.json,
            "outcome": .string(outcome.rawValue),
            "error": failure.map { ["kind": .string($0.kind), "message": .string($0.message)] } ?? .null,
        ]
    }

    /// For people.
    fileprivate var line: String {
        let time = endedAt.map { String(format: " after %.2f s", ($0 - startedAt) / .seconds(1)) } ?? ""
        let reason = failure.map { ": \($0.kind): \($0.message)" } ?? ""
        return "attempt \(number)  \(startedAt.text)  \(worker)  \(outcome.rawValue)\(time)\(reason)"
    }
}
