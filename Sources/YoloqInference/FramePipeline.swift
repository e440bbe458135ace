// SPDX-License-Identifier: Apache-2.0

package import YoloqImages
package import YoloqVision

extension Predictor where E: ~Copyable {
    /// Finds what the model knows in a decoded frame, and puts together what is told of the run.
    ///
    /// - Parameters:
    ///   - frame: Upright.
    ///   - parameters: This run's alone.
    ///   - modelSHA256: Goes into the provenance.
    ///   - decoding: How long it took to decode the frame.
    /// - Returns: The document; its image's hash is that of the pixels, (height, width, 3), red first.
    /// - Throws: `ImageFailure`. The predictor stays usable.
    package mutating func process(
        frame: borrowing RGBImage,
        parameters: PredictionParameters,
        modelSHA256: String,
        decoding: Duration
    ) throws(ImageFailure) -> ResultDocument {
        let found: PredictedImage
        do throws(InferenceError) {
            found = try predict(frame, parameters: parameters)
        } catch {
            throw ImageFailure(error)
        }
        var timing = ResultDocument.Timing()
        timing.decode = decoding.roundedMilliseconds
        return try document(
            of: found,
            image: ResultDocument.Image(
                width: frame.width,
                height: frame.height,
                sha256: frame.withUnsafePixels { sha256Text(UnsafeRawBufferPointer($0)) }
            ),
            warnings: [],
            modelSHA256: modelSHA256,
            timing: timing
        )
    }
}
