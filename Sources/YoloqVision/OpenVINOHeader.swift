// SPDX-License-Identifier: Apache-2.0

/// What the XML file of an OpenVINO model says of its inputs and outputs; the layers between are passed over.
///
/// Form: `net` / `layers` / `layer` of type `Parameter` (element type and shape in its `data`) and `Result` (dimensions
/// in the `port` of its `input`), IR versions 10 and 11:
/// <https://docs.openvino.ai/2025/documentation/openvino-ir-format.html>.
struct OpenVINOHeader {
    private(set) var inputs: [ModelPort] = []
    private(set) var outputs: [ModelPort] = []

    /// Tags nest no deeper than this in any model; bodies of loops and conditions add a few levels each.
    private static let maxDepth = 256

    init(_ bytes: UnsafeRawBufferPointer) throws(VisionError) {
        var tags = XMLTags(bytes)
        var path: [Substring] = []
        var layer = Layer()
        while let tag = try tags.next() {
            switch tag.kind {
            case .opening:
                guard path.count < Self.maxDepth else { throw .modelInvalid("its XML is nested too deeply") }
                path.append(tag.name)
                guard path.first == "net" else { throw Self.noModel }
                try layer.open(tag, at: path)
            case .empty:
                path.append(tag.name)
                try layer.open(tag, at: path)
                path.removeLast()
            case .closing:
                guard path.last == tag.name else {
                    throw .modelInvalid("its XML closes <\(shown(tag.name))> out of order")
                }
                if path.count > 4, tag.name == "dim" { try layer.add(dimension: tags.textBefore, at: path) }
                if path == ["net", "layers", "layer"] { add(layer) }
                path.removeLast()
            }
        }
        guard path.isEmpty else { throw .modelInvalid("its XML ends inside <\(shown(path.last ?? ""))>") }
        guard !inputs.isEmpty || !outputs.isEmpty else { throw Self.noModel }
    }

    private static var noModel: VisionError {
        .modelInvalid(
            "the XML file has no OpenVINO network",
            advice: "Export it again: yolo export model=… format=openvino."
        )
    }

    private mutating func add(_ layer: Layer) {
        let port = ModelPort(name: layer.name, elementType: layer.elementType, shape: layer.shape)
        switch layer.type {
        case "Parameter": inputs.append(port)
        case "Result": outputs.append(port)
        default: break
        }
    }

    /// The layer that is being passed.
    private struct Layer {
        var type = ""
        var name = ""
        var elementType: ModelPort.ElementType?
        var shape: [Int?]?

        mutating func open(_ tag: XMLTags.Tag, at path: [Substring]) throws(VisionError) {
            guard path.count >= 3, path[1] == "layers" else { return }
            if path.count == 3, tag.name == "layer" {
                self = Layer(type: tag["type"] ?? "", name: tag["name"] ?? "")
            } else if type == "Parameter", path.count == 4, tag.name == "data" {
                elementType = tag["element_type"].map(Self.elementType)
                shape = try tag["shape"].flatMap { text throws(VisionError) in try Self.shape(text) }
            } else if type == "Result", path.count == 5, path[3] == "input", tag.name == "port" {
                elementType = tag["precision"].map(Self.elementType)
                shape = []
            }
        }

        mutating func add(dimension text: String, at path: [Substring]) throws(VisionError) {
            guard type == "Result", path.count == 6, path[3] == "input" else { return }
            shape = try (shape ?? []) + [Self.extent(text)]
            try Self.checkRank(shape ?? [])
        }

        /// The most bytes of a shape: eight dimensions as ranges with spaces take half of it.
        private static let maxByteCount = 400

        /// `1,3,640,640`, `?,3,?,?` or `1..8,3,640,640`; `...` is a shape of which nothing is known.
        private static func shape(_ text: String) throws(VisionError) -> [Int?]? {
            if text == "..." { return nil }
            guard text.utf8.count <= maxByteCount else {
                throw .modelInvalid("a tensor has the shape \"\(shown(text))\"")
            }
            var shape: [Int?] = []
            for part in text.split(separator: ",") { shape.append(try extent(String(part))) }
            try checkRank(shape)
            return shape
        }

        private static func checkRank(_ shape: [Int?]) throws(VisionError) {
            guard shape.count <= 8 else { throw .modelInvalid("a tensor has more than 8 dimensions") }
        }

        private static func extent(_ text: String) throws(VisionError) -> Int? {
            let digits = text.utf8.count <= maxByteCount ? text.filter { !$0.isWhitespace } : text
            guard digits != "?", digits != "-1", !digits.contains("..") else { return nil }
            // The bound keeps products of a few dimensions inside Int.
            guard let number = Int(digits), (0...Int(Int32.max)).contains(number) else {
                throw .modelInvalid("a tensor has a dimension of \"\(shown(digits))\"")
            }
            return number
        }

        /// `f32` as parameters have it, `FP32` as ports do.
        private static func elementType(_ text: String) -> ModelPort.ElementType {
            switch text.lowercased() {
            case "f32", "fp32": .f32
            case "f16", "fp16": .f16
            default: .other(text.lowercased())
            }
        }
    }
}
