// SPDX-License-Identifier: Apache-2.0
public import YoloqImages
public import YoloqVision

/// What was found in one image, and how.
public struct PredictedImage: Sendable {
    /// Best first, boxes in pixels of the upright image; empty if nothing was found.
    public var predictions: [Prediction]
    /// The names of the classes, the index being the class; empty if the model has none.
    public var classNames: [String]
    /// In how many tiles the image was looked at, besides once as a whole; nil for as a whole only.
    public var tileCount: Int?
    /// Height and width of the tensor that the network saw; if there are tiles, for the first of them.
    public var input: ImageSize
    /// How the image was brought to that size: `full` or `rect` is what `auto` became.
    public var letterbox: ImageFit
    /// The time to scale the image into the input tensor.
    public var preprocess: Duration
    /// The time the network took, with the compilation of a size that is new.
    public var inference: Duration
    /// The time to decode, filter and scale back what the network gave.
    public var postprocess: Duration
}

/// Turns images into predictions with one engine.
///
/// Owned by the thread that made it.
public struct Predictor<E: Engine & ~Copyable>: ~Copyable {
    /// What the model says of itself; a prediction's parameters may say more.
    public let card: ModelCard
    private var engine: E

    /// Joins a loaded network and what is known of it.
    ///
    /// - Parameters:
    ///   - engine: Runs the model; made on this thread.
    ///   - card: The model's own.
    public init(engine: consuming E, card: ModelCard) {
        self.engine = engine
        self.card = card
    }

    /// The runtime and its version, for example "openvino 2026.4.1".
    public var engineName: String { engine.name }

    /// What the network computes in: "f32", "bf16" or "f16".
    public var precision: String { engine.precision }

    /// Finds what the model knows in one image.
    ///
    /// - Parameters:
    ///   - image: Upright, any size.
    ///   - parameters: This prediction's alone; nothing of them stays.
    /// - Returns: Predictions in pixels of `image`, best first. Finding nothing is not an error.
    /// - Throws: `InferenceError` with code `.badParameters`, `.unsupportedModel`, `.engine` or `.badOutput`. The predictor
    ///   stays usable.
    public mutating func predict(
        _ image: borrowing RGBImage,
        parameters: PredictionParameters
    ) throws(InferenceError) -> PredictedImage {
        guard let found = try predict(image, parameters: parameters, isWanted: { true }) else {
            preconditionFailure("a prediction that is wanted to its end comes to it")
        }
        return found
    }

    /// Finds what the model knows in one image, in tiles if the parameters say so.
    ///
    /// - Parameters:
    ///   - image: Upright, any size.
    ///   - parameters: This prediction's alone; nothing of them stays.
    ///   - isWanted: Asked before each tile.
    /// - Returns: Predictions in pixels of `image`, best first; nil if they are not wanted any more.
    /// - Throws: `InferenceError`, as for an image without tiles.
    mutating func predict(
        _ image: borrowing RGBImage,
        parameters: PredictionParameters,
        isWanted: () -> Bool
    ) throws(InferenceError) -> PredictedImage? {
        let card = try card(for: parameters)
        guard let slicing = parameters.slicing else { return try predictWhole(image, card, parameters) }
        return try predictTiles(of: image, slicing, card, parameters, isWanted: isWanted)
    }

    /// What the model is for a prediction.
    func card(for parameters: PredictionParameters) throws(InferenceError) -> ModelCard {
        do throws(VisionError) {
            return try card.read(as: parameters.family)
        } catch {
            throw InferenceError(error)
        }
    }

    /// Looks at an image once.
    mutating func predictWhole(
        _ image: borrowing RGBImage,
        _ card: ModelCard,
        _ parameters: PredictionParameters
    ) throws(InferenceError) -> PredictedImage {
        let source = ImageSize(height: image.height, width: image.width)
        return try predict(source, card, parameters) { letterbox, tensor in letterbox.write(image, into: tensor) }.get()
    }

