// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A network of OpenVINO's own form, small enough to write by hand: it multiplies each channel by a weight of its own.
///
/// Input (1, 3, height, width); the output has the same numbers in the same order, as (1, rows, 6), which its metadata
/// calls an end-to-end head.
struct TinyIR {
    /// The weights of the channels.
    var weights: [Float] = [2, 3, 4]
    /// "f32" or "f16"; of the input, which a conversion follows.
    var inputType = "f32"
    var size = (height: 32, width: 64)

    var xml: String {
        let shape = [1, 3, size.height, size.width], rows = [1, size.height * size.width / 2, 6]
        let type = inputType == "f32" ? "FP32" : "FP16"
        return """
            <?xml version="1.0"?>
            <net name="tiny" version="11">
            <layers>
            <layer id="0" name="images" type="Parameter" version="opset1">
            <data shape="\(shape.map(String.init).joined(separator: ","))" element_type="\(inputType)" />
            <output>\(port(0, type, shape, "images"))</output></layer>
            <layer id="1" name="weights" type="Const" version="opset1">
            <data element_type="f32" shape="1, 3, 1, 1" offset="24" size="12" />
            <output>\(port(0, "FP32", [1, 3, 1, 1]))</output></layer>
            <layer id="2" name="float" type="Convert" version="opset1"><data destination_type="f32" />
            <input>\(port(0, type, shape))</input><output>\(port(1, "FP32", shape))</output></layer>
            <layer id="3" name="product" type="Multiply" version="opset1"><data auto_broadcast="numpy" />
            <input>\(port(0, "FP32", shape))\(port(1, "FP32", [1, 3, 1, 1]))</input>
            <output>\(port(2, "FP32", shape))</output></layer>
            <layer id="4" name="form" type="Const" version="opset1">
            <data element_type="i64" shape="3" offset="0" size="24" />
            <output>\(port(0, "I64", [3]))</output></layer>
            <layer id="5" name="rows" type="Reshape" version="opset1"><data special_zero="false" />
            <input>\(port(0, "FP32", shape))\(port(1, "I64", [3]))</input>
            <output>\(port(2, "FP32", rows, "output0"))</output></layer>
            <layer id="6" name="result" type="Result" version="opset1">
            <input>\(port(0, "FP32", rows))</input></layer>
            </layers>
            <edges>
            <edge from-layer="0" from-port="0" to-layer="2" to-port="0" />
            <edge from-layer="2" from-port="1" to-layer="3" to-port="0" />
            <edge from-layer="1" from-port="0" to-layer="3" to-port="1" />
            <edge from-layer="3" from-port="2" to-layer="5" to-port="0" />
            <edge from-layer="4" from-port="0" to-layer="5" to-port="1" />
            <edge from-layer="5" from-port="2" to-layer="6" to-port="0" />
            </edges>
            </net>
            """
    }

    var metadata: String {
        """
        task: detect
        end2end: true
        stride: 32
        imgsz:
        - \(size.height)
        - \(size.width)
        names:
          0: person
        """
    }

    /// Writes the folder.
    func write(to folder: TemporaryFolder, as name: String, stem: String = "m") throws {
        try folder.write(Array(xml.utf8), to: "\(name)/\(stem).xml")
        let form = ([1, -1, 6] as [Int64]).flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
        let bin = form + weights.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
        // A byte more than whole floats, as files with f16 constants can have.
        try folder.write(bin + [0xFF], to: "\(name)/\(stem).bin")
        try folder.write(Array(metadata.utf8), to: "\(name)/metadata.yaml")
    }

    private func port(_ id: Int, _ precision: String, _ shape: [Int], _ names: String? = nil) -> String {
        let dims = shape.map { "<dim>\($0)</dim>" }.joined()
        return "<port id=\"\(id)\" precision=\"\(precision)\"\(names.map { " names=\"\($0)\"" } ?? "")>\(dims)</port>"
    }
}
