// SPDX-License-Identifier: Apache-2.0

import YoloqImages
import YoloqInference
import YoloqJobs
import YoloqVideo
import YoloqVision
import YoloqWorkers

/// What `predict` does with one image or video after the other.
struct PredictRun {
    let model: ModelFile
    let parameters: PredictionParameters
    /// The parameters as they are told.
    let text: String
    let videos: VideoRequests
    let limits: ImageLimits

    /// Looks at an image and prints what was found.
    ///
    /// - Parameters:
    ///   - path: A file or URL.
    ///   - predictor: Of the model.
    ///   - printer: Gets one record.
    /// - Returns: Whether there is a result.
    /// - Throws: `CommandFailure` if it cannot be printed.
    func image(
        _ path: String,
        _ predictor: inout Predictor<OpenVINOEngine>,
        _ printer: inout ResultPrinter
    ) throws -> Bool {
        let start = Timestamp.now()
        let outcome: Result<ResultDocument, ImageFailure>
        do throws(ImageFailure) {
            let loading = ContinuousClock.now
            let bytes = try URLSource.bytes(of: path, parameters: text, policy: URLPolicy())
            outcome = .success(
                try predictor.process(
                    ImageInput(bytes, source: path, loading: .now - loading),
                    parameters: parameters,
                    modelSHA256: model.sha256,
                    limits: limits
                )
            )
        } catch {
            outcome = .failure(error)
        }
        let record = record(of: path, text, start, outcome)
        try printer.print(record)
        return record.failure == nil
    }

    /// Looks at the frames of a video and prints what was found in each, as it comes.
    ///
    /// - Parameters:
    ///   - path: A file.
    ///   - predictor: Of the model.
    ///   - printer: Gets a record for each frame, and one for each segment that cannot be decoded.
    /// - Returns: Whether there is a result of every frame.
    /// - Throws: `CommandFailure` with status 69 if there is no ffmpeg, or if a record cannot be printed.
    func video(
        _ path: String,
        _ predictor: inout Predictor<OpenVINOEngine>,
        _ printer: inout ResultPrinter
    ) throws -> Bool {
        var segments: [VideoSegment] = []
        var isWhole = try reporting(path, nil, &printer) { _ in
            segments = VideoSegment.segments(of: try VideoInfo(path: path), videos.selection)
        }
        for segment in segments {
            let isRead = try reporting(path, segment, &printer) { try look(at: segment, of: path, &predictor, &$0) }
            isWhole = isWhole && isRead
        }
        return isWhole
    }

    private func look(
        at segment: VideoSegment,
        of path: String,
        _ predictor: inout Predictor<OpenVINOEngine>,
        _ printer: inout ResultPrinter
    ) throws {
        var frames = try VideoFrames(of: segment, path: path, limits: limits)
        let text = videos.parameters(text, for: segment)
        var count = 0
        while true {
            let (start, decoding) = (Timestamp.now(), ContinuousClock.now)
            guard let frame = try frames.next() else { break }
            let document = try predictor.process(
                frame: frame.image,
                parameters: parameters,
                modelSHA256: model.sha256,
                decoding: .now - decoding
            )
            count += 1
            var record = record(of: path, text, start, .success(document))
            record.frame = FrameOfVideo(index: frame.index, seconds: frame.seconds)
            try printer.print(record, picture: frame.image)
        }
        if count < segment.frames.count {
            Console.complain(
                "\(segment.frames.count - count) of \(segment.frames.count) frames of \(path) could not be decoded"
            )
        }
    }

    /// Makes a record of what keeps a video, or a segment of it, from being looked at; false if there was something.
    private func reporting(
        _ path: String,
        _ segment: VideoSegment?,
        _ printer: inout ResultPrinter,
        _ body: (inout ResultPrinter) throws -> Void
    ) throws -> Bool {
        let start = Timestamp.now()
        let failure: ImageFailure
        do {
            try body(&printer)
            return true
        } catch let error as VideoError {
            guard error.code != .ffmpegMissing else { throw CommandFailure(.noEngine, error.message) }
            failure = ImageFailure(error)
        } catch let error as ImageFailure {
            failure = error
        }
        try printer.print(record(of: path, videos.parameters(text, for: segment), start, .failure(failure)))
        return false
    }

    private func record(
        of path: String,
        _ parameters: String,
        _ start: Timestamp,
        _ outcome: Result<ResultDocument, ImageFailure>
    ) -> ResultRecord {
        ResultRecord(
            source: path,
            model: model.name,
            parameters: parameters,
            startedAt: start,
            finishedAt: .now(),
            outcome
        )
    }
}
