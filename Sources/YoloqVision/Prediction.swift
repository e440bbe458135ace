// SPDX-License-Identifier: Apache-2.0

/// One thing found in an image.
public struct Prediction: Sendable, Hashable {
    /// Which class, as in `ModelCard.classNames`.
    public var classIndex: Int
    /// How sure the model is, 0…1.
    public var confidence: Float
    /// Where, in pixels of the upright image.
    public var box: Box

    /// Makes a prediction.
    ///
    /// - Parameters:
    ///   - classIndex: Which class, as in `ModelCard.classNames`.
    ///   - confidence: How sure the model is, 0…1.
    ///   - box: Where, in pixels of the upright image.
    public init(classIndex: Int, confidence: Float, box: Box) {
        self.classIndex = classIndex
        self.confidence = confidence
        self.box = box
    }

    /// Describes the prediction as `Results.summary()` of Ultralytics 8.4 does.
    ///
    /// - Parameter names: `ModelCard.classNames`; a class beyond them is called `class7`.
    /// - Returns: `name`, `class`, `confidence` and `box` with `x1`, `y1`, `x2`, `y2`; numbers rounded to 5 decimals.
    public func summary(names: [String]) -> JSONValue {
        [
            "name": .string(names.indices.contains(classIndex) ? names[classIndex] : "class\(classIndex)"),
            "class": .int(classIndex),
            "confidence": .double(confidence.roundedToFiveDecimals),
            "box": [
                "x1": .double(box.x1.roundedToFiveDecimals),
                "y1": .double(box.y1.roundedToFiveDecimals),
                "x2": .double(box.x2.roundedToFiveDecimals),
                "y2": .double(box.y2.roundedToFiveDecimals),
            ],
        ]
    }
}

extension Float {
    /// Python's `round(x, 5)`: half to even on the exact value, then the nearest Double to that decimal.
    ///
    /// 100000 is 3125 (12 bits) times a power of two and a Float has 24 bits, so the product is exact in a Double's 53,
    /// and dividing whole numbers rounds once, to the nearest.
    var roundedToFiveDecimals: Double {
        (Double(self) * 100_000).rounded(.toNearestOrEven) / 100_000
    }
}
