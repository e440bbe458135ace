// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqVision

/// Reads a card file; its error is a `VisionError`.
private func card(_ text: String) throws(VisionError) -> CardFile {
    let bytes = Array(text.utf8)
    return try bytes.withUnsafeBufferPointer { bytes throws(VisionError) in
        try CardFile(json: UnsafeRawBufferPointer(bytes))
    }
}

struct CardFileTests {
    @Test func `every key is taken in the form of ONNX metadata`() throws {
        let file = try card(
            """
            {"task": "pose", "names": ["person", "it's"], "family": "yolox", "stride": 32, "imgsz": [416, 640],
             "kpt_shape": [17, 3], "channels": 3, "end2end": true, "description": "d", "source": "s", "license": "l"}
            """
        )
        #expect(
            file.values == [
                "task": "pose", "names": #"['person', 'it\'s']"#, "family": "yolox", "stride": "32",
                "imgsz": "[416, 640]",
                "kpt_shape": "[17, 3]", "channels": "3", "end2end": "True", "description": "d", "source": "s",
                "license": "l",
            ]
        )
        #expect(file.values.count == CardFile.Key.allCases.count)
    }

    @Test func `names come in any order of an object, and one size means both sides`() throws {
        let file = try card(#"{"names": {"1": "b", "0": "a", "2": "ü 😀 \n"}, "imgsz": 416}"#)
        let metadata = try ModelMetadata(file.values)
        #expect(metadata.classNames == ["a", "b", "ü 😀 \n"])
        #expect(metadata.imageSize == ImageSize(height: 416, width: 416))
    }

    @Test(arguments: [
        (#"{"name": ["a"]}"#, "Did you mean \"names\"?"), (#"{"Names": ["a"]}"#, "Did you mean \"names\"?"),
        (#"{"famly": "x"}"#, "Did you mean \"family\"?"), (#"{"wombat": 1}"#, "The keys are task, names, family"),
        (#"{"task": "detection"}"#, "The tasks are detect, segment"), (#"{"task": 1}"#, "task is no text"),
        (#"{"names": []}"#, "empty"), (#"{"names": {"0": "a", "2": "b"}}"#, "none has the number 1"),
        (#"{"names": [1]}"#, "no text"), (#"{"names": "person"}"#, "neither a list nor an object"),
        (#"{"stride": "32"}"#, "no whole number"), (#"{"stride": 1.5}"#, "no whole number"),
        (#"{"stride": 0}"#, "stride"), (#"{"imgsz": [416]}"#, "[height, width]"), (#"{"imgsz": [0, 1]}"#, "imgsz"),
        (#"{"kpt_shape": [17, 4]}"#, "kpt_shape"), (#"{"end2end": 1}"#, "neither true nor false"),
        (#"{"family": ""}"#, "family is empty"), ("[]", "no object"), ("{", "not JSON"), ("", "not JSON"),
    ])
    func `what cannot be meant is refused in words`(text: String, words: String) throws {
        let error = try #require(throws: VisionError.self) { try card(text) }
        #expect(error.code == .modelInvalid)
        #expect(error.message.contains("card file"))
        #expect(error.message.contains(words), "\(error.message)")
    }

    @Test func `nesting without end is no JSON of ours`() {
        let deep =
            #"{"names": "# + String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000) + "}"
        #expect(throws: VisionError.self) { try card(deep) }
        let large = #"{"description": ""# + String(repeating: "x", count: CardFile.maxByteCount) + "\"}"
        #expect(throws: VisionError.self) { try card(large) }
    }

    @Test func `a card fills in what a model lacks and overrides what it has`() throws {
        let bytes = TinyModel(metadata: [("task", "detect"), ("stride", "32"), ("version", "1")]).bytes
        let file = try card(#"{"stride": 64, "names": \#(names(80)), "family": "yolov9"}"#)
        let card = try bytes.withUnsafeBytes { try ModelCard(onnx: $0, card: file) }
        #expect(card.stride == 64)
        #expect(card.classNames.count == 80)
        #expect(card.classNames[79] == "n79")
        #expect(card.family == "yolov9")
        #expect(card.metadata["version"] == "1")
        let plain = try bytes.withUnsafeBytes { try ModelCard(onnx: $0) }
        #expect(plain.stride == 32)
        #expect(plain.family == nil)
    }

    private func names(_ count: Int) -> String { "[" + (0..<count).map { "\"n\($0)\"" }.joined(separator: ", ") + "]" }
}
