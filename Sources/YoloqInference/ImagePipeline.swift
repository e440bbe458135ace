// SPDX-License-Identifier: Apache-2.0

public import YoloqImages
public import YoloqVision

extension Predictor where E: ~Copyable {
    /// Reads an image file, finds what the model knows in it, and puts together what is stored of the run.
    ///
    /// - Parameters:
    ///   - path: A JPEG or PNG file.
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
        let clock = ContinuousClock()
        let start = clock.now
        let bytes = try ImageFile.bytes(of: path)
        let loaded = clock.now
        let decoded: DecodedImage
        do throws(ImageError) {
            decoded = try ImageDecoder.decode(bytes, limits: limits)
        } catch {
            throw ImageFailure(error, source: path)
        }
        let decodedAt = clock.now
        let found: PredictedImage
        do throws(InferenceError) {
            found = try predict(decoded.image, parameters: parameters)
        } catch {
            throw ImageFailure(error)
        }
        var timing = ResultDocument.Timing()
        timing.load = (loaded - start).roundedMilliseconds
        timing.decode = (decodedAt - loaded).roundedMilliseconds
        timing.preprocess = found.preprocess.roundedMilliseconds
        timing.inference = found.inference.roundedMilliseconds
        timing.postprocess = found.postprocess.roundedMilliseconds
        return ResultDocument(
            task: card.task,
            image: ResultDocument.Image(
                width: decoded.image.width,
                height: decoded.image.height,
                sha256: bytes.withUnsafeBytes(sha256Text)
            ),
            warnings: decoded.warnings,
            predictions: found.predictions.map { ResultDocument.Detection($0, names: card.classNames) },
            provenance: ResultDocument.Provenance(
                modelSHA256: modelSHA256,
                engine: engineName,
                precision: precision,
                input: [found.input.height, found.input.width],
                letterbox: found.letterbox
            ),
            timing: timing
        )
    }
}
