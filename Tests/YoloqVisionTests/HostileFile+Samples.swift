// SPDX-License-Identifier: Apache-2.0

@testable import YoloqVision

extension HostileFile {
    /// Words of the format, and others that may follow from it.
    var tokens: [String] {
        let common = [
            "names", "task", "stride", "imgsz", "args", "end2end", "kpt_shape", "family", "description", "head",
            "channels", "segment", "pose", "obb", "classify", "detect", "yolox", "yolov5", "rtdetr", "RTDETRDecoder",
            "True", "{'nms': True}", "[640, 640]", "{0: 'a', 1: 'b'}", "é",
            "e" + String(repeating: "\u{301}", count: 999),
        ]
        let own =
            switch self {
            case .onnx, .mask: [String]()
            case .openvino:
                [
                    "<", ">", "</", "/>", "\"", "'", "=", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!DOCTYPE",
                    "&lt;", "&#65;", "&#x110000;", "&#xD800;", "&", ";", "<net>", "</net>", "<layers>", "</layers>",
                    "<layer type=\"Result\" name=\"y\">", "</layer>", "<layer type='Parameter'/>", "<input>", "<port>",
                    "<dim>1</dim>", "<data shape=\"?,3,...\" element_type=\"f32\"/>", "..", "?", "-1", "\0", "\n",
                ]
            case .yaml:
                [
                    "\n", "\n- ", "\n  ", ": ", "{", "}", "[", "]", ",", "&a ", "*a", "*a ", "<<: ", "? ", "| ", "> ",
                    "'", "\"", "#", "---\n", "...\n", "%YAML 1.1\n", "!!int ", "!!binary ", "! ", "\t", "\\x41",
                    "\\ud800", "~", "null", ".inf", "\u{2028}", "\u{feff}", "x: &a [1]\n", "- *a\n",
                ]
            case .python:
                [
                    "{", "}", "[", "]", "(", ")", ",", ": ", "'", "\"", "\\", "\\x4", "\\u00e9", "\\U00110000", "None",
                    "False", "1e999", "-", "+", ".", "{(1,): 'a'}", "((), )", "\n",
                ]
            case .json:
                [
                    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "null", "true", "false", "1e999",
                    "\"names\": [\"a\"],", "\"license\":", "\"source\":", "\"wombat\":", "/*", "//", "'", "NaN", "\0",
                ]
            }
        return own + own + common
    }

    /// What stands around values.
    var separators: [UInt8] {
        switch self {
        case .openvino: Array("\"'<>".utf8)
        case .onnx, .yaml, .python, .json, .mask: Array(",:{}[]()\n".utf8)
        }
    }

    /// What can be a value, right or wrong.
    var values: [String] {
        switch self {
        case .openvino:
            [
                "1,3,64,64", "?,3,?,?", "1,3,-1,64..128", "...", "2,3,64,64", "1,1,1,1,1,1,1,1,1", "0", "Parameter",
                "Result",
                "f16", "FP32", "i64", "&amp;&#x41;", "", "layer ", "/layer", "dim", "/dim", "input", "data shape=",
            ]
        case .yaml:
            [
                " [64, 64]", " {0: a, 1: b}", " 'x'", " 1", " -1", " true", " ~", " |\n  x", "\n- a\n- b", " *id001",
                " &a b",
                " !!str 1", " pose", " 1.5", " 0x10", " 1e999", "", " yes", " [17, 3]", "\n  0: a\n  1: b",
            ]
        case .onnx, .python, .mask:
            [
                "[1, 2]", " 'a'", " None", " True", " {0: 'a'}", " (1, 2)", " 1.5", " -1", " 99999999999999999999",
                " []", " ()",
                " {}", " \"\\u00e9\"", " 01", " +1", " 0",
            ]
        case .json:
            [
                " [\"a\", \"b\"]", " {\"0\": \"a\"}", " \"x\"", " 12", " -1", " true", " null", " [64, 64]", " [17, 3]",
                " 1.5",
                " 1e3", " 32.0", " \"yolox\"", " \"segment\"", " \"\\ud83d\\ude00\"", " []", " {}", " [[1]]", " 1e999",
            ]
        }
    }

    /// What can be nested.
    var brackets: [(String, String)] {
        switch self {
        case .onnx, .mask, .python: [("[", "]"), ("(", ")"), ("{1: ", "}")]
        case .openvino: [("<a>", "</a>"), ("<layers>", "</layers>"), ("<a", ">")]
        case .yaml: [("[", "]"), ("{a: ", "}"), ("- ", "\n"), ("? ", "\n")]
        case .json: [("[", "]"), ("{\"names\":", "}")]
        }
    }

    /// Sound files.
    var samples: [[UInt8]] {
        switch self {
        case .onnx:
            Self.models.map(\.bytes)
        case .openvino: Self.networks.map { Array($0.utf8) }
        case .yaml: Self.metadata.map { Array($0.utf8) }
        case .python:
            [
                "{0: 'person', 1: \"it's\", 2: 'per\\x41son\\n'}", "['a', 'b', 'c']", "[640, 480]", "(17, 3)",
                "[17, 3]",
                "{'batch': 1, 'half': False, 'nms': None, 'dynamic': True, 'data': ('a', -1.5e3, [])}", "True", "32",
            ].map { Array($0.utf8) }
        case .json:
            [
                """
                {"task": "pose", "names": ["person", "it's"], "family": "yolov8", "stride": 32, "imgsz": [416, 640],
                 "kpt_shape": [17, 3], "channels": 3, "end2end": true, "description": "d", "source": "s", "license": "l"}
                """,
                #"{"names": {"1": "b", "0": "a", "2": "ü 😀 \n \u00e9"}, "imgsz": 64, "end2end": false}"#,
                #"{"task": "detect", "names": ["a", "b", "c"], "family": "yolov9", "description": "RT-DETR trained on x"}"#,
            ].map { Array($0.utf8) }
        case .mask: Self.masks
        }
    }

