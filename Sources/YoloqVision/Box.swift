// SPDX-License-Identifier: Apache-2.0

/// A rectangle by its corners, in pixels.
///
/// Of the upright source image in a `Prediction`; of the model's input where a function says so.
public struct Box: Sendable, Hashable {
    /// Left edge.
    public var x1: Float
    /// Upper edge.
    public var y1: Float
    /// Right edge.
    public var x2: Float
    /// Lower edge.
    public var y2: Float

    /// Makes a box.
    ///
    /// - Parameters:
    ///   - x1: Left edge.
    ///   - y1: Upper edge.
    ///   - x2: Right edge.
    ///   - y2: Lower edge.
    public init(x1: Float, y1: Float, x2: Float, y2: Float) {
        self.x1 = x1
        self.y1 = y1
        self.x2 = x2
        self.y2 = y2
    }

    var hasNaN: Bool { x1.isNaN || y1.isNaN || x2.isNaN || y2.isNaN }
}
