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

/// Turns a detect model's output into predictions, with the numbers of Ultralytics 8.4.190.
///
/// Confidences must be strictly above the threshold, compared in Float32 as torch does (it turns the Python number into
/// the tensor's type). A box has its best class only; the class filter comes after that choice, so a box whose best class
/// is filtered is gone. NaN confidences are never kept.
///
/// - Parameters:
///   - outputs: The model's outputs in the order of its file; the first counts.
///   - card: The model's card.
///   - parameters: Thresholds and filters.
///   - letterbox: How the image was fitted into the input.
/// - Returns: Predictions in pixels of the upright image; best first, or in the model's own order if it is end-to-end.
///   Finding nothing is an empty array.
/// - Throws: `unsupportedModel` if the card is no detect model's, `badParameters` if the parameters are out of range or
///   the model lacks a class asked for, `badOutput` if the tensor is not what the card says or holds a box of NaN.
public func decodeDetections(
    _ outputs: [OutputTensor],
    card: ModelCard,
    parameters: PredictionParameters,
    letterbox: Letterbox
) throws(VisionError) -> [Prediction] {
    guard card.task == .detect else { throw .unsupportedTask(card.task) }
    try parameters.validate(for: card)
    let filter = ClassFilter(parameters.classes)
    let threshold = Float(parameters.confidenceThreshold)
    let found: [Candidate]
    switch card.head {
    case .anchors:
        let columns = try AnchorColumns(outputs, card: card)
        let candidates = columns.candidates(above: threshold, filter)
        found = suppressOverlaps(
            candidates,
            iouThreshold: parameters.iouThreshold,
            isClassAgnostic: parameters.isClassAgnostic,
            limit: parameters.maxDetections
        ).map { candidates[$0] }
    case .endToEnd:
        let rows = try EndToEndRows(outputs, card: card)
        found = try rows.candidates(above: threshold, filter, limit: parameters.maxDetections)
    }
    guard !found.contains(where: \.box.hasNaN) else { throw .badOutput("a box is not a number") }
    return found.map {
        Prediction(classIndex: $0.classIndex, confidence: $0.confidence, box: letterbox.toSource($0.box))
    }
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

/// A head of `anchors` layout: Float32, (4 + classes, anchors).
private struct AnchorColumns {
    private let values: UnsafeBufferPointer<Float>
    private let anchorCount: Int
    private let classCount: Int

    init(_ outputs: [OutputTensor], card: ModelCard) throws(VisionError) {
        let output = try headTensor(outputs)
        classCount = card.classNames.count
        anchorCount = output.shape[2]
        values = output.values
        guard output.shape[1] == 4 + classCount, classCount > 0 else {
            throw .badOutput("it is \(output.shape), but \(classCount) classes make (1, \(4 + classCount), anchors)")
        }
    }

    func candidates(above threshold: Float, _ filter: ClassFilter) -> [Candidate] {
        guard let values = values.baseAddress, anchorCount > 0 else { return [] }
        var candidates: [Candidate] = []
        let (x, y) = (values, values + anchorCount)
        let (width, height) = (values + 2 * anchorCount, values + 3 * anchorCount)
        let scores = values + 4 * anchorCount
        forEachAnchor(of: scores, above: threshold) { anchor, confidence in
            guard let classIndex = firstClass(of: scores + anchor, with: confidence), filter.contains(classIndex) else {
                return
            }
            let (halfWidth, halfHeight) = (width[anchor] / 2, height[anchor] / 2)
            let box = Box(
                x1: x[anchor] - halfWidth,
                y1: y[anchor] - halfHeight,
                x2: x[anchor] + halfWidth,
                y2: y[anchor] + halfHeight
            )
            candidates.append(Candidate(box: box, classIndex: classIndex, confidence: confidence))
        }
        return candidates
    }

    /// Calls `body` for each anchor whose highest score is above the threshold, in their order.
    ///
    /// Goes class by class over blocks of anchors that stay in the first-level cache: the way the numbers lie in memory,
    /// several at a time. Anchor by anchor each number would be on a cache line of its own. Few anchors pass, so which
    /// class it was is looked up afterwards.
    private func forEachAnchor(
        of scores: UnsafePointer<Float>,
        above threshold: Float,
        _ body: (_ anchor: Int, _ confidence: Float) -> Void
    ) {
        let blockSize = min(1024, anchorCount)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: blockSize) { block in
            guard let highest = block.baseAddress else { return }
            for start in stride(from: 0, to: anchorCount, by: blockSize) {
                let count = min(blockSize, anchorCount - start)
                highest.initialize(from: scores + start, count: count)
                for classIndex in 1..<classCount {
                    raise(highest, to: scores + classIndex * anchorCount + start, count)
                }
                for index in 0..<count where highest[index] > threshold { body(start + index, highest[index]) }
            }
        }
    }

    /// The first class whose score is the anchor's highest; nil if one is NaN, since torch's maximum then is NaN.
    private func firstClass(of scores: UnsafePointer<Float>, with highest: Float) -> Int? {
        var first: Int?
        for classIndex in 0..<classCount {
            let score = scores[classIndex * anchorCount]
            if score.isNaN { return nil }
            if first == nil, score == highest { first = classIndex }
        }
        return first
    }
}

