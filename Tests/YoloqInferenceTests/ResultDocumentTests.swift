// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqVision

@testable import YoloqInference

struct ResultDocumentTests {
    private let prediction = Prediction(
        classIndex: 1,
        confidence: 0.8976543,
        box: Box(x1: 15.4, y1: 230.5, x2: 801.3125, y2: 740)
    )

    @Test func `a detection is written as the reference's summary does`() {
        #expect(
            ResultDocument.Detection(prediction, names: ["person", "bus"]).json.description
                == #"{"name":"bus","class":1,"confidence":0.89765,"#
                + #""box":{"x1":15.4,"y1":230.5,"x2":801.3125,"y2":740.0}}"#
        )
    }

    @Test func `a class without a name gets one from its number`() {
        #expect(ResultDocument.Detection(prediction, names: []).name == "class1")
    }

    @Test func `a document reads back as what was written, in a fixed order of keys`() throws {
        let document = ResultDocument(
            task: .detect,
            image: ResultDocument.Image(width: 810, height: 1080, sha256: String(repeating: "c", count: 64)),
            warnings: ["a \"quoted\" warning"],
            predictions: [ResultDocument.Detection(prediction, names: ["person", "bus"])],
            provenance: ResultDocument.Provenance(
                modelSHA256: String(repeating: "d", count: 64),
                dataset: "coco",
                engine: "openvino 2026.4.1",
                precision: "f32",
                input: [640, 480],
                letterbox: .rect
            ),
            timing: ResultDocument.Timing(load: 0.1, decode: 6)
        )
        let text = document.encoded(queued: .microseconds(1234))
        var expected = document
        expected.timing.queued = 1.234
        #expect(try ResultDocument(decoding: text) == expected)
        let keys = ["task", "image", "warnings", "predictions", "provenance", "timing_ms"]
        let positions = keys.compactMap { text.range(of: "\"\($0)\":")?.lowerBound }
        #expect(positions.count == keys.count && positions == positions.sorted())

        // The times alone, also where they do not stand last, and not from what is no result.
        let timing = expected.timing
        #expect(ResultDocument.timings(decoding: [text, text]) == [timing, timing])
        let extended = text.dropLast() + #","later":1}"#
        #expect(ResultDocument.timings(decoding: [text, String(extended), "{}", ""]) == [timing, timing])
        #expect(ResultDocument.timings(decoding: []).isEmpty)
    }

    @Test func `a text that is something else is refused`() {
        #expect(throws: DecodingError.self) { try ResultDocument(decoding: "{}") }
    }
}
