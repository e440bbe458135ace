// SPDX-License-Identifier: Apache-2.0

/// How an image becomes a classifier's input: scaled until it covers the input, then cut to its middle.
///
/// The sizes and offsets are those of torchvision's `Resize` and `CenterCrop` as Ultralytics 8.4 uses them. A square
/// input gets the image with its shorter side scaled to the input's and the longer one in proportion, truncated; any
/// other input gets the image scaled to its exact size, whatever that does to its proportions, and nothing is cut.
public struct CenterCropGeometry: Sendable, Hashable {
    /// Width of the image, in pixels.
    public let sourceWidth: Int
    /// Height of the image, in pixels.
    public let sourceHeight: Int
    /// Width of the whole scaled image, in pixels.
    public let scaledWidth: Int
    /// Height of the whole scaled image, in pixels.
    public let scaledHeight: Int
    /// First column of the scaled image that is kept.
    public let left: Int
    /// First row of the scaled image that is kept.
    public let top: Int
    /// Width of the input, in pixels.
    public let width: Int
    /// Height of the input, in pixels.
    public let height: Int

    /// Works out the sizes; all of those given are at least 1 pixel.
    ///
    /// - Parameters:
    ///   - sourceWidth: Width of the image.
    ///   - sourceHeight: Height of the image.
    ///   - width: Width of the input.
    ///   - height: Height of the input.
    public init(sourceWidth: Int, sourceHeight: Int, width: Int, height: Int) {
        precondition(sourceWidth > 0 && sourceHeight > 0 && width > 0 && height > 0, "sizes are at least 1 pixel")
        self.sourceWidth = sourceWidth
        self.sourceHeight = sourceHeight
        self.width = width
        self.height = height
        guard width == height else {
            (scaledWidth, scaledHeight, left, top) = (width, height, 0, 0)
            return
        }
        let (short, long) = (min(sourceWidth, sourceHeight), max(sourceWidth, sourceHeight))
        // torchvision divides as `Double` and truncates; such a quotient is never rounded up to a whole number.
        let scaledLong = width * long / short
        (scaledWidth, scaledHeight) = sourceWidth <= sourceHeight ? (width, scaledLong) : (scaledLong, height)
        left = Self.offset(of: width, in: scaledWidth)
        top = Self.offset(of: height, in: scaledHeight)
    }

    /// Half the difference, a half rounded to the even neighbour, as Python's `round` does.
    private static func offset(of inner: Int, in outer: Int) -> Int {
        Int((Double(outer - inner) / 2).rounded(.toNearestOrEven))
    }
}
