// SPDX-License-Identifier: Apache-2.0

/// What pixels a model's input takes, and where in it the image lies.
public enum InputForm: String, Sendable, Hashable, Codable {
    /// RGB, 0…1, scaled keeping its aspect, centred, padded with grey: Ultralytics' models and YOLOv5.
    case centred
    /// BGR, 0…255, scaled keeping its aspect, in the upper left corner, padded with grey: YOLOX.
    case topLeft = "top-left"
    /// RGB, 0…1, scaled to the whole input: RT-DETR.
    case stretch
    /// RGB, 0…1, the middle of the image, its shorter side scaled to the input's: classify models.
    case crop
}

/// How an image was brought into a model's input, for the record.
public enum ImageFit: String, Sendable, Hashable, Codable {
    /// Centred, padded to the whole input size.
    case full
    /// Centred, padded to the next multiples of the stride.
    case rect
    /// In the upper left corner.
    case topLeft = "top-left"
    /// Scaled to the whole input.
    case stretch
    /// The middle of the image.
    case crop
}
