// SPDX-License-Identifier: Apache-2.0

@testable import YoloqVision

/// The readers of files that others wrote, each with what is done with its result.
///
/// The mutation test gives them damaged files, and so does libFuzzer, for which `ops/fuzz` compiles this file too.
enum HostileFile: String, CaseIterable {
    /// An ONNX file.
    case onnx
    /// An OpenVINO network; a zero byte ends it where a `metadata.yaml` follows.
    case openvino
    /// A `metadata.yaml`.
    case yaml
    /// A literal of Python, as metadata holds it.
    case python
    /// A card file.
    case json
    /// Height and width, a byte each, and compressed run lengths.
    case mask

    /// What became of a file.
    struct Outcome {
        /// Whether the file was taken; what is asked of it afterwards may have failed.
        var isAccepted = false
        /// Of all errors, also of those behind the reader.
        var messages: [String] = []

        /// Longer than any message may be, whatever a file says.
        static let tooManyBytes = 2000

        var longestMessage: String { messages.max { $0.utf8.count < $1.utf8.count } ?? "" }

        fileprivate mutating func note<R>(_ body: () throws -> R) -> R? {
            do {
                return try body()
            } catch {
                messages.append("\(error)")
                return nil
            }
        }
    }

    /// Reads a file and uses what came out.
    ///
    /// - Parameter bytes: Anything.
    /// - Returns: What became of it.
    func read(_ bytes: [UInt8]) -> Outcome {
        var outcome = Outcome()
        switch self {
        case .onnx:
            let card = outcome.note { try bytes.withUnsafeBytes { try ModelCard(onnx: $0) } }
            if let card { outcome.use(card, bytes) }
        case .openvino:
            let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
            let card = outcome.note {
                try parts[0].withUnsafeBytes { xml in
                    guard parts.count > 1 else { return try ModelCard(openvino: xml, metadata: nil) }
                    return try parts[1].withUnsafeBytes { try ModelCard(openvino: xml, metadata: $0) }
                }
            }
            if let card { outcome.use(card, bytes) }
        case .yaml:
            let values = outcome.note { try bytes.withUnsafeBytes { try YAMLMetadata($0).values } }
            if let values { outcome.use(values) }
        case .python:
            let text = String(decoding: bytes, as: UTF8.self)
            outcome.isAccepted = PythonLiteral(text) != nil
            for key in ["names", "imgsz", "kpt_shape", "args", "end2end", "stride", "task", "description"] {
                _ = outcome.note { try ModelMetadata([key: text]) }
            }
        case .json:
            let file = outcome.note { try bytes.withUnsafeBytes { try CardFile(json: $0) } }
            if let file {
                outcome.isAccepted = true
                let card = outcome.note { try Self.plainModel.withUnsafeBytes { try ModelCard(onnx: $0, card: file) } }
                if let card { outcome.use(card, bytes) }
            }
        case .mask: outcome.readMask(bytes)
        }
        return outcome
    }

    /// A model without metadata: 64x64 pixels in, 3 classes, 84 anchors out.
    static let plainModel = TinyModel(input: [1, 3, 64, 64], outputs: [[1, 7, 84]]).bytes

    /// Every layout by a family that has it.
    fileprivate static let families = [
        "yolov5", "yolov8", "end2end", "yolox", "yolox-decoded", "rtdetr", "rtdetr-topk",
    ]
}

extension HostileFile.Outcome {
    fileprivate mutating func use(_ values: [String: String]) {
        isAccepted = true
        _ = note { try ModelMetadata(values) }
    }

    /// Takes the card for all that it can be, and decodes a made-up output as one of them.
    fileprivate mutating func use(_ card: ModelCard, _ bytes: [UInt8]) {
        isAccepted = true
        var random = SeededGenerator(seed: bytes.suffix(64).reduce(UInt64(bytes.count)) { $0 &* 31 &+ UInt64($1) })
        var readings: [ModelCard] = []
        for family in [nil] + HostileFile.families {
            if let reading = note({ try card.read(as: family) }) { readings.append(reading) }
        }
        _ = card.inputs.prefix(10).map(\.summary)
        _ = note { try card.classIndices(for: ["0", "persn", card.classNames.last ?? "x"]) }
        guard let reading = readings.randomElement(using: &random) else { return }
        predict(reading, &random)
    }

