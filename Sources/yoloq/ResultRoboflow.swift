// SPDX-License-Identifier: Apache-2.0

import YoloqInference
import YoloqJobs
import YoloqVision

extension ResultRecord {
    /// What Roboflow's inference server answers for an image, without a picture; null unless the job succeeded.
    ///
    /// `inference_id` and `detection_id` are made of what is stored, so they are the same each time.
    var roboflow: JSONValue {
        guard let document else { return .null }
        let identity = [
            job ?? source, submittedAt?.text ?? "", frame.map { "\($0.index)" } ?? "", document.image.sha256,
            document.provenance.modelSHA256,
        ]
        var members: [JSONValue.Member] = [
            .init("inference_id", .string(stableUUID(identity))),
            // Stored in milliseconds with three decimals.
            .init("time", .double((document.timing.inference * 1000).rounded() / 1e6)),
            .init("image", ["width": .int(document.image.width), "height": .int(document.image.height)]),
            .init(
                "predictions",
                .array(
                    numberedPredictions.map { number, prediction in
                        prediction.roboflow(id: stableUUID(identity + ["\(number)"]))
                    }
                )
            ),
        ]
        if document.task == .classify, let best = document.predictions.first {
            members.append(.init("top", .string(best.name)))
            members.append(.init("confidence", .double(best.confidence)))
        }
        return .object(members)
    }
}

extension ResultDocument.Detection {
    fileprivate func roboflow(id: String) -> JSONValue {
        let identity: [JSONValue.Member] = [
            .init("confidence", .double(confidence)), .init("class", .string(name)), .init("class_id", .int(`class`)),
        ]
        guard let box else { return .object(identity) }
        let places = zip(["x", "y", "width", "height"], box.centerAndSides)
        var members = places.map { JSONValue.Member($0, .decimal($1)) } + identity
        members.append(.init("detection_id", .string(id)))
        if let segments {
            members.append(.init("points", .points(zip(segments.x, segments.y).map { ($0, $1) })))
        } else if rotated != nil {
            members.append(.init("points", .points(box.corners)))
        }
        if let keypoints { members.append(.init("keypoints", keypoints.roboflow)) }
        return .object(members)
    }
}

extension ResultDocument.Detection.Keypoints {
    fileprivate var roboflow: JSONValue {
        let names = x.count == CocoClasses.keypointNames.count ? CocoClasses.keypointNames : x.indices.map { "\($0)" }
        return .array(
            names.indices.map { index in
                [
                    "x": .double(x[index]), "y": .double(y[index]), "confidence": .double(visible?[index] ?? 1),
                    "class_id": .int(index), "class": .string(names[index]),
                ]
            }
        )
    }
}

extension JSONValue {
    fileprivate static func points(_ places: [(x: Double, y: Double)]) -> JSONValue {
        .array(places.map { ["x": .double($0.x), "y": .double($0.y)] })
    }

    /// Five decimals, as results are stored: what is computed from them has no more.
    fileprivate static func decimal(_ value: Double) -> JSONValue {
        .double((value * 1e5).rounded(.toNearestOrEven) / 1e5)
    }
}

/// A name of 128 bits made of texts, in the form of a UUID (version 8 of RFC 9562).
private func stableUUID(_ parts: [String]) -> String {
    var digits = Array(ContentHash(of: Array(parts.joined(separator: "\n").utf8)).description.prefix(32))
    digits[12] = "8"
    // Its highest bits are 1 and 0.
    let variants: [Character] = ["8", "9", "a", "b"]
    digits[16] = variants[(digits[16].hexDigitValue ?? 0) & 3]
    return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
}
