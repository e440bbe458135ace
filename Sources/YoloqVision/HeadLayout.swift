// SPDX-License-Identifier: Apache-2.0

/// How a model lays out what it found, in its first output.
///
/// "Extra" stands for what the task adds to a box: mask coefficients, keypoints, an angle, or nothing. Boxes are in pixels of
/// the input except where it is said.
public enum HeadLayout: String, Sendable, Hashable, Codable, CaseIterable {
    /// Float32, (1, 4 + classes + extra, anchors): cx, cy, w, h, then class probabilities, then extra.
    ///
    /// YOLOv8, v9, 11, 12, and others exported without their end-to-end head. Needs non-maximum suppression.
    case anchors
    /// Float32, (1, rows, 6 + extra): x1, y1, x2, y2, confidence, class, extra; nothing left to suppress.
    ///
    /// YOLOv10, YOLO26, and every export with `nms=True`, which fills the tail with rows of zeros. Oriented boxes: cx, cy, w,
    /// h instead of corners, and the angle last.
    case endToEnd = "end2end"
    /// Float32, (1, anchors, 5 + classes + extra): cx, cy, w, h, objectness, class probabilities, extra.
    ///
    /// YOLOv5 and YOLOv7. Needs non-maximum suppression.
    case objectness = "yolov5"
    /// As `objectness`, but x, y, w, h are relative to the cell: ((x, y) + cell) · stride, exp(w, h) · stride.
    ///
    /// YOLOX as its own exporter writes it; it takes other pixels than the rest too, see `InputForm`.
    case grid = "yolox"
    /// As `objectness`, boxes decoded in the network: YOLOX exported with `--decode_in_inference`.
    case decodedGrid = "yolox-decoded"
    /// Float32, (1, queries, 4 + classes): cx, cy, w, h as parts of the input's sides, then class probabilities.
    ///
    /// RT-DETR. Nothing left to suppress.
    case queries = "rtdetr"
    /// Float32, (1, rows, 6): cx, cy, w, h as parts of the input's sides, confidence, class; nothing left to suppress.
    ///
    /// RT-DETR as Ultralytics exports it since May 2026 (ultralytics/ultralytics#24403): the network chooses the best.
    case chosenQueries = "rtdetr-topk"
    /// Float32, (1, classes): probabilities of the whole image, from a `classify` model.
    case scores
}

extension HeadLayout {
    /// The layout of a family as people name it: any YOLO by its number, `yolox`, `yolox-decoded`, `rtdetr`, `rtdetr-topk`,
    /// and `end2end` for exports with the suppression inside.
    ///
    /// - Parameter family: In small letters or not.
    /// - Returns: The layout.
    /// - Throws: `modelInvalid` with the names that are known.
    static func layout(ofFamily family: String) throws(VisionError) -> HeadLayout {
        switch family.lowercased() {
        case "yolov5", "yolov7": return .objectness
        case "yolov6", "yolov8", "yolov9", "yolo11", "yolo12": return .anchors
        case "yolov10", "yolo26", "end2end": return .endToEnd
        case "yolox": return .grid
        case "yolox-decoded": return .decodedGrid
        case "rtdetr", "rt-detr": return .queries
        case "rtdetr-topk": return .chosenQueries
        default:
            throw .modelInvalid(
                "there is no family \"\(shown(family))\"",
                advice:
                    "Known are yolov5, yolov7, yolov8, yolov9, yolov10, yolo11, yolo12, yolo26, end2end, yolox, "
                    + "yolox-decoded, rtdetr and rtdetr-topk."
            )
        }
    }

    /// How many numbers stand before the classes.
    var leadCount: Int {
        switch self {
        case .anchors, .queries: 4
        case .objectness, .grid, .decodedGrid: 5
        case .endToEnd, .chosenQueries: 6
        case .scores: 0
        }
    }

    /// Whether boxes are suppressed here.
    public var needsSuppression: Bool {
        switch self {
        case .anchors, .objectness, .grid, .decodedGrid: true
        case .endToEnd, .queries, .chosenQueries, .scores: false
        }
    }

    /// Whether a row has the number of its class instead of a score for each.
    var namesClass: Bool { self == .endToEnd || self == .chosenQueries }

