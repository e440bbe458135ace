// SPDX-License-Identifier: Apache-2.0

/// What a model predicts.
public enum VisionTask: String, Sendable, Hashable, Codable, CaseIterable {
    /// Boxes.
    case detect
    /// Boxes with masks.
    case segment
    /// Boxes with keypoints.
    case pose
    /// Oriented boxes.
    case obb
    /// Scores of the whole image.
    case classify
}

/// What a model says of itself: its task, classes, input and the layout of its output.
public struct ModelCard: Sendable, Hashable {
    /// What the model predicts.
    public let task: VisionTask
    /// The names of the classes, the index being the class.
    ///
    /// `class0`, `class1`, … if the file has none; empty if not even their number is known (an end-to-end model without
    /// metadata).
    public private(set) var classNames: [String]
    /// Height and width of an input are multiples of this many pixels.
    public let stride: Int
    /// The size the model was exported at, the only one it takes unless `isDynamic`.
    public let imageSize: ImageSize
    /// Whether height and width of the input are free.
    public let isDynamic: Bool
    /// The input's shape as in the file, (batch, 3, height, width), nil = free; Float32, RGB, 0…1.
    public let inputShape: [Int?]
    /// The outputs' shapes for one image, in the file's order, nil = free.
    public let outputShapes: [[Int?]]
    /// The inputs as the file declares them, element types and batch included; one, in every model that is taken.
    public let inputs: [ModelPort]
    /// The outputs as the file declares them, element types and batch included.
    public let outputs: [ModelPort]
    /// The family whose layout the output has, such as "yolox", if the metadata or a card file names one.
    public private(set) var family: String?
    /// How the first output is laid out; a mere guess if there is a `doubt`.
    public private(set) var head: HeadLayout
    /// Why the layout is not known, with what it can be; nil in most models.
    ///
    /// `read(as:)` decides.
    public private(set) var doubt: VisionError?
    /// What the layout was told from; nil in a card that was not read from a model.
    private let evidence: HeadEvidence?
    /// The keypoints of each object; nil unless the task is `pose`.
    public let keypointShape: KeypointShape?
    /// The file's metadata with the card file's over it, in the form of ONNX files: Python literals as text.
    public private(set) var metadata: [String: String]

    package init(
        task: VisionTask = .detect,
        classNames: [String],
        stride: Int = 32,
        imageSize: ImageSize = ImageSize(height: 640, width: 640),
        isDynamic: Bool = true,
        inputShape: [Int?] = [nil, 3, nil, nil],
        outputShapes: [[Int?]] = [[nil, nil, nil]],
        head: HeadLayout = .anchors,
        keypointShape: KeypointShape? = nil,
        metadata: [String: String] = [:],
        inputs: [ModelPort] = [],
        outputs: [ModelPort] = []
    ) {
        self.task = task
        self.classNames = classNames
        self.stride = stride
        self.imageSize = imageSize
        self.isDynamic = isDynamic
        self.inputShape = inputShape
        self.outputShapes = outputShapes
        self.head = head
        self.doubt = nil
        self.evidence = nil
        self.keypointShape = keypointShape
        self.metadata = metadata
        self.inputs = inputs
        self.outputs = outputs
        self.family = metadata["family"]
    }

    /// How many images the network always takes at once; nil if it takes one.
    ///
    /// Engines run one image in the first place and fill the others with black.
    public var fixedBatchSize: Int? { inputShape.first.flatMap { $0 }.flatMap { $0 > 1 ? $0 : nil } }

    /// Reads the card out of an ONNX file.
    ///
    /// Metadata decides, shapes fill in what it leaves open, and what stays ambiguous is a `doubt`. Weights are skipped
    /// over, so this takes a fraction of a millisecond however large the file; bytes of any content are safe to give.
    ///
    /// - Parameters:
    ///   - bytes: The whole file; not kept.
    ///   - card: What lies beside the file; fills in what the file lacks and overrides what it has.
    /// - Throws: `modelInvalid` if the file is damaged or contradicts itself, `unsupportedModel` if it is a sound model
    ///   of another family or input.
    public init(onnx bytes: UnsafeRawBufferPointer, card: CardFile? = nil) throws(VisionError) {
        let header = try ONNXHeader(bytes)
        try self.init(inputs: header.inputs, outputs: header.outputs, values: header.metadata, card: card)
    }

