// SPDX-License-Identifier: Apache-2.0

/// One output tensor as the engine holds it; valid during the call that hands it over.
public struct OutputTensor {
    /// The dimensions, outermost first.
    public let shape: [Int]
    /// Float32, row-major, as many as `shape` says.
    public let values: UnsafeBufferPointer<Float>

    /// Makes a view of an output.
    ///
    /// - Parameters:
    ///   - shape: The dimensions, outermost first.
    ///   - values: Float32, row-major, as many as `shape` says.
    public init(shape: [Int], values: UnsafeBufferPointer<Float>) {
        self.shape = shape
        self.values = values
    }
}

/// Turns a model's outputs into predictions, with the numbers of Ultralytics 8.4.190 (YOLOv5 and YOLOX: of their own
/// programs).
///
/// Confidences must be strictly above the threshold, compared in Float32 as torch does (it turns the Python number into
/// the tensor's type). A box has its best class only; the class filter comes after that choice, so a box whose best class
/// is filtered is gone. NaN confidences are never kept. A `classify` model gives its five best classes, whatever the
/// thresholds.
///
/// - Parameters:
///   - outputs: The model's outputs in the order of its file.
///   - card: The model's card.
///   - parameters: Thresholds and filters.
///   - letterbox: How the image was fitted into the input.
/// - Returns: Predictions in pixels of the upright image; best first, or in the model's own order if it is end-to-end.
///   Finding nothing is an empty array.
/// - Throws: `badParameters` if the parameters are out of range or the model lacks a class asked for, `badOutput` if a tensor
///   is not what the card says or holds a box of NaN.
public func decodePredictions(
    _ outputs: [OutputTensor],
    card: ModelCard,
    parameters: PredictionParameters,
    letterbox: Letterbox
) throws(VisionError) -> [Prediction] {
    try parameters.validate(for: card)
    if card.task == .classify { return try classify(outputs, card: card, source: letterbox.source) }
    let head = try HeadTensor(outputs, card: card)
    let candidates = try head.candidates(above: Float(parameters.confidenceThreshold), parameters, letterbox)
    let found =
        card.task == .obb
        ? try keptOriented(candidates, head, card: card, parameters)
        : kept(candidates, card: card, parameters, letterbox)
    guard !found.contains(where: \.box.hasNaN) else { throw .badOutput("a box is not a number") }
    switch card.task {
    case .detect, .classify:
        return found.map {
            Prediction(classIndex: $0.classIndex, confidence: $0.confidence, box: letterbox.toSource($0.box))
        }
    case .pose:
        let shape = card.keypointShape ?? .coco
        return found.map { head.pose($0, shape, letterbox) }
    case .obb:
        return found.map { head.oriented($0, letterbox) }
    case .segment:
        let frame: MaskFrame = parameters.isMaskNative ? .image : .input
        let assembler = try MaskAssembler(
            prototypes: try prototypes(outputs),
            letterbox: letterbox,
            frame: frame,
            head: card.head
        )
        guard assembler.coefficientCount == head.extraCount else {
            throw .badOutput("it has \(head.extraCount) mask coefficients for \(assembler.coefficientCount) prototypes")
        }
        return found.compactMap { head.segmented($0, letterbox, assembler, frame) }
    }
}

/// The candidates that stay: suppressed and the best, or the first in the order of a model that has suppressed already.
private func kept(
    _ candidates: [Candidate],
    card: ModelCard,
    _ parameters: PredictionParameters,
    _ letterbox: Letterbox
) -> [Candidate] {
    switch card.head {
    case .endToEnd, .chosenQueries, .scores: return Array(candidates.prefix(parameters.maxDetections))
    case .queries:
        return bestFirst(candidates.lazy.map(\.confidence)).prefix(parameters.maxDetections).map { candidates[$0] }
    case .anchors, .objectness:
        return suppressOverlaps(candidates, parameters).map { candidates[$0] }
    case .grid, .decodedGrid:
        // YOLOX suppresses in the image, class by class, without moving boxes apart.
        var boxes = candidates
        for index in boxes.indices { boxes[index].box = letterbox.toSource(boxes[index].box) }
        return suppressOverlaps(boxes, parameters, isMovedApart: false).map { candidates[$0] }
    }
}

/// As `kept`, for oriented boxes.
private func keptOriented(
    _ candidates: [Candidate],
    _ head: HeadTensor,
    card: ModelCard,
    _ parameters: PredictionParameters
) throws(VisionError) -> [Candidate] {
    let boxes = candidates.map { candidate in
        RotatedCandidate(
            box: head.rotatedBox(candidate),
            classIndex: candidate.classIndex,
            confidence: candidate.confidence
        )
    }
    guard !boxes.contains(where: \.box.hasNaN) else { throw .badOutput("a box is not a number") }
    guard card.head.needsSuppression else { return Array(candidates.prefix(parameters.maxDetections)) }
    return suppressOverlaps(
        boxes,
        iouThreshold: parameters.iouThreshold,
        isClassAgnostic: parameters.isClassAgnostic,
        limit: parameters.maxDetections
    ).map { candidates[$0] }
}

/// The five best classes of the whole image.
private func classify(
    _ outputs: [OutputTensor],
    card: ModelCard,
    source: ImageSize
) throws(VisionError) -> [Prediction] {
    guard let output = outputs.first, output.values.count == output.shape.reduce(1, *), output.shape.last ?? 0 > 0,
        output.values.count == output.shape.last
    else {
        throw .badOutput("the first output is \(outputs.first?.shape ?? []), not of shape (1, classes)")
    }
    let scores = Array(output.values)
    guard card.classNames.isEmpty || scores.count == card.classNames.count else {
        throw .badOutput("it has \(scores.count) scores, and the model \(card.classNames.count) classes")
    }
    guard scores.allSatisfy(\.isFinite) else { throw .badOutput("a score is not a number") }
    let box = Box(x1: 0, y1: 0, x2: Float(source.width), y2: Float(source.height))
    // Equal scores keep their order.
    let best = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
    return best.prefix(5).map { Prediction(classIndex: $0, confidence: scores[$0], box: box) }
}

/// The mask prototypes: (1, coefficients, height, width).
private func prototypes(_ outputs: [OutputTensor]) throws(VisionError) -> OutputTensor {
    guard let output = outputs.first(where: { $0.shape.count == 4 }), output.shape[0] == 1,
        output.values.count == output.shape.reduce(1, *)
    else { throw .badOutput("no output is of shape (1, coefficients, height, width), as mask prototypes are") }
    return output
}

/// The classes that may stay.
struct ClassFilter {
    private let classes: Set<Int>?

    init(_ classes: [Int]?) {
        self.classes = classes.map(Set.init)
    }

    func contains(_ classIndex: Int) -> Bool {
        classes?.contains(classIndex) ?? true
    }
}