    /// Looks at an image once, whose pixels `fill` writes.
    ///
    /// - Returns: What was found, or what `fill` threw; nothing was run then.
    mutating func predict<Failure: Error>(
        _ source: ImageSize,
        _ card: ModelCard,
        _ parameters: PredictionParameters,
        fill: (Letterbox, UnsafeMutableBufferPointer<Float>) throws(Failure) -> Void
    ) throws(InferenceError) -> Result<PredictedImage, Failure> {
        let letterbox: Letterbox
        do throws(VisionError) {
            letterbox = try Letterbox(source: source, card: card, parameters: parameters)
        } catch {
            throw InferenceError(error)
        }

        let clock = ContinuousClock()
        let start = clock.now
        // Set by the closures; equal to `start` for one that an engine did not call.
        var filling = start, filled = start, reading = start, read = start
        var failure: Failure?
        let predictions: [Prediction]
        do throws(InferenceError) {
            predictions = try engine.run(letterbox.input) { (tensor) throws(InferenceError) in
                filling = clock.now
                do throws(Failure) {
                    try fill(letterbox, tensor)
                } catch {
                    failure = error
                    throw InferenceError(code: .badOutput, message: "there is no image to run on.")
                }
                filled = clock.now
            } read: { (outputs) throws(VisionError) -> [Prediction] in
                reading = clock.now
                let predictions = try decodePredictions(
                    outputs,
                    card: card,
                    parameters: parameters,
                    letterbox: letterbox
                )
                read = clock.now
                return predictions
            }
        } catch {
            if let failure { return .failure(failure) }
            throw error
        }
        return .success(
            PredictedImage(
                predictions: predictions,
                classNames: card.classNames,
                input: letterbox.input,
                letterbox: letterbox.fit,
                preprocess: filling.duration(to: filled),
                inference: start.duration(to: filling) + filled.duration(to: reading),
                postprocess: reading.duration(to: read)
            )
        )
    }

    /// Runs the network once on a grey image of the model's own size and looks at what comes out.
    ///
    /// The first run is slower than the others; a worker does this before it claims work, and a network that gives
    /// nonsense on this machine is found before it spoils a job.
    ///
    /// - Throws: `InferenceError` with code `.engine`, or `.badOutput` if an output has another shape than the card
    ///   says or holds a value that is not finite.
    public mutating func warmUp() throws(InferenceError) {
        let card = self.card
        try engine.run(card.imageSize) { tensor in
            tensor.update(repeating: card.inputForm == .topLeft ? 114 : 114 / 255)
        } read: { (outputs) throws(VisionError) in
            try checkSanity(of: outputs, card: card)
        }
    }

    /// Gives the engine back, for another use.
    public consuming func takeEngine() -> E { engine }
}

@available(*, unavailable)
extension Predictor: Sendable where E: ~Copyable {}

/// Looks whether outputs are what a model's card says and finite.
///
/// - Parameters:
///   - outputs: Of one run.
///   - card: The model's own.
/// - Throws: `VisionError` with code `.badOutput`.
func checkSanity(of outputs: [OutputTensor], card: ModelCard) throws(VisionError) {
    let shapes = outputs.map(\.shape)
    let fits =
        shapes.count == card.outputShapes.count
        && zip(shapes, card.outputShapes).allSatisfy { shape, declared in
            shape.count == declared.count && zip(shape, declared).allSatisfy { $1 == nil || $0 == $1 }
        }
    guard fits else {
        throw VisionError(
            code: .badOutput,
            message: "the network's outputs are \(shapes), its card says "
                + "\(card.outputShapes.map { $0.map { $0.map(String.init) ?? "?" } }). The runtime may not suit the model."
        )
    }
    guard outputs.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else {
        throw VisionError(
            code: .badOutput,
            message: "the network gives values that are not finite on this machine. Try --precision f32."
        )
    }
}
