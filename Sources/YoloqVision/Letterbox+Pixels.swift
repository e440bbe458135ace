// SPDX-License-Identifier: Apache-2.0
internal import CYoloqPixels
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
        image.withUnsafePixels { pixels in
            guard let first = pixels.baseAddress else { return }
            write(rows: { first + 3 &* source.width &* $0 }, into: tensor)
        }
    }

    /// Scales an image into the model's input and pads the rest, while its rows come.
    ///
    /// - Parameters:
    ///   - rows: Gives a row of the upright image: RGB, (source.width, 3), and five bytes more that are read and weigh nothing.
    ///     Asked from top to bottom, at most once for each, and not for rows that nothing comes of; must be valid until it is
    ///     asked again.
    ///   - tensor: As for a whole image.
    /// - Throws: What `rows` throws; the tensor is of no use then.
    public func write<E: Error>(
        rows: (_ y: Int) throws(E) -> UnsafePointer<UInt8>,
        into tensor: UnsafeMutableBufferPointer<Float>
    ) throws(E) {
        let plane = input.height * input.width
        precondition(tensor.count == 3 * plane, "the tensor must be (1, 3, \(input.height), \(input.width))")
        guard let first = tensor.baseAddress else { return }
        pad(first)
        // YOLOX was trained on OpenCV's order.
        let (red, blue) = fit == .topLeft ? (first + 2 * plane, first) : (first, first + 2 * plane)
        let scale = fit == .topLeft ? ByteScale.one : .of255
        try forEachScaledRow(of: rows) { y, row in
            let start = (top + y) * input.width + left
            scale.write(row.red, count: row.count, to: red + start)
            scale.write(row.green, count: row.count, to: first + plane + start)
            scale.write(row.blue, count: row.count, to: blue + start)
        }
    }

    /// Scales an image row by row: as OpenCV does it or, for classify models, as Pillow does it.
    private func forEachScaledRow<E: Error>(
        of rows: (_ y: Int) throws(E) -> UnsafePointer<UInt8>,
        _ body: (_ y: Int, _ row: PlanarRow) -> Void
    ) throws(E) {
        guard fit == .crop else {
            let resizer = BilinearResizer(
                sourceWidth: source.width,
                sourceHeight: source.height,
                width: scaledWidth,
                height: scaledHeight
            )
            return try resizer.forEachRow(of: rows, body)
        }
        let geometry = CenterCropGeometry(
            sourceWidth: source.width,
            sourceHeight: source.height,
            width: input.width,
            height: input.height
        )
        try PillowResizer(geometry).forEachRow(of: rows, body)
    }

    /// Fills what the image will not cover, in all three planes.
    private func pad(_ tensor: UnsafeMutablePointer<Float>) {
        let grey = fit == .topLeft ? Float(Self.padding) : Float(Self.padding) / 255
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

/// What bytes are multiplied with to become numbers of a tensor.
private struct ByteScale {
    /// Of 16 bits, so that its products with bytes are exact.
    private let high: Float
    /// What `high` lacks.
    private let low: Float

    /// 0, 1, … 255.
    static let one = ByteScale(high: 1, low: 0)

    /// 0 to 1, as a division by 255 gives it, the reference's: times 1/255 would change the last bit of every second value, and
    /// dividing takes twice the time.
    static let of255 = {
        let high = Float(bitPattern: (1 / Float(255)).bitPattern & 0xFFFF_FF00)
        return ByteScale(high: high, low: Float(1 / 255.0 - Double(high)))
    }()

    func write(_ bytes: UnsafePointer<UInt8>, count: Int, to target: UnsafeMutablePointer<Float>) {
        yoloq_bytes_to_floats(bytes, count, high, low, target)
    }
}
