// SPDX-License-Identifier: Apache-2.0

/// A detect model small enough to write by hand: it looks at mean colours.
///
/// Input (1, 3, H, W); levels of stride 8, 16 and 32, as YOLO has them. Each anchor is the mean colour of its cell, from
/// which a 1×1 convolution makes cx, cy, w, h and two class scores: output (1, 6, anchors). The bytes are ONNX's
/// protobuf messages (onnx/onnx.proto in github.com/onnx/onnx), written field by field.
struct TinyModel {
    /// Height and width; nil where the model is dynamic.
    var size: (height: Int, width: Int)? = nil
    /// Whether the input is 16-bit floats, as of an export with half=True.
    var isHalf = false
    /// Whether the output is 16-bit floats, as of an export with half=True.
    var givesHalf = false
    /// The images it takes at once.
    var batchSize = 1
    /// Whether the network ends in whole numbers, whatever the file declares.
    var givesIntegers = false
    /// Whether the network ends in a division by zero.
    var givesNotANumber = false
    /// The task of the metadata.
    var task = "detect"
    /// Put into the metadata, so that contents differ.
    var remark = "tiny"

    /// The class scores of the network at a cell of one colour: sigmoid(6 × channel - 3), red and green.
    static func score(_ channel: Float) -> Float { 1 / (1 + exponential(3 - 6 * channel)) }

