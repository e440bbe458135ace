// SPDX-License-Identifier: Apache-2.0

public import YoloqImages
public import YoloqVision

extension Predictor where E: ~Copyable {
    /// Reads an image file, finds what the model knows in it, and puts together what is stored of the run.
    ///
    /// - Parameters:
    ///   - path: An image file.
    ///   - parameters: This run's alone.
    ///   - modelSHA256: Goes into the provenance.
    ///   - limits: What an image may have at most.
    /// - Returns: The document; without detections if nothing was found.
    /// - Throws: `ImageFailure`. The predictor stays usable.
    public mutating func process(
        imageAt path: String,
        parameters: PredictionParameters,
        modelSHA256: String,
        limits: ImageLimits = ImageLimits()
    ) throws(ImageFailure) -> ResultDocument {
        let start = ContinuousClock.now
        let bytes = try ImageFile.bytes(of: path)
        let input = ImageInput(bytes, source: path, loading: .now - start)
        return try process(input, parameters: parameters, modelSHA256: modelSHA256, limits: limits)
    }

    /// Finds what the model knows in an image, and puts together what is stored of the run.
    ///
    /// - Parameters:
    ///   - input: The image's bytes.
    ///   - parameters: This run's alone.
    ///   - modelSHA256: Goes into the provenance.
    ///   - limits: What an image may have at most.
    ///   - isWanted: Asked before each stage and tile; false ends the run with kind `stopped`.
    /// - Returns: The document; without detections if nothing was found.
    /// - Throws: `ImageFailure`; kind `source_changed` if the bytes are not those expected. The predictor stays usable.
    package mutating func process(
        _ input: ImageInput,
        parameters: PredictionParameters,
        modelSHA256: String,
        limits: ImageLimits,
        isWanted: () -> Bool = { true }
    ) throws(ImageFailure) -> ResultDocument {
        let sha256 = try input.checkedSHA256()
        guard isWanted() else { throw .stopped }
        return try input.bytes.withUnsafeBufferPointer { (bytes) throws(ImageFailure) in
            let seen = try look(
                at: UnsafeRawBufferPointer(bytes),
                source: input.source,
                parameters: parameters,
                limits: limits,
                isWanted: isWanted
            )
            var timing = ResultDocument.Timing()
            timing.load = input.loading.roundedMilliseconds
            timing.decode = seen.decoding.roundedMilliseconds
            return try document(
                of: seen.found,
                image: ResultDocument.Image(width: seen.size.width, height: seen.size.height, sha256: sha256),
                warnings: seen.warnings,
                modelSHA256: modelSHA256,
                timing: timing
            )
        }
    }

    /// Puts together what is stored of a run.
    ///
    /// - Parameters:
    ///   - found: What the network found.
    ///   - image: What it looked at.
    ///   - warnings: What the decoder found odd.
    ///   - modelSHA256: Goes into the provenance.
    ///   - timing: Of the stages before the network.
    /// - Returns: The document.
    /// - Throws: `ImageFailure` of kind `bad_output` for numbers that no document can hold.
    func document(
        of found: PredictedImage,
        image: ResultDocument.Image,
        warnings: [String],
        modelSHA256: String,
        timing: ResultDocument.Timing
    ) throws(ImageFailure) -> ResultDocument {
        guard found.predictions.allSatisfy(\.isFinite) else {
            throw ImageFailure(
                InferenceError(
                    code: .badOutput,
                    message: "cannot store what the network found: a score or place is not finite. "
                        + "Try --precision f32, or export the model again."
                )
            )
        }
        var timing = timing
        timing.preprocess = found.preprocess.roundedMilliseconds
        timing.inference = found.inference.roundedMilliseconds
        timing.postprocess = found.postprocess.roundedMilliseconds
        return ResultDocument(
            task: card.task,
            image: image,
            warnings: warnings,
            predictions: found.predictions.map {
                ResultDocument.Detection($0, task: card.task, names: found.classNames)
            },
            provenance: ResultDocument.Provenance(
                modelSHA256: modelSHA256,
                dataset: CocoClasses.dataset(of: found.classNames),
                engine: engineName,
                precision: precision,
                input: [found.input.height, found.input.width],
                letterbox: found.letterbox,
                tiles: found.tileCount
            ),
            timing: timing
        )
    }
}

/// The bytes of an image on their way into a predictor.
package struct ImageInput: Sendable {
    let bytes: [UInt8]
    let source: String
    let expectedSHA256: String?
    let loading: Duration

    /// Takes bytes that were read.
    ///
    /// - Parameters:
    ///   - bytes: An image file's content.
    ///   - source: Where they are from, for messages.
    ///   - expectedSHA256: What they must be; nil for whatever they are.
    ///   - loading: How long it took to get them.
    package init(_ bytes: [UInt8], source: String, expectedSHA256: String? = nil, loading: Duration = .zero) {
        self.bytes = bytes
        self.source = source
        self.expectedSHA256 = expectedSHA256
        self.loading = loading
    }

    /// The digest of the bytes, 64 hexadecimal digits.
    fileprivate func checkedSHA256() throws(ImageFailure) -> String {
        let sha256 = bytes.withUnsafeBytes(sha256Text)
        if let expectedSHA256, sha256 != expectedSHA256 {
            throw ImageFailure(
                kind: "source_changed",
                message:
                    "\(source) has changed since it was submitted. Put the old file back and retry the job, or submit it "
                    + "again"
            )
        }
        return sha256
    }
}

extension ImageFailure {
    /// Nobody wants the result any more.
    static var stopped: ImageFailure {
        ImageFailure(kind: "stopped", message: "the run was stopped before its end")
    }
}
