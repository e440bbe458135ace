// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

@Suite struct ModelCardTests {
    @Test func `a static detect model is read`() throws {
        let card = try read(TinyModel(metadata: TinyModel.metadata(classCount: 80)))
        #expect(card.task == .detect)
        #expect(card.classNames.count == 80)
        #expect(card.classNames[79] == "c79")
        #expect(card.stride == 32)
        #expect(card.imageSize == ImageSize(height: 640, width: 640))
        #expect(!card.isDynamic)
        #expect(card.inputShape == [1, 3, 640, 640])
        #expect(card.outputShapes == [[1, 84, 8400]])
        #expect(card.head == .anchors)
        #expect(card.metadata["batch"] == "1")
    }

    @Test func `a dynamic model has free sides and its metadata's size`() throws {
        var model = TinyModel(input: [nil, 3, nil, nil], outputs: [[nil, nil, nil]])
        model.metadata = TinyModel.metadata(classCount: 80, isDynamic: true)
        let card = try read(model)
        #expect(card.isDynamic)
        #expect(card.imageSize == ImageSize(height: 640, width: 640))
        #expect(card.inputShape == [nil, 3, nil, nil])
        #expect(card.head == .anchors)
    }

    @Test func `fixed sides outweigh the metadata`() throws {
        var model = TinyModel(input: [1, 3, 384, 640], outputs: [[1, 84, 5040]])
        model.metadata = TinyModel.metadata(classCount: 80, isDynamic: true)
        let card = try read(model)
        #expect(!card.isDynamic)
        #expect(card.imageSize == ImageSize(height: 384, width: 640))
    }

    @Test func `inputs that are initializers are left out`() throws {
        var model = TinyModel(metadata: TinyModel.metadata(classCount: 80))
        model.listedInitializers = ["model.0.weight", "model.0.bias"]
        #expect(try read(model).inputShape == [1, 3, 640, 640])
    }

    @Test func `the end-to-end head is known by its flag, by args nms and by its shape`() throws {
        var model = TinyModel(outputs: [[1, 300, 6]])
        model.metadata = TinyModel.metadata(classCount: 80, isEndToEnd: true)
        #expect(try read(model).head == .endToEnd)
        model.metadata = [("names", "{0: 'a', 1: 'b', 2: 'c'}"), ("task", "detect"), ("args", "{'nms': True}")]
        #expect(try read(model).head == .endToEnd)
        model.metadata.removeLast()
        #expect(try read(model).head == .endToEnd)
        model.metadata = []
        let card = try read(model)
        #expect(card.head == .endToEnd)
        #expect(card.classNames.isEmpty)
    }

    @Test func `args nms False denies nothing, end2end False does`() throws {
        var model = TinyModel(outputs: [[1, 300, 6]])
        model.metadata = [("names", "{0: 'a', 1: 'b', 2: 'c'}"), ("task", "detect"), ("args", "{'nms': False}")]
        #expect(try read(model).head == .endToEnd)
        model.metadata.append(("end2end", "False"))
        #expect(throws: VisionError.self) { try read(model) }
    }

    @Test func `an RT-DETR is told by what it is, not by where its data lay`() throws {
        var model = TinyModel(metadata: TinyModel.metadata(classCount: 80))
        model.metadata.removeAll { $0.0 == "description" }
        model.metadata.append(("description", "Ultralytics YOLO11n model trained on /home/me/rt-detr/data.yaml"))
        #expect(try read(model).head == .anchors)
        model.metadata[model.metadata.count - 1].1 = "Ultralytics RTDETR-l model trained on coco.yaml"
        #expect(throws: VisionError.self) { try read(model) }
    }

    @Test(arguments: [[1, 2_000_000_000, 10], [1, 10, 2_000_000_000]])
    func `an output of absurd size is refused or makes no names`(shape: [Int]) throws {
        var model = TinyModel(outputs: [shape, [1, 32, 160, 160]])
        model.metadata = [("task", "segment")]
        let names = error { () throws(VisionError) in _ = try read(model) } == nil ? try read(model).classNames : []
        #expect(names.count < 100)
    }

    @Test func `a model without metadata has numbered classes`() throws {
        let card = try read(TinyModel(outputs: [[1, 7, 8400]]))
        #expect(card.classNames == ["class0", "class1", "class2"])
        #expect(card.head == .anchors)
    }

    @Test func `names may be a list, size a number, and args no literal`() throws {
        var model = TinyModel(input: [nil, 3, nil, nil], outputs: [[nil, 6, nil]])
        model.metadata = [
            ("names", "['a', 'b']"), ("imgsz", "320"), ("args", "{'device': device(type='cpu')}"), ("task", "detect"),
        ]
        let card = try read(model)
        #expect(card.classNames == ["a", "b"])
        #expect(card.imageSize == ImageSize(height: 320, width: 320))
        #expect(card.isDynamic)
    }

