// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference
import YoloqVision

extension ResultRecord {
    /// An entry for each prediction, as COCO's evaluation reads them: numbers of the upright image, masks in its size.
    ///
    /// `image_id` is the file's name without ending, as a number if it is one. `category_id` is COCO's own for its 80 classes,
    /// else the class's number counted from 1.
    ///
    /// - Returns: None unless the job succeeded.
    /// - Throws: `CommandFailure` of a `classify` model's result, for which COCO has no form, or a mask that cannot be read.
    func coco() throws(CommandFailure) -> [JSONValue] {
        guard let document else { return [] }
        guard document.task != .classify else {
            throw CommandFailure(
                .usage,
                "COCO has no form for classes of whole images (\(source)). Use --format json or csv"
            )
        }
        var entries: [JSONValue] = []
        for prediction in document.predictions { entries.append(try entry(of: prediction, document)) }
        return entries
    }

    private func entry(
        of prediction: ResultDocument.Detection,
        _ document: ResultDocument
    ) throws(CommandFailure) -> JSONValue {
        let stem = frame.map { String(format: "%@-frame%06d", fileStem, $0.index) } ?? fileStem
        // Leading zeros and all: COCO's own files are called 000000000139.jpg.
        let isNumber = !stem.isEmpty && stem.utf8.allSatisfy { (48...57).contains($0) }
        let number = isNumber ? Int(stem) : nil
        var members: [JSONValue.Member] = [
            .init("image_id", number.map(JSONValue.int) ?? .string(stem)),
            .init("file_name", .string(frame == nil ? fileName : stem + ".jpg")),
            .init("category_id", .int(COCOCategory.number(of: prediction))),
        ]
        if let box = prediction.bounds {
            members.append(.init("bbox", .rounded([box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1])))
        }
        members.append(.init("score", .double(prediction.confidence)))
        if let mask = prediction.mask {
            members.append(.init("segmentation", try segmentation(mask, document)))
        }
        if let keypoints = prediction.keypoints {
            let triples = keypoints.x.indices.flatMap { index -> [Double] in
                [keypoints.x[index], keypoints.y[index], keypoints.visible?[index] ?? 2]
            }
            members.append(.init("keypoints", .rounded(triples)))
        }
        if let turned = prediction.rotated {
            members.append(.init("rbox", .rounded([turned.cx, turned.cy, turned.w, turned.h, turned.angle])))
            let corners = prediction.box?.corners ?? []
            members.append(.init("poly", .rounded(corners.flatMap { [$0.x, $0.y] })))
        }
        return .object(members)
    }

    private func segmentation(
        _ mask: ResultDocument.Detection.Mask,
        _ document: ResultDocument
    ) throws(CommandFailure) -> JSONValue {
        let image = ImageSize(height: document.image.height, width: document.image.width)
        do throws(MaskFormatError) {
            guard mask.size.count == 2 else { throw MaskFormatError("it has \(mask.size.count) sides") }
            let size = ImageSize(height: mask.size[0], width: mask.size[1])
            var runs = try RunLengthMask(size: size, compressedCounts: mask.counts)
            if mask.frame == .input { runs = runs.unpaddedAndScaled(to: image) }
            return [
                "size": [.int(runs.size.height), .int(runs.size.width)], "counts": .string(runs.compressedCounts),
            ]
        } catch {
            throw CommandFailure(.inputOutput, "the stored mask of \(source) cannot be read: \(error). Run it again")
        }
    }
}

extension JSONValue {
    /// Numbers with three decimals, as the reference writes them for COCO.
    fileprivate static func rounded(_ values: [Double]) -> JSONValue {
        .array(values.map { .double(($0 * 1000).rounded(.toNearestOrEven) / 1000) })
    }
}

/// COCO's numbers of its classes: 80 of 90 are used.
enum COCOCategory {
    /// The number of a prediction's class.
    ///
    /// - Parameter prediction: Of any model; it is taken for COCO's if the class has the name that COCO gives it.
    /// - Returns: COCO's number, or else the class's, counted from 1.
    static func number(of prediction: ResultDocument.Detection) -> Int {
        let index = prediction.class
        return names.indices.contains(index) && names[index] == prediction.name ? numbers[index] : index + 1
    }

    /// In the order of the classes of models that are trained on COCO.
    static let names = [
        "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
        "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
        "elephant",
        "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis",
        "snowboard",
        "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
        "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
        "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table",
        "toilet",
        "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
        "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
    ]

    private static let unused: Set<Int> = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83]
    private static let numbers = (1...90).filter { !unused.contains($0) }
}
