// SPDX-License-Identifier: Apache-2.0

/// Writes protobuf, just enough to compose small ONNX files.
struct WireWriter {
    private(set) var bytes: [UInt8] = []

    mutating func number(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }

    mutating func text(_ field: UInt64, _ value: String) {
        blob(field, Array(value.utf8))
    }

    mutating func blob(_ field: UInt64, _ value: [UInt8]) {
        varint(field << 3 | 2)
        varint(UInt64(value.count))
        bytes += value
    }

    mutating func message(_ field: UInt64, _ fill: (inout WireWriter) -> Void) {
        var inner = WireWriter()
        fill(&inner)
        blob(field, inner.bytes)
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

/// A model file with an input, outputs and metadata, but no network worth the name.
struct TinyModel {
    var input: [Int?] = [1, 3, 640, 640]
    var outputs: [[Int?]] = [[1, 84, 8400]]
    var elementType: UInt64 = 1
    var metadata: [(key: String, value: String)] = []
    /// Inputs that old files list beside the real one, each with an initializer of the same name.
    var listedInitializers: [String] = []

    /// What Ultralytics 8.4 writes for a detect model with classes `c0`, `c1`, ….
    static func metadata(
        classCount: Int,
        task: String = "detect",
        isEndToEnd: Bool = false,
        isDynamic: Bool = false
    ) -> [(key: String, value: String)] {
        let names = (0..<classCount).map { "\($0): 'c\($0)'" }.joined(separator: ", ")
        return [
            ("stride", "32"), ("task", task), ("batch", "1"), ("imgsz", "[640, 640]"), ("names", "{\(names)}"),
            ("args", "{'batch': 1, 'nms': None, 'dynamic': \(isDynamic ? "True" : "False")}"),
            ("end2end", isEndToEnd ? "True" : "False"),
        ]
    }

    var bytes: [UInt8] {
        var model = WireWriter()
        model.number(1, 8)
        model.text(2, "tests")
        model.message(7) { graph in
            graph.message(1) { node in node.text(4, "Identity") }
            for name in listedInitializers {
                graph.message(5) { tensor in
                    tensor.blob(9, [UInt8](repeating: 7, count: 300))
                    tensor.text(8, name)
                }
                graph.message(11) { value(&$0, name, [3]) }
            }
            graph.message(11) { value(&$0, "images", input) }
            for (index, output) in outputs.enumerated() { graph.message(12) { value(&$0, "output\(index)", output) } }
        }
        model.message(8) { opset in opset.number(2, 18) }
        for entry in metadata {
            model.message(14) { pair in
                pair.text(1, entry.key)
                pair.text(2, entry.value)
            }
        }
        return model.bytes
    }

    private func value(_ info: inout WireWriter, _ name: String, _ shape: [Int?]) {
        info.text(1, name)
        info.message(2) { type in
            type.message(1) { tensor in
                tensor.number(1, elementType)
                tensor.message(2) { dimensions in
                    for extent in shape {
                        dimensions.message(1) { dimension in
                            if let extent {
                                dimension.number(1, UInt64(bitPattern: Int64(extent)))
                            } else {
                                dimension.text(2, "free")
                            }
                        }
                    }
                }
            }
        }
    }
}
