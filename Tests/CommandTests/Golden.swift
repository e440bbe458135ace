// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqVision

/// What Ultralytics found in an image: one file of `golden`.
struct Golden: Decodable {
    let model: String
    let image: String
    let mode: String
    let conf: Double?
    let iou: Double?
    let parameters: Parameters?
    let boxes: [Detection]?
    let obb: [Detection]?
    let keypoints: [[[Double]]]?
    let masks: [Mask]?
    let top5: [Detection]?

    /// The golden detections, whatever the task.
    var detections: [Detection] { boxes ?? obb ?? top5 ?? [] }

    struct Parameters: Decodable {
        let conf: Double?
        let iou: Double?
        let maxDetections: Int?
        let classes: [Int]?
        let isClassAgnostic: Bool?

        private enum CodingKeys: String, CodingKey {
            case conf, iou, classes
            case maxDetections = "max_det"
            case isClassAgnostic = "agnostic_nms"
        }
    }

    struct Detection: Decodable {
        let `class`: Int
        let confidence: Double
        let xyxy: [Double]?
        let corners: [[Double]]?

        /// The coordinates in the order of the keys of a result's box; none of a class of the whole image.
        var coordinates: [Double] { xyxy ?? corners?.flatMap(\.self) ?? [] }
    }

    struct Mask: Decodable {
        /// Height and width.
        let shape: [Int]
        /// COCO's run lengths.
        let rle: [Int]
        let polygon: [[Double]]
    }

