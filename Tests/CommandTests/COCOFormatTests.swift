// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqInference
import YoloqVision

@testable import yoloq

/// COCO's result files, from stored records.
struct COCOFormatTests {
    @Test(
        arguments: [
            ("/data/000000000139.jpg", nil, "139", "000000000139.jpg"), ("/data/bus.jpg", nil, #""bus""#, "bus.jpg"),
            ("0.png", nil, "0", "0.png"), ("7", nil, "7", "7"), ("-", nil, #""stdin""#, "stdin"),
            ("/x/99999999999999999999999.jpg", nil, "99999999999999999999999", "99999999999999999999999.jpg"),
            ("https://a.org/b/12.jpg?size=3/4#x", nil, "12", "12.jpg"), ("/x/١٢.jpg", nil, #""١٢""#, "١٢.jpg"),
            ("/x/.hidden", nil, #"".hidden""#, ".hidden"), ("/x/a.tar.gz", nil, #""a.tar""#, "a.tar.gz"),
            ("/x/0012.mp4", 5, #""0012_5""#, "0012.mp4#5"), ("/x/clip.mp4", 0, #""clip_0""#, "clip.mp4#0"),
        ] as [(String, Int?, String, String)]
    )
    func `images go by the name of their file, frames also by their number`(
        source: String,
        frame: Int?,
        id: String,
        name: String
    ) throws {
        var record = try storedRecord(storedBox(), source: source)
        record.frame = frame.map { FrameOfVideo(index: $0, seconds: 1) }
        let text = try #require(try record.coco().first?.description)
        #expect(text.hasPrefix(#"{"image_id":\#(id),"file_name":"\#(name)","category_id":"#))
    }

    @Test func `a box is its upper left corner and its sides, with three decimals`() throws {
        let box = storedBox(confidence: 0.12345, at: (1.00049, 2.5, 3.33333, 1002.00061))
        #expect(
            try storedRecord(box).coco().map(\.description) == [
                #"{"image_id":"a","file_name":"a.jpg","category_id":8,"bbox":[1.0,2.5,2.333,999.501],"score":0.12345}"#
            ]
        )
        #expect(try storedRecord().coco().isEmpty)
    }

    @Test(arguments: [(0, 1), (10, 11), (11, 13), (24, 27), (68, 78), (79, 90)])
    func `a model with COCO's classes has COCO's categories, and any other its classes from 1`(
        number: Int,
        category: Int
    ) throws {
        func member(_ dataset: String?) throws -> Any? {
            let text = try storedRecord(storedBox(class: number), dataset: dataset).coco()[0].description
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            return object?["category_id"]
        }
        #expect(try member("coco") as? Int == category)
        #expect(try member(nil) as? Int == number + 1)
    }

    @Test func `a model is COCO's if it has all of its classes and no others`() {
        #expect(CocoClasses.dataset(of: CocoClasses.names) == "coco")
        #expect(CocoClasses.dataset(of: CocoClasses.names + ["unicorn"]) == nil)
        #expect(CocoClasses.dataset(of: ["person"]) == nil && CocoClasses.dataset(of: []) == nil)
        #expect(CocoClasses.names.count == 80 && CocoClasses.categoryIDs.count == 80)
    }

    @Test func `the registry's YOLOX models are COCO's`() throws {
        struct Registry: Decodable {
            struct Card: Decodable { let names: [String] }
            let cards: [String: Card]
        }
        let data = try Data(contentsOf: Checkout.root.appending(path: "weights/registry.json"))
        #expect(try JSONDecoder().decode(Registry.self, from: data).cards["yolox"]?.names == CocoClasses.names)
    }

    @Test func `keypoints are one flat list, and visible if the model does not say`() throws {
        func keypoints(_ visible: String) throws -> String {
            let more = #","keypoints":{"x":[1.00049,5],"y":[2,6.5]\#(visible)}"#
            return try storedRecord(storedBox(more: more), task: "pose").coco()[0].description
        }
        #expect(try keypoints(#","visible":[0.98765,0]"#).hasSuffix(#""keypoints":[1.0,2.0,0.98765,5.0,6.5,0.0]}"#))
        #expect(try keypoints("").hasSuffix(#""keypoints":[1.0,2.0,1,5.0,6.5,1]}"#))
    }

    @Test func `an oriented box has its corners, itself and the upright box around it`() throws {
        #expect(
            try storedRecord(storedTurned, task: "obb").coco().map(\.description) == [
                #"{"image_id":"a","file_name":"a.jpg","category_id":2,"bbox":[1.0,3.0,7.0,3.0],"score":0.25,"#
                    + #""rbox":[4.5,4.5,6.0,2.123,0.46365],"poly":[7.0,6.0,8.0,4.0,2.0,3.0,1.0,5.0]}"#
            ]
        )
    }

    private func segment(_ mask: RunLengthMask, frame: String, input: ImageSize) throws -> ResultRecord {
        let counts = mask.compressedCounts.replacing("\\", with: "\\\\")
        let size = "[\(mask.size.height),\(mask.size.width)]"
        return try storedRecord(
            storedBox(more: #","mask":{"size":\#(size),"counts":"\#(counts)","frame":"\#(frame)"}"#),
            task: "segment",
            image: (6, 4),
            input: [input.height, input.width]
        )
    }

    private func segmentation(_ record: ResultRecord) throws -> String? {
        let text = try record.coco()[0].description
        return text.range(of: #""segmentation":"#).map { String(text[$0.upperBound...]) }
    }

    @Test func `a mask of the image stays, and one of the input is brought to the image`() throws {
        let image = ImageSize(height: 4, width: 6)
        // Rows 0 and 1 of columns 2 and 3.
        let mask = try RunLengthMask(size: image, counts: [8, 2, 2, 2, 10])
        let expected = #"{"size":[4,6],"counts":"\#(mask.compressedCounts)"}}"#
        #expect(try segmentation(segment(mask, frame: "image", input: image)) == expected)

        // Half as large, with a row of padding above and one below: row 1 of column 1, and all of the padding.
        let input = ImageSize(height: 4, width: 3)
        let small = try RunLengthMask(size: input, counts: [0, 1, 2, 3, 1, 2, 2, 1])
        #expect(try segmentation(segment(small, frame: "input", input: input)) == expected)
    }

    @Test func `a damaged mask is an error that names the job`() throws {
        let image = ImageSize(height: 4, width: 6)
        var record = try segment(RunLengthMask(emptyOf: image), frame: "image", input: image)
        record.job = "17"
        func change(_ change: (inout String, inout [Int]) -> Void) throws {
            var mask = try #require(record.document?.predictions[0].mask)
            change(&mask.counts, &mask.size)
            var damaged = record
            damaged.document?.predictions[0].mask = mask
            let failure = try #require(throws: CommandFailure.self) { try damaged.coco() }
            #expect(failure.status == .inputOutput && failure.message.contains("job 17"))
        }
        try change { counts, _ in counts = "~" }
        try change { _, size in size = [4] }
        try change { _, size in size = [3, 8] }
    }

    @Test func `classes of whole images have no place in it`() throws {
        let record = try storedRecord(#"{"name":"leaf","class":1,"confidence":0.5}"#, task: "classify")
        let failure = try #require(throws: CommandFailure.self) { try record.coco() }
        #expect(failure.status == .usage && failure.message.contains("--format jsonl"))
    }

    @Test func `results of one name are noticed, and those of several names are not`() throws {
        var ids = CocoImageIDs()
        try ids.add(storedRecord(source: "/a/1.jpg"), count: 2)
        try ids.add(storedRecord(source: "/a/2.jpg"), count: 1)
        // Nothing to tell apart.
        try ids.add(storedRecord(source: "/b/1.jpg"), count: 0)
        #expect(ids.note == nil)
        try ids.add(storedRecord(source: "/b/1.png"), count: 1)
        #expect(ids.note?.hasPrefix("1 result with the image_id of another") == true)
    }
}
