// SPDX-License-Identifier: Apache-2.0

import YoloqImages
import YoloqVision

/// What came of an image's bytes.
struct SeenImage {
    var found: PredictedImage
    /// Of the upright image.
    let size: ImageSize
    /// What the decoder complained about although it could go on.
    let warnings: [String]
    /// The time that decoding took.
    let decoding: Duration
}

extension Predictor where E: ~Copyable {
    /// Decodes an image and finds what the model knows in it.
    ///
    /// Most JPEGs are decoded while they are scaled into the network's input: row by row, and only those rows that something
    /// comes of, so that there is never a picture in memory.
    ///
    /// - Parameters:
    ///   - bytes: The whole file.
    ///   - source: Where it is from, for messages.
    ///   - parameters: This prediction's alone.
    ///   - limits: What an image may have at most.
    ///   - isWanted: Asked before each stage and tile.
    /// - Returns: What was found, and in what.
    /// - Throws: `ImageFailure`; of kind `stopped` if the image is not wanted any more.
    mutating func look(
        at bytes: UnsafeRawBufferPointer,
        source: String,
        parameters: PredictionParameters,
        limits: ImageLimits,
        isWanted: () -> Bool
    ) throws(ImageFailure) -> SeenImage {
        let start = ContinuousClock.now
        if parameters.slicing == nil,
            let rows = try naming(source, { () throws(ImageError) in try ImageDecoder.open(bytes, limits: limits) })
        {
            return try look(at: rows, source, parameters, opening: .now - start, isWanted)
        }
        let decoded = try naming(source) { () throws(ImageError) in try ImageDecoder.decode(bytes, limits: limits) }
        let decoding = ContinuousClock.now - start
        guard isWanted() else { throw .stopped }
        let found: PredictedImage?
        do throws(InferenceError) {
            found = try predict(decoded.image, parameters: parameters, isWanted: isWanted)
        } catch {
            throw ImageFailure(error)
        }
        guard let found else { throw .stopped }
        let size = ImageSize(height: decoded.image.height, width: decoded.image.width)
        return SeenImage(found: found, size: size, warnings: decoded.warnings, decoding: decoding)
    }

    private mutating func look(
        at rows: consuming ImageRows,
        _ source: String,
        _ parameters: PredictionParameters,
        opening: Duration,
        _ isWanted: () -> Bool
    ) throws(ImageFailure) -> SeenImage {
        let size = ImageSize(height: rows.height, width: rows.width)
        var reading = Duration.zero
        var warnings: [String] = []
        let result: Result<PredictedImage, ImageFailure>
        do throws(InferenceError) {
            result = try predict(size, try card(for: parameters), parameters) {
                (letterbox, tensor) throws(ImageFailure) in
                try naming(source) { () throws(ImageError) in
                    try letterbox.write(
                        rows: { (y) throws(ImageError) in
                            let start = ContinuousClock.now
                            defer { reading += .now - start }
                            return try rows.row(y)
                        },
                        into: tensor
                    )
                    let start = ContinuousClock.now
                    warnings = try rows.finish()
                    reading += .now - start
                }
                guard isWanted() else { throw .stopped }
            }
        } catch {
            throw ImageFailure(error)
        }
        var found = try result.get()
        found.preprocess -= reading
        return SeenImage(found: found, size: size, warnings: warnings, decoding: opening + reading)
    }
}

/// Says whose image it is that cannot be decoded.
private func naming<R: ~Copyable>(
    _ source: String,
    _ body: () throws(ImageError) -> R
) throws(ImageFailure) -> R {
    do throws(ImageError) {
        return try body()
    } catch {
        throw ImageFailure(error, source: source)
    }
}
