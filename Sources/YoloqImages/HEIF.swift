// SPDX-License-Identifier: Apache-2.0
import CYoloqHEIF

extension ImageDecoder {
    /// Decodes HEIC or AVIF with the system's libheif.
    ///
    /// - Parameters:
    ///   - bytes: The whole file; untrusted.
    ///   - format: `.heic` or `.avif`, for messages and the result.
    ///   - limits: Bounds on the accepted images.
    ///   - libraries: Names of libheif for the dynamic loader, tried in order.
    /// - Returns: The upright image.
    /// - Throws: `ImageError`, as `decode(_:limits:)`.
    static func decodeHEIF(
        _ bytes: UnsafeRawBufferPointer,
        format: ImageFormat,
        limits: ImageLimits,
        libraries: [String] = HEIFLibrary.usualNames
    ) throws(ImageError) -> DecodedImage {
        let file = try HEIFFile(bytes, format: format, library: HEIFLibrary.load(libraries, for: format))
        let (width, height) = try file.readSize()
        try limits.check(width: width, height: height)
        guard var image = RGBImage(allocating: width, height) else { throw .outOfMemory(width: width, height: height) }
        // libheif turns, flips and crops as the file asks. Its EXIF orientation says the same again and is left alone
        // (ISO/IEC 23008-12, 6.5.10 and A.2.1): applied too, it would turn the image twice.
        try file.decode(into: &image)
        return DecodedImage(image: image, format: format, warnings: file.warnings)
    }
}

/// One libheif decoder, reading bytes that it does not own.
private struct HEIFFile: ~Copyable {
    private let handle: OpaquePointer
    private let format: ImageFormat

    /// `bytes` must stay valid as long as this value lives.
    init(_ bytes: UnsafeRawBufferPointer, format: ImageFormat, library: HEIFLibrary) throws(ImageError) {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let handle = yoloq_heif_open(library.functions, start, bytes.count) else {
            throw .decoderOutOfMemory(format)
        }
        self.handle = handle
        self.format = format
    }

    deinit { yoloq_heif_close(handle) }

    borrowing func readSize() throws(ImageError) -> (width: Int, height: Int) {
        var width: UInt32 = 0, height: UInt32 = 0
        try check(yoloq_heif_read_header(handle, &width, &height))
        return (Int(width), Int(height))
    }

    borrowing func decode(into image: inout RGBImage) throws(ImageError) {
        try check(image.withUnsafeMutablePixels { yoloq_heif_decode(handle, $0.baseAddress) })
    }

    var warnings: [String] {
        yoloq_heif_warning(handle).map { [String(cString: $0)] } ?? []
    }

    private borrowing func check(_ status: yoloq_heif_status) throws(ImageError) {
        guard status != YOLOQ_HEIF_OK else { return }
        let reason = String(cString: yoloq_heif_message(handle))
        switch status {
        case YOLOQ_HEIF_TRUNCATED: throw .truncated(format, reason)
        case YOLOQ_HEIF_UNSUPPORTED: throw .unsupportedKind(format, reason)
        case YOLOQ_HEIF_NO_MEMORY: throw .decoderOutOfMemory(format)
        case YOLOQ_HEIF_NO_CODEC:
            let plugin = format == .avif ? "libheif-plugin-dav1d" : "libheif-plugin-libde265"
            throw ImageError(
                code: .unsupportedFormat,
                message: "cannot decode the \(format.displayName): this system's libheif has no decoder for it "
                    + "(\(reason)). Install its plug-in (Debian: \(plugin)), or convert the file."
            )
        default: throw .corrupt(format, reason)
        }
    }
}
