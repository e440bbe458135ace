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
