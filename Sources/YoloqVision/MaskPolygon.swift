// SPDX-License-Identifier: Apache-2.0

extension RunLengthMask {
    /// The mask's outline as one polygon of the image, the reference's `masks.xy`.
    ///
    /// - Parameters:
    ///   - frame: Which pixels the mask is made of.
    ///   - letterbox: How the image was fitted into the input.
    /// - Returns: In pixels of the upright image, clipped to 0…width and 0…height; closed, without repeating the first
    ///   point if the mask is of one part. Empty if the mask is.
    public func polygon(frame: MaskFrame, letterbox: Letterbox) -> [Point] {
        let expected = frame == .input ? letterbox.input : letterbox.source
        precondition(size == expected, "the mask is \(size), and its frame \(expected)")
        return mergedContour(outerContours()).map { pixel in
            let point = Point(x: Float(pixel.x), y: Float(pixel.y))
            return frame == .input ? letterbox.toSource(point) : point
        }
    }
}
