// SPDX-License-Identifier: Apache-2.0

/// How an image is fitted into the model's input.
public enum LetterboxMode: String, Sendable, Hashable, Codable, CaseIterable {
    /// `full` for a static model, `rect` for a dynamic one, as Ultralytics does for one image.
    case auto
    /// Padded to the whole input size.
    case full
    /// Padded to the next multiples of the stride: fewer pixels, and so less time, for images that are not square.
    case rect
}

/// What a job may ask of a prediction; the defaults are those of Ultralytics.
///
/// In JSON the keys are Ultralytics' own: `conf`, `iou`, `max_det`, `classes`, `agnostic_nms`, `imgsz`, `retina_masks`, and
/// `letterbox`, `slice` and `family`.
/// All are written; one that is missing takes its default.
public struct PredictionParameters: Sendable, Hashable, Codable {
    /// Predictions are kept whose confidence is above this, 0…1.
    public var confidenceThreshold: Double = 0.25
    /// A box is suppressed that overlaps a better one of its class by more than this, 0…1.
    ///
    /// End-to-end models have done this already and do not heed it.
    public var iouThreshold: Double = 0.7
    /// At most this many predictions are kept, 1…30000, the best ones.
    public var maxDetections: Int = 300
    /// Only these classes are kept; nil = all.
    public var classes: [Int]? = nil
    /// Whether boxes of different classes suppress each other too.
    public var isClassAgnostic: Bool = false
    /// The longer side of the model's input in pixels, rounded up to the stride; nil = the model's own size.
    public var imageSize: Int? = nil
    /// How the image is fitted into the input.
    public var letterbox: LetterboxMode = .auto
    /// Whether masks are made at the image's own size, not at the input's: smoother outlines, more time.
    public var isMaskNative: Bool = false
    /// The tiles in which the image is looked at, besides once as a whole; nil = as a whole only.
    ///
    /// Masks are of the image's own size then.
    public var slicing: Slicing? = nil
    /// The family that the model is of, where it does not say so itself, such as "yolox"; see `ModelCard.read(as:)`.
    public var family: String? = nil

    /// Makes the defaults.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case confidenceThreshold = "conf"
        case iouThreshold = "iou"
        case maxDetections = "max_det"
        case classes
        case isClassAgnostic = "agnostic_nms"
        case imageSize = "imgsz"
        case letterbox
        case isMaskNative = "retina_masks"
        case slicing = "slice"
        case family
    }

    /// Reads parameters; ranges are not checked here but by `validate()`.
    ///
    /// - Parameter decoder: Holds an object with any of the keys.
    /// - Throws: `DecodingError` if a key's value is of the wrong type.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func value<T: Decodable>(_ key: CodingKeys, _ initial: T) throws -> T {
            try values.decodeIfPresent(T.self, forKey: key) ?? initial
        }
        confidenceThreshold = try value(.confidenceThreshold, confidenceThreshold)
        iouThreshold = try value(.iouThreshold, iouThreshold)
        maxDetections = try value(.maxDetections, maxDetections)
        classes = try values.decodeIfPresent([Int].self, forKey: .classes)
        isClassAgnostic = try value(.isClassAgnostic, isClassAgnostic)
        imageSize = try values.decodeIfPresent(Int.self, forKey: .imageSize)
        letterbox = try value(.letterbox, letterbox)
        isMaskNative = try value(.isMaskNative, isMaskNative)
        slicing = try values.decodeIfPresent(Slicing.self, forKey: .slicing)
        family = try values.decodeIfPresent(String.self, forKey: .family)
    }

    /// Writes all parameters, `null` for those that are nil.
    ///
    /// - Parameter encoder: Takes one object.
    /// - Throws: What the encoder throws, for example for a threshold that is not a number.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(confidenceThreshold, forKey: .confidenceThreshold)
        try values.encode(iouThreshold, forKey: .iouThreshold)
        try values.encode(maxDetections, forKey: .maxDetections)
        try values.encode(classes, forKey: .classes)
        try values.encode(isClassAgnostic, forKey: .isClassAgnostic)
        try values.encode(imageSize, forKey: .imageSize)
        try values.encode(letterbox, forKey: .letterbox)
        try values.encode(isMaskNative, forKey: .isMaskNative)
        try values.encode(slicing, forKey: .slicing)
        try values.encode(family, forKey: .family)
    }
}

extension PredictionParameters {
    /// The largest `imageSize`: the offset that keeps classes apart in suppression presumes inputs up to this.
    static let maxImageSize = 7680
    /// The most predictions; suppression looks at no more candidates than this.
    static let maxCandidates = 30_000

    /// Checks the parameters by themselves.
    ///
    /// - Throws: `badParameters` for the first that is out of range; the message says what to give.
    public func validate() throws(VisionError) {
        guard (0...1).contains(confidenceThreshold) else {
            throw .badParameter(
                "conf \(confidenceThreshold)",
                "it is not from 0 to 1",
                advice: "Give for example 0.25."
            )
        }
        guard (0...1).contains(iouThreshold) else {
            throw .badParameter("iou \(iouThreshold)", "it is not from 0 to 1", advice: "Give for example 0.7.")
        }
        guard (1...Self.maxCandidates).contains(maxDetections) else {
            throw .badParameter(
                "max_det \(maxDetections)",
                "it is not from 1 to \(Self.maxCandidates)",
                advice: "Give for example 300."
            )
        }
        if let imageSize, !(1...Self.maxImageSize).contains(imageSize) {
            throw .badParameter(
                "imgsz \(imageSize)",
                "it is not from 1 to \(Self.maxImageSize)",
                advice: "Give for example 640, or leave it out for the model's size."
            )
        }
        try slicing?.validate(for: nil)
        guard let classes else { return }
        guard !classes.isEmpty else {
            throw .badParameter("classes", "the list is empty", advice: "Leave it out to keep all classes.")
        }
        if let index = classes.first(where: { $0 < 0 }) {
            throw .badParameter("class \(index)", "classes count from 0", advice: "Give a class of the model.")
        }
    }

    /// Checks the parameters by themselves and against a model.
    ///
    /// - Parameter card: The model that is to predict.
    /// - Throws: `badParameters` for the first that is out of range or that the model cannot follow, except where that
    ///   depends on the image's size: making the `Letterbox` checks this.
    public func validate(for card: ModelCard) throws(VisionError) {
        try validate()
        try slicing?.validate(for: card.task)
        for index in classes ?? [] { try card.checkClass(index) }
        _ = try inputSize(for: card)
    }

    /// The size to letterbox into before `rect` trims it.
    func inputSize(for card: ModelCard) throws(VisionError) -> ImageSize {
        guard let imageSize else { return card.isDynamic ? card.imageSize.roundedUp(to: card.stride) : card.imageSize }
        let wanted = ImageSize(height: imageSize, width: imageSize).roundedUp(to: card.stride)
        guard card.isDynamic || wanted == card.imageSize else {
            throw .badParameter(
                "imgsz \(imageSize)",
                "the model was exported for \(card.imageSize) (height x width) only",
                advice: "Leave imgsz out, or export the model with dynamic=True."
            )
        }
        return wanted
    }
}
