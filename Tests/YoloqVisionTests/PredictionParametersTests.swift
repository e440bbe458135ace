// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

@Suite struct PredictionParametersTests {
    @Test func `the defaults are valid and those of the reference`() throws {
        let parameters = PredictionParameters()
        try parameters.validate()
        #expect(parameters.confidenceThreshold == 0.25)
        #expect(parameters.iouThreshold == 0.7)
        #expect(parameters.maxDetections == 300)
    }

    @Test func `parameters survive JSON`() throws {
        var parameters = PredictionParameters()
        parameters.confidenceThreshold = 0.001
        parameters.iouThreshold = 0.3
        parameters.maxDetections = 7
        parameters.classes = [0, 16]
        parameters.isClassAgnostic = true
        parameters.imageSize = 320
        parameters.letterbox = .rect
        parameters.family = "yolox"
        let json = try JSONEncoder().encode(parameters)
        #expect(try JSONDecoder().decode(PredictionParameters.self, from: json) == parameters)
    }

    @Test func `the JSON keys are Ultralytics' own, and all are written`() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = String(decoding: try encoder.encode(PredictionParameters()), as: UTF8.self)
        #expect(
            json == #"{"agnostic_nms":false,"classes":null,"conf":0.25,"family":null,"imgsz":null,"iou":0.7,"#
                + #""letterbox":"auto","max_det":300,"retina_masks":false,"slice":null}"#
        )
    }

    @Test func `missing keys take their defaults`() throws {
        let parameters = try JSONDecoder().decode(PredictionParameters.self, from: Data(#"{"conf": 0.5}"#.utf8))
        #expect(parameters.confidenceThreshold == 0.5)
        #expect(parameters.maxDetections == 300)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(PredictionParameters.self, from: Data(#"{"letterbox": "square"}"#.utf8))
        }
    }

    @Test(arguments: Invalid.all)
    fileprivate func `what is out of range is refused by name`(invalid: Invalid) throws {
        var parameters = PredictionParameters()
        invalid.change(&parameters)
        let refused = try #require(error { () throws(VisionError) in try parameters.validate() })
        #expect(refused.code == .badParameters)
        #expect(refused.message.contains(invalid.testDescription), "\(refused)")
    }
}

/// A change that makes parameters invalid, and what the message must say.
private struct Invalid: CustomTestStringConvertible {
    let testDescription: String
    let change: @Sendable (inout PredictionParameters) -> Void

    static let all = [
        Invalid(testDescription: "conf -0.1") { $0.confidenceThreshold = -0.1 },
        Invalid(testDescription: "conf 25.0") { $0.confidenceThreshold = 25 },
        Invalid(testDescription: "conf nan") { $0.confidenceThreshold = .nan },
        Invalid(testDescription: "iou 70.0") { $0.iouThreshold = 70 },
        Invalid(testDescription: "iou nan") { $0.iouThreshold = .nan },
        Invalid(testDescription: "max_det 0") { $0.maxDetections = 0 },
        Invalid(testDescription: "max_det 30001") { $0.maxDetections = 30_001 },
        Invalid(testDescription: "imgsz 0") { $0.imageSize = 0 },
        Invalid(testDescription: "imgsz 100000") { $0.imageSize = 100_000 },
        Invalid(testDescription: "classes") { $0.classes = [] },
        Invalid(testDescription: "class -1") { $0.classes = [3, -1] },
    ]
}
