// SPDX-License-Identifier: Apache-2.0
import CYoloqJPEG

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

extension ImageDecoder {
    static func decodeJPEG(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) -> DecodedImage {
        let file = try JPEGFile(bytes)
        let header = try file.readHeader()
        let (width, height) = (Int(header.width), Int(header.height))
        try limits.check(width: width, height: height)
        // Read now: decoding may free the markers.
        let orientation = Orientation(
            exif: UnsafeRawBufferPointer(start: header.exif, count: header.exif_length)
        )
        guard var image = RGBImage(unwritten: width, height) else { throw .outOfMemory(width: width, height: height) }
        try file.decode(into: &image)
        guard let upright = image.upright(orientation) else { throw .outOfMemory(width: width, height: height) }
        return DecodedImage(image: upright, format: .jpeg, warnings: file.warnings)
    }
}

/// One libjpeg decoder, reading bytes that it does not own.
private struct JPEGFile: ~Copyable {
    private let handle: OpaquePointer

    /// `bytes` must stay valid as long as this value lives.
    init(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        guard let handle = yoloq_jpeg_open(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count) else {
            throw .corrupt(.jpeg, "no memory for the decoder")
        }
        self.handle = handle
    }

    deinit { yoloq_jpeg_close(handle) }

    borrowing func readHeader() throws(ImageError) -> yoloq_jpeg_header {
        var header = yoloq_jpeg_header()
        try check(yoloq_jpeg_read_header(handle, &header))
        return header
    }

    borrowing func decode(into image: inout RGBImage) throws(ImageError) {
        try check(image.withUnsafeMutablePixels { yoloq_jpeg_decode(handle, $0.baseAddress) })
    }

    var warnings: [String] {
        (0..<Int32(YOLOQ_JPEG_WARNINGS_MAX)).compactMap { index in
            yoloq_jpeg_warning(handle, index).map { String(cString: $0) }
        }
    }

    private borrowing func check(_ status: yoloq_jpeg_status) throws(ImageError) {
        guard status != YOLOQ_JPEG_OK else { return }
        let reason = String(cString: yoloq_jpeg_message(handle))
        switch status {
        case YOLOQ_JPEG_TRUNCATED: throw .truncated(.jpeg, reason)
        case YOLOQ_JPEG_UNSUPPORTED: throw .unsupportedKind(.jpeg, reason)
        case YOLOQ_JPEG_NO_MEMORY:
            throw ImageError(
                code: .tooLarge,
                message: "cannot decode the JPEG: \(reason). Scale it down, or give the process more memory."
            )
        default: throw .corrupt(.jpeg, reason)
        }
    }
}

/// Writes JPEG files.
public enum JPEGEncoder {
    /// Encodes an image as a baseline JFIF file without chroma subsampling (4:4:4).
    ///
    /// Full chroma costs about a third more bytes than 4:2:0, and keeps thin coloured lines and small text crisp.
    ///
    /// - Parameters:
    ///   - image: The pixels.
    ///   - quality: libjpeg's quality, 1…100.
    /// - Returns: The bytes of the file.
    /// - Throws: `ImageError`, code `.tooLarge`, if a side is longer than JPEG allows (65,500 pixels) or memory is out.
    public static func encode(_ image: borrowing RGBImage, quality: Int = 92) throws(ImageError) -> [UInt8] {
        precondition((1...100).contains(quality), "JPEG quality is 1…100, not \(quality)")
        let (width, height) = (image.width, image.height)
        guard max(width, height) <= 65_500 else {
            throw .notEncodable(width: width, height: height, "a side is longer than 65500 pixels")
        }
        var bytes: UnsafeMutablePointer<UInt8>?
        var byteCount = 0
        var message = [CChar](repeating: 0, count: 256)
        let status = image.withUnsafePixels { pixels in
            yoloq_jpeg_encode(
                pixels.baseAddress,
                UInt32(width),
                UInt32(height),
                Int32(quality),
                &bytes,
                &byteCount,
                &message,
                message.count
            )
        }
        guard status == YOLOQ_JPEG_OK, let bytes else {
            let reason = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw .notEncodable(width: width, height: height, reason)
        }
        defer { free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: byteCount))
    }
}