    private static var models: [TinyModel] {
        func names(_ count: Int) -> [(key: String, value: String)] { TinyModel.metadata(classCount: count) }
        let input = [1, 3, 64, 64]
        var listing = TinyModel(input: input, outputs: [[1, 7, 84]], metadata: names(3))
        listing.listedInitializers = ["weight", "bias"]
        return [
            listing,
            TinyModel(
                input: [nil, 3, nil, nil],
                outputs: [[nil, nil, nil]],
                metadata: TinyModel.metadata(classCount: 3, isDynamic: true) + [("imgsz", "[64, 64]")]
            ),
            TinyModel(
                input: input,
                outputs: [[1, 39, 84], [1, 32, 16, 16]],
                metadata: TinyModel.metadata(classCount: 3, task: "segment")
            ),
            TinyModel(
                input: input,
                outputs: [[1, 13, 84]],
                metadata: TinyModel.metadata(classCount: 1, task: "pose") + [("kpt_shape", "[4, 2]")]
            ),
            TinyModel(
                input: input,
                outputs: [[1, 8, 84]],
                metadata: TinyModel.metadata(classCount: 3, task: "obb")
            ),
            TinyModel(
                input: input,
                outputs: [[1, 10]],
                metadata: TinyModel.metadata(classCount: 10, task: "classify")
            ),
            TinyModel(
                input: input,
                outputs: [[1, 30, 38], [1, 32, 16, 16]],
                metadata: TinyModel.metadata(classCount: 3, task: "segment", isEndToEnd: true)
            ),
            TinyModel(
                input: input,
                outputs: [[1, 252, 8]],
                metadata: [("stride", "32"), ("names", "{0: 'a', 1: 'b', 2: 'c'}")]
            ),
            TinyModel(input: input, outputs: [[1, 84, 8]], metadata: [("family", "yolox")]),
            TinyModel(
                input: [nil, 3, nil, nil],
                outputs: [[nil, 300, 7]],
                metadata: names(3) + [("head", "RTDETRDecoder"), ("imgsz", "64")]
            ),
            TinyModel(input: input, outputs: [[1, 7, 84]]),
            TinyModel(input: [1, 3, 640, 640], outputs: [[1, 8400, 85]]),
        ]
    }

    private static var networks: [String] {
        func network(_ shape: String, _ dims: [[Int]], extra: String = "") -> String {
            let results = dims.enumerated().map { index, dims in
                """
                <layer id="\(9 + index)" name="y\(index)/sink" type="Result" version="opset1">
                <input><port id="0" precision="FP32">\(dims.map { "<dim>\($0)</dim>" }.joined())</port></input>
                </layer>
                """
            }
            return """
                <?xml version="1.0"?>
                <!-- <layer type="Parameter"/> -->
                <net name="m" version="11">
                <layers>
                <layer id="0" name="x &lt;&#65;&#x42;&gt;" type="Parameter" version="opset1">
                <data shape="\(shape)" element_type='f32'/>
                <output><port id="0" precision="FP32" names="images"><dim>1</dim></port></output>
                </layer>
                \(extra)\(results.joined(separator: "\n"))
                </layers>
                <edges><edge from-layer="0" from-port="0" to-layer="9" to-port="0"/></edges>
                <rt_info><Runtime_version value="2026.4"/><![CDATA[ <net> ]]></rt_info>
                </net>
                """
        }
        let loop = """
            <layer id="1" name="l" type="Loop" version="opset5"><body><layers>
            <layer id="0" name="inner" type="Parameter" version="opset1"><data shape="7" element_type="f32"/></layer>
            </layers></body></layer>

            """
        return [
            network("1,3,64,64", [[1, 7, 84]]),
            network("1,3,64,64", [[1, 7, 84]]) + "\0" + metadata[2],
            network("?,3,?,?", [[-1, -1, -1]], extra: loop) + "\0" + metadata[0],
            network("1,3,64,64", [[1, 39, 84], [1, 32, 16, 16]]) + "\0task: segment\nnames: {0: a, 1: b, 2: c}\n",
            network("1..8,3,64,64", [[-1, 30, 6]]) + "\0" + metadata[1],
        ]
    }

    private static let metadata = [
        """
        description: Ultralytics YOLO11n-pose model trained on /data/it's.yaml
        author: Ultralytics
        date: '2026-04-22T00:19:56.617428'
        version: 8.4.30
        stride: 32
        task: pose
        batch: 1
        imgsz: &id001
        - 64
        - 64
        names:
          0: person
          1: yes
          2: 'it''s'
          3: "tab\\t\\u00e9"
        args:
          half: false
          fraction: 1.0
          data: null
          size: *id001
        channels: 3
        end2end: false
        kpt_shape: [17, 3]

        """,
        """
        # a comment
        stride: 32
        task: detect
        imgsz: [64, 64]
        names: {0: a, 1: "b", 2: 'c'}
        description: >
          folded
          text
        args: {nms: true, dynamic: false, list: [1, -2.5e3, ~]}

        """,
        "names:\n- a\n- b\n- c\nstride: 8\ndescription: |\n  kept\n  text\n",
    ]

    private static var masks: [[UInt8]] {
        (1...12).map { (seed: UInt64) in
            let bitmap = RandomBitmap(seed: seed)
            let (height, width) = (UInt8(clamping: bitmap.size.height), UInt8(clamping: bitmap.size.width))
            return [height, width] + Array(bitmap.mask.compressedCounts.utf8)
        }
    }
}
