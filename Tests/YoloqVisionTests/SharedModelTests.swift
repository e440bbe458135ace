// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

@Suite(.enabled(if: Shared.has("weights/yolo11n.onnx"), "needs ../shared/weights"))
struct SharedModelTests {
    @Test func `a dynamic YOLO11 is read`() throws {
        let card = try read("yolo11n.onnx")
        #expect(card.task == .detect)
        #expect(card.head == .anchors)
        #expect(card.isDynamic)
        #expect(card.imageSize == ImageSize(height: 640, width: 640))
        #expect(card.stride == 32)
        #expect(card.inputShape == [nil, 3, nil, nil])
        #expect(card.outputShapes == [[nil, nil, nil]])
        #expect(card.classNames.count == 80)
        #expect(card.classNames[5] == "bus")
        #expect(card.metadata["version"] == "8.4.190")
    }

    @Test func `an end-to-end YOLO26 is read`() throws {
        let card = try read("yolo26n.onnx")
        #expect(card.task == .detect)
        #expect(card.head == .endToEnd)
        #expect(!card.isDynamic)
        #expect(card.imageSize == ImageSize(height: 640, width: 640))
        #expect(card.outputShapes == [[1, 300, 6]])
        #expect(card.classNames.last == "toothbrush")
    }

    @Test(arguments: [
        ("yolov8n-seg.onnx", VisionTask.segment), ("shapes-obb.onnx", .obb), ("leaf-cls.onnx", .classify),
    ])
    func `other tasks are recognised`(file: String, task: VisionTask) throws {
        #expect(try read(file).task == task)
    }

    @Test func `a YOLOX without a card is refused with what it can be`() throws {
        let refused = try #require(throws: VisionError.self) { try read("yolox_nano.onnx").read(as: nil) }
        #expect(refused.code == .unsupportedModel)
        #expect(refused.message.contains("[1, 3549, 85] can be that of yolox"))
        #expect(refused.message.contains("card.json"))
    }

    private func read(_ file: String) throws -> ModelCard {
        try Shared.bytes("weights/" + file).withUnsafeBytes { try ModelCard(onnx: $0) }
    }
}
