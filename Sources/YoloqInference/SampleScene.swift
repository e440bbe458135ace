// SPDX-License-Identifier: Apache-2.0
public import YoloqImages

/// An image that can be kept in an array, to check a model with.
public final class SampleImage: Sendable {
    /// The pixels.
    public let image: RGBImage

    /// Keeps an image.
    ///
    /// - Parameter image: Upright.
    public init(_ image: consuming RGBImage) { self.image = image }

    /// Draws a scene with something of everything: a gradient, filled rectangles of all sizes, noise.
    ///
    /// - Parameters:
    ///   - width: In pixels.
    ///   - height: In pixels.
    ///   - seed: The same seed draws the same pixels on every machine.
    /// - Returns: The scene.
    public static func drawn(width: Int = 640, height: Int = 480, seed: UInt64 = 1) -> SampleImage {
        var random = SplitMix64(state: seed)
        var image = RGBImage(width: width, height: height)
        image.withUnsafeMutablePixels { pixels in
            for y in 0..<height {
                for x in 0..<width {
                    let at = 3 * (y * width + x)
                    pixels[at] = UInt8(x * 255 / max(width - 1, 1))
                    pixels[at + 1] = UInt8(y * 255 / max(height - 1, 1))
                    pixels[at + 2] = UInt8((x + y) * 255 / max(width + height - 2, 1))
                }
            }
            for index in 0..<24 {
                // From half the picture down to a few pixels.
                let size = max(4, min(width, height) >> (1 + index / 5))
                let left = random.below(max(1, width - size)), top = random.below(max(1, height - size))
                let color = (0..<3).map { _ in UInt8(random.below(256)) }
                let isNoise = index % 6 == 5
                for y in top..<min(height, top + size) {
                    for x in left..<min(width, left + size * (1 + index % 3) / 2) {
                        for channel in 0..<3 {
                            pixels[3 * (y * width + x) + channel] =
                                isNoise ? UInt8(random.below(256)) : color[channel]
                        }
                    }
                }
            }
        }
        return SampleImage(image)
    }
}

/// Steele, Lea and Flood's generator: small, and the same everywhere.
private struct SplitMix64 {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
