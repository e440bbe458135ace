// SPDX-License-Identifier: Apache-2.0

import Foundation
public import YoloqVision

/// What is stored of one successful run: the predictions and how they came about.
///
/// Its JSON keys are part of the command line's output, so they may be added to but never renamed.
public struct ResultDocument: Sendable, Hashable, Codable {
    /// The image as it was seen.
    public struct Image: Sendable, Hashable, Codable {
        /// Width of the upright image in pixels.
        public var width: Int
        /// Height of the upright image in pixels.
        public var height: Int
        /// SHA-256 of the file, 64 lower-case hexadecimal digits.
        public var sha256: String
    }

    /// What produced the predictions.
    public struct Provenance: Sendable, Hashable, Codable {
        /// SHA-256 of the model file.
        public var modelSHA256: String
        /// The data set whose classes the model has: `coco`; nil if it is none that we know.
        public var dataset: String?
        /// The runtime and its version.
        public var engine: String
        /// What the network computed in.
        public var precision: String
        /// Height and width of the input tensor.
        public var input: [Int]
        /// How the image was brought into it.
        public var letterbox: ImageFit
        /// In how many tiles the image was looked at, besides once as a whole; nil for as a whole only.
        public var tiles: Int?

        private enum CodingKeys: String, CodingKey {
            case dataset
            case modelSHA256 = "model_sha256"
            case engine, precision, input, letterbox, tiles
        }
    }

    /// Milliseconds spent in each stage, rounded to 3 decimals.
    public struct Timing: Sendable, Hashable, Codable {
        /// From the moment the job could first have been claimed until it was; 0 without a queue.
        public var queued = 0.0
        /// Reading the file.
        public var load = 0.0
        /// Decoding it.
        public var decode = 0.0
        /// Scaling it into the input tensor.
        public var preprocess = 0.0
        /// The network.
        public var inference = 0.0
        /// Decoding, filtering and scaling back.
        public var postprocess = 0.0
    }

    /// The model's task.
    public var task: VisionTask
    /// The image as it was seen.
    public var image: Image
    /// What a decoder found odd but could read.
    public var warnings: [String]
    /// Best first; empty if nothing was found.
    public var predictions: [Detection]
    /// What produced them.
    public var provenance: Provenance
    /// How long each stage took.
    public var timing: Timing

    private enum CodingKeys: String, CodingKey {
        case task, image, warnings, predictions, provenance
        case timing = "timing_ms"
    }
}

extension ResultDocument {
    /// Reads what `encoded` wrote.
    ///
    /// - Parameter text: JSON.
    /// - Throws: `DecodingError` if it is something else.
    public init(decoding text: String) throws {
        self = try JSONDecoder().decode(ResultDocument.self, from: Data(text.utf8))
    }

    /// Reads the times alone out of texts that `encoded` wrote.
    ///
    /// - Parameter texts: JSON; whatever is none is passed over.
    /// - Returns: The times, in the order of the texts.
    public static func timings(decoding texts: [String]) -> [Timing] {
        let decoder = JSONDecoder()
        // In one go: five hundred small texts take ten times as long as one of their size.
        let tails = texts.compactMap(timingText)
        let all = "[\(tails.joined(separator: ","))]"
        if tails.count == texts.count, let timings = try? decoder.decode([Timing].self, from: Data(all.utf8)) {
            return timings
        }
        return texts.compactMap { try? ResultDocument(decoding: $0).timing }
    }

    /// The value of `timing_ms`, which is the last member; nil if it is not.
    private static func timingText(_ text: String) -> Substring? {
        let key = Array(#""timing_ms":"#.utf8)
        let tail = text.utf8.suffix(400)
        guard tail.last == UInt8(ascii: "}"), let start = tail.lastRange(of: key)?.upperBound else { return nil }
        return text[start..<text.utf8.index(before: text.endIndex)]
    }

    /// The JSON to store.
    ///
    /// - Parameter queued: How long the job waited.
    /// - Returns: One line, keys in a fixed order.
    public func encoded(queued: Duration) -> String {
        var document = self
        document.timing.queued = queued.roundedMilliseconds
        return JSONValue.object(document.members).description
    }

    /// The document's parts in the order in which they are printed.
    public var members: [JSONValue.Member] {
        [
            .init("task", .string(task.rawValue)),
            .init("image", image.json),
            .init("warnings", .array(warnings.map(JSONValue.string))),
            .init("predictions", .array(predictions.map(\.json))),
            .init("provenance", provenance.json),
            .init("timing_ms", timing.json),
        ]
    }
}

extension ResultDocument.Image {
    fileprivate var json: JSONValue {
        ["width": .int(width), "height": .int(height), "sha256": .string(sha256)]
    }
}

extension ResultDocument.Provenance {
    fileprivate var json: JSONValue {
        [
            "model_sha256": .string(modelSHA256),
            "dataset": dataset.map(JSONValue.string) ?? .null,
            "engine": .string(engine),
            "precision": .string(precision),
            "input": .array(input.map(JSONValue.int)),
            "letterbox": .string(letterbox.rawValue),
            "tiles": tiles.map(JSONValue.int) ?? .null,
        ]
    }
}

extension ResultDocument.Timing {
    fileprivate var json: JSONValue {
        [
            "queued": .double(queued), "load": .double(load), "decode": .double(decode),
            "preprocess": .double(preprocess), "inference": .double(inference), "postprocess": .double(postprocess),
        ]
    }
}

extension Duration {
    /// Milliseconds with three decimals.
    var roundedMilliseconds: Double {
        (self / .microseconds(1)).rounded() / 1000
    }
}

extension Substring.UTF8View {
    /// Where a pattern stands for the last time.
    fileprivate func lastRange(of pattern: [UInt8]) -> Range<Index>? {
        var start = index(endIndex, offsetBy: -pattern.count, limitedBy: startIndex)
        while let position = start {
            if self[position...].starts(with: pattern) { return position..<index(position, offsetBy: pattern.count) }
            start = index(position, offsetBy: -1, limitedBy: startIndex)
        }
        return nil
    }
}
