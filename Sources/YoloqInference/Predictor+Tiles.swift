// SPDX-License-Identifier: Apache-2.0

import YoloqImages
import YoloqVision

extension Predictor where E: ~Copyable {
    /// Looks at an image once as a whole, for what is large, and then tile by tile, and merges what was found.
    ///
    /// - Parameters:
    ///   - image: Upright; one that is no larger than a tile is looked at once.
    ///   - slicing: Which tiles.
    ///   - card: What the model is for this prediction.
    ///   - parameters: This prediction's alone; they hold for each tile, and in the end for the image.
    ///   - isWanted: Asked before each tile.
    /// - Returns: Predictions in pixels of `image`, best first, and the sum of the times; nil if they are not wanted any
    ///   more.
    /// - Throws: `InferenceError`, as for an image without tiles.
    mutating func predictTiles(
        of image: borrowing RGBImage,
        _ slicing: Slicing,
        _ card: ModelCard,
        _ parameters: PredictionParameters,
        isWanted: () -> Bool
    ) throws(InferenceError) -> PredictedImage? {
        let source = ImageSize(height: image.height, width: image.width)
        let tiles: [PixelRectangle]
        do throws(VisionError) {
            try parameters.validate(for: card)
            tiles = try slicing.tiles(of: source)
        } catch {
            throw InferenceError(error)
        }
        guard tiles.count > 1 else { return try predictWhole(image, card, parameters) }
        var parameters = parameters
        parameters.isMaskNative = true
        let clock = ContinuousClock()
        var whole = try predictWhole(image, card, parameters)
        var found = SlicedPredictions(of: source, merging: slicing.merging, parameters: parameters)
        found.add(whole.predictions, of: PixelRectangle(source))
        for (index, tile) in tiles.enumerated() {
            guard isWanted() else { return nil }
            let start = clock.now
            let part = image.cropped(columns: tile.columns, rows: tile.rows)
            whole.preprocess += start.duration(to: clock.now)
            let partial = try predictWhole(part, card, parameters)
            found.add(partial.predictions, of: tile)
            whole.preprocess += partial.preprocess
            whole.inference += partial.inference
            whole.postprocess += partial.postprocess
            if index == 0 { (whole.input, whole.letterbox) = (partial.input, partial.letterbox) }
        }
        let start = clock.now
        whole.predictions = found.merged()
        whole.postprocess += start.duration(to: clock.now)
        whole.tileCount = tiles.count
        return whole
    }
}
