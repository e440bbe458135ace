// SPDX-License-Identifier: Apache-2.0
import CYoloqTIFF

extension ImageDecoder {
    static func decodeTIFF(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) -> DecodedImage {
        let file = try TIFFFile(bytes)
        let header = try file.readHeader()
        let (width, height) = (Int(header.width), Int(header.height))
        try limits.check(width: width, height: height)
        guard var image = RGBImage(allocating: width, height) else { throw .outOfMemory(width: width, height: height) }
        try file.decode(into: &image)
        guard let upright = image.upright(Orientation(rawValue: header.orientation) ?? .upright) else {
            throw .outOfMemory(width: width, height: height)
        }
        return DecodedImage(image: upright, format: .tiff, warnings: file.warnings)
    }
}

/// One libtiff decoder, reading bytes that it does not own.
private struct TIFFFile: ~Copyable {
    private let handle: OpaquePointer

    /// `bytes` must stay valid as long as this value lives.
    init(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        guard let handle = yoloq_tiff_open(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count) else {
            throw .decoderOutOfMemory(.tiff)
        }
        self.handle = handle
    }

    deinit { yoloq_tiff_close(handle) }

    borrowing func readHeader() throws(ImageError) -> yoloq_tiff_header {
        var header = yoloq_tiff_header()
        try check(yoloq_tiff_read_header(handle, &header))
        return header
    }

    borrowing func decode(into image: inout RGBImage) throws(ImageError) {
        try check(image.withUnsafeMutablePixels { yoloq_tiff_decode(handle, $0.baseAddress) })
    }

    var warnings: [String] {
        (0..<Int32(YOLOQ_TIFF_WARNINGS_MAX)).compactMap { index in
            yoloq_tiff_warning(handle, index).map { String(cString: $0) }
        }
    }

    private borrowing func check(_ status: yoloq_tiff_status) throws(ImageError) {
        guard status != YOLOQ_TIFF_OK else { return }
        let reason = String(cString: yoloq_tiff_message(handle))
        switch status {
        case YOLOQ_TIFF_TRUNCATED: throw .truncated(.tiff, reason)
        case YOLOQ_TIFF_UNSUPPORTED: throw .unsupportedKind(.tiff, reason)
        case YOLOQ_TIFF_NO_MEMORY: throw .decoderOutOfMemory(.tiff)
        default: throw .corrupt(.tiff, reason)
        }
    }
}
