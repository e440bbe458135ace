// SPDX-License-Identifier: Apache-2.0

import YoloqInference
import YoloqJobs
import YoloqVision

extension ResultRecord {
    /// The answer that Roboflow's inference server gives for an image; null unless the job succeeded.
    ///
    /// Boxes by their centre, in pixels of the upright image; oriented boxes and masks as points besides. The ids are made of
    /// the job and the place in it, so that the same result always has the same.
    var roboflow: JSONValue {
        guard let document else { return .null }
        let identity = "\(job ?? "") \(frame.map { "\($0.index)" } ?? "") \(source) \(document.image.sha256)"
        let isClassified = document.task == .classify
        let entries = document.predictions.enumerated().map { index, prediction in
            isClassified ? prediction.roboflowClass : prediction.roboflow(id: stableID("\(identity) \(index)"))
        }
        var members: [JSONValue.Member] = [
            .init("inference_id", .string(stableID(identity))),
            .init("time", .double((document.timing.inference * 1000).rounded() / 1_000_000)),
            .init("image", ["width": .int(document.image.width), "height": .int(document.image.height)]),
            .init("predictions", .array(entries)),
        ]
        if isClassified, let best = document.predictions.first {
            members += [.init("top", .string(best.name)), .init("confidence", .double(best.confidence))]
        }
        return .object(members)
    }
}

extension ResultDocument.Detection {
    fileprivate var roboflowClass: JSONValue {
        ["class": .string(name), "class_id": .int(`class`), "confidence": .double(confidence)]
    }

    fileprivate func roboflow(id: String) -> JSONValue {
        let box = bounds ?? (0, 0, 0, 0)
        var members: [JSONValue.Member] = [
            .init("x", .place((box.x1 + box.x2) / 2)), .init("y", .place((box.y1 + box.y2) / 2)),
            .init("width", .place(box.x2 - box.x1)), .init("height", .place(box.y2 - box.y1)),
            .init("confidence", .double(confidence)), .init("class", .string(name)), .init("class_id", .int(`class`)),
            .init("detection_id", .string(id)),
        ]
        let outline = segments.map { zip($0.x, $0.y).map { (x: $0, y: $1) } } ?? self.box?.orientedCorners
        if let outline {
            members.append(.init("points", .array(outline.map { ["x": .double($0.x), "y": .double($0.y)] })))
        }
        if let keypoints {
            let points = keypoints.x.indices.map { index -> JSONValue in
                [
                    "x": .double(keypoints.x[index]), "y": .double(keypoints.y[index]),
                    "confidence": .double(keypoints.visible?[index] ?? 1), "class_id": .int(index),
                    "class": .string(Person.name(ofKeypoint: index, of: keypoints.x.count)),
                ]
            }
            members.append(.init("keypoints", .array(points)))
        }
        return .object(members)
    }
}

extension JSONValue {
    /// With five decimals, as places are stored.
    fileprivate static func place(_ value: Double) -> JSONValue { .double((value * 100_000).rounded() / 100_000) }
}

/// The keypoints of a person in COCO.
private enum Person {
    private static let names = [
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ]

    /// The name of a keypoint, or its number if the object is not of 17 and so no person of COCO.
    static func name(ofKeypoint index: Int, of count: Int) -> String {
        count == names.count ? names[index] : "\(index)"
    }
}

/// A text of the form of a UUID (version 8, RFC 9562) that depends on another text alone.
private func stableID(_ text: String) -> String {
    var digits = Array(ContentHash(of: Array(text.utf8)).description.prefix(32))
    digits[12] = "8"
    digits[16] = "8"
    return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
}