    @Test(arguments: [
        ("segment", [[1, 72, 8400], [1, 32, 160, 160]]), ("pose", [[1, 91, 8400]]), ("obb", [[1, 41, 8400]]),
        ("classify", [[1, 36]]),
    ])
    func `every task has a card`(task: String, outputs: [[Int]]) throws {
        let card = try read(TinyModel(outputs: outputs, metadata: TinyModel.metadata(classCount: 36, task: task)))
        #expect(card.task.rawValue == task)
        #expect(card.classNames.count == 36)
        #expect(card.head == (task == "classify" ? .scores : .anchors))
        #expect(card.keypointShape == (task == "pose" ? KeypointShape(count: 17, dimensions: 3) : nil))
    }

    @Test func `keypoints are as many as the metadata says`() throws {
        var model = TinyModel(
            outputs: [[1, 4 + 1 + 8, 8400]],
            metadata: TinyModel.metadata(classCount: 1, task: "pose")
        )
        model.metadata.append(("kpt_shape", "[4, 2]"))
        #expect(try read(model).keypointShape == KeypointShape(count: 4, dimensions: 2))
        model.metadata[model.metadata.count - 1].1 = "[4, 7]"
        #expect(error { () throws(VisionError) in _ = try read(model) }?.code == .modelInvalid)
    }

    @Test func `a file that does not say its task is told by its outputs`() throws {
        #expect(try read(TinyModel(outputs: [[1, 116, 8400], [1, 32, 160, 160]])).task == .segment)
        #expect(try read(TinyModel(outputs: [[1, 116, 8400], [1, 32, 160, 160]])).classNames.count == 80)
        let classifier = try read(TinyModel(input: [1, 3, 224, 224], outputs: [[1, 1000]]))
        #expect(classifier.task == .classify && classifier.classNames.count == 1000)
    }

    @Test(arguments: Recognition.all)
    fileprivate func `a layout is known by its shape and names`(recognition: Recognition) throws {
        let card = try read(recognition.model)
        #expect(card.head == recognition.head)
        #expect(card.classNames.count == recognition.classCount)
    }

    @Test(arguments: Refusal.all)
    fileprivate func `what cannot be used is refused with a reason`(refusal: Refusal) throws {
        let refused = try #require(error { () throws(VisionError) in _ = try read(refusal.model).read(as: nil) })
        #expect(refused.code == refusal.code)
        #expect(refused.message.contains(refusal.words), "\(refused)")
    }

    @Test(arguments: [("yolox", HeadLayout.grid), ("yolox-decoded", .decodedGrid), ("YOLOv5", .objectness)])
    fileprivate func `who names the family decides what shapes do not tell`(family: String, head: HeadLayout) throws {
        let card = try read(TinyModel(outputs: [[1, 8400, 85]]))
        #expect(card.doubt?.message.contains("--family") == true)
        let decided = try card.read(as: family)
        #expect(decided.doubt == nil)
        #expect(decided.head == head)
        #expect(decided.family == family)
        #expect(decided.classNames.count == 80)
        #expect(decided.inputForm == (family == "YOLOv5" ? .centred : .topLeft))
        #expect(try decided.read(as: "yolov5").head == .objectness)
    }

    @Test func `a family that the outputs cannot be of, or that does not exist, is refused`() throws {
        let card = try read(TinyModel(outputs: [[1, 84, 8400]], metadata: TinyModel.metadata(classCount: 80)))
        #expect(try card.read(as: nil) == card)
        let wrong = error { () throws(VisionError) in _ = try card.read(as: "yolov5") }
        #expect(wrong?.message.contains("yolov5") == true && wrong?.message.contains("[1, 84, 8400]") == true)
        let unknown = error { () throws(VisionError) in _ = try card.read(as: "yolo9000") }
        #expect(unknown?.message.contains("yolov9") == true)
    }

    @Test func `files that are no models are named for what they are`() {
        func message(_ text: String) -> String {
            error { () throws(VisionError) in _ = try read(Array(text.utf8)) }?.message ?? ""
        }
        #expect(message("").contains("is empty"))
        #expect(message("version https://git-lfs.github.com/spec/v1\noid").contains("git lfs pull"))
        #expect(message("PK\u{3}\u{4}archive/data.pkl").contains("yolo export"))
        #expect(message("<html>").contains("cannot read the model"))
    }

    @Test func `a file cut anywhere is an error or, past its graph, a poorer card`() {
        let bytes = TinyModel(metadata: TinyModel.metadata(classCount: 3)).bytes
        for count in bytes.indices {
            _ = error { () throws(VisionError) in _ = try read(Array(bytes.prefix(count))) }
        }
        #expect(error { () throws(VisionError) in _ = try read(Array(bytes.dropLast())) }?.code == .modelInvalid)
    }