    /// Reads the card out of an OpenVINO folder.
    ///
    /// - Parameters:
    ///   - xml: The whole file with the network; not kept. Bytes of any content are safe to give.
    ///   - metadata: The whole `metadata.yaml` that Ultralytics writes beside it; nil if there is none.
    ///   - card: What lies beside the folder.
    /// - Throws: As for an ONNX file.
    public init(
        openvino xml: UnsafeRawBufferPointer,
        metadata: UnsafeRawBufferPointer?,
        card: CardFile? = nil
    ) throws(VisionError) {
        let header = try OpenVINOHeader(xml)
        let values = if let metadata { try YAMLMetadata(metadata).values } else { [String: String]() }
        try self.init(inputs: header.inputs, outputs: header.outputs, values: values, card: card)
    }

    private init(
        inputs: [ModelPort],
        outputs: [ModelPort],
        values: [String: String],
        card: CardFile?
    ) throws(VisionError) {
        let values = values.merging(card?.values ?? [:]) { $1 }
        let inputShape = try Self.inputShape(inputs)
        let outputShapes = try Self.outputShapes(outputs, batch: inputShape[0])
        let metadata = try ModelMetadata(values)
        guard metadata.channelCount ?? 3 == 3 else {
            throw .unsupportedModel("it takes images of \(metadata.channelCount ?? 0) channels, not of 3")
        }
        let task = metadata.task ?? Self.task(of: outputShapes)
        let isFixed = inputShape[2] != nil && inputShape[3] != nil
        let given = metadata.imageSize ?? ImageSize(height: 640, width: 640)
        let imageSize = ImageSize(height: inputShape[2] ?? given.height, width: inputShape[3] ?? given.width)
        let evidence = HeadEvidence(
            shape: outputShapes.isEmpty ? [] : outputShapes[Self.boxesIndex(outputShapes)],
            task: task,
            classCount: metadata.classNames?.count,
            extraCount: try Self.extraCount(task, outputShapes, metadata.keypointShape),
            isEndToEnd: metadata.isEndToEnd,
            isRTDETR: metadata.isRTDETR,
            family: values["family"],
            input: isFixed ? imageSize : nil
        )
        (head, doubt) = try Self.head(by: evidence)
        self.evidence = evidence
        self.task = task
        classNames = metadata.classNames ?? Self.placeholderNames(head, evidence)
        stride = metadata.stride ?? 32
        self.imageSize = imageSize
        // A file with fixed sides is static, whatever its metadata says: the engine will take nothing else.
        isDynamic = inputShape[2] == nil && inputShape[3] == nil && metadata.isDynamic ?? true
        self.inputShape = inputShape
        self.outputShapes = outputShapes
        keypointShape = task == .pose ? metadata.keypointShape ?? .coco : nil
        self.metadata = values
        self.inputs = inputs
        self.outputs = outputs
        family = values["family"]
    }

    /// Decides on the layout, or says why somebody else must.
    private static func head(by evidence: HeadEvidence) throws(VisionError) -> (HeadLayout, doubt: VisionError?) {
        do {
            return (try HeadLayout.resolve(evidence), nil)
        } catch {
            // Sound, only unknown: whoever knows the family can run it.
            guard error.code == .unsupportedModel, evidence.shape.count == 3 else { throw error }
            return (.anchors, error)
        }
    }

    /// The card of the same model, taken for one of a family.
    ///
    /// - Parameter family: As a card file names it, such as "yolox"; goes before what the model and its card say. nil to
    ///   take the model for what it is.
    /// - Returns: A card without doubt.
    /// - Throws: `unsupportedModel` with the families that it can be of if nobody says which, `modelInvalid` for a family that
    ///   does not exist or whose layout its outputs cannot have.
    public func read(as family: String?) throws(VisionError) -> ModelCard {
        guard let family, var evidence else {
            if let doubt { throw doubt }
            return self
        }
        evidence.family = family
        var card = self
        card.head = try HeadLayout.resolve(evidence)
        card.doubt = nil
        card.family = family
        card.metadata["family"] = family
        if evidence.classCount == nil { card.classNames = Self.placeholderNames(card.head, evidence) }
        return card
    }

    private static func inputShape(_ inputs: [ModelPort]) throws(VisionError) -> [Int?] {
        guard inputs.count == 1 else { throw .unsupportedModel("it has \(inputs.count) inputs, not one") }
        let input = inputs[0]
        try checkElementType(input, "input")
        guard let shape = input.shape, shape.count == 4, shape[1] ?? 3 == 3 else {
            throw .unsupportedModel("its input is \(describe(input.shape ?? [])), not (1, 3, height, width)")
        }
        guard (1...maxBatch).contains(shape[0] ?? 1) else {
            throw .unsupportedModel(
                "it was exported for batches of \(shape[0] ?? 1) images",
                advice: "Export it with batch=1."
            )
        }
        guard shape[2] ?? 1 > 0, shape[3] ?? 1 > 0 else {
            throw .modelInvalid("its input \(describe(shape)) has no pixels")
        }
        guard (shape[2] ?? 1) <= ModelMetadata.maxSide, (shape[3] ?? 1) <= ModelMetadata.maxSide else {
            throw .unsupportedModel("its input \(describe(shape)) is larger than \(ModelMetadata.maxSide) pixels")
        }
        return shape
    }

