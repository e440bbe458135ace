// SPDX-License-Identifier: Apache-2.0
import CSPNG

extension ImageDecoder {
    static func decodePNG(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) -> DecodedImage {
        let file = try PNGFile()
        try file.read(from: bytes)
        let (width, height) = try file.readSize()
        try limits.check(width: width, height: height)
        guard var image = RGBImage(allocating: width, height) else { throw .outOfMemory(width: width, height: height) }
        try file.decode(into: &image)
        let chunks = ChunkWalk(bytes)
        guard chunks.hasWholeEnd else { throw .truncated(.png, "IEND is incomplete") }
        guard let upright = image.upright(try file.readOrientation()) else {
            throw .outOfMemory(width: width, height: height)
        }
        return DecodedImage(image: upright, format: .png, warnings: chunks.warnings)
    }
}

/// What libspng does not tell of a file that it has read: whether the end is whole, which OpenCV asks for, and which metadata
/// it passed over.
private struct ChunkWalk {
    private(set) var hasWholeEnd = false
    /// One for each kind of metadata with a wrong checksum.
    private(set) var warnings: [String] = []

    init(_ bytes: UnsafeRawBufferPointer) {
        let frame = 12  // of each chunk: length and type before the data, checksum after
        var start = 8  // the signature
        while start <= bytes.count - frame, !hasWholeEnd {
            let length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
            let type = bytes[start + 4..<start + 8]
            hasWholeEnd = type.elementsEqual("IEND".utf8)
            // A small first letter marks metadata (PNG 3rd edition, 5.4).
            if type[start + 4] & 0x20 != 0, start + frame + length <= bytes.count {
                note(UnsafeRawBufferPointer(rebasing: bytes[start + 4..<start + frame + length]))
            }
            start += frame + length
        }
    }

    /// Looks at a chunk's type, data and checksum.
    private mutating func note(_ chunk: UnsafeRawBufferPointer) {
        let stored = UInt32(bigEndian: chunk.loadUnaligned(fromByteOffset: chunk.count - 4, as: UInt32.self))
        guard checksum(UnsafeRawBufferPointer(rebasing: chunk.dropLast(4))) != stored else { return }
        let warning = "PNG metadata \(String(decoding: chunk.prefix(4), as: UTF8.self)) is damaged and was passed over"
        if !warnings.contains(warning), warnings.count < 8 { warnings.append(warning) }
    }
}

/// The checksum of each byte alone.
private let checksumTable: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
}

/// CRC-32 as PNG has it (3rd edition, annex D).
private func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    ~bytes.reduce(UInt32.max) { crc, byte in crc >> 8 ^ checksumTable[Int((crc ^ UInt32(byte)) & 0xFF)] }
}

/// One libspng context, reading bytes that it does not own.
private struct PNGFile: ~Copyable {
    private let handle: OpaquePointer

    /// Most bytes that one text, profile or EXIF chunk, and all of them together, may take in memory.
    ///
    /// IDAT is not counted: it is decompressed straight into the image.
    private static let chunkBytesMax = 64 << 20

    init() throws(ImageError) {
        guard let handle = spng_ctx_new(0) else { throw .corrupt(.png, "no memory for the decoder") }
        self.handle = handle
    }

    deinit { spng_ctx_free(handle) }

    /// Sets the limits and the input; `bytes` must stay valid as long as this value lives.
    borrowing func read(from bytes: UnsafeRawBufferPointer) throws(ImageError) {
        // Pixels must be what was written; damaged metadata is passed over with a warning, as libpng does.
        try check(
            spng_set_crc_action(handle, Int32(SPNG_CRC_ERROR.rawValue), Int32(SPNG_CRC_DISCARD.rawValue))
        )
        try check(spng_set_chunk_limits(handle, Self.chunkBytesMax, Self.chunkBytesMax))
        try check(spng_set_png_buffer(handle, bytes.baseAddress, bytes.count))
    }

    /// Reads no further than IHDR.
    borrowing func readSize() throws(ImageError) -> (width: Int, height: Int) {
        var header = spng_ihdr()
        try check(spng_get_ihdr(handle, &header))
        return (Int(header.width), Int(header.height))
    }

    borrowing func decode(into image: inout RGBImage) throws(ImageError) {
        let status = image.withUnsafeMutablePixels {
            spng_decode_image(handle, $0.baseAddress, $0.count, Int32(SPNG_FMT_RGB8.rawValue), 0)
        }
        try check(status)
        // Reads on to IEND, so a missing end is seen, and an eXIf that comes after the pixels.
        try check(spng_decode_chunks(handle))
    }

    /// After `decode`.
    borrowing func readOrientation() throws(ImageError) -> Orientation {
        var exif = spng_exif()
        guard spng_get_exif(handle, &exif) == 0 else { return .upright }  // there is none
        return Orientation(exif: UnsafeRawBufferPointer(start: exif.data, count: exif.length))
    }

    private borrowing func check(_ status: Int32) throws(ImageError) {
        guard status != 0 else { return }
        let reason = String(cString: spng_strerror(status))
        switch status {
        case SPNG_IO_EOF.rawValue: throw .truncated(.png, reason)
        case Int32(SPNG_ECHUNK_LIMITS.rawValue):
            throw ImageError(
                code: .tooLarge,
                message: "cannot decode the PNG: its metadata is larger than \(Self.chunkBytesMax) bytes. Strip it."
            )
        case Int32(SPNG_EMEM.rawValue):
            throw ImageError(
                code: .tooLarge,
                message: "cannot decode the PNG: memory is out. Give the process more, or scale the image down."
            )
        default: throw .corrupt(.png, reason)
        }
    }
}
