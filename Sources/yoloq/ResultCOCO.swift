// SPDX-License-Identifier: Apache-2.0

import YoloqInference
import YoloqVision

extension ResultRecord {
    /// The entries of a COCO result file (https://cocodataset.org/#format-results), with what Ultralytics adds to them.
    ///
    /// Categories of a model with COCO's classes are COCO's own, 1 to 90, and of all others the class's number plus 1.
    ///
    /// - Returns: One object for each prediction; none unless the job succeeded.
    /// - Throws: `CommandFailure` with status 64 for classes of whole images, which the form has no place for, and with 74 if
    ///   a stored mask is damaged.
    func coco() throws(CommandFailure) -> [JSONValue] {
        guard let document else { return [] }
        guard document.task != .classify else {
            throw CommandFailure(
                .usage,
                "\(source): \(model) classifies whole images, and COCO's result files have no place for that. "
                    + "Use --format jsonl, roboflow or yolo-txt"
            )
        }
        var entries: [JSONValue] = []
        for prediction in document.predictions {
            var members: [JSONValue.Member] = [
                .init("image_id", cocoImageID),
                .init("file_name", .string(frame.map { "\(fileName)#\($0.index)" } ?? fileName)),
                .init("category_id", .int(document.cocoCategory(of: prediction))),
            ]
            if let box = prediction.box {
                members.append(.init("bbox", .array(box.cornerAndSides.map(JSONValue.rounded))))
            }
            members.append(.init("score", .double(prediction.confidence)))
            if let mask = prediction.mask { members.append(.init("segmentation", try cocoMask(mask, document))) }
            if let keypoints = prediction.keypoints { members.append(.init("keypoints", keypoints.coco)) }
            if let rotated = prediction.rotated, let corners = prediction.box?.corners {
                members.append(.init("rbox", rotated.coco))
                members.append(.init("poly", .array(corners.flatMap { [$0.x, $0.y] }.map(JSONValue.rounded))))
            }
            entries.append(.object(members))
        }
        return entries
    }

    /// A number if the file's name without suffix is one in digits, else that name.
    private var cocoImageID: JSONValue {
        let stem = stem
        guard !stem.isEmpty, stem.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) else {
            return .string(stem)
        }
        let digits = stem.drop { $0 == "0" }
        return .raw(digits.isEmpty ? "0" : String(digits))
    }

    /// Run lengths at the size of the image.
    private func cocoMask(
        _ mask: ResultDocument.Detection.Mask,
        _ document: ResultDocument
    ) throws(CommandFailure) -> JSONValue {
        let image = ImageSize(height: document.image.height, width: document.image.width)
        guard let runs = mask.runs(of: image, fit: document.provenance.letterbox) else {
            let owner = job.map { "job \($0)" } ?? source
            throw CommandFailure(.inputOutput, "a mask of \(owner) is damaged. Run it again")
        }
        return ["size": [.int(image.height), .int(image.width)], "counts": .string(runs.compressedCounts)]
    }
}

extension ResultDocument {
    fileprivate func cocoCategory(of prediction: Detection) -> Int {
        guard provenance.dataset == "coco", CocoClasses.categoryIDs.indices.contains(prediction.class) else {
            return prediction.class + 1
        }
        return CocoClasses.categoryIDs[prediction.class]
    }
}

extension ResultDocument.Detection.Mask {
    /// The mask at the size of the image; nil if it is not one of such an image.
    fileprivate func runs(of image: ImageSize, fit: ImageFit) -> RunLengthMask? {
        guard size.count == 2,
            let runs = try? RunLengthMask(
                size: ImageSize(height: size[0], width: size[1]),
                compressedCounts: counts
            )
        else { return nil }
        switch frame {
        case .image: return runs.size == image ? runs : nil
        case .input: return Letterbox(source: image, input: runs.size, fit: fit).map(runs.scaled)
        }
    }
}

extension ResultDocument.Detection.Keypoints {
    /// x, y, v of each; v is how sure the model is that it can be seen, 1 if it does not say.
    fileprivate var coco: JSONValue {
        .array(
            zip(x, y).enumerated().flatMap { index, place in
                [.rounded(place.0), .rounded(place.1), visible.map { .double($0[index]) } ?? 1]
            }
        )
    }
}

extension ResultDocument.Detection.Rotated {
    /// Centre, sides, and angle in radians, which is not rounded: a thousandth of it moves the corners of a large box.
    fileprivate var coco: JSONValue { .array([cx, cy, w, h].map(JSONValue.rounded) + [.double(angle)]) }
}

extension JSONValue {
    /// Three decimals, as COCO's files have them.
    fileprivate static func rounded(_ value: Double) -> JSONValue {
        .double((value * 1000).rounded(.toNearestOrEven) / 1000)
    }
}

/// Notices results that a COCO file could not tell apart.
struct CocoImageIDs {
    /// Hashes, to take little memory for many images.
    private var seen: Set<Int> = []
    private var repeatedCount = 0

    /// Takes note of a result with so many entries.
    mutating func add(_ record: ResultRecord, count: Int) {
        guard count > 0 else { return }
        if !seen.insert(record.stem.hashValue).inserted { repeatedCount += 1 }
    }

    /// What to tell the user; nil if all are different.
    var note: String? {
        guard repeatedCount > 0 else { return nil }
        return
            "\(counted(repeatedCount, "result")) with the image_id of another: it is the file's name without folder and "
            + "suffix. Export one batch, and give images different names"
    }
}