/// Raises each of `count` numbers to the other where that is above it; one instruction for several, NaN passed over.
private func raise(_ highest: UnsafeMutablePointer<Float>, to scores: UnsafePointer<Float>, _ count: Int) {
    for index in 0..<count { highest[index] = scores[index] > highest[index] ? scores[index] : highest[index] }
}

/// A head of `endToEnd` layout: Float32, (rows, 6) of x1, y1, x2, y2, confidence, class.
private struct EndToEndRows {
    private let values: UnsafeBufferPointer<Float>
    private let rowCount: Int
    private let classCount: Int

    init(_ outputs: [OutputTensor], card: ModelCard) throws(VisionError) {
        let output = try headTensor(outputs)
        guard output.shape[2] == 6 else { throw .badOutput("it is \(output.shape), not (1, rows, 6)") }
        rowCount = output.shape[1]
        values = output.values
        // 2^24: beyond it a Float does not count in ones.
        classCount = card.classNames.isEmpty ? 1 << 24 : card.classNames.count
    }

    /// The first `limit` rows that pass, in the model's order.
    func candidates(
        above threshold: Float,
        _ filter: ClassFilter,
        limit: Int
    ) throws(VisionError) -> [Candidate] {
        var candidates: [Candidate] = []
        for start in stride(from: 0, to: 6 * rowCount, by: 6) where values[start + 4] > threshold {
            guard candidates.count < limit else { break }
            guard values[start + 5] >= 0, values[start + 5] < Float(classCount) else {
                throw .badOutput("row \(start / 6) has class \(values[start + 5]), and the model has \(classCount)")
            }
            let classIndex = Int(values[start + 5])
            guard filter.contains(classIndex) else { continue }
            let box = Box(x1: values[start], y1: values[start + 1], x2: values[start + 2], y2: values[start + 3])
            candidates.append(Candidate(box: box, classIndex: classIndex, confidence: values[start + 4]))
        }
        return candidates
    }
}

/// The tensor with the boxes: (1, …, …), complete.
private func headTensor(_ outputs: [OutputTensor]) throws(VisionError) -> OutputTensor {
    guard let output = outputs.first, output.shape.count == 3, output.shape[0] == 1 else {
        throw .badOutput("the first output is \(outputs.first?.shape ?? []), not of shape (1, …, …)")
    }
    guard output.shape[1] >= 0, output.shape[2] >= 0, output.values.count == output.shape[1] * output.shape[2] else {
        throw .badOutput("\(output.values.count) numbers do not make a tensor of shape \(output.shape)")
    }
    return output
}
