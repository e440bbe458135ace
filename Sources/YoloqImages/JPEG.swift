// SPDX-License-Identifier: Apache-2.0
import CYoloqJPEG

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

extension ImageDecoder {
    static func decodeJPEG(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) -> DecodedImage {
        try JPEGFile.open(bytes, limits: limits).decode()
    }

    /// Opens a JPEG to be decoded row by row; nil if it has to be turned, or its pixels made of inks.
    static func openJPEG(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) -> ImageRows? {
        let file = try JPEGFile.open(bytes, limits: limits)
        guard file.comesUpright else { return nil }
        try file.start()
        return ImageRows(file: file)
    }
}

/// An image that is decoded row by row: those rows that are asked for, into memory for one.
public struct ImageRows: ~Copyable {
    /// Width in pixels, at least 1.
    public let width: Int
    /// Height in pixels, at least 1.
    public let height: Int
    private let file: JPEGFile

    fileprivate init(file: consuming JPEGFile) {
        (width, height) = (file.width, file.height)
        self.file = file
    }

    /// Decodes a row.
    ///
    /// - Parameter y: From the top, below all that were asked for before.
    /// - Returns: RGB, (width, 3), and five bytes more that may be read; valid until the next call.
    /// - Throws: `ImageError`, as `ImageDecoder.decode`; no row can be asked for after it.
    public mutating func row(_ y: Int) throws(ImageError) -> UnsafePointer<UInt8> { try file.row(y) }

    /// Reads the rest of the file, since damage may lie there.
    ///
    /// - Returns: What the decoder complained about although it could go on, each kind once.
    /// - Throws: `ImageError`, as `ImageDecoder.decode`.
    public mutating func finish() throws(ImageError) -> [String] {
        try file.finish()
        return file.warnings
    }
}

/// One libjpeg decoder, reading bytes that it does not own.
private struct JPEGFile: ~Copyable {
    private let handle: OpaquePointer
    private(set) var width = 0
    private(set) var height = 0
    private var orientation = Orientation.upright
    private var componentCount = 0

    /// `bytes` must stay valid as long as this value lives.
    private init(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        guard let handle = yoloq_jpeg_open(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count) else {
            throw .corrupt(.jpeg, "no memory for the decoder")
        }
        self.handle = handle
    }

    deinit { yoloq_jpeg_close(handle) }

    /// Reads the header; `bytes` must stay valid as long as the file lives.
    static func open(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) -> JPEGFile {
        var file = try JPEGFile(bytes)
        try file.readHeader(limits)
        return file
    }

    private mutating func readHeader(_ limits: ImageLimits) throws(ImageError) {
        var header = yoloq_jpeg_header()
        try check(yoloq_jpeg_read_header(handle, &header))
        (width, height, componentCount) = (Int(header.width), Int(header.height), Int(header.components))
        // Read now: decoding may free the markers.
        orientation = Orientation(exif: UnsafeRawBufferPointer(start: header.exif, count: header.exif_length))
        try limits.check(width: width, height: height)
    }

    /// Whether rows come out of libjpeg as they are wanted.
    var comesUpright: Bool { orientation == .upright && componentCount != 4 }

    borrowing func decode() throws(ImageError) -> DecodedImage {
        guard var image = RGBImage(unwritten: width, height) else { throw .outOfMemory(width: width, height: height) }
        try check(image.withUnsafeMutablePixels { yoloq_jpeg_decode(handle, $0.baseAddress) })
        guard let upright = image.upright(orientation) else { throw .outOfMemory(width: width, height: height) }
        return DecodedImage(image: upright, format: .jpeg, warnings: warnings)
    }

    borrowing func start() throws(ImageError) { try check(yoloq_jpeg_start(handle)) }

    borrowing func row(_ y: Int) throws(ImageError) -> UnsafePointer<UInt8> {
        var row: UnsafePointer<UInt8>?
        try check(yoloq_jpeg_read_row(handle, UInt32(y), &row))
        guard let row else { preconditionFailure("a row that was read is somewhere") }
        return row
    }

    borrowing func finish() throws(ImageError) { try check(yoloq_jpeg_finish(handle)) }

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