    private mutating func predict(_ card: ModelCard, _ random: inout SeededGenerator) {
        let parameters = PredictionParameters(anyFor: card, &random)
        let source = ImageSize(height: .random(in: 1...90, using: &random), width: .random(in: 1...90, using: &random))
        let letterbox = note { try Letterbox(source: source, card: card, parameters: parameters) }
        guard let letterbox, letterbox.input.height <= 256, letterbox.input.width <= 256 else { return }
        let shapes = card.anyOutputShapes(for: letterbox, &random)
        guard shapes.allSatisfy({ $0.allSatisfy { $0 < 20_000 } && $0.reduce(1, *) < 20_000 }) else { return }
        let outputs = shapes.map { shape in
            let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: shape.reduce(1, *))
            _ = values.initialize(from: (0..<values.count).map { _ in Self.anyNumber(letterbox.input, &random) })
            return OutputTensor(shape: shape, values: UnsafeBufferPointer(values))
        }
        defer { for output in outputs { output.values.deallocate() } }
        _ = note { try decodePredictions(outputs, card: card, parameters: parameters, letterbox: letterbox) }
    }

    /// A score, a place in the input, or what no network should give.
    private static func anyNumber(_ input: ImageSize, _ random: inout SeededGenerator) -> Float {
        switch random.next() % 512 {
        case 0: [.nan, .infinity, -.infinity, 3e38, -3e38, 1e-38, -1, 16_777_216].randomElement(using: &random) ?? 0
        case 1..<200: Float(random.next() % 1024) * Float(max(input.height, input.width)) / 1000
        default: Float(random.next() % 1024) / 1023
        }
    }

    fileprivate mutating func readMask(_ bytes: [UInt8]) {
        let size = ImageSize(height: Int(bytes.first ?? 0), width: Int(bytes.dropFirst().first ?? 0))
        let text = String(decoding: bytes.dropFirst(2), as: UTF8.self)
        guard let mask = note({ try RunLengthMask(size: size, compressedCounts: text) }) else { return }
        isAccepted = true
        precondition(mask.counts.reduce(0, +) == size.height * size.width, "a mask has as many pixels as its image")
        precondition(mask.bitmap().count { $0 == 1 } == mask.area, "a mask's area is its ones")
        let again = note { try RunLengthMask(size: size, compressedCounts: mask.compressedCounts) }
        precondition(again == mask, "a mask's text is that mask")
        _ = mask.boundingBox
        _ = mask.outerContours()
    }
}

extension PredictionParameters {
    fileprivate init(anyFor card: ModelCard, _ random: inout SeededGenerator) {
        self.init()
        confidenceThreshold = [0, 0.25, 0.9, 1].randomElement(using: &random) ?? 0
        iouThreshold = [0, 0.45, 1].randomElement(using: &random) ?? 0
        maxDetections = .random(in: 1...6, using: &random)
        isClassAgnostic = .random(using: &random)
        isMaskNative = .random(using: &random)
        letterbox = LetterboxMode.allCases.randomElement(using: &random) ?? .auto
        if card.isDynamic || Int.random(in: 0..<8, using: &random) == 0 {
            imageSize = .random(in: 1...100, using: &random)
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
            classes = [0, .random(in: 0...max(card.classNames.count, 1), using: &random)]
        }
    }
}

extension ModelCard {
    /// Shapes that the network could give, sometimes off by one.
    fileprivate func anyOutputShapes(for letterbox: Letterbox, _ random: inout SeededGenerator) -> [[Int]] {
        let width = head.leadCount + (head.namesClass ? 0 : classNames.count) + extraCount
        let cells = [8, 16, 32].reduce(0) { $0 + letterbox.input.height / $1 * (letterbox.input.width / $1) }
        let usual =
            switch head {
            case .anchors: [1, width, cells]
            case .scores: [1, classNames.count]
            case .grid, .decodedGrid: [1, cells, width]
            case .endToEnd, .objectness, .queries, .chosenQueries: [1, .random(in: 0...40, using: &random), width]
            }
        let prototypes = [1, extraCount, max(letterbox.input.height / 4, 1), max(letterbox.input.width / 4, 1)]
        var shapes = outputShapes.prefix(4).map { shape in
            let presumed = shape.count == 4 ? prototypes : usual
            return shape.indices.map { shape[$0] ?? ($0 < presumed.count ? presumed[$0] : 1) }
        }
        if Int.random(in: 0..<4, using: &random) == 0, let index = shapes.indices.randomElement(using: &random),
            let axis = shapes[index].indices.randomElement(using: &random)
        {
            shapes[index][axis] = max(0, shapes[index][axis] + .random(in: -1...1, using: &random))
        }
        return shapes
    }
}