    /// Whether each anchor is a row of the tensor, not a column.
    var isByRows: Bool { self != .anchors }
}

/// What tells a layout.
struct HeadEvidence: Hashable {
    /// The shape of the output with the boxes, nil = free.
    let shape: [Int?]
    let task: VisionTask
    /// How many names the metadata has; nil without names.
    let classCount: Int?
    /// How many numbers the task adds to a box.
    let extraCount: Int
    /// What the metadata says, nil if nothing.
    let isEndToEnd: Bool?
    let isRTDETR: Bool
    /// What the card beside the model says, or somebody who asks for a prediction.
    var family: String?
    /// The input's size if it is fixed; tells YOLOv5 rows from YOLOX and from end-to-end ones.
    let input: ImageSize?
}

extension HeadLayout {
    /// More rows than any head has: 4 and a class each.
    static let maxRows = 100_000

    /// Decides on the layout: by the metadata where it speaks, else by the output's shape; refuses what is ambiguous.
    ///
    /// - Parameter evidence: All that is known.
    /// - Returns: The layout. Where the shape is free, it is only presumed: decoding checks it again.
    /// - Throws: `unsupportedModel` for what is ambiguous or unknown, with the candidates; `modelInvalid` where names and
    ///   shape contradict.
    static func resolve(_ evidence: HeadEvidence) throws(VisionError) -> HeadLayout {
        guard evidence.task != .classify else { return .scores }
        guard evidence.shape.count == 3 else { throw .unknownOutput(evidence) }
        if let family = evidence.family {
            let layout = try layout(ofFamily: family)
            try evidence.check(layout, saidBy: "it is said to be a \(shown(family))")
            return layout
        }
        if evidence.isRTDETR { return try evidence.queries() }
        if evidence.isEndToEnd == true {
            try evidence.check(.endToEnd, saidBy: "it calls itself end-to-end")
            return .endToEnd
        }
        if let layout = try evidence.rowsWithObjectness() { return layout }
        let (rows, columns) = (evidence.shape[1], evidence.shape[2])
        if columns == 6 + evidence.extraCount, rows != 6 + evidence.extraCount {
            try evidence.checkEndToEndByShape()
            return .endToEnd
        }
        guard let classCount = evidence.classCount else { return try evidence.anchorsByShape() }
        guard let rows else { return .anchors }
        let expected = 4 + classCount + evidence.extraCount
        if rows != expected, columns == 4 + classCount, evidence.task == .detect { return .queries }
        if rows == 300, columns == nil, rows != expected, evidence.isEndToEnd == nil { return .endToEnd }
        guard rows == expected else {
            throw .modelInvalid(
                "its names list \(classCount) classes, but its output \(describe(evidence.shape)) has "
                    + "\(rows - 4 - evidence.extraCount)"
            )
        }
        return .anchors
    }
}

extension HeadEvidence {
    /// Anchors at strides 8, 16 and 32, a P2 head's from 4 on, and a P6 head's up to 64.
    private var anchorCounts: [Int] {
        guard let input else { return [] }
        return [[8, 16, 32], [4, 8, 16, 32], [8, 16, 32, 64]].map { strides in
            strides.reduce(0) { $0 + (input.height / $1) * (input.width / $1) }
        }
    }

    /// Looks whether a layout that somebody names fits the shape.
    fileprivate func check(_ layout: HeadLayout, saidBy: String) throws(VisionError) {
        let width = layout.isByRows ? shape[2] : shape[1]
        let expected: Int? =
            switch layout {
            case .endToEnd: task == .obb ? 7 : 6 + extraCount
            case .chosenQueries: 6
            default: classCount.map { layout.leadCount + $0 + extraCount }
            }
        guard let width, let expected, width != expected else { return }
        throw .modelInvalid(
            "\(saidBy), but its output is \(describe(shape)), not \(expected) numbers for each box"
        )
    }

    /// Which of its two layouts an RT-DETR has.
    fileprivate func queries() throws(VisionError) -> HeadLayout {
        if classCount == 2, shape[2] == 6 {
            throw .ambiguous(
                self,
                candidates: ["rtdetr (with a score for each class)", "rtdetr-topk (exported since May 2026)"]
            )
        }
        let layout: HeadLayout = shape[2] == 6 ? .chosenQueries : .queries
        try check(layout, saidBy: "it calls itself an RT-DETR")
        return layout
    }

