// SPDX-License-Identifier: Apache-2.0

/// A file format that is read here.
public enum ImageFormat: String, Sendable, CaseIterable {
    /// JPEG: baseline and progressive, grey, colour, CMYK.
    case jpeg
    /// PNG: every colour type and depth.
    case png
    /// WebP: lossy and lossless; of an animation the first frame.
    case webp
    /// Windows and OS/2 bitmaps: 1 to 32 bits a pixel, plain and run-length coded.
    case bmp
    /// TIFF: the first page; up to 16 bits a sample, in strips or tiles.
    case tiff
    /// HEIC, with the system's libheif.
    case heic
    /// AVIF, with the system's libheif; of a sequence the primary image.
    case avif

    /// The name as people write it.
    var displayName: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        case .webp: "WebP"
        case .bmp: "BMP"
        case .tiff: "TIFF"
        case .heic: "HEIC"
        case .avif: "AVIF"
        }
    }

    /// All names, as in a sentence.
    static var list: String {
        let names = allCases.map(\.displayName)
        return names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
    }
}

/// Bounds on the images that are accepted.
public struct ImageLimits: Sendable, Hashable {
    /// Most pixels (width × height) an image may have; decoded, a pixel takes 3 bytes, or none while a JPEG is decoded row by
    /// row.
    ///
    /// While decoding, a progressive JPEG takes up to 8 bytes more a pixel, an image that is turned 3 more, a PNG up to
    /// 16 bytes for each pixel of its width, a lossless WebP 4 to 8 more, a TIFF of one strip 4 more and the strip's
    /// own, a HEIC or AVIF about 8 more.
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

/// Decodes images to the pixels that OpenCV's `imdecode(IMREAD_COLOR)` gives, as RGB.
///
/// Grey is replicated, palettes are expanded, alpha is dropped and not composited, 16-bit samples keep their high
/// byte, CMYK is converted by OpenCV's formula, colour profiles and gamma are ignored, and the orientation that the
/// file states is applied. In TIFF alone, where OpenCV leaves it to libtiff, 16-bit colours are rounded to 8 bits, and
/// alpha that the colours are not multiplied with yet is multiplied in. HEIC and AVIF, which OpenCV does not read
/// everywhere, are libheif's pixels.
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
    /// - Throws: `ImageError`, code `.empty` (no bytes), `.unsupportedFormat` (no format of `ImageFormat`, a rare kind
    ///   of one, or a HEIC or AVIF where libheif or its codec is missing), `.truncated` (the end is missing),
    ///   `.corrupt` (contradicts its format, or a wrong PNG checksum), `.tooLarge` (more pixels than the limit or
    ///   memory). The same bytes fail the same way again, unless libheif is installed meanwhile.
    public static func decode(
        _ bytes: UnsafeRawBufferPointer,
        limits: ImageLimits = ImageLimits()
    ) throws(ImageError) -> DecodedImage {
        guard !bytes.isEmpty else { throw .empty }
        switch FileSignature(of: bytes) {
        case .jpeg: return try decodeJPEG(bytes, limits: limits)
        case .png: return try decodePNG(bytes, limits: limits)
        case .webp: return try decodeWebP(bytes, limits: limits)
        case .bmp: return try decodeBMP(bytes, limits: limits)
        case .tiff: return try decodeTIFF(bytes, limits: limits)
        case .heif(let format): return try decodeHEIF(bytes, format: format, limits: limits)
        case .cut(let format): throw .truncated(format, "the signature is incomplete")
        case .other(let name): throw .unsupportedFormat(name)
        case .unknown: throw .unsupportedFormat(nil)
        }
    }

    /// Opens an image whose pixels need not all be in memory at once.
    ///
    /// - Parameters:
    ///   - bytes: The whole file; untrusted. It must stay where it is until the rows are finished.
    ///   - limits: Bounds on the accepted images.
    /// - Returns: The upright image's rows, with the pixels of `decode`; nil for images that come only as a whole: all but JPEGs
    ///   that are not turned and not of CMYK.
    /// - Throws: `ImageError`, as `decode(_:limits:)` does for what it sees in the header.
    public static func open(
        _ bytes: UnsafeRawBufferPointer,
        limits: ImageLimits = ImageLimits()
    ) throws(ImageError) -> ImageRows? {
        guard case .jpeg = FileSignature(of: bytes) else { return nil }
        return try openJPEG(bytes, limits: limits)
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
