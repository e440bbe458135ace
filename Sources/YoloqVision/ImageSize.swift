// SPDX-License-Identifier: Apache-2.0

/// Height and width in pixels, in the order of tensors.
public struct ImageSize: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Height in pixels.
    public var height: Int
    /// Width in pixels.
    public var width: Int

    /// Makes a size.
    ///
    /// - Parameters:
    ///   - height: Height in pixels.
    ///   - width: Width in pixels.
    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    /// `HEIGHTxWIDTH`, as in model cards.
    public var description: String { "\(height)x\(width)" }
}

extension ImageSize {
    /// The smallest size whose sides are multiples of `stride` and not shorter than these.
    func roundedUp(to stride: Int) -> ImageSize {
        ImageSize(
            height: (height + stride - 1) / stride * stride,
            width: (width + stride - 1) / stride * stride
        )
    }
}
