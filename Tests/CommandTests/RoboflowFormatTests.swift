// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqVision

@testable import yoloq

/// What Roboflow's server would have answered, from stored records.
struct RoboflowFormatTests {
    private func object(_ record: ResultRecord) throws -> [String: Any] {
        let data = Data(record.roboflow.description.utf8)
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private func predictions(_ record: ResultRecord) throws -> [[String: Any]] {
        try #require(try object(record)["predictions"] as? [[String: Any]])
    }

    @Test func `a box is its centre and its sides`() throws {
        let record = try storedRecord(storedBox(), image: (640, 480), inference: 33.1)
        let answer = try object(record)
        #expect(Set(answer.keys) == ["inference_id", "time", "image", "predictions"])
        #expect(answer["time"] as? Double == 0.0331)
        #expect(answer["image"] as? [String: Int] == ["width": 640, "height": 480])
        let prediction = try #require(try predictions(record).first)
        let numbers = ["x": 2, "y": 3.25, "width": 2, "height": 1.5, "confidence": 0.5]
        for (key, value) in numbers { #expect(prediction[key] as? Double == value, "\(key)") }
        #expect(prediction["class"] as? String == "cat" && prediction["class_id"] as? Int == 7)
        #expect(Set(prediction.keys) == Set(numbers.keys).union(["class", "class_id", "detection_id"]))
    }

    @Test func `masks and oriented boxes have points`() throws {
        let outline = storedBox(more: #","segments":{"x":[1,2,4],"y":[8,4,0]}"#)
        let points = try predictions(storedRecord(outline, task: "segment"))[0]["points"] as? [[String: Double]]
        #expect(points == [["x": 1, "y": 8], ["x": 2, "y": 4], ["x": 4, "y": 0]])
        let turned = try predictions(storedRecord(storedTurned, task: "obb"))[0]
        #expect((turned["points"] as? [[String: Double]])?.first == ["x": 7, "y": 6])
        #expect(turned["x"] as? Double == 4.5 && turned["width"] as? Double == 7)
    }

    @Test(arguments: [(17, "nose", "right_ankle"), (2, "0", "1")])
    func `17 keypoints are those of a person, and others have numbers`(
        count: Int,
        first: String,
        last: String
    ) throws {
        let places = Array(repeating: "3", count: count).joined(separator: ",")
        let more = #","keypoints":{"x":[\#(places)],"y":[\#(places)]}"#
        let prediction = try predictions(storedRecord(storedBox(more: more), task: "pose"))[0]
        let keypoints = try #require(prediction["keypoints"] as? [[String: Any]])
        #expect(keypoints.count == count)
        #expect(keypoints.first?["class"] as? String == first && keypoints.last?["class"] as? String == last)
        #expect(keypoints.last?["class_id"] as? Int == count - 1 && keypoints.last?["confidence"] as? Double == 1)
    }

    @Test func `classes of the whole image end with the best one`() throws {
        let classes = [("leaf", 1, 0.9), ("tree", 2, 0.1)].map {
            #"{"name":"\#($0)","class":\#($1),"confidence":\#($2)}"#
        }
        let record = try storedRecord(classes.joined(separator: ","), task: "classify")
        let answer = try object(record)
        #expect(answer["top"] as? String == "leaf" && answer["confidence"] as? Double == 0.9)
        let expected: [NSDictionary] = [
            ["class": "leaf", "class_id": 1, "confidence": 0.9], ["class": "tree", "class_id": 2, "confidence": 0.1],
        ]
        #expect(try predictions(record) as [NSDictionary] == expected)
    }

    @Test func `ids stay what they are, whatever is shown, and no two are the same`() throws {
        let boxes = [storedBox("cat", confidence: 0.9), storedBox("dog"), storedBox("dog")].joined(separator: ",")
        func record(_ job: String, sha256: String = "a") throws -> ResultRecord {
            var record = try storedRecord(boxes, sha256: sha256)
            record.job = job
            return record
        }
        func ids(_ record: ResultRecord) throws -> [String] {
            try [object(record)["inference_id"] as? String ?? ""]
                + predictions(record).compactMap { $0["detection_id"] as? String }
        }
        let all = try ids(record("1"))
        #expect(try ids(record("1")) == all)
        let dogs = try ids(PredictionFilter(classes: "dog")(record("1")))
        #expect(dogs == [all[0], all[2], all[3]])
        let others = try ids(record("2")) + ids(record("1", sha256: "b"))
        #expect(Set(all + others).count == 12)
        for id in all {
            #expect(id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        }
    }
}
