// SPDX-License-Identifier: Apache-2.0

/// A file format that is read here.
public enum ImageFormat: String, Sendable {
    /// JPEG: baseline and progressive, grey, colour, CMYK.
    case jpeg
    /// PNG: every colour type and depth.
    case png

    /// The name as people write it.
    var displayName: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        }
    }
}

/// Bounds on the images that are accepted.
public struct ImageLimits: Sendable, Hashable {
    /// Most pixels (width × height) an image may have; decoded, a pixel takes 3 bytes.
    ///
    /// While decoding, a progressive JPEG takes up to 8 bytes more a pixel, an image that EXIF turns 3 more, and a PNG up to
    /// 16 bytes for each pixel of its width.
    public var maxPixelCount: Int

    /// Makes limits.
    ///
    /// - Parameter maxPixelCount: Most pixels an image may have.
    public init(maxPixelCount: Int = 250_000_000) {
        self.maxPixelCount = maxPixelCount
    }

    /// Throws unless an image of this size may be decoded; to be called before memory is allocated for it.
    func check(width: Int, height: Int) throws(ImageError) {
        let (area, overflows) = width.multipliedReportingOverflow(by: height)
        guard !overflows, area <= maxPixelCount else {
            throw .tooLarge(width: width, height: height, limit: maxPixelCount)
        }
    }
}

/// A decoded image and what was noticed on the way.
public struct DecodedImage: ~Copyable, Sendable {
    /// The pixels, upright: EXIF orientation is applied.
    public var image: RGBImage
    /// The format the bytes were in.
    public let format: ImageFormat
    /// What the decoder complained about although it could go on, each kind once; empty for a sound file.
    public let warnings: [String]
}

/// Decodes JPEG and PNG to the pixels that OpenCV's `imdecode(IMREAD_COLOR)` gives, as RGB.
///
/// Grey is replicated, palettes are expanded, alpha is dropped and not composited, 16-bit samples keep their high
/// byte, CMYK is converted by OpenCV's formula, colour profiles and gamma are ignored, and EXIF orientation is applied.
public enum ImageDecoder {
    /// Decodes the bytes of one file.
    ///
    /// The size in the header is checked before memory is allocated for the pixels, so a decompression bomb costs
    /// nothing. The format is told by the first bytes, never by a name. Trailing bytes after the image are ignored.
    ///
    /// - Parameters:
    ///   - bytes: The whole file; untrusted.
    ///   - limits: Bounds on the accepted images.
    /// - Returns: The upright image; its `warnings` name what was damaged but could be decoded.
    /// - Throws: `ImageError`, code `.empty` (no bytes), `.unsupportedFormat` (neither JPEG nor PNG, or a JPEG of a
    ///   rare kind), `.truncated` (the end is missing), `.corrupt` (contradicts its format, or a wrong PNG checksum),
    ///   `.tooLarge` (more pixels than the limit or memory). The same bytes fail the same way again.
    public static func decode(
        _ bytes: UnsafeRawBufferPointer,
        limits: ImageLimits = ImageLimits()
    ) throws(ImageError) -> DecodedImage {
        guard !bytes.isEmpty else { throw .empty }
        switch FileSignature(of: bytes) {
        case .jpeg: return try decodeJPEG(bytes, limits: limits)
        case .png: return try decodePNG(bytes, limits: limits)
        case .cut(let format): throw .truncated(format, "the signature is incomplete")
        case .other(let name): throw .unsupportedFormat(name)
        case .unknown: throw .unsupportedFormat(nil)
        }
    }

    /// Decodes the bytes of one file.
    ///
    /// - Parameters:
    ///   - bytes: The whole file; untrusted.
    ///   - limits: Bounds on the accepted images.
    /// - Returns: The upright image.
    /// - Throws: `ImageError`, as `decode(_:limits:)` on raw bytes.
    public static func decode(
        _ bytes: [UInt8],
        limits: ImageLimits = ImageLimits()
    ) throws(ImageError) -> DecodedImage {
        // Array's own functions take no noncopyable result, hence the variable.
        var image: DecodedImage?
        try bytes.withUnsafeBufferPointer { buffer throws(ImageError) in
            image = try decode(UnsafeRawBufferPointer(buffer), limits: limits)
        }
        guard let image else { preconditionFailure("decode gave neither an image nor an error") }
        return image
    }
}