    /// A batch of which one image is used costs as many times the work.
    private static let maxBatch = 64

    /// The shapes for one image: where the network takes a batch of `batch`, its outputs must have as many slots.
    private static func outputShapes(_ outputs: [ModelPort], batch: Int?) throws(VisionError) -> [[Int?]] {
        var shapes: [[Int?]] = []
        for output in outputs {
            try checkElementType(output, "output")
            var shape = output.shape ?? []
            if let batch, batch > 1, let first = shape.first {
                guard first == nil || first == batch else {
                    throw .unsupportedModel(
                        "it takes batches of \(batch) images, but its output is \(describe(shape))",
                        advice: "Export it with batch=1."
                    )
                }
                shape[0] = 1
            }
            shapes.append(shape)
        }
        return shapes
    }

    private static func checkElementType(_ port: ModelPort, _ role: String) throws(VisionError) {
        switch port.elementType {
        case .f32, .f16: return
        case nil: throw .unsupportedModel("its \(role) \"\(shown(port.name))\" is no tensor of floats")
        case .other(let name):
            throw .unsupportedModel(
                "its \(role) \"\(shown(port.name))\" is of type \(shown(name)), not of 32-bit or 16-bit floats",
                advice: "Export it again without conversions of your own: yolo export model=… format=onnx dynamic=True."
            )
        }
    }

    /// The task of a model that does not say it: masks come with prototypes, scores of the whole image in one row.
    private static func task(of outputs: [[Int?]]) -> VisionTask {
        if outputs.contains(where: { $0.count == 4 }) { return .segment }
        return outputs.count == 1 && outputs[0].count == 2 ? .classify : .detect
    }

    /// Which output has the boxes: the first that has no prototypes.
    static func boxesIndex(_ outputs: [[Int?]]) -> Int { outputs.firstIndex { $0.count != 4 } ?? 0 }

    /// How many numbers a task adds to a box.
    private static func extraCount(
        _ task: VisionTask,
        _ outputs: [[Int?]],
        _ keypoints: KeypointShape?
    ) throws(VisionError) -> Int {
        switch task {
        case .detect, .classify: return 0
        case .obb: return 1
        case .pose: return (keypoints ?? .coco).valueCount
        case .segment:
            guard let prototypes = outputs.first(where: { $0.count == 4 }) else {
                throw .modelInvalid("it is a segment model, but has no output with mask prototypes")
            }
            return prototypes[1] ?? 32
        }
    }

    private static func placeholderNames(_ head: HeadLayout, _ evidence: HeadEvidence) -> [String] {
        guard !head.namesClass, evidence.shape.count > 1 else { return [] }
        let width = head == .anchors || head == .scores ? evidence.shape[1] : evidence.shape[2]
        guard let width, width <= HeadLayout.maxRows else { return [] }
        let count = width - head.leadCount - evidence.extraCount
        return count > 0 ? (0..<count).map { "class\($0)" } : []
    }
}

/// The keypoints of one object.
public struct KeypointShape: Sendable, Hashable {
    /// How many there are.
    public let count: Int
    /// 2 for x and y, 3 with a visibility.
    public let dimensions: Int

    /// Describes keypoints.
    ///
    /// - Parameters:
    ///   - count: How many there are.
    ///   - dimensions: 2 for x and y, 3 with a visibility.
    public init(count: Int, dimensions: Int) {
        self.count = count
        self.dimensions = dimensions
    }

    /// A person's as in COCO: 17 of x, y and visibility.
    public static let coco = KeypointShape(count: 17, dimensions: 3)

    var valueCount: Int { count * dimensions }
}

extension ModelCard {
    /// How many numbers the task adds to a box, as this model has it.
    var extraCount: Int {
        (try? Self.extraCount(task, outputShapes, keypointShape)) ?? 0
    }

    /// What pixels the model takes.
    public var inputForm: InputForm {
        switch head {
        case .scores: .crop
        case .grid, .decodedGrid: .topLeft
        case .queries, .chosenQueries: .stretch
        case .anchors, .endToEnd, .objectness: .centred
        }
    }

    /// The IoU threshold that the model's family is used with where nobody asks for another.
    ///
    /// 0.45 for YOLOv5 and YOLOX, as their own programs have it, else 0.7.
    public var defaultIoUThreshold: Double {
        switch head {
        case .objectness, .grid, .decodedGrid: 0.45
        case .anchors, .endToEnd, .queries, .chosenQueries, .scores: 0.7
        }
    }
}