    /// The goldens of a folder for one model.
    static func all(in folder: String, model: String) throws -> [(name: String, golden: Golden)] {
        let path = "\(Checkout.shared)/\(folder)"
        return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
            .filter { $0.hasPrefix(model + "--") && $0.hasSuffix(".json") }
            .map { ($0, try JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(filePath: "\(path)/\($0)")))) }
    }

    /// Where the image lies: the name in the golden is that of the file.
    func source(in folder: String) -> String { "\(Checkout.shared)/\(folder)/\(image)" }

    /// How `yoloq submit` is asked for the same.
    var arguments: [String] {
        // Classifiers and YOLOX have one way to fit an image in.
        let hasLetterbox = top5 == nil && !model.hasPrefix("yolox")
        var arguments = hasLetterbox ? ["--letterbox", mode.hasPrefix("rect") ? "rect" : "full"] : []
        if mode == "retina" { arguments += ["--retina-masks"] }
        if let conf = parameters?.conf ?? conf { arguments += ["--conf", "\(conf)"] }
        if let iou = parameters?.iou ?? iou { arguments += ["--iou", "\(iou)"] }
        if let count = parameters?.maxDetections { arguments += ["--max-det", "\(count)"] }
        if let classes = parameters?.classes {
            arguments += ["--classes", classes.map(String.init).joined(separator: ",")]
        }
        if parameters?.isClassAgnostic == true { arguments += ["--agnostic-nms"] }
        return arguments
    }

    /// How far a result is from the golden.
    struct Difference {
        var matched = 0
        var unmatched = 0
        var box = 0.0
        var score = 0.0
        var keypoint = 0.0
        var maskIoU = 1.0
        /// Masks whose outline is another, point for point.
        var outlines = 0
        /// Whether the detections are in the golden's order.
        var isInOrder = true

        /// A row of the table.
        var row: String {
            let format =
                "matched %3d, unmatched %2d, box %.5f px, score %.6f, keypoint %.5f px, mask IoU %.6f, "
                + "%d other outlines, order %@"
            let order = isInOrder ? "the same" : "another"
            return String(format: format, matched, unmatched, box, score, keypoint, maskIoU, outlines, order)
        }

        mutating func formWorst(with other: Difference) {
            matched += other.matched
            unmatched += other.unmatched
            box = max(box, other.box)
            score = max(score, other.score)
            keypoint = max(keypoint, other.keypoint)
            maskIoU = min(maskIoU, other.maskIoU)
            outlines += other.outlines
            isInOrder = isInOrder && other.isInOrder
        }
    }

    /// Pairs each golden detection with the nearest one of its class.
    ///
    /// - Parameter result: One line of `yoloq result --json`.
    /// - Returns: The detections of either side without partner, and the largest differences of the pairs.
    func difference(from result: [String: Any]) -> Difference {
        let entries = result["predictions"] as? [[String: Any]] ?? []
        let found = entries.map { entry in
            let box = entry["box"] as? [String: Double] ?? [:]
            return (
                cls: entry["class"] as? Int ?? -1, score: entry["confidence"] as? Double ?? -1,
                box: ["x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4"].compactMap { box[$0] }
            )
        }
        var free = Set(found.indices)
        var difference = Difference()
        for (index, wanted) in detections.enumerated() {
            func distance(_ candidate: Int) -> Double {
                let box = found[candidate].box
                guard box.count == wanted.coordinates.count else { return .infinity }
                return zip(wanted.coordinates, box).map { abs($0 - $1) }.max() ?? 0
            }
            func scoreDistance(_ candidate: Int) -> Double { abs(found[candidate].score - wanted.confidence) }
            let nearest = free.filter { found[$0].cls == wanted.class }
                .min { distance($0) + scoreDistance($0) < distance($1) + scoreDistance($1) }
            guard let nearest, distance(nearest) < 20 else {
                difference.unmatched += 1
                continue
            }
            free.remove(nearest)
            difference.matched += 1
            difference.isInOrder = difference.isInOrder && nearest == index
            if let keypoints {
                difference.keypoint = max(difference.keypoint, Golden.difference(keypoints[index], entries[nearest]))
            }
            if let masks {
                difference.maskIoU = min(difference.maskIoU, Golden.overlap(masks[index], entries[nearest]))
                if !Golden.isOutline(masks[index], entries[nearest]) { difference.outlines += 1 }
            }
            difference.box = max(difference.box, distance(nearest))
            difference.score = max(difference.score, scoreDistance(nearest))
        }
        difference.unmatched += free.count
        return difference
    }

    private static func difference(_ keypoints: [[Double]], _ entry: [String: Any]) -> Double {
        let found = entry["keypoints"] as? [String: [Double]] ?? [:]
        guard let x = found["x"], let y = found["y"], x.count == keypoints.count else { return .infinity }
        return keypoints.indices.map { max(abs(keypoints[$0][0] - x[$0]), abs(keypoints[$0][1] - y[$0])) }.max() ?? 0
    }

    /// Intersection over union, from the run lengths.
    private static func overlap(_ mask: Mask, _ entry: [String: Any]) -> Double {
        let found = entry["mask"] as? [String: Any] ?? [:]
        guard let size = found["size"] as? [Int], size == mask.shape, let counts = found["counts"] as? String,
            let runs = try? RunLengthMask(size: ImageSize(height: size[0], width: size[1]), compressedCounts: counts)
        else { return 0 }
        func ones(_ counts: [Int]) -> [Range<Int>] {
            var start = 0
            var ranges: [Range<Int>] = []
            for (index, count) in counts.enumerated() {
                if index % 2 == 1, count > 0 { ranges.append(start..<start + count) }
                start += count
            }
            return ranges
        }
        let (first, second) = (ones(mask.rle), ones(runs.counts))
        var (i, j, both) = (0, 0, 0)
        while i < first.count, j < second.count {
            both += first[i].clamped(to: second[j]).count
            if first[i].upperBound < second[j].upperBound { i += 1 } else { j += 1 }
        }
        let either = first.reduce(0) { $0 + $1.count } + second.reduce(0) { $0 + $1.count } - both
        return either > 0 ? Double(both) / Double(either) : 0
    }

    /// Whether the outline is the golden's, point for point, as far as its two decimals tell.
    private static func isOutline(_ mask: Mask, _ entry: [String: Any]) -> Bool {
        let found = entry["segments"] as? [String: [Double]] ?? [:]
        guard let x = found["x"], let y = found["y"], x.count == mask.polygon.count else { return false }
        return mask.polygon.indices.allSatisfy { index in
            abs(mask.polygon[index][0] - x[index]) < 0.006 && abs(mask.polygon[index][1] - y[index]) < 0.006
        }
    }
}
