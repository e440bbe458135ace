// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqInference
import YoloqVision

/// The tiny models of layout_models.json, for each layout one or more, and what must be found with them.
///
/// `make_layout_models.py` makes them and works the predictions out.
struct LayoutModels: Decodable {
    /// The files by name.
    let models: [String: Data]
    let cases: [LayoutCase]

    static let all: LayoutModels? = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "layout_models.json")
        return (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode(LayoutModels.self, from: $0) }
    }()
}

/// A run of one of the models on a white picture.
struct LayoutCase: Decodable, CustomTestStringConvertible {
    let name: String
    let model: String
    /// The layout that the model must be taken for.
    let head: String
    /// Width and height.
    let image: [Int]
    let card: Card?
    let parameters: Parameters
    let predictions: [Expected]

    var testDescription: String { "\(model): \(name)" }

    struct Card: Codable {
        let family: String
        let names: [String]
        let stride: Int?
    }

    struct Parameters: Codable, Hashable {
        let conf: Double?
        let iou: Double?
        let maxDetections: Int?
        let classes: [Int]?
        let isClassAgnostic: Bool?
        let letterbox: String?
        let isMaskNative: Bool?

        private enum CodingKeys: String, CodingKey {
            case conf, iou, classes, letterbox
            case maxDetections = "max_det"
            case isClassAgnostic = "agnostic_nms"
            case isMaskNative = "retina_masks"
        }

        /// As options of a command.
        var arguments: [String] {
            var arguments: [String] = []
            if let conf { arguments += ["--conf", "\(conf)"] }
            if let iou { arguments += ["--iou", "\(iou)"] }
            if let maxDetections { arguments += ["--max-det", "\(maxDetections)"] }
            if let classes { arguments += ["--classes", classes.map(String.init).joined(separator: ",")] }
            if isClassAgnostic == true { arguments += ["--agnostic-nms"] }
            if let letterbox { arguments += ["--letterbox", letterbox] }
            if isMaskNative == true { arguments += ["--retina-masks"] }
            return arguments
        }
    }

    /// A prediction in the form of the command line's JSON.
    struct Expected: Decodable {
        let `class`: Int
        /// nil = infinite.
        let confidence: Double?
        let box: ResultDocument.Detection.Corners?
        let keypoints: ResultDocument.Detection.Keypoints?
        let mask: ResultDocument.Detection.Mask?
    }

    /// Writes the model, and the card beside it if there is one.
    ///
    /// - Parameter folder: Where to.
    /// - Returns: The model's path.
    /// - Throws: If it cannot be written.
    func write(to folder: String) throws -> String {
        let content = try #require(LayoutModels.all?.models[model])
        let path = "\(folder)/\(model)"
        try content.write(to: URL(filePath: path + ".onnx"))
        if let card { try JSONEncoder().encode(card).write(to: URL(filePath: path + ".card.json")) }
        return path + ".onnx"
    }

    /// How far predictions are from those that are expected, in their order.
    ///
    /// - Parameter found: What came out.
    /// - Returns: nil if number, classes or masks differ.
    func difference(from found: [ResultDocument.Detection]) -> (score: Double, place: Double)? {
        guard found.count == predictions.count else { return nil }
        var worst = (score: 0.0, place: 0.0)
        for (wanted, found) in zip(predictions, found) {
            guard found.class == wanted.class, found.mask == wanted.mask,
                let corners = Self.difference(Self.coordinates(wanted.box), Self.coordinates(found.box)),
                let points = Self.difference(Self.coordinates(wanted.keypoints), Self.coordinates(found.keypoints)),
                let visibility = Self.difference(wanted.keypoints?.visible ?? [], found.keypoints?.visible ?? [])
            else { return nil }
            let confidence = wanted.confidence ?? .infinity
            worst.score = max(
                worst.score,
                visibility,
                confidence == found.confidence ? 0 : abs(confidence - found.confidence)
            )
            worst.place = max(worst.place, corners, points)
        }
        return worst
    }

    private static func difference(_ wanted: [Double], _ found: [Double]) -> Double? {
        guard wanted.count == found.count else { return nil }
        return zip(wanted, found).map { abs($0 - $1) }.max() ?? 0
    }

    private static func coordinates(_ box: ResultDocument.Detection.Corners?) -> [Double] {
        guard let box else { return [] }
        return [box.x1, box.y1, box.x2, box.y2] + [box.x3, box.y3, box.x4, box.y4].compactMap(\.self)
    }

    private static func coordinates(_ keypoints: ResultDocument.Detection.Keypoints?) -> [Double] {
        (keypoints?.x ?? []) + (keypoints?.y ?? [])
    }
}
