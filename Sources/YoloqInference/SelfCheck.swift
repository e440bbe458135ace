// SPDX-License-Identifier: Apache-2.0
internal import YoloqImages
public import YoloqVision

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Compares what a model gives in 32-bit floats and in the machine's fast format.
///
/// Two levels: the raw head at the anchors that 32-bit floats score highest, which tells on every picture, and the
/// decoded detections, which is what users see.
public enum SelfCheck {
    /// How far the fast format may be off.
    public struct Limits: Sendable, Hashable {
        /// The largest difference of a score, 0…1.
        public var scoreDifference = 0.1
        /// The largest difference of a box corner or side, as a part of the input's longer side.
        public var boxDifference = 0.02
        /// The anchors compared in each picture: those with the highest scores.
        public var anchorCount = 200
        /// A detection above this score must be found by the other format too.
        public var detectionThreshold = 0.35

        /// The limits that yoloq judges by.
        public init() {}
    }

    /// What came out.
    public struct Verdict: Sendable, Hashable, Codable {
        /// The precision to use.
        public var precision: Precision
        /// The runtime's own choice, which was judged.
        public var fastPrecision: Precision
        /// The largest difference of a score, 0…1.
        public var largestScoreDifference: Double
        /// The largest difference of a box, in pixels of the input tensor.
        public var largestBoxDifference: Double
        /// How many anchors and detections were compared.
        public var boxesCompared: Int
        /// Detections of 32-bit floats that the fast format does not find, and the reverse.
        public var unmatchedDetections: Int

        /// One sentence for people.
        public var summary: String {
            guard boxesCompared > 0 else { return "precision \(precision.rawValue)" }
            let score = (largestScoreDifference * 10_000).rounded() / 10_000
            let box = (largestBoxDifference * 100).rounded() / 100
            return "precision \(precision.rawValue): \(fastPrecision.rawValue) against f32 on \(boxesCompared) boxes: "
                + "scores within \(score), boxes within \(box) px, \(unmatchedDetections) unmatched"
        }

        static func unchecked(_ precision: Precision) -> Verdict {
            Verdict(
                precision: precision,
                fastPrecision: precision,
                largestScoreDifference: 0,
                largestBoxDifference: 0,
                boxesCompared: 0,
                unmatchedDetections: 0
            )
        }
    }

    /// Decides what precision a model runs in, with OpenVINO.
    ///
    /// Classify and pose models run in f32: bf16 moved keypoints by 13 px and changed a top-5. So do models that do not say
    /// what their outputs are. Where the runtime's own
    /// choice is f32, that is it. Else both are compared, once per model, runtime and processor: the verdict is kept.
    ///
    /// - Parameters:
    ///   - file: The model.
    ///   - requested: Anything but `auto` is the answer.
    ///   - runtime: The OpenVINO of this process.
    ///   - options: How engines are made; its precision is not looked at.
    ///   - images: Pictures to check with; a drawn scene by default.
    ///   - verdicts: The JSON file that keeps verdicts; nil to check anew.
    /// - Returns: The precision to make engines with, and why.
    /// - Throws: `InferenceError` as engines do.
    public static func verdict(
        for file: ModelFile,
        requested: Precision,
        runtime: OpenVINORuntime,
        options: OpenVINOEngine.Options,
        images: [SampleImage] = [],
        verdicts: String? = nil
    ) throws(InferenceError) -> Verdict {
        guard requested == .auto else { return .unchecked(requested) }
        guard file.card.task != .classify, file.card.task != .pose, file.card.doubt == nil else {
            return .unchecked(.f32)
        }

        let key = [file.sha256, runtime.name, runtime.deviceName].joined(separator: " | ")
        let store = VerdictStore(path: verdicts)
        if let known = store.verdict(for: key) { return known }

        var options = options
        options.precision = .auto
        var fast = try OpenVINOEngine(file, runtime: runtime, options: options)
        guard fast.precision != Precision.f32.rawValue else {
            // Kept as well: finding out takes a compilation, at every start.
            store.keep(.unchecked(.f32), for: key)
            return .unchecked(.f32)
        }
        options.precision = .f32
        var exact = try OpenVINOEngine(file, runtime: runtime, options: options)
        let verdict = try compare(
            exact: &exact,
            fast: &fast,
            card: file.card,
            images: images.isEmpty ? [.drawn()] : images
        )
        store.keep(verdict, for: key)
        return verdict
    }

