// SPDX-License-Identifier: Apache-2.0

/// Where an image lands in the model's input, and the way back.
///
/// The image is scaled keeping its aspect, centred and padded with grey 114, as `LetterBox` in
/// `ultralytics/data/augment.py` 8.4.190 does, so that weights trained there see what they saw in training.
public struct Letterbox: Sendable, Hashable {
    /// Size of the upright image.
    public let source: ImageSize
    /// Size of the model's input.
    public let input: ImageSize
    /// `full` or `rect`, what `auto` became.
    public let mode: LetterboxMode
    /// Width of the scaled image inside the input.
    public let scaledWidth: Int
    /// Height of the scaled image inside the input.
    public let scaledHeight: Int
    /// First column of the scaled image inside the input.
    public let left: Int
    /// First row of the scaled image inside the input.
    public let top: Int

    private let inverse: Inverse

    /// Fits an image into the input of a model.
    ///
    /// - Parameters:
    ///   - source: Size of the upright image, at least 1x1.
    ///   - card: The model.
    ///   - parameters: Of these `imageSize` and `letterbox` count.
    /// - Throws: `badParameters` if a static model is asked for another input than its own.
    public init(source: ImageSize, card: ModelCard, parameters: PredictionParameters) throws(VisionError) {
        let target = try parameters.inputSize(for: card)
        let mode = parameters.letterbox.resolved(for: card)
        self.init(source: source, target: target, mode: mode, stride: card.stride)
        guard card.isDynamic || input == card.imageSize else {
            throw .badParameter(
                "letterbox rect",
                "this image would make it \(input) (height x width), and the model was exported for \(target) only",
                advice: "Use letterbox full or auto, or export the model with dynamic=True."
            )
        }
    }

    /// Fits `source` into `target`; with `rect` the padding shrinks to what is left after whole strides.
    init(source: ImageSize, target: ImageSize, mode: LetterboxMode, stride: Int) {
        precondition(source.height > 0 && source.width > 0, "an image has at least one pixel")
        let scale = min(Double(target.height) / Double(source.height), Double(target.width) / Double(source.width))
        let scaledHeight = max(Int((Double(source.height) * scale).rounded(.toNearestOrEven)), 1)
        let scaledWidth = max(Int((Double(source.width) * scale).rounded(.toNearestOrEven)), 1)
        var (padHeight, padWidth) = (target.height - scaledHeight, target.width - scaledWidth)
        if mode == .rect {
            padHeight %= stride
            padWidth %= stride
        }
        self.source = source
        self.mode = mode
        self.scaledHeight = scaledHeight
        self.scaledWidth = scaledWidth
        input = ImageSize(height: scaledHeight + padHeight, width: scaledWidth + padWidth)
        // round(d / 2 - 0.1): of an odd padding the smaller half comes first.
        top = padHeight / 2
        left = padWidth / 2
        inverse = Inverse(source: source, input: input)
    }

    /// Takes a box from the input back to the image.
    ///
    /// - Parameter box: In pixels of the model's input.
    /// - Returns: In pixels of the upright image, clipped to 0…width and 0…height.
    public func toSource(_ box: Box) -> Box {
        let first = toSource(Point(x: box.x1, y: box.y1))
        let second = toSource(Point(x: box.x2, y: box.y2))
        return Box(x1: first.x, y1: first.y, x2: second.x, y2: second.y)
    }

    /// Takes a point from the input back to the image (`scale_coords` in `ultralytics/utils/ops.py` 8.4.190).
    ///
    /// - Parameter point: In pixels of the model's input.
    /// - Returns: In pixels of the upright image, clipped to 0…width and 0…height.
    public func toSource(_ point: Point) -> Point {
        Point(
            x: ((point.x - inverse.left) / inverse.horizontalGain).clipped(to: Float(source.width)),
            y: ((point.y - inverse.top) / inverse.verticalGain).clipped(to: Float(source.height))
        )
    }
}

/// The way back as `scale_boxes` in `ultralytics/utils/ops.py` 8.4.190 finds it: from the two sizes alone.
///
/// It undoes the letterbox, but for one case: a `rect` input without padding whose shorter side was rounded down. There
/// the scale comes out smaller by the rounding, and boxes are off by up to a pixel of the input (1003 x 753 at 640). We
/// keep this, since our boxes are to be the reference's.
private struct Inverse: Hashable {
    let horizontalGain: Float
    let verticalGain: Float
    let left: Float
    let top: Float

    init(source: ImageSize, input: ImageSize) {
        let gain = min(Double(input.height) / Double(source.height), Double(input.width) / Double(source.width))
        let height = max((Double(source.height) * gain).rounded(.toNearestOrEven), 1)
        let width = max((Double(source.width) * gain).rounded(.toNearestOrEven), 1)
        horizontalGain = Float(width / Double(source.width))
        verticalGain = Float(height / Double(source.height))
        left = Float(((Double(input.width) - width) / 2 - 0.1).rounded(.toNearestOrEven))
        top = Float(((Double(input.height) - height) / 2 - 0.1).rounded(.toNearestOrEven))
    }
}

extension LetterboxMode {
    func resolved(for card: ModelCard) -> LetterboxMode {
        guard self == .auto else { return self }
        return card.isDynamic ? .rect : .full
    }
}

extension Float {
    /// Limits to 0…`bound`; NaN stays.
    fileprivate func clipped(to bound: Float) -> Float {
        self < 0 ? 0 : self > bound ? bound : self
    }
}
