// SPDX-License-Identifier: Apache-2.0

/// One thing found in an image.
public struct Prediction: Sendable, Hashable {
    /// Which class, as in `ModelCard.classNames`.
    public var classIndex: Int
    /// How sure the model is, 0…1.
    public var confidence: Float
    /// Where, in pixels of the upright image.
    ///
    /// Of an oriented box the upright rectangle around it; of a `classify` model's prediction the whole image.
    public var box: Box
    /// The oriented box, in pixels of the upright image; only of an `obb` model.
    public var rotatedBox: RotatedBox?
    /// The keypoints in the model's order; only of a `pose` model.
    public var keypoints: [Keypoint]?
    /// Which pixels; only of a `segment` model.
    public var mask: InstanceMask?

    /// Makes a prediction.
    ///
    /// - Parameters:
    ///   - classIndex: Which class, as in `ModelCard.classNames`.
    ///   - confidence: How sure the model is, 0…1.
    ///   - box: Where, in pixels of the upright image.
    ///   - rotatedBox: The oriented box of an `obb` model.
    ///   - keypoints: The keypoints of a `pose` model.
    ///   - mask: The pixels of a `segment` model.
    public init(
        classIndex: Int,
        confidence: Float,
        box: Box,
        rotatedBox: RotatedBox? = nil,
        keypoints: [Keypoint]? = nil,
        mask: InstanceMask? = nil
    ) {
        self.classIndex = classIndex
        self.confidence = confidence
        self.box = box
        self.rotatedBox = rotatedBox
        self.keypoints = keypoints
        self.mask = mask
    }
}

extension Prediction {
    /// Whether all its numbers are finite, as JSON wants them.
    package var isFinite: Bool {
        let points = (keypoints ?? []).map { Point(x: $0.x, y: $0.y) } + (rotatedBox?.corners ?? [])
        let numbers = [confidence, box.x1, box.y1, box.x2, box.y2] + (keypoints ?? []).compactMap(\.visibility)
        return numbers.allSatisfy(\.isFinite) && points.allSatisfy { $0.x.isFinite && $0.y.isFinite }
    }
}

/// A place on an object that has a name, such as a person's left elbow.
public struct Keypoint: Sendable, Hashable {
    /// From the left, in pixels of the upright image.
    public var x: Float
    /// From the top, in pixels of the upright image.
    public var y: Float
    /// How sure the model is that it can be seen, 0…1; nil if it does not say.
    public var visibility: Float?

    /// Makes a keypoint.
    ///
    /// - Parameters:
    ///   - x: From the left, in pixels of the upright image.
    ///   - y: From the top, in pixels of the upright image.
    ///   - visibility: How sure the model is that it can be seen.
    public init(x: Float, y: Float, visibility: Float?) {
        self.x = x
        self.y = y
        self.visibility = visibility
    }
}

/// The pixels of one object, and the line around them.
public struct InstanceMask: Sendable, Hashable {
    /// The pixels.
    public var runs: RunLengthMask
    /// What they are a grid of.
    public var frame: MaskFrame
    /// The outer line of all parts, joined into one, in pixels of the upright image.
    public var polygon: [Point]

    /// Makes a mask.
    ///
    /// - Parameters:
    ///   - runs: The pixels.
    ///   - frame: What they are a grid of.
    ///   - polygon: The outer line in pixels of the upright image.
    public init(runs: RunLengthMask, frame: MaskFrame, polygon: [Point]) {
        self.runs = runs
        self.frame = frame
        self.polygon = polygon
    }
}

extension Float {
    /// Python's `round(x, 5)`: half to even on the exact value, then the nearest Double to that decimal.
    ///
    /// 100000 is 3125 (12 bits) times a power of two and a Float has 24 bits, so the product is exact in a Double's 53,
    /// and dividing whole numbers rounds once, to the nearest.
    package var roundedToFiveDecimals: Double {
        (Double(self) * 100_000).rounded(.toNearestOrEven) / 100_000
    }
}