    /// YOLOv5, v7 and YOLOX give a row per anchor with an objectness in it; with one class a row has 6 values too.
    ///
    /// - Returns: nil if the shape is none of theirs.
    fileprivate func rowsWithObjectness() throws(VisionError) -> HeadLayout? {
        guard let columns = shape[2], columns >= 6 else { return nil }
        let fits = classCount.map { columns == 5 + $0 + extraCount }
        guard fits ?? true else { return nil }
        guard let rows = shape[1] else {
            // Nothing else has names and as many numbers; an end-to-end row of one class has as many, and says so.
            return fits == true && columns > 6 + extraCount ? .objectness : nil
        }
        guard rows > columns else { return nil }
        if anchorCounts.contains(where: { rows == 3 * $0 }) { return .objectness }
        if anchorCounts.contains(rows), task == .detect {
            throw .ambiguous(
                self,
                candidates: [
                    "yolox (boxes relative to their cells)", "yolox-decoded (exported with --decode_in_inference)",
                ]
            )
        }
        guard fits == true, columns > 6 + extraCount else { return nil }
        throw .ambiguous(self, candidates: ["yolov5", "yolov7", "yolox", "yolox-decoded"])
    }

    /// Refuses shapes of end-to-end heads that can be something else.
    fileprivate func checkEndToEndByShape() throws(VisionError) {
        if isEndToEnd == false {
            throw .modelInvalid("it denies having an end-to-end head, but its output \(describe(shape)) is that of one")
        }
        if task == .detect, classCount == 2 {
            // 6 = 4 + 2 classes as well.
            throw .ambiguous(self, candidates: ["end2end", "rtdetr (of 2 classes)"])
        }
        if classCount ?? 1 == 1, shape[1] ?? .max > 1000 {
            // 6 = 4 + objectness + 1 class as well; end-to-end heads have 300 rows.
            throw .ambiguous(self, candidates: ["end2end", "yolov5 (of one class)"])
        }
    }

    /// Without any metadata only a shape that fits nothing else is taken.
    fileprivate func anchorsByShape() throws(VisionError) -> HeadLayout {
        guard let rows = shape[1], let columns = shape[2] else {
            throw .unsupportedModel(
                "it has no metadata, and its output \(describe(shape)) is too free to tell its family",
                advice: VisionError.cardAdvice
            )
        }
        guard rows < columns else {
            if rows == 300, task == .detect { return .queries }
            throw .unknownOutput(self)
        }
        guard rows >= 5 + extraCount, rows <= HeadLayout.maxRows else { throw .unknownOutput(self) }
        guard rows != 56 || task != .detect else {
            throw .ambiguous(self, candidates: ["yolov8 (of 52 classes)", "a pose model (its card must say the task)"])
        }
        guard input == nil || anchorCounts.contains(columns) else { throw .unknownOutput(self) }
        return .anchors
    }
}

/// A shape as people write it: `[1, 84, ?]`.
func describe(_ shape: [Int?]) -> String {
    "[" + shape.map { $0.map(String.init) ?? "?" }.joined(separator: ", ") + "]"
}

extension VisionError {
    /// What to do about a file that does not say what it is.
    static let cardAdvice =
        "Name the family with --family, or write it into NAME.card.json beside the model."

    fileprivate static func ambiguous(_ evidence: HeadEvidence, candidates: [String]) -> VisionError {
        .unsupportedModel(
            "its output \(describe(evidence.shape)) can be that of \(candidates.joined(separator: ", "))",
            advice: cardAdvice
        )
    }

    fileprivate static func unknownOutput(_ evidence: HeadEvidence) -> VisionError {
        let shape = evidence.shape.isEmpty ? "missing" : describe(evidence.shape)
        return .unsupportedModel(
            "its output with the boxes is \(shape); known are (1, 4 + classes, anchors), (1, anchors, 5 + classes), (1, rows, 6) "
                + "and (1, 300, 4 + classes), each with what its task adds",
            advice: cardAdvice
        )
    }
}
