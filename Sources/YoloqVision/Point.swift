// SPDX-License-Identifier: Apache-2.0

/// A place in an image, in pixels; says which image where it is used.
public struct Point: Sendable, Hashable {
    /// From the left edge.
    public var x: Float
    /// From the upper edge.
    public var y: Float

    /// Makes a point.
    ///
    /// - Parameters:
    ///   - x: From the left edge.
    ///   - y: From the upper edge.
    public init(x: Float, y: Float) {
        self.x = x
        self.y = y
    }
}

/// One pixel by its column and row.
public struct PixelPoint: Sendable, Hashable {
    /// Column, from 0.
    public var x: Int
    /// Row, from 0.
    public var y: Int

    /// Makes a pixel's place.
    ///
    /// - Parameters:
    ///   - x: Column, from 0.
    ///   - y: Row, from 0.
    public init(x: Int, y: Int) {
        self.x = x
        self.y = y
    }
}
