// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqImages
package import YoloqInference
package import YoloqVideo
import YoloqVision

/// A job that looks at a segment of a video.
///
/// Its source is the video's path, its content the segment (`VideoSegment.encoded`), and its parameters have a member `video`.
/// The video as a whole is the batch of its segments.
package struct VideoJob: Sendable {
    /// What of a job's parameters is about videos.
    private struct Marker: Decodable {
        struct Video: Decodable {}
        var video: Video?
    }

    private let source: String
    /// nil if the submitter could not look into the video.
    private let segment: VideoSegment?

    /// Takes the parts of a job.
    ///
    /// - Parameters:
    ///   - source: The video's path.
    ///   - content: The segment; nil if there is none.
    package init(source: String, content: [UInt8]?) {
        self.source = source
        segment = content.flatMap(VideoSegment.init(decoding:))
    }

    /// Whether a job's parameters say that it looks at a video.
    package static func isVideo(parameters: String) -> Bool {
        // Most jobs are images, and a look for a word costs less than reading the JSON.
        guard parameters.contains("\"video\"") else { return false }
        return (try? JSONDecoder().decode(Marker.self, from: Data(parameters.utf8)))?.video != nil
    }

    /// Finds what the model knows in the frames of the segment.
    ///
    /// - Parameters:
    ///   - predictor: Of the calling thread.
    ///   - parameters: The job's.
    ///   - modelSHA256: Goes into the provenance.
    ///   - limits: What a frame may have at most.
    ///   - queued: How long the job waited.
    ///   - isWanted: Asked for each frame; false ends the run with kind `stopped`.
    /// - Returns: The JSON to store: that of an image without predictions, and `frames`.
    /// - Throws: `ImageFailure`. The predictor stays usable.
    fileprivate func run<E: Engine & ~Copyable>(
        with predictor: inout Predictor<E>,
        parameters: PredictionParameters,
        modelSHA256: String,
        limits: ImageLimits,
        queued: Duration,
        isWanted: () -> Bool
    ) throws(ImageFailure) -> String {
        // The decoder asks while this call lasts, and no longer.
        let result = withoutActuallyEscaping(isWanted) { isWanted -> Result<String, ImageFailure> in
            do throws(ImageFailure) {
                var found = FoundFrames()
                var frames = try frames(limits: limits, isWanted: isWanted)
                while true {
                    let start = ContinuousClock.now
                    guard let frame = try VideoJob.next(&frames) else { break }
                    let document = try predictor.process(
                        frame: frame.image,
                        parameters: parameters,
                        modelSHA256: modelSHA256,
                        decoding: .now - start
                    )
                    found.add(document, index: frame.index, seconds: frame.seconds)
                    guard isWanted() else {
                        throw ImageFailure(VideoError(.stopped, "the run was stopped before its end"))
                    }
                }
                return .success(found.encoded(of: segment?.frames.count ?? 0, queued: queued))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func frames(limits: ImageLimits, isWanted: @escaping () -> Bool) throws(ImageFailure) -> VideoFrames {
        do throws(VideoError) {
            guard let segment else {
                // Once more, for the reason.
                _ = try VideoInfo(path: source, isWanted: isWanted)
                throw VideoError(
                    .sourceChanged,
                    "\(source) can be read now, and could not when it was submitted. Submit it again"
                )
            }
            return try VideoFrames(of: segment, path: source, limits: limits, isWanted: isWanted)
        } catch {
            throw ImageFailure(error)
        }
    }

    private static func next(_ frames: inout VideoFrames) throws(ImageFailure) -> VideoFrames.Frame? {
        do throws(VideoError) {
            return try frames.next()
        } catch {
            throw ImageFailure(error)
        }
    }
}

extension Predictor where E: ~Copyable {
    /// Runs a job that looks at a segment of a video; see `VideoJob.run`.
    mutating func run(
        _ job: VideoJob,
        parameters: PredictionParameters,
        modelSHA256: String,
        limits: ImageLimits,
        queued: Duration,
        isWanted: () -> Bool
    ) throws(ImageFailure) -> String {
        try job.run(
            with: &self,
            parameters: parameters,
            modelSHA256: modelSHA256,
            limits: limits,
            queued: queued,
            isWanted: isWanted
        )
    }
}

/// What was found in the frames so far.
private struct FoundFrames {
    private var first: ResultDocument?
    private var timing: ResultDocument.Timing?
    private var frames: [JSONValue] = []

    mutating func add(_ document: ResultDocument, index: Int, seconds: Double) {
        first = first ?? document
        if var sum = timing {
            sum.decode += document.timing.decode
            sum.preprocess += document.timing.preprocess
            sum.inference += document.timing.inference
            sum.postprocess += document.timing.postprocess
            timing = sum
        } else {
            timing = document.timing
        }
        let members = Dictionary(uniqueKeysWithValues: document.members.map { ($0.key, $0.value) })
        frames.append(
            [
                "frame": .int(index), "time_s": .double((seconds * 1e6).rounded() / 1e6),
                "sha256": .string(document.image.sha256), "predictions": members["predictions"] ?? [],
                "timing_ms": members["timing_ms"] ?? .null,
            ]
        )
    }

    /// The JSON to store; `timing_ms` stays the last member.
    func encoded(of count: Int, queued: Duration) -> String {
        guard var document = first, let timing else { preconditionFailure("a segment without a frame has failed") }
        document.predictions = []
        document.timing = timing
        for part in [\ResultDocument.Timing.decode, \.preprocess, \.inference, \.postprocess] {
            document.timing[keyPath: part] = (document.timing[keyPath: part] * 1000).rounded() / 1000
        }
        document.timing.queued = ((queued / .microseconds(1)).rounded()) / 1000
        if frames.count < count {
            document.warnings.append("\(count - frames.count) of \(count) frames could not be decoded")
        }
        var members = document.members
        members.insert(.init("frames", .array(frames)), at: members.count - 1)
        return JSONValue.object(members).description
    }
}

extension ImageFailure {
    /// Words about videos as jobs fail with them.
    package init(_ error: VideoError) {
        self.init(kind: error.code.rawValue, message: error.message, isRetryable: error.isRetryable)
    }
}
