// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqVision

private func readHeader(_ text: String) throws -> OpenVINOHeader {
    try Array(text.utf8).withUnsafeBytes { try OpenVINOHeader($0) }
}

struct OpenVINOHeaderTests {
    private func network(
        shape: String = "1,3,640,640",
        type: String = "f32",
        dims: [String] = ["1", "84", "8400"],
        extra: String = ""
    ) -> String {
        """
        <?xml version="1.0"?>
        <!-- <layer type="Parameter"/> -->
        <net name="m" version="11">
          <layers>
            <layer id="0" name="x &lt;&#65;&#x42;&gt;" type="Parameter" version="opset1">
              <data shape="\(shape)" element_type='\(type)'/>
              <output><port id="0" precision="FP32"><dim>9</dim></port></output>
            </layer>
            \(extra)
            <layer id="9" name="y" type="Result" version="opset1">
              <input><port id="0" precision="FP16">\(dims.map { "<dim>\($0)</dim>" }.joined())</port></input>
            </layer>
          </layers>
          <edges><edge from-layer="0" from-port="0" to-layer="9" to-port="0"/></edges>
        </net>
        """
    }

    @Test func `inputs and outputs come with names, element types and shapes`() throws {
        let header = try readHeader(network())
        #expect(header.inputs == [ModelPort(name: "x <AB>", elementType: .f32, shape: [1, 3, 640, 640])])
        #expect(header.outputs == [ModelPort(name: "y", elementType: .f16, shape: [1, 84, 8400])])
    }

    @Test func `free dimensions are free in all of their spellings`() throws {
        let header = try readHeader(network(shape: "?,3,-1,1..640", type: "i64", dims: ["-1", "84", "-1"]))
        #expect(header.inputs[0].shape == [nil, 3, nil, nil])
        #expect(header.inputs[0].elementType == .other("i64"))
        #expect(header.outputs[0].shape == [nil, 84, nil])
        #expect(try self.header(ofShape: "...").inputs[0].shape == nil)
    }

    private func header(ofShape shape: String) throws -> OpenVINOHeader {
        try readHeader(network(shape: shape))
    }

    @Test func `layers inside of loops are not the network's`() throws {
        let loop = """
            <layer id="1" name="l" type="Loop" version="opset5"><body><layers>
            <layer id="0" name="inner" type="Parameter" version="opset1"><data shape="7" element_type="f32"/></layer>
            <layer id="1" name="inner2" type="Result" version="opset1">
            <input><port id="0" precision="FP32"><dim>7</dim></port></input></layer>
            </layers></body></layer>
            """
        let header = try readHeader(network(extra: loop))
        #expect(header.inputs.count == 1)
        #expect(header.outputs.count == 1)
        #expect(header.outputs[0].shape == [1, 84, 8400])
    }

    @Test(arguments: [
        "", "hello", "<net>", "<net><layers></net>", "<html></html>", "<net></net>", "<a", "<!-- x", "<net x=\"",
        "<!DOCTYPE net [<!ENTITY a \"b\">]><net></net>", "</net>", "<net/><net/>",
    ])
    func `what is no network is invalid`(text: String) {
        #expect(throws: VisionError.self) { try readHeader(text) }
    }

    @Test(arguments: ["1,3,99999999999999999999,640", "1,3,-7,640", "a,b", "1,1,1,1,1,1,1,1,1"])
    func `a shape that cannot be is invalid`(shape: String) {
        #expect(throws: VisionError.self) { try header(ofShape: shape) }
    }

    @Test func `nesting without end is refused before it costs anything`() {
        let deep = String(repeating: "<a>", count: 100_000)
        #expect(throws: VisionError.self) { try readHeader("<net>" + deep) }
    }

    @Test func `a network cut anywhere does no more than throw`() throws {
        let bytes = Array(network().utf8)
        for count in bytes.indices {
            _ = try? bytes[..<count].withUnsafeBytes { try OpenVINOHeader($0) }
        }
        #expect(throws: VisionError.self) { try bytes.dropLast(3).withUnsafeBytes { try OpenVINOHeader($0) } }
    }
}

struct YAMLMetadataTests {
    private func values(_ text: String) throws(VisionError) -> [String: String] {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBufferPointer { bytes throws(VisionError) in
            try YAMLMetadata(UnsafeRawBufferPointer(bytes)).values
        }
    }

    @Test func `values take the form of ONNX metadata`() throws {
        let values = try values(
            """
            description: Ultralytics YOLO trained on /data/it's.yaml
            date: '2026-04-22T00:19:56.617428'
            version: 8.4.30
            stride: 32
            task: pose
            imgsz:
            - 640
            - 480
            names:
              0: person
              1: yes
              2: 'it''s'
              3: 7
            args:
              half: false
              fraction: 1.0
              data: null
            end2end: false
            kpt_shape: [17, 3]
            """
        )
        #expect(values["description"] == "Ultralytics YOLO trained on /data/it's.yaml")
        #expect(values["date"] == "2026-04-22T00:19:56.617428")
        #expect(values["version"] == "8.4.30")
        #expect(values["stride"] == "32")
        #expect(values["imgsz"] == "[640, 480]")
        #expect(values["names"] == #"{0: 'person', 1: 'yes', 2: 'it\'s', 3: '7'}"#)
        #expect(values["args"] == "{'half': False, 'fraction': 1.0, 'data': None}")
        #expect(values["end2end"] == "False")
        #expect(values["kpt_shape"] == "[17, 3]")
        let metadata = try ModelMetadata(values)
        #expect(metadata.classNames == ["person", "yes", "it's", "7"])
        #expect(metadata.imageSize == ImageSize(height: 640, width: 480))
    }

    @Test func `an empty file says nothing`() throws {
        #expect(try values("").isEmpty)
        #expect(try values("# nothing\n").isEmpty)
    }

    @Test(arguments: ["- a\n- b", "just words", "a: [1", "a: *missing", "? [x]\n: 1", "\u{1}"])
    func `what is no list of keys is invalid`(text: String) {
        #expect(throws: VisionError.self) { try values(text) }
    }

    @Test(arguments: [
        ("a: [1", "while parsing a flow sequence in line 1, column 4: did not find expected ',' or ']'"),
        ("a: *missing", "1:4: error: composer: found undefined alias"), ("a: 1\na: 2", "duplicated key(s): 'a'."),
    ])
    func `the message says what the parser found`(text: String, words: String) {
        #expect(error { () throws(VisionError) in _ = try values(text) }?.message.contains(words) == true)
    }

    @Test func `a small file cannot become a large value, nor a deep one exhaust the stack`() {
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            bomb += "a\(level): &a\(level) [" + (0..<9).map { _ in "*a\(level - 1)" }.joined(separator: ", ") + "]\n"
        }
        #expect(throws: VisionError.self) { try values(bomb) }
        #expect(throws: VisionError.self) { try values("a: " + String(repeating: "[", count: 200_000)) }
        #expect(throws: VisionError.self) {
            try values("a: " + String(repeating: "x", count: YAMLMetadata.maxByteCount))
        }
    }
}