    /// Runs pictures through both engines and judges the differences.
    ///
    /// - Parameters:
    ///   - exact: Computes in f32.
    ///   - fast: Computes in the format to judge.
    ///   - card: The model's own.
    ///   - images: Pictures to check with, at least one.
    ///   - limits: How far the fast format may be off.
    /// - Returns: f32 unless every difference is within the limits.
    /// - Throws: `InferenceError` of an engine, or with code `.badOutput` if the two do not even give the same shapes.
    public static func compare<A: Engine & ~Copyable, B: Engine & ~Copyable>(
        exact: inout A,
        fast: inout B,
        card: ModelCard,
        images: [SampleImage],
        limits: Limits = Limits()
    ) throws(InferenceError) -> Verdict {
        precondition(!images.isEmpty, "nothing to compare with")
        var verdict = Verdict.unchecked(.f32)
        // A format without a name of ours cannot be asked for, so it cannot be used either.
        guard let fastPrecision = Precision(rawValue: fast.precision) else { return verdict }
        verdict.fastPrecision = fastPrecision

        var parameters = PredictionParameters()
        parameters.letterbox = .full
        var isWithin = true
        for sample in images {
            let a = try look(at: sample, with: &exact, card: card, parameters: parameters)
            let b: Look
            do throws(InferenceError) {
                b = try look(at: sample, with: &fast, card: card, parameters: parameters)
            } catch {
                // The fast format gives nonsense here: that is a verdict, not the end of the model.
                guard error.code == .badOutput else { throw error }
                return verdict
            }
            let limit = limits.boxDifference * Double(max(a.input.height, a.input.width))
            let differences = try compareHeads(a.head, b.head, card: card, count: limits.anchorCount)
            verdict.boxesCompared += differences.count
            var scores = differences.score, boxes = differences.box

            let pairs = matchDetections(a.predictions, b.predictions, threshold: limits.detectionThreshold)
            verdict.boxesCompared += pairs.matched.count
            verdict.unmatchedDetections += pairs.unmatched
            // Detections are in pixels of the picture; the head is in those of the input, which the verdict speaks of.
            for (x, y) in pairs.matched {
                scores = max(scores, abs(Double(x.confidence) - Double(y.confidence)))
                boxes = max(boxes, x.box.largestDifference(from: y.box) * a.scale)
            }
            verdict.largestScoreDifference = max(verdict.largestScoreDifference, scores)
            verdict.largestBoxDifference = max(verdict.largestBoxDifference, boxes)
            // Written so that a value that is not a number fails.
            if !(scores <= limits.scoreDifference && boxes <= limit) { isWithin = false }
        }
        // Nothing compared is nothing shown.
        let isShown = isWithin && verdict.unmatchedDetections == 0 && verdict.boxesCompared > 0
        if isShown { verdict.precision = fastPrecision }
        return verdict
    }

    // MARK: One picture

    /// What one engine made of one picture.
    private struct Look {
        var input: ImageSize
        /// Pixels of the input per pixel of the picture.
        var scale: Double
        /// A copy of the first output.
        var head: (shape: [Int], values: [Float])
        var predictions: [Prediction]
    }

    private static func look<E: Engine & ~Copyable>(
        at sample: SampleImage,
        with engine: inout E,
        card: ModelCard,
        parameters: PredictionParameters
    ) throws(InferenceError) -> Look {
        let source = ImageSize(height: sample.image.height, width: sample.image.width)
        let letterbox: Letterbox
        do throws(VisionError) {
            letterbox = try Letterbox(source: source, card: card, parameters: parameters)
        } catch {
            throw InferenceError(error)
        }
        return try engine.run(letterbox.input) { tensor in
            letterbox.write(sample.image, into: tensor)
        } read: { (outputs) throws(VisionError) -> Look in
            try checkSanity(of: outputs, card: card)
            guard let head = outputs.first else {
                throw VisionError(code: .badOutput, message: "the network has no output.")
            }
            let predictions = try decodePredictions(
                outputs,
                card: card,
                parameters: parameters,
                letterbox: letterbox
            )
            return Look(
                input: letterbox.input,
                scale: Double(letterbox.scaledWidth) / Double(source.width),
                head: (head.shape, Array(head.values)),
                predictions: predictions
            )
        }
    }

