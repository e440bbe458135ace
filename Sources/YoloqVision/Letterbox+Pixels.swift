// SPDX-License-Identifier: Apache-2.0
public import YoloqImages

extension Letterbox {
    /// The grey that fills what the image does not cover, as in training.
    private static let padding: UInt8 = 114

    /// Scales an image into the model's input and pads the rest.
    ///
    /// - Parameters:
    ///   - image: Upright, of the size `source`.
    ///   - tensor: Float32, (1, 3, H, W) with the H and W of `input`, as the model's `InputForm` says; every element is
    ///     written.
    public func write(_ image: borrowing RGBImage, into tensor: UnsafeMutableBufferPointer<Float>) {
        precondition(image.width == source.width && image.height == source.height, "the letterbox is of another image")
        let plane = input.height * input.width
        precondition(tensor.count == 3 * plane, "the tensor must be (1, 3, \(input.height), \(input.width))")
        guard let first = tensor.baseAddress else { return }
        pad(first)
        // YOLOX was trained on OpenCV's order.
        let (red, blue) = fit == .topLeft ? (first + 2 * plane, first) : (first, first + 2 * plane)
        // A true division, as the reference's: times 1/255 would change the last bit of every second value.
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 256) { scaled in
            for value in 0..<256 { scaled.initializeElement(at: value, to: number(of: UInt8(value))) }
            guard let table = UnsafePointer(scaled.baseAddress) else { return }
            forEachScaledRow(of: image) { y, row in
                guard let pixels = row.baseAddress else { return }
                let start = (top + y) * input.width + left
                deinterleave(pixels, scaledWidth, table, red + start, first + plane + start, blue + start)
            }
        }
    }

    /// Scales an image to the model's input size and pads the rest, in bytes: what `write` turns into numbers.
    ///
    /// - Parameter image: Upright, of the size `source`.
    /// - Returns: RGB of the size `input`.
    public func letterboxedPixels(_ image: borrowing RGBImage) -> RGBImage {
        precondition(image.width == source.width && image.height == source.height, "the letterbox is of another image")
        let grey = RGBColor(red: Self.padding, green: Self.padding, blue: Self.padding)
        var boxed = RGBImage(width: input.width, height: input.height, filledWith: grey)
        boxed.withUnsafeMutablePixels { pixels in
            forEachScaledRow(of: image) { y, row in
                let start = 3 * ((top + y) * input.width + left)
                for index in 0..<3 * scaledWidth { pixels[start + index] = row[index] }
            }
        }
        return boxed
    }

    /// Scales an image row by row: as OpenCV does it or, for classify models, as Pillow does it.
    private func forEachScaledRow(
        of image: borrowing RGBImage,
        _ body: (_ y: Int, _ row: UnsafeBufferPointer<UInt8>) -> Void
    ) {
        guard fit == .crop else {
            let resizer = BilinearResizer(
                sourceWidth: source.width,
                sourceHeight: source.height,
                width: scaledWidth,
                height: scaledHeight
            )
            return resizer.forEachRow(of: image, body)
        }
        let geometry = CenterCropGeometry(
            sourceWidth: source.width,
            sourceHeight: source.height,
            width: input.width,
            height: input.height
        )
        PillowResizer(geometry).forEachRow(of: image, body)
    }

    /// What the network is given for the value of a channel.
    private func number(of value: UInt8) -> Float { fit == .topLeft ? Float(value) : Float(value) / 255 }

    /// Fills what the image will not cover, in all three planes.
    private func pad(_ tensor: UnsafeMutablePointer<Float>) {
        let grey = number(of: Self.padding)
        let (width, bottom, right) = (input.width, top + scaledHeight, left + scaledWidth)
        for plane in 0..<3 {
            let start = tensor + plane * input.height * width
            start.update(repeating: grey, count: top * width)
            (start + bottom * width).update(repeating: grey, count: (input.height - bottom) * width)
            for y in top..<bottom {
                (start + y * width).update(repeating: grey, count: left)
                (start + y * width + right).update(repeating: grey, count: width - right)
            }
        }
    }
}

/// Looks up `count` RGB pixels in a table of 256 and stores each channel in its own plane.
private func deinterleave(
    _ pixels: UnsafePointer<UInt8>,
    _ count: Int,
    _ table: UnsafePointer<Float>,
    _ red: UnsafeMutablePointer<Float>,
    _ green: UnsafeMutablePointer<Float>,
    _ blue: UnsafeMutablePointer<Float>
) {
    for x in 0..<count {
        red[x] = table[Int(pixels[3 &* x])]
        green[x] = table[Int(pixels[3 &* x &+ 1])]
        blue[x] = table[Int(pixels[3 &* x &+ 2])]
    }
}
