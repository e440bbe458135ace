// SPDX-License-Identifier: Apache-2.0

public import YoloqVision

extension ResultDocument {
    /// One found object, as in Ultralytics' `Results.summary()`; what a task does not have is left out.
    public struct Detection: Sendable, Hashable, Codable {
        /// Corners in pixels of the upright image, rounded to 5 decimals.
        ///
        /// Two of an upright box: left and top, right and bottom. Four of an oriented one, in the reference's order.
        public struct Corners: Sendable, Hashable, Codable {
            /// First corner, from the left.
            public var x1: Double
            /// First corner, from the top.
            public var y1: Double
            /// Second corner, from the left.
            public var x2: Double
            /// Second corner, from the top.
            public var y2: Double
            /// Third corner of an oriented box.
            public var x3: Double?
            /// Third corner of an oriented box.
            public var y3: Double?
            /// Fourth corner of an oriented box.
            public var x4: Double?
            /// Fourth corner of an oriented box.
            public var y4: Double?
        }

        /// An oriented box by its centre, in pixels of the upright image, rounded to 5 decimals.
        public struct Rotated: Sendable, Hashable, Codable {
            /// Centre, from the left.
            public var cx: Double
            /// Centre, from the top.
            public var cy: Double
            /// Length of the side along the x axis before turning.
            public var w: Double
            /// Length of the other side.
            public var h: Double
            /// In radians, clockwise as seen.
            public var angle: Double
        }

        /// Places as two lists, in pixels of the upright image, rounded to 5 decimals.
        public struct Segments: Sendable, Hashable, Codable {
            /// From the left.
            public var x: [Double]
            /// From the top.
            public var y: [Double]
        }

        /// Keypoints as lists in the model's order.
        public struct Keypoints: Sendable, Hashable, Codable {
            /// From the left, in pixels of the upright image.
            public var x: [Double]
            /// From the top.
            public var y: [Double]
            /// How sure the model is that each can be seen, 0…1; nil if it does not say.
            public var visible: [Double]?
        }

        /// The pixels as COCO's compressed run lengths.
        public struct Mask: Sendable, Hashable, Codable {
            /// Height and width of the grid.
            public var size: [Int]
            /// Run lengths, column by column, starting with zeros, in COCO's characters.
            public var counts: String
            /// What the grid is of: the model's input with its padding, or the upright image.
            public var frame: MaskFrame
        }

        /// The class's name.
        public var name: String
        /// The class's number in the model.
        public var `class`: Int
        /// 0…1, rounded to 5 decimals.
        public var confidence: Double
        /// Where it is; nil of a `classify` model.
        public var box: Corners?
        /// The oriented box of an `obb` model.
        public var rotated: Rotated?
        /// The outline of a `segment` model's mask.
        public var segments: Segments?
        /// The keypoints of a `pose` model.
        public var keypoints: Keypoints?
        /// The pixels of a `segment` model's mask.
        public var mask: Mask?
    }
}

extension ResultDocument.Detection {
    /// The entry of a prediction.
    ///
    /// - Parameters:
    ///   - prediction: In pixels of the upright image.
    ///   - task: The model's; of `classify` the box is left out.
    ///   - names: `ModelCard.classNames`.
    init(_ prediction: Prediction, task: VisionTask = .detect, names: [String]) {
        let index = prediction.classIndex
        self.init(
            name: names.indices.contains(index) ? names[index] : "class\(index)",
            class: index,
            confidence: prediction.confidence.roundedToFiveDecimals
        )
        if let rotatedBox = prediction.rotatedBox {
            box = Corners(rotatedBox.corners)
            rotated = Rotated(rotatedBox)
        } else if task != .classify {
            box = Corners([
                Point(x: prediction.box.x1, y: prediction.box.y1), Point(x: prediction.box.x2, y: prediction.box.y2),
            ])
        }
        keypoints = prediction.keypoints.map(Keypoints.init)
        if let found = prediction.mask {
            segments = Segments(
                x: found.polygon.map(\.x.roundedToFiveDecimals),
                y: found.polygon.map(\.y.roundedToFiveDecimals)
            )
            mask = Mask(
                size: [found.runs.size.height, found.runs.size.width],
                counts: found.runs.compressedCounts,
                frame: found.frame
            )
        }
    }

    /// The entry in the order of keys in which it is printed.
    public var json: JSONValue {
        var members = summaryMembers
        if let rotated { members.append(.init("rotated", rotated.json)) }
        if let mask { members.append(.init("mask", mask.json)) }
        return .object(members)
    }

    /// The entry with the keys of Ultralytics' `Results.summary()` alone.
    public var summary: JSONValue { .object(summaryMembers) }

    private var summaryMembers: [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("name", .string(name)), .init("class", .int(`class`)), .init("confidence", .double(confidence)),
        ]
        if let box { members.append(.init("box", box.json)) }
        if let segments { members.append(.init("segments", ["x": .list(segments.x), "y": .list(segments.y)])) }
        if let keypoints { members.append(.init("keypoints", keypoints.json)) }
        return members
    }
}

extension ResultDocument.Detection.Corners {
    /// Of two or four corners.
    fileprivate init(_ corners: [Point]) {
        let rounded = corners.map { ($0.x.roundedToFiveDecimals, $0.y.roundedToFiveDecimals) }
        self.init(x1: rounded[0].0, y1: rounded[0].1, x2: rounded[1].0, y2: rounded[1].1)
        guard rounded.count == 4 else { return }
        (x3, y3) = rounded[2]
        (x4, y4) = rounded[3]
    }

    fileprivate var json: JSONValue {
        let values: [(String, Double?)] = [
            ("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2), ("x3", x3), ("y3", y3), ("x4", x4), ("y4", y4),
        ]
        return .object(values.compactMap { key, value in value.map { .init(key, .double($0)) } })
    }
}

extension ResultDocument.Detection.Rotated {
    fileprivate init(_ box: RotatedBox) {
        self.init(
            cx: box.centerX.roundedToFiveDecimals,
            cy: box.centerY.roundedToFiveDecimals,
            w: box.width.roundedToFiveDecimals,
            h: box.height.roundedToFiveDecimals,
            angle: box.angle.roundedToFiveDecimals
        )
    }

    fileprivate var json: JSONValue {
        ["cx": .double(cx), "cy": .double(cy), "w": .double(w), "h": .double(h), "angle": .double(angle)]
    }
}

extension ResultDocument.Detection.Keypoints {
    fileprivate init(_ keypoints: [Keypoint]) {
        let visible = keypoints.compactMap(\.visibility?.roundedToFiveDecimals)
        self.init(
            x: keypoints.map(\.x.roundedToFiveDecimals),
            y: keypoints.map(\.y.roundedToFiveDecimals),
            visible: visible.count == keypoints.count ? visible : nil
        )
    }

    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [.init("x", .list(x)), .init("y", .list(y))]
        if let visible { members.append(.init("visible", .list(visible))) }
        return .object(members)
    }
}

extension ResultDocument.Detection.Mask {
    fileprivate var json: JSONValue {
        ["size": .array(size.map(JSONValue.int)), "counts": .string(counts), "frame": .string(frame.rawValue)]
    }
}

extension JSONValue {
    fileprivate static func list(_ values: [Double]) -> JSONValue { .array(values.map(JSONValue.double)) }
}
