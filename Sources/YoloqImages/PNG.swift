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
        guard hasWholeEnd(bytes) else { throw .truncated(.png, "IEND is incomplete") }
        guard let upright = image.upright(try file.readOrientation()) else {
            throw .outOfMemory(width: width, height: height)
        }
        return DecodedImage(image: upright, format: .png, warnings: [])
    }
}

/// Whether IEND lies in the file with its checksum, which libspng does not ask for, and OpenCV does.
private func hasWholeEnd(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let frame = 12  // of each chunk: length and type before the data, checksum after
    var start = 8  // the signature
    while start <= bytes.count - frame {
        if bytes[start + 4..<start + 8].elementsEqual("IEND".utf8) { return true }
        start += frame + Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
    }
    return false
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
        // A wrong checksum in an ancillary chunk is an error as well: the bytes are not what was written.
        let isError = Int32(SPNG_CRC_ERROR.rawValue)
        try check(spng_set_crc_action(handle, isError, isError))
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
        case Int32(SPNG_EMEM.rawValue):
            throw ImageError(
                code: .tooLarge,
                message: "cannot decode the PNG: a chunk is larger than \(Self.chunkBytesMax) bytes, or memory is out. "
                    + "Strip the file's metadata, or give the process more memory."
            )
        default: throw .corrupt(.png, reason)
        }
    }
}
