// SPDX-License-Identifier: Apache-2.0

import Foundation
public import YoloqImages
public import YoloqInference
public import YoloqJobs
import YoloqVision

/// A job on its way into a process of its own, and its answer on the way back.
///
/// The child sees neither the queue nor other jobs. It reads one request from its standard input, which stays open: when it
/// is closed, the worker has gone or wants the job no more, and the child ends.
public struct IsolatedJob: Sendable {
    /// What the child has to know besides the engine options in its arguments.
    private struct Request: Codable {
        var name: String
        var path: String
        var sha256: String
        var source: String
        var sourceSHA256: String?
        var parameters: String
        var queuedMicroseconds: Int64
        /// How many bytes of the image follow; nil to read them from the source.
        var byteCount: Int?
    }

    /// What comes back: one of the two.
    private struct Answer: Codable {
        var document: String?
        var failure: Failure?
    }

    private struct Failure: Codable {
        var kind: String
        var message: String
        var isRetryable: Bool
    }

    /// The model to run.
    public let model: ModelReference

    private let request: Request
    private let bytes: [UInt8]

    /// Reads what the worker sends.
    ///
    /// - Parameter read: Gives that many bytes; nil if there are no more.
    public init?(reading read: (Int) -> [UInt8]?) {
        guard let prefix = read(MemoryLayout<UInt64>.size),
            let json = read(prefix.reversed().reduce(0) { $0 << 8 | Int($1) }),
            let request = try? JSONDecoder().decode(Request.self, from: Data(json)),
            let bytes = read(request.byteCount ?? 0)
        else { return nil }
        model = ModelReference(name: request.name, path: request.path, sha256: request.sha256)
        self.request = request
        self.bytes = bytes
    }

    /// What the worker sends: the length of the request in eight bytes, least first, the request, the image's bytes.
    static func encode(_ claim: Claim, _ model: ModelReference, bytes: [UInt8]?) -> [UInt8] {
        let request = Request(
            name: model.name,
            path: model.path,
            sha256: model.sha256,
            source: claim.source,
            sourceSHA256: claim.sha256?.description,
            parameters: claim.parameters,
            queuedMicroseconds: claim.startedAt.microseconds - claim.queuedAt.microseconds,
            byteCount: bytes?.count
        )
        guard let json = try? JSONEncoder().encode(request) else { preconditionFailure("a request is JSON") }
        let prefix = (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) }
        return prefix + Array(json) + (bytes ?? [])
    }

    /// What to send back if there is no engine to run the job.
    public func answer(_ error: InferenceError) -> [UInt8] {
        IsolatedJob.encode(.failure(ImageFailure(error)))
    }

    /// Runs the job; whatever happens becomes the answer.
    ///
    /// - Parameters:
    ///   - limits: What an image may have at most.
    ///   - urls: What is done with images at URLs.
    ///   - makePredictor: Makes the predictor for `model`.
    /// - Returns: What to send back.
    public func run<E: Engine & ~Copyable>(
        limits: ImageLimits,
        urls: URLPolicy = URLPolicy(),
        makePredictor: PredictorFactory<E>
    ) -> [UInt8] {
        do throws(ImageFailure) {
            return IsolatedJob.encode(.success(try predict(limits, urls, makePredictor)))
        } catch {
            return IsolatedJob.encode(.failure(error))
        }
    }

    private static func encode(_ result: Result<String, ImageFailure>) -> [UInt8] {
        var answer = Answer()
        switch result {
        case .success(let document): answer.document = document
        case .failure(let failure):
            answer.failure = Failure(
                kind: failure.kind,
                message: failure.message,
                isRetryable: failure.isRetryable
            )
        }
        guard let json = try? JSONEncoder().encode(answer) else { preconditionFailure("an answer is JSON") }
        return Array(json)
    }

    private func predict<E: Engine & ~Copyable>(
        _ limits: ImageLimits,
        _ urls: URLPolicy,
        _ makePredictor: PredictorFactory<E>
    ) throws(ImageFailure) -> String {
        var predictor: Predictor<E>
        do throws(InferenceError) {
            predictor = try makePredictor(model)
        } catch {
            throw ImageFailure(error)
        }
        if VideoJob.isVideo(parameters: request.parameters) {
            return try predictor.run(
                VideoJob(source: request.source, content: request.byteCount.map { _ in bytes }),
                parameters: PredictionParameters(jobText: request.parameters),
                modelSHA256: model.sha256,
                limits: limits,
                queued: .microseconds(request.queuedMicroseconds),
                isWanted: { true }
            )
        }
        let start = ContinuousClock.now
        let content =
            request.byteCount == nil
            ? try URLSource.bytes(of: request.source, parameters: request.parameters, policy: urls) : bytes
        let input = ImageInput(
            content,
            source: request.source,
            expectedSHA256: request.sourceSHA256,
            loading: .now - start
        )
        let document = try predictor.process(
            input,
            parameters: PredictionParameters(jobText: request.parameters),
            modelSHA256: model.sha256,
            limits: limits
        )
        return document.encoded(queued: .microseconds(request.queuedMicroseconds))
    }

    /// Reads the child's answer; nil if it is none.
    static func ending(decoding bytes: [UInt8]) -> Outcome.Ending? {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes)) else { return nil }
        if let document = answer.document { return .succeeded(result: document) }
        return answer.failure.map {
            .failed(JobFailure(kind: $0.kind, message: $0.message, isRetryable: $0.isRetryable))
        }
    }
}