    /// The file's content.
    var onnx: [UInt8] {
        var graph = Message()
        graph.text(2, "tiny")
        var input = "images"
        if isHalf {
            graph.message(1, node("Cast", ["images"], "images32", [integer("to", 1)]))
            input = "images32"
        }
        graph.message(5, floats("weight", [6, 3, 1, 1], weights))
        graph.message(5, floats("bias", [6], [32, 32, 16, 16, -3, -3]))
        graph.message(5, integers("flat", [Int64(batchSize), 6, -1]))
        for stride in [8, 16, 32] {
            let pool = [integers("kernel_shape", stride), integers("strides", stride)]
            graph.message(1, node("AveragePool", [input], "mean\(stride)", pool))
            graph.message(1, node("Conv", ["mean\(stride)", "weight", "bias"], "cell\(stride)"))
            graph.message(1, node("Reshape", ["cell\(stride)", "flat"], "level\(stride)"))
        }
        graph.message(1, node("Concat", ["level8", "level16", "level32"], "all", [integer("axis", 2)]))
        graph.message(5, integers("boxes", [4, 2]))
        graph.message(1, node("Split", ["all", "boxes"], ["box", "logit"], [integer("axis", 1)]))
        graph.message(1, node("Sigmoid", ["logit"], "class"))
        let last = givesNotANumber || givesIntegers || givesHalf ? "mixed" : "output0"
        graph.message(1, node("Concat", ["box", "class"], last, [integer("axis", 1)]))
        if givesIntegers { graph.message(1, node("Cast", ["mixed"], "output0", [integer("to", 7)])) }
        if givesHalf { graph.message(1, node("Cast", ["mixed"], "output0", [integer("to", 10)])) }
        if givesNotANumber {
            graph.message(5, floats("zero", [1], [0]))
            graph.message(1, node("Mul", ["mixed", "zero"], "nothing"))
            graph.message(1, node("Div", ["nothing", "zero"], "output0"))
        }
        let height = (size?.height).map(Dimension.fixed) ?? .free("height")
        let width = (size?.width).map(Dimension.fixed) ?? .free("width")
        let anchors = size.map { size in
            Dimension.fixed([8, 16, 32].map { (size.height / $0) * (size.width / $0) }.reduce(0, +))
        }
        graph.message(11, value("images", isHalf ? 10 : 1, [.fixed(batchSize), .fixed(3), height, width]))
        graph.message(
            12,
            value("output0", givesHalf ? 10 : 1, [.fixed(batchSize), .fixed(6), anchors ?? .free("anchors")])
        )

        var model = Message()
        model.number(1, 8)  // ir_version
        model.message(7, graph)
        var opset = Message()
        opset.number(2, 13)
        model.message(8, opset)
        let metadata = [
            "description": remark, "task": task, "stride": "32", "names": "{0: 'red', 1: 'green'}", "batch": "1",
            "imgsz": "[\(size?.height ?? 64), \(size?.width ?? 64)]", "channels": "3",
            "args":
                "{'batch': 1, 'half': \(isHalf ? "True" : "False"), 'dynamic': \(size == nil ? "True" : "False"), 'nms': False}",
        ]
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            var entry = Message()
            entry.text(1, key)
            entry.text(2, value)
            model.message(14, entry)
        }
        return model.bytes
    }

    // (6, 3): boxes move with blue, scores follow red and green.
    private var weights: [Float] {
        [0, 0, 8] + [0, 0, 8] + [0, 0, 4] + [0, 0, 4] + [6, 0, 0] + [0, 6, 0]
    }

    // MARK: ONNX's messages

    private enum Dimension {
        case fixed(Int)
        case free(String)
    }

    private func node(_ type: String, _ inputs: [String], _ output: String, _ attributes: [Message] = []) -> Message {
        node(type, inputs, [output], attributes)
    }

    private func node(_ type: String, _ inputs: [String], _ outputs: [String], _ attributes: [Message]) -> Message {
        var node = Message()
        for input in inputs { node.text(1, input) }
        for output in outputs { node.text(2, output) }
        node.text(3, "make-" + outputs[0])
        node.text(4, type)
        for attribute in attributes { node.message(5, attribute) }
        return node
    }

    private func integer(_ name: String, _ value: Int) -> Message {
        var attribute = Message()
        attribute.text(1, name)
        attribute.number(3, value)
        attribute.number(20, 2)
        return attribute
    }

    private func integers(_ name: String, _ side: Int) -> Message {
        var attribute = Message()
        attribute.text(1, name)
        attribute.number(8, side)
        attribute.number(8, side)
        attribute.number(20, 7)
        return attribute
    }

    private func integers(_ name: String, _ values: [Int64]) -> Message {
        tensor(name, [values.count], type: 7, values.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) })
    }

    private func floats(_ name: String, _ shape: [Int], _ values: [Float]) -> Message {
        let bytes = values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
        return tensor(name, shape, type: 1, bytes)
    }

    private func tensor(_ name: String, _ shape: [Int], type: Int, _ raw: [UInt8]) -> Message {
        var tensor = Message()
        for dimension in shape { tensor.number(1, dimension) }
        tensor.number(2, type)
        tensor.text(8, name)
        tensor.data(9, raw)
        return tensor
    }

    private func value(_ name: String, _ type: Int, _ dimensions: [Dimension]) -> Message {
        var shape = Message()
        for dimension in dimensions {
            var message = Message()
            switch dimension {
            case .fixed(let count): message.number(1, count)
            case .free(let name): message.text(2, name)
            }
            shape.message(1, message)
        }
        var tensor = Message()
        tensor.number(1, type)
        tensor.message(2, shape)
        var holder = Message()
        holder.message(1, tensor)
        var info = Message()
        info.text(1, name)
        info.message(2, holder)
        return info
    }
}

/// A protobuf message as it is written: fields one behind the other.
private struct Message {
    var bytes: [UInt8] = []

    mutating func number(_ field: Int, _ value: Int) {
        varint(UInt64(field) << 3)
        varint(UInt64(bitPattern: Int64(value)))
    }

    mutating func data(_ field: Int, _ value: [UInt8]) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(value.count))
        bytes += value
    }

    mutating func text(_ field: Int, _ value: String) { data(field, Array(value.utf8)) }

    mutating func message(_ field: Int, _ value: Message) { data(field, value.bytes) }

    private mutating func varint(_ value: UInt64) {
        var value = value
        while value > 127 {
            bytes.append(UInt8(value & 127) | 128)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }
}