    /// Compares (1, 4 + classes + …, anchors) heads at the anchors that `a` scores highest.
    ///
    /// Rows sorted by score (end-to-end heads) are compared by their scores, place by place: a small difference exchanges
    /// rows, so that their boxes are compared as detections alone.
    private static func compareHeads(
        _ a: (shape: [Int], values: [Float]),
        _ b: (shape: [Int], values: [Float]),
        card: ModelCard,
        count: Int
    ) throws(InferenceError) -> (count: Int, score: Double, box: Double) {
        guard a.shape == b.shape else {
            throw InferenceError(
                code: .badOutput,
                message: "cannot compare precisions: the outputs are \(a.shape) and \(b.shape)."
            )
        }
        if card.head == .endToEnd || card.head == .chosenQueries, a.shape.count == 3, a.shape[2] >= 6 {
            let rows = 0..<min(count, a.shape[1])
            let score = rows.reduce(0.0) { largest, row in
                let at = row * a.shape[2] + 4
                return max(largest, abs(Double(a.values[at]) - Double(b.values[at])))
            }
            return (rows.count, score, 0)
        }
        let classCount = card.classNames.count
        guard card.head == .anchors, a.shape.count == 3, a.shape[1] >= 4 + classCount, classCount > 0 else {
            return (0, 0, 0)
        }
        let anchors = a.shape[2]
        let best = (0..<anchors).map { anchor in
            (0..<classCount).reduce(into: (row: 4, score: -Float.infinity)) { best, index in
                let score = a.values[(4 + index) * anchors + anchor]
                if score > best.score { best = (4 + index, score) }
            }
        }
        let highest = (0..<anchors).sorted { best[$0].score > best[$1].score }.prefix(count)
        var score = 0.0, box = 0.0
        for anchor in highest {
            let at = best[anchor].row * anchors + anchor
            score = max(score, abs(Double(a.values[at]) - Double(b.values[at])))
            for row in 0..<4 {
                let at = row * anchors + anchor
                box = max(box, abs(Double(a.values[at]) - Double(b.values[at])))
            }
        }
        return (highest.count, score, box)
    }

    /// Pairs detections of one class that overlap by half or more, the best first.
    ///
    /// One above the threshold that has no partner at all, in either list, is unmatched.
    private static func matchDetections(
        _ a: [Prediction],
        _ b: [Prediction],
        threshold: Double
    ) -> (matched: [(Prediction, Prediction)], unmatched: Int) {
        var rest = b
        var matched: [(Prediction, Prediction)] = []
        var unmatched = 0
        for prediction in a {
            let partner = rest.indices
                .filter { rest[$0].classIndex == prediction.classIndex }
                .map { (index: $0, overlap: rest[$0].box.overlap(with: prediction.box)) }
                .max { $0.overlap < $1.overlap }
            if let partner, partner.overlap >= 0.5 {
                matched.append((prediction, rest.remove(at: partner.index)))
            } else if Double(prediction.confidence) > threshold {
                unmatched += 1
            }
        }
        return (matched, unmatched + rest.count { Double($0.confidence) > threshold })
    }
}

extension Box {
    /// The largest difference of a coordinate.
    fileprivate func largestDifference(from other: Box) -> Double {
        Double(max(abs(x1 - other.x1), abs(y1 - other.y1), abs(x2 - other.x2), abs(y2 - other.y2)))
    }

    /// Intersection over union, 0…1.
    fileprivate func overlap(with other: Box) -> Float {
        let width = max(0, min(x2, other.x2) - max(x1, other.x1))
        let height = max(0, min(y2, other.y2) - max(y1, other.y1))
        let both = (x2 - x1) * (y2 - y1) + (other.x2 - other.x1) * (other.y2 - other.y1) - width * height
        return both > 0 ? width * height / both : 0
    }
}

/// Keeps verdicts in a small JSON file, replaced whole; a broken file counts as empty.
private struct VerdictStore {
    let path: String?

    private var verdicts: [String: SelfCheck.Verdict] {
        path.flatMap(contents(ofFileAt:)).flatMap {
            try? JSONDecoder().decode([String: SelfCheck.Verdict].self, from: $0)
        } ?? [:]
    }

    func verdict(for key: String) -> SelfCheck.Verdict? { verdicts[key] }

    func keep(_ verdict: SelfCheck.Verdict, for key: String) {
        guard let path else { return }
        var verdicts = verdicts
        verdicts[key] = verdict
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        if let data = try? encoder.encode(verdicts) { replaceFile(data, at: path) }
    }
}
