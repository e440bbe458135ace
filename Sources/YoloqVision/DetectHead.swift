// SPDX-License-Identifier: Apache-2.0

/// How a detect model lays out what it found.
public enum DetectHead: String, Sendable, Hashable, Codable {
    /// Float32, (1, 4 + classes, anchors): cx, cy, w, h in pixels of the input, then class probabilities.
    ///
    /// YOLOv8, v9, 11, 12, and others exported without their end-to-end head. Needs non-maximum suppression.
    case anchors
    /// Float32, (1, rows, 6): x1, y1, x2, y2 in pixels of the input, confidence, class; nothing left to suppress.
    ///
    /// YOLOv10, YOLO26, and every export with `nms=True`, which fills the tail with rows of zeros.
    case endToEnd = "end2end"
}

extension DetectHead {
    /// More rows than any head has: 4 and a class each.
    static let maxRows = 100_000

    /// Decides on the layout: by the metadata where it speaks, else by the output's shape; refuses what is ambiguous.
    ///
    /// - Parameters:
    ///   - outputs: The shapes of all outputs, nil = free.
    ///   - classCount: How many names the metadata has; nil without names.
    ///   - isEndToEnd: What the metadata says, nil if nothing.
    ///   - input: The input's size if it is fixed; tells one-class YOLOv5 rows from end-to-end ones.
    /// - Returns: The layout. Where the shape is free, it is only presumed: decoding checks it again.
    /// - Throws: `unsupportedModel` for families of other layouts, `modelInvalid` where names and shape contradict.
    static func resolve(
        outputs: [[Int?]],
        classCount: Int?,
        isEndToEnd: Bool?,
        input: ImageSize?
    ) throws(VisionError) -> DetectHead {
        guard outputs.count == 1, outputs[0].count == 3 else { throw .unknownOutputs(outputs) }
        let (rows, columns) = (outputs[0][1], outputs[0][2])
        if isEndToEnd == true {
            guard columns == nil || columns == 6 else {
                throw .modelInvalid("it calls itself end-to-end, but its output is \(describe(outputs[0]))")
            }
            return .endToEnd
        }
        if let rows, let columns {
            try refuseObjectnessRows(rows: rows, columns: columns, classCount: classCount, input: input)
        }
        if columns == 6, rows != 6 {
            return try endToEndByShape(outputs[0], classCount: classCount, isEndToEnd: isEndToEnd)
        }
        guard let classCount else { return try anchorsByShape(outputs[0], input: input) }
        guard let rows else { return .anchors }
        if rows != 4 + classCount, columns == 4 + classCount { throw .rtDETR(outputs[0]) }
        if rows == 300, columns == nil, rows != 4 + classCount, isEndToEnd == nil { return .endToEnd }
        guard rows == 4 + classCount else {
            throw .modelInvalid(
                "its names list \(classCount) classes, but its output \(describe(outputs[0])) has \(rows - 4)"
            )
        }
        return .anchors
    }

    /// Anchors at strides 8, 16 and 32, a P2 head's from 4 on, and a P6 head's up to 64.
    private static func anchorCounts(_ input: ImageSize) -> [Int] {
        [[8, 16, 32], [4, 8, 16, 32], [8, 16, 32, 64]].map { strides in
            strides.reduce(0) { $0 + (input.height / $1) * (input.width / $1) }
        }
    }

    /// YOLOv5 and YOLOX give a row per anchor with an objectness in it; with one class a row has 6 values too.
    private static func refuseObjectnessRows(
        rows: Int,
        columns: Int,
        classCount: Int?,
        input: ImageSize?
    ) throws(VisionError) {
        let anchors = input.map(anchorCounts) ?? []
        guard rows > columns, columns >= 6 else { return }
        guard classCount == nil || columns == 5 + (classCount ?? 0) else { return }
        if anchors.contains(where: { rows == 3 * $0 }) {
            throw .objectnessRows("YOLOv5", rows: rows, columns: columns)
        }
        if anchors.contains(rows) {
            throw .objectnessRows("YOLOX", rows: rows, columns: columns)
        }
        if classCount != nil, columns > 6 {
            throw .objectnessRows("YOLOv5 or YOLOX", rows: rows, columns: columns)
        }
    }

    private static func endToEndByShape(
        _ shape: [Int?],
        classCount: Int?,
        isEndToEnd: Bool?
    ) throws(VisionError) -> DetectHead {
        if isEndToEnd == false {
            throw .modelInvalid("it denies having an end-to-end head, but its output \(describe(shape)) is that of one")
        }
        if classCount == 2 {
            // 6 = 4 + 2 classes as well.
            throw .unsupportedModel(
                "its output \(describe(shape)) can be an end-to-end head or an RT-DETR of 2 classes",
                advice: "Export it again with a current Ultralytics, which says which it is."
            )
        }
        if classCount ?? 1 == 1, shape[1] ?? .max > 1000 {
            // 6 = 4 + objectness + 1 class as well; end-to-end heads have 300 rows.
            throw .unsupportedModel(
                "its output \(describe(shape)) can be an end-to-end head or a YOLOv5 of one class",
                advice: "Export it again with a current Ultralytics, which says which it is."
            )
        }
        return .endToEnd
    }

    /// Without any metadata only a shape that fits nothing else is taken.
    private static func anchorsByShape(_ shape: [Int?], input: ImageSize?) throws(VisionError) -> DetectHead {
        guard let rows = shape[1], let columns = shape[2] else {
            throw .unsupportedModel(
                "it has no metadata, and its output \(describe(shape)) is too free to tell its family",
                advice: "Export it with `yolo export`, which writes metadata."
            )
        }
        guard rows < columns else { throw rows == 300 ? .rtDETR(shape) : .unknownOutputs([shape]) }
        guard rows >= 5, rows <= maxRows else { throw .unknownOutputs([shape]) }
        guard rows != 56 else {
            throw .unsupportedModel(
                "it has no metadata, and its output \(describe(shape)) fits a pose model as well as one of 52 classes",
                advice: "Export it with `yolo export`, which writes metadata."
            )
        }
        guard input.map({ anchorCounts($0).contains(columns) }) ?? true else { throw .unknownOutputs([shape]) }
        return .anchors
    }
}

/// A shape as people write it: `[1, 84, ?]`.
func describe(_ shape: [Int?]) -> String {
    "[" + shape.map { $0.map(String.init) ?? "?" }.joined(separator: ", ") + "]"
}

extension VisionError {
    static func rtDETR(_ shape: [Int?]) -> VisionError {
        .unsupportedModel(
            "its output \(describe(shape)) is that of an RT-DETR, or its metadata names one; those are not supported"
        )
    }

    fileprivate static func objectnessRows(_ family: String, rows: Int, columns: Int) -> VisionError {
        .unsupportedModel(
            "its output has \(rows) rows of 4 + objectness + \(columns - 5) classes, as \(family) exports have, "
                + "which are not supported yet"
        )
    }

    fileprivate static func unknownOutputs(_ outputs: [[Int?]]) -> VisionError {
        let shapes = outputs.prefix(4).map(describe).joined(separator: ", ")
        return .unsupportedModel(
            "its \(outputs.count == 1 ? "output is" : "outputs are") \(shapes.isEmpty ? "missing" : shapes); "
                + "a detect model has one of (1, 4 + classes, anchors) or (1, rows, 6)"
        )
    }
}