    @Test func `hostile lengths and dimensions are errors`() throws {
        #expect(error { () throws(VisionError) in _ = try read([0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]) } != nil)
        #expect(
            error { () throws(VisionError) in _ = try read([0x3A] + Array(repeating: 0xFF, count: 9) + [0x01]) } != nil
        )
        #expect(error { () throws(VisionError) in _ = try read(Array(repeating: 0xFF, count: 40)) } != nil)
        for shape in [[1, .max, .max], [1, 1 << 31, 8], [1, 1 << 30, 1 << 30 + 1], [1, 2, 3, 4, 5, 6, 7, 8, 9]] {
            #expect(error { () throws(VisionError) in _ = try read(TinyModel(outputs: [shape])).read(as: nil) } != nil)
            for family in ["yolov8", "yolov5", "yolo26", "yolox", "rtdetr"] {
                // Whatever comes of it, it ends.
                _ = error { () throws(VisionError) in _ = try read(TinyModel(outputs: [shape])).read(as: family) }
            }
        }
        let huge = TinyModel(input: [1, 3, 1 << 30, 1 << 30])
        #expect(error { () throws(VisionError) in _ = try read(huge) } != nil)
    }

    @Test func `classes are found by name or number`() throws {
        let card = ModelCard(classNames: ["person", "traffic light", "dog", "7", "dog"])
        #expect(try card.classIndices(for: ["dog", "person", "1", "dog"]) == [2, 4, 0, 1])
        #expect(try card.classIndices(for: ["7"]) == [3])
        #expect(try card.classIndices(for: []) == [])
    }

    @Test func `an unknown class is refused with the names nearby`() {
        let card = ModelCard(classNames: ["person", "traffic light", "dog", "hot dog"])
        func message(_ name: String) -> String {
            error { () throws(VisionError) in _ = try card.classIndices(for: [name]) }?.message ?? ""
        }
        #expect(message("Person").contains("Did you mean person?"))
        #expect(message("persn").contains("Did you mean person?"))
        #expect(message("light").contains("Did you mean traffic light?"))
        #expect(message("xylophone").contains("It has person, traffic light, dog, hot dog."))
        #expect(message("4").contains("classes 0 to 3"))
        #expect(message("").contains("no such class"))
    }
}

/// A model that says little, and what it is.
private struct Recognition: CustomTestStringConvertible {
    let testDescription: String
    let model: TinyModel
    let head: HeadLayout
    var classCount = 80

    static let all = [
        Recognition(
            testDescription: "YOLOv5",
            model: TinyModel(outputs: [[1, 25200, 85]], metadata: [("stride", "32"), ("names", names(80))]),
            head: .objectness
        ),
        Recognition(
            testDescription: "YOLOv5, dynamic",
            model: TinyModel(
                input: [nil, 3, nil, nil],
                outputs: [[nil, nil, 85]],
                metadata: [("stride", "32"), ("names", names(80))]
            ),
            head: .objectness
        ),
        Recognition(
            testDescription: "YOLOv5 of one class",
            model: TinyModel(outputs: [[1, 25200, 6]], metadata: [("stride", "32"), ("names", names(1))]),
            head: .objectness,
            classCount: 1
        ),
        Recognition(
            testDescription: "YOLOv5 with masks",
            model: TinyModel(
                outputs: [[1, 25200, 117], [1, 32, 160, 160]],
                metadata: [("stride", "32"), ("names", names(80))]
            ),
            head: .objectness
        ),
        Recognition(
            testDescription: "YOLOv5 without metadata",
            model: TinyModel(outputs: [[1, 25200, 85]]),
            head: .objectness
        ),
        Recognition(
            testDescription: "YOLO26 with masks",
            model: TinyModel(
                outputs: [[1, 300, 38], [1, 32, 160, 160]],
                metadata: TinyModel.metadata(classCount: 80, task: "segment", isEndToEnd: true)
            ),
            head: .endToEnd
        ),
        Recognition(
            testDescription: "RT-DETR without metadata",
            model: TinyModel(outputs: [[1, 300, 84]]),
            head: .queries
        ),
        Recognition(
            testDescription: "RT-DETR that chooses",
            model: TinyModel(
                outputs: [[nil, nil, 6]],
                metadata: TinyModel.metadata(classCount: 80) + [("head", "RTDETRDecoder")]
            ),
            head: .chosenQueries
        ),
        Recognition(
            testDescription: "RT-DETR with metadata",
            model: TinyModel(outputs: [[1, 300, 84]], metadata: TinyModel.metadata(classCount: 80)),
            head: .queries
        ),
    ]
}

