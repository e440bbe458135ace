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
    public let classNames: [String]
    /// Height and width of an input are multiples of this many pixels.
    public let stride: Int
    /// The size the model was exported at, the only one it takes unless `isDynamic`.
    public let imageSize: ImageSize
    /// Whether height and width of the input are free.
    public let isDynamic: Bool
    /// The input's shape as in the file, (batch, 3, height, width), nil = free; Float32, RGB, 0…1.
    public let inputShape: [Int?]
    /// The outputs' shapes as in the file, in its order, nil = free.
    public let outputShapes: [[Int?]]
    /// How the boxes are laid out; says nothing for `classify`.
    public let head: DetectHead
    /// The file's metadata, unchanged.
    public let metadata: [String: String]

    package init(
        task: VisionTask = .detect,
        classNames: [String],
        stride: Int = 32,
        imageSize: ImageSize = ImageSize(height: 640, width: 640),
        isDynamic: Bool = true,
        inputShape: [Int?] = [nil, 3, nil, nil],
        outputShapes: [[Int?]] = [[nil, nil, nil]],
        head: DetectHead = .anchors,
        metadata: [String: String] = [:]
    ) {
        self.task = task
        self.classNames = classNames
        self.stride = stride
        self.imageSize = imageSize
        self.isDynamic = isDynamic
        self.inputShape = inputShape
        self.outputShapes = outputShapes
        self.head = head
        self.metadata = metadata
    }

    /// Reads the card out of an ONNX file.
    ///
    /// Metadata decides, shapes fill in what it leaves open, and what stays ambiguous is refused. Weights are skipped
    /// over, so this takes a fraction of a millisecond however large the file; bytes of any content are safe to give.
    ///
    /// - Parameter bytes: The whole file; not kept.
    /// - Throws: `modelInvalid` if the file is damaged or contradicts itself, `unsupportedModel` if it is a sound model
    ///   of another family or input. A segment, pose, obb or classify model is no error here, only when it is decoded.
    public init(onnx bytes: UnsafeRawBufferPointer) throws(VisionError) {
        let header = try ONNXHeader(bytes)
        let inputShape = try Self.inputShape(header)
        let outputShapes = try Self.outputShapes(header)
        let metadata = try ModelMetadata(header.metadata)
        guard metadata.channelCount ?? 3 == 3 else {
            throw .unsupportedModel("it takes images of \(metadata.channelCount ?? 0) channels, not of 3")
        }
        let task = metadata.task ?? .detect
        let isFixed = inputShape[2] != nil && inputShape[3] != nil
        let given = metadata.imageSize ?? ImageSize(height: 640, width: 640)
        let imageSize = ImageSize(height: inputShape[2] ?? given.height, width: inputShape[3] ?? given.width)
        let head = try Self.head(task, metadata, outputShapes, isFixed ? imageSize : nil)
        self.init(
            task: task,
            classNames: metadata.classNames ?? (task == .detect ? Self.placeholderNames(head, outputShapes) : []),
            stride: metadata.stride ?? 32,
            imageSize: imageSize,
            // A file with fixed sides is static, whatever its metadata says: the engine will take nothing else.
            isDynamic: inputShape[2] == nil && inputShape[3] == nil && metadata.isDynamic ?? true,
            inputShape: inputShape,
            outputShapes: outputShapes,
            head: head,
            metadata: header.metadata
        )
    }

    private static func inputShape(_ header: ONNXHeader) throws(VisionError) -> [Int?] {
        guard header.inputs.count == 1 else { throw .unsupportedModel("it has \(header.inputs.count) inputs, not one") }
        let input = header.inputs[0]
        try checkElementType(input, "input")
        guard let shape = input.shape, shape.count == 4, shape[1] ?? 3 == 3 else {
            throw .unsupportedModel("its input is \(describe(input.shape ?? [])), not (1, 3, height, width)")
        }
        guard shape[0] ?? 1 == 1 else {
            throw .unsupportedModel(
                "it was exported for batches of \(shape[0] ?? 1) images",
                advice: "Export it with batch=1."
            )
        }
        guard (shape[2] ?? 1) <= ModelMetadata.maxSide, (shape[3] ?? 1) <= ModelMetadata.maxSide else {
            throw .unsupportedModel("its input \(describe(shape)) is larger than \(ModelMetadata.maxSide) pixels")
        }
        return shape
    }

    private static func outputShapes(_ header: ONNXHeader) throws(VisionError) -> [[Int?]] {
        var shapes: [[Int?]] = []
        for output in header.outputs {
            try checkElementType(output, "output")
            shapes.append(output.shape ?? [])
        }
        return shapes
    }

    private static func checkElementType(_ value: ONNXHeader.Value, _ role: String) throws(VisionError) {
        switch value.elementType {
        case ONNXHeader.float32: return
        case ONNXHeader.float16:
            throw .unsupportedModel(
                "its \(role) \"\(value.name)\" is float16",
                advice: "Export it without half=True; yoloq chooses the precision it computes in."
            )
        default: throw .unsupportedModel("its \(role) \"\(value.name)\" is not float32")
        }
    }

    private static func head(
        _ task: VisionTask,
        _ metadata: ModelMetadata,
        _ outputs: [[Int?]],
        _ input: ImageSize?
    ) throws(VisionError) -> DetectHead {
        guard task == .detect else { return metadata.isEndToEnd == true ? .endToEnd : .anchors }
        if metadata.isRTDETR { throw .rtDETR(outputs.first ?? []) }
        return try DetectHead.resolve(
            outputs: outputs,
            classCount: metadata.classNames?.count,
            isEndToEnd: metadata.isEndToEnd,
            input: input
        )
    }

    private static func placeholderNames(_ head: DetectHead, _ outputs: [[Int?]]) -> [String] {
        guard head == .anchors, let rows = outputs.first?.dropFirst().first ?? nil else { return [] }
        guard rows > 4, rows <= DetectHead.maxRows else { return [] }
        return (0..<rows - 4).map { "class\($0)" }
    }
}
