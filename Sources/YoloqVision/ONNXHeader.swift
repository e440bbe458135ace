// SPDX-License-Identifier: Apache-2.0

/// What an ONNX file says of its inputs, outputs and origin; the network and its weights are skipped over.
///
/// Field numbers are those of `onnx.proto` (ONNX 1.17): <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.
struct ONNXHeader {
    /// A value that goes into or comes out of the graph.
    private struct Value {
        var name = ""
        /// `TensorProto.DataType`; nil if the value is no tensor.
        var elementType: Int?
        /// The dimensions, nil = free; nil altogether if the file gives none.
        var shape: [Int?]?

        var port: ModelPort {
            ModelPort(name: name, elementType: elementType.map(ONNXHeader.elementType), shape: shape)
        }
    }

    /// What must be fed; initializers that old files list among the inputs are left out.
    private(set) var inputs: [ModelPort] = []
    private(set) var outputs: [ModelPort] = []
    private(set) var metadata: [String: String] = [:]

    private var hasGraph = false
    private var initializerNames: Set<String> = []
    private var entryCount = 0

    /// More inputs, outputs, weights and metadata entries than any network has; two bytes of a file can make one.
    private static let maxEntryCount = 100_000

    init(_ bytes: UnsafeRawBufferPointer) throws(VisionError) {
        try Self.recogniseOthers(bytes)
        var irVersion: UInt64?
        var fields = WireReader(bytes)
        while let field = try fields.next() {
            switch (field.number, field.value) {
            case (1, .number(let version)): irVersion = version
            case (7, .bytes(let graph)): try readGraph(graph)
            case (14, .bytes(let entry)):
                try count()
                try readMetadata(entry)
            default: break
            }
        }
        guard irVersion != nil, hasGraph else {
            throw .modelInvalid("the file has no ONNX graph", advice: "Give an .onnx file as `yolo export` writes it.")
        }
        inputs.removeAll { initializerNames.contains($0.name) }
    }

    /// Names the mistakes that people make with files called `.onnx`.
    private static func recogniseOthers(_ bytes: UnsafeRawBufferPointer) throws(VisionError) {
        guard !bytes.isEmpty else { throw .modelInvalid("the file is empty", advice: "Copy or export it again.") }
        if bytes.starts(with: "version https://git-lfs".utf8) {
            throw .modelInvalid("the file is a Git LFS pointer, not the model", advice: "Fetch it: git lfs pull.")
        }
        if bytes.starts(with: "PK\u{3}\u{4}".utf8) {
            throw .modelInvalid(
                "the file is a zip archive, as PyTorch checkpoints are",
                advice: "Export it: yolo export model=… format=onnx dynamic=True."
            )
        }
    }

    private mutating func readGraph(_ bytes: UnsafeRawBufferPointer) throws(VisionError) {
        hasGraph = true
        var fields = WireReader(bytes)
        while let field = try fields.next() {
            switch (field.number, field.value) {
            case (5, .bytes(let initializer)):
                try count()
                if let name = try Self.tensorName(initializer) { initializerNames.insert(name) }
            case (11, .bytes(let input)):
                try count()
                inputs.append(try Self.valueInfo(input).port)
            case (12, .bytes(let output)):
                try count()
                outputs.append(try Self.valueInfo(output).port)
            default: break
            }
        }
    }

    private mutating func count() throws(VisionError) {
        entryCount += 1
        guard entryCount <= Self.maxEntryCount else {
            throw .modelInvalid("it has more than \(Self.maxEntryCount) inputs, outputs, weights and metadata entries")
        }
    }

    private mutating func readMetadata(_ bytes: UnsafeRawBufferPointer) throws(VisionError) {
        var key = ""
        var value = ""
        var fields = WireReader(bytes)
        while let field = try fields.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let text)): key = String(decoding: text, as: UTF8.self)
            case (2, .bytes(let text)): value = String(decoding: text, as: UTF8.self)
            default: break
            }
        }
        metadata[key] = value
    }

    /// `TensorProto.DataType` by its short name.
    private static func elementType(_ number: Int) -> ModelPort.ElementType {
        switch number {
        case 1: .f32
        case 10: .f16
        case 2: .other("u8")
        case 3: .other("i8")
        case 4: .other("u16")
        case 5: .other("i16")
        case 6: .other("i32")
        case 7: .other("i64")
        case 9: .other("boolean")
        case 11: .other("f64")
        case 12: .other("u32")
        case 13: .other("u64")
        case 16: .other("bf16")
        default: .other("type \(number)")
        }
    }

    private static func tensorName(_ bytes: UnsafeRawBufferPointer) throws(VisionError) -> String? {
        var name: String?
        var fields = WireReader(bytes)
        while let field = try fields.next() {
            if case (8, .bytes(let text)) = (field.number, field.value) { name = String(decoding: text, as: UTF8.self) }
        }
        return name
    }

    private static func valueInfo(_ bytes: UnsafeRawBufferPointer) throws(VisionError) -> Value {
        var value = Value()
        var fields = WireReader(bytes)
        while let field = try fields.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let text)): value.name = String(decoding: text, as: UTF8.self)
            case (2, .bytes(let type)): try readType(type, into: &value)
            default: break
            }
        }
        return value
    }

    private static func readType(_ bytes: UnsafeRawBufferPointer, into value: inout Value) throws(VisionError) {
        var types = WireReader(bytes)
        while let type = try types.next() {
            guard case (1, .bytes(let tensor)) = (type.number, type.value) else { continue }
            var fields = WireReader(tensor)
            while let field = try fields.next() {
                switch (field.number, field.value) {
                case (1, .number(let elementType)): value.elementType = Int(truncatingIfNeeded: elementType)
                case (2, .bytes(let shape)): value.shape = try dimensions(shape)
                default: break
                }
            }
        }
    }

    private static func dimensions(_ bytes: UnsafeRawBufferPointer) throws(VisionError) -> [Int?] {
        var shape: [Int?] = []
        var dimensions = WireReader(bytes)
        while let dimension = try dimensions.next() {
            guard case (1, .bytes(let content)) = (dimension.number, dimension.value) else { continue }
            guard shape.count < 8 else { throw .modelInvalid("a tensor has more than 8 dimensions") }
            shape.append(try extent(content))
        }
        return shape
    }

    /// One dimension: a number, or nil if it has a name, is unset, or is 0 or -1 as some exporters write free ones.
    private static func extent(_ bytes: UnsafeRawBufferPointer) throws(VisionError) -> Int? {
        var extent: Int?
        var fields = WireReader(bytes)
        while let field = try fields.next() {
            guard case (1, .number(let bits)) = (field.number, field.value) else { continue }
            let number = Int64(bitPattern: bits)
            // The bound keeps products of a few dimensions inside Int.
            guard number <= Int32.max else { throw .modelInvalid("a tensor has a dimension of \(number)") }
            extent = number > 0 ? Int(number) : nil
        }
        return extent
    }
}