private func names(_ count: Int) -> String {
    "{" + (0..<count).map { "\($0): 'n\($0)'" }.joined(separator: ", ") + "}"
}

/// A model that must not be taken, and what the message must say.
private struct Refusal: CustomTestStringConvertible {
    let testDescription: String
    let model: TinyModel
    var code = VisionError.Code.unsupportedModel
    let words: String

    static let all = [
        Refusal(
            testDescription: "YOLOv5 of one class, dynamic",
            model: TinyModel(
                input: [nil, 3, nil, nil],
                outputs: [[nil, nil, 6]],
                metadata: [("stride", "32"), ("names", names(1))]
            ),
            words: "yolov5"
        ),
        Refusal(testDescription: "YOLOX", model: TinyModel(outputs: [[1, 8400, 85]]), words: "yolox-decoded"),
        Refusal(testDescription: "YOLOX of one class", model: TinyModel(outputs: [[1, 8400, 6]]), words: "yolox"),
        Refusal(
            testDescription: "segment without prototypes",
            model: TinyModel(metadata: TinyModel.metadata(classCount: 80, task: "segment")),
            code: .modelInvalid,
            words: "prototypes"
        ),
        Refusal(
            testDescription: "RT-DETR or end-to-end",
            model: TinyModel(outputs: [[1, 300, 6]], metadata: [("names", names(2))]),
            words: "2 classes"
        ),
        Refusal(
            testDescription: "RT-DETR of two classes",
            model: TinyModel(
                outputs: [[1, 300, 6]],
                metadata: TinyModel.metadata(classCount: 2) + [("head", "RTDETRDecoder")]
            ),
            words: "rtdetr-topk"
        ),
        Refusal(testDescription: "pose without metadata", model: TinyModel(outputs: [[1, 56, 8400]]), words: "pose"),
        Refusal(
            testDescription: "nothing known",
            model: TinyModel(input: [nil, 3, nil, nil], outputs: [[nil, nil, nil]]),
            words: "no metadata"
        ),
        Refusal(
            testDescription: "raw heads",
            model: TinyModel(outputs: [[1, 144, 80, 80], [1, 144, 40, 40]]),
            words: "output with the boxes"
        ),
        Refusal(
            testDescription: "odd anchor count",
            model: TinyModel(outputs: [[1, 84, 8401]]),
            words: "[1, 84, 8401]"
        ),
        Refusal(
            testDescription: "names and shape contradict",
            model: TinyModel(metadata: TinyModel.metadata(classCount: 79)),
            code: .modelInvalid,
            words: "79 classes"
        ),
        Refusal(
            testDescription: "flag and shape contradict",
            model: TinyModel(outputs: [[1, 300, 6]], metadata: TinyModel.metadata(classCount: 80)),
            code: .modelInvalid,
            words: "end-to-end"
        ),
        Refusal(testDescription: "uint8", model: TinyModel(elementType: 2), words: "of type u8, not of 32-bit"),
        Refusal(testDescription: "int64", model: TinyModel(elementType: 7), words: "of type i64, not of 32-bit"),
        Refusal(testDescription: "float64", model: TinyModel(elementType: 11), words: "of type f64, not of 32-bit"),
        Refusal(testDescription: "NHWC", model: TinyModel(input: [1, 640, 640, 3]), words: "(1, 3, height, width)"),
        Refusal(testDescription: "batch of 65", model: TinyModel(input: [65, 3, 640, 640]), words: "batch=1"),
        Refusal(
            testDescription: "batch that its output does not have",
            model: TinyModel(input: [8, 3, 640, 640], outputs: [[1, 84, 8400]]),
            words: "batches of 8"
        ),
        Refusal(testDescription: "unknown task", model: TinyModel(metadata: [("task", "depth")]), words: "depth"),
        Refusal(
            testDescription: "holes in the names",
            model: TinyModel(metadata: [("names", "{0: 'a', 2: 'b'}")]),
            code: .modelInvalid,
            words: "names"
        ),
        Refusal(
            testDescription: "absurd size",
            model: TinyModel(metadata: [("imgsz", "[640, -1]")]),
            code: .modelInvalid,
            words: "imgsz"
        ),
        Refusal(
            testDescription: "absurd stride",
            model: TinyModel(metadata: [("stride", "0")]),
            code: .modelInvalid,
            words: "stride"
        ),
    ]
}

private func read(_ model: TinyModel) throws(VisionError) -> ModelCard {
    try read(model.bytes)
}

private func read(_ bytes: [UInt8]) throws(VisionError) -> ModelCard {
    try bytes.withUnsafeBufferPointer { bytes throws(VisionError) in try ModelCard(onnx: UnsafeRawBufferPointer(bytes))
    }
}
