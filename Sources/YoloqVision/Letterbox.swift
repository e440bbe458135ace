// SPDX-License-Identifier: Apache-2.0

/// Where an image lands in the model's input, and the way back.
///
/// Of Ultralytics' models the image is scaled keeping its aspect, centred and padded with grey 114, as `LetterBox` in
/// `ultralytics/data/augment.py` 8.4.190 does, so that weights trained there see what they saw in training. Other families
/// take it otherwise: see `InputForm`.
public struct Letterbox: Sendable, Hashable {
    /// Size of the upright image.
    public let source: ImageSize
    /// Size of the model's input.
    public let input: ImageSize
    /// How the image lies in it: `full` or `rect` is what `auto` became.
    public let fit: ImageFit
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
    /// - Throws: `badParameters` if a static model is asked for another input than its own, or a family for a letterbox that
    ///   it does not have.
    public init(source: ImageSize, card: ModelCard, parameters: PredictionParameters) throws(VisionError) {
        let target = try parameters.inputSize(for: card)
        switch card.inputForm {
        case .centred:
            let mode = parameters.letterbox.resolved(for: card)
            let isRounded = card.head != .objectness
            self.init(source: source, target: target, mode: mode, stride: card.stride, isRoundedBack: isRounded)
        case .topLeft, .stretch, .crop:
            guard parameters.letterbox != .rect else {
                throw .badParameter(
                    "letterbox rect",
                    "this model takes its whole input size only",
                    advice: "Leave letterbox out."
                )
            }
            self.init(source: source, target: target, form: card.inputForm)
        }
        guard card.isDynamic || input == card.imageSize else {
            throw .badParameter(
                "letterbox rect",
                "this image would make it \(input) (height x width), and the model was exported for \(target) only",
                advice: "Use letterbox full or auto, or export the model with dynamic=True."
            )
        }
    }

    /// Fits `source` into `target`; with `rect` the padding shrinks to what is left after whole strides.
    ///
    /// The way there is the same for all, the way back is YOLOv5's own unless it `isRoundedBack`.
    init(source: ImageSize, target: ImageSize, mode: LetterboxMode, stride: Int, isRoundedBack: Bool = true) {
        precondition(source.height > 0 && source.width > 0, "an image has at least one pixel")
        let scale = Self.scale(source, target)
        let scaledHeight = max(Int((Double(source.height) * scale).rounded(.toNearestOrEven)), 1)
        let scaledWidth = max(Int((Double(source.width) * scale).rounded(.toNearestOrEven)), 1)
        var (padHeight, padWidth) = (target.height - scaledHeight, target.width - scaledWidth)
        if mode == .rect {
            padHeight %= stride
            padWidth %= stride
        }
        self.source = source
        fit = mode == .rect ? .rect : .full
        self.scaledHeight = scaledHeight
        self.scaledWidth = scaledWidth
        input = ImageSize(height: scaledHeight + padHeight, width: scaledWidth + padWidth)
        // round(d / 2 - 0.1): of an odd padding the smaller half comes first.
        top = padHeight / 2
        left = padWidth / 2
        inverse =
            isRoundedBack
            ? Inverse(source: source, input: input) : Inverse(unroundedOf: source, input: input)
    }

    /// Fits `source` into `target` as another family does.
    init(source: ImageSize, target: ImageSize, form: InputForm) {
        precondition(source.height > 0 && source.width > 0, "an image has at least one pixel")
        precondition(form != .centred, "a centred image has a mode")
        self.source = source
        input = target
        top = 0
        left = 0
        let scale = Self.scale(source, target)
        let isWhole = form != .topLeft
        // Truncated, as YOLOX does it, not rounded.
        scaledHeight = isWhole ? target.height : max(Int(Double(source.height) * scale), 1)
        scaledWidth = isWhole ? target.width : max(Int(Double(source.width) * scale), 1)
        fit = form == .topLeft ? .topLeft : form == .stretch ? .stretch : .crop
        inverse =
            isWhole
            ? Inverse(
                horizontalGain: Float(Double(target.width) / Double(source.width)),
                verticalGain: Float(Double(target.height) / Double(source.height))
            ) : Inverse(horizontalGain: Float(scale), verticalGain: Float(scale))
    }

    /// Finds again how an image was fitted in, from what is recorded of it.
    ///
    /// As the way back of boxes does, from the two sizes alone.
    ///
    /// - Parameters:
    ///   - source: Size of the upright image.
    ///   - input: Size of the model's input.
    ///   - fit: How the image was brought into it; nil comes of `crop`, which leaves parts of the image out, and of sizes that
    ///     no image has.
    public init?(source: ImageSize, input: ImageSize, fit: ImageFit) {
        let sides = [source.height, source.width, input.height, input.width]
        guard sides.allSatisfy((1...1 << 24).contains) else { return nil }
        switch fit {
        case .full, .rect: self.init(source: source, target: input, mode: .full, stride: 1)
        case .topLeft: self.init(source: source, target: input, form: .topLeft)
        case .stretch: self.init(source: source, target: input, form: .stretch)
        case .crop: return nil
        }
    }

    private static func scale(_ source: ImageSize, _ target: ImageSize) -> Double {
        min(Double(target.height) / Double(source.height), Double(target.width) / Double(source.width))
    }

    /// Takes a box from the input back to the image.
    ///
    /// - Parameter box: In pixels of the model's input.
    /// - Returns: In pixels of the upright image, clipped to 0…width and 0…height; not clipped for YOLOX and RT-DETR, whose
    ///   own programs do not.
    public func toSource(_ box: Box) -> Box {
        let (first, second) = (toSource(Point(x: box.x1, y: box.y1)), toSource(Point(x: box.x2, y: box.y2)))
        return Box(x1: first.x, y1: first.y, x2: second.x, y2: second.y)
    }

    /// Takes a point from the input back to the image (`scale_coords` in `ultralytics/utils/ops.py` 8.4.190).
    ///
    /// - Parameter point: In pixels of the model's input.
    /// - Returns: In pixels of the upright image, clipped as boxes are.
    public func toSource(_ point: Point) -> Point {
        let place = Point(
            x: (point.x - inverse.left) / inverse.horizontalGain,
            y: (point.y - inverse.top) / inverse.verticalGain
        )
        guard fit != .topLeft, fit != .stretch else { return place }
        return Point(x: place.x.clipped(to: Float(source.width)), y: place.y.clipped(to: Float(source.height)))
    }

    /// Takes an oriented box from the input back to the image: its centre and sides, not its angle; nothing is clipped.
    func toSource(_ box: RotatedBox) -> RotatedBox {
        RotatedBox(
            centerX: (box.centerX - inverse.left) / inverse.horizontalGain,
            centerY: (box.centerY - inverse.top) / inverse.verticalGain,
            width: box.width / inverse.horizontalGain,
            height: box.height / inverse.verticalGain,
            angle: box.angle
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

    /// As YOLOv5 finds it (`scale_boxes` in `yolov5/utils/general.py`): one gain, and half of the padding to fractions of a
    /// pixel.
    init(unroundedOf source: ImageSize, input: ImageSize) {
        let gain = min(Double(input.height) / Double(source.height), Double(input.width) / Double(source.width))
        horizontalGain = Float(gain)
        verticalGain = Float(gain)
        left = Float((Double(input.width) - Double(source.width) * gain) / 2)
        top = Float((Double(input.height) - Double(source.height) * gain) / 2)
    }

    /// Without padding before the image.
    init(horizontalGain: Float, verticalGain: Float) {
        self.horizontalGain = horizontalGain
        self.verticalGain = verticalGain
        left = 0
        top = 0
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
