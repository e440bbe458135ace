// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What Ultralytics found in an image: one file of `golden`.
struct Golden: Decodable {
    let model: String
    let image: String
    let mode: String
    let conf: Double?
    let iou: Double?
    let parameters: Parameters?
    let boxes: [Detection]

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
        let xyxy: [Double]
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
        var arguments = ["--letterbox", mode.hasPrefix("rect") ? "rect" : "full"]
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
        var unmatched = 0
        var box = 0.0
        var score = 0.0
    }

    /// Pairs each golden detection with the nearest one of its class.
    ///
    /// - Parameter result: One line of `yoloq result --json`.
    /// - Returns: The detections of either side without partner, and the largest differences of the pairs.
    func difference(from result: [String: Any]) -> Difference {
        let found = (result["predictions"] as? [[String: Any]] ?? []).map { entry in
            let box = entry["box"] as? [String: Double] ?? [:]
            return (
                cls: entry["class"] as? Int ?? -1, score: entry["confidence"] as? Double ?? -1,
                box: ["x1", "y1", "x2", "y2"].map { box[$0] ?? .infinity }
            )
        }
        var free = Set(found.indices)
        var difference = Difference()
        for wanted in boxes {
            func distance(_ candidate: Int) -> Double {
                zip(wanted.xyxy, found[candidate].box).map { abs($0 - $1) }.max() ?? .infinity
            }
            func scoreDistance(_ candidate: Int) -> Double { abs(found[candidate].score - wanted.confidence) }
            let nearest = free.filter { found[$0].cls == wanted.class }
                .min { distance($0) + scoreDistance($0) < distance($1) + scoreDistance($1) }
            guard let nearest, distance(nearest) < 20 else {
                difference.unmatched += 1
                continue
            }
            free.remove(nearest)
            difference.box = max(difference.box, distance(nearest))
            difference.score = max(difference.score, scoreDistance(nearest))
        }
        difference.unmatched += free.count
        return difference
    }
}
