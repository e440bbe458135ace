// SPDX-License-Identifier: Apache-2.0
import CWebP

extension ImageDecoder {
    static func decodeWebP(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) -> DecodedImage {
        let features = try WebPFeatures(bytes)
        let (width, height) = (features.width, features.height)
        try limits.check(width: width, height: height)
        let container = WebPContainer(bytes)
        guard container.isWhole else { throw .truncated(.webp, "it is shorter than its header says") }
        var warnings: [String] = []
        guard var image = RGBImage(allocating: width, height) else { throw .outOfMemory(width: width, height: height) }
        if features.isAnimated {
            // What the first frame does not cover stays black: the canvas is transparent, and alpha is dropped.
            let frame = try container.firstFrame()
            try decode(frame.bytes, into: &image, left: frame.left, top: frame.top)
        } else {
            if !container.isSound { warnings.append("WebP metadata is damaged and was passed over") }
            try decode(bytes, into: &image, left: 0, top: 0)
        }
        guard let upright = image.upright(container.orientation) else {
            throw .outOfMemory(width: width, height: height)
        }
        return DecodedImage(image: upright, format: .webp, warnings: warnings)
    }

    /// Decodes one bitstream, lossy or lossless, into a part of an image, without its alpha.
    private static func decode(
        _ bytes: UnsafeRawBufferPointer,
        into image: inout RGBImage,
        left: Int,
        top: Int
    ) throws(ImageError) {
        var config = WebPDecoderConfig()
        guard WebPInitDecoderConfig(&config) != 0 else { throw .corrupt(.webp, "libwebp is not the one built against") }
        let features = try WebPFeatures(bytes)
        guard left + features.width <= image.width, top + features.height <= image.height else {
            throw .corrupt(.webp, "a frame lies outside the image")
        }
        let stride = 3 * image.width
        config.output.colorspace = MODE_RGB
        config.output.is_external_memory = 1
        let status = image.withUnsafeMutablePixels { pixels in
            let start = top * stride + 3 * left
            config.output.u.RGBA.rgba = pixels.baseAddress.map { $0 + start }
            config.output.u.RGBA.stride = Int32(stride)
            config.output.u.RGBA.size = pixels.count - start
            return WebPDecode(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &config)
        }
        WebPFreeDecBuffer(&config.output)  // frees nothing of the caller's
        try check(status)
    }

    private static func check(_ status: VP8StatusCode) throws(ImageError) {
        switch status {
        case VP8_STATUS_OK: return
        case VP8_STATUS_OUT_OF_MEMORY: throw .decoderOutOfMemory(.webp)
        case VP8_STATUS_SUSPENDED, VP8_STATUS_NOT_ENOUGH_DATA:
            throw .truncated(.webp, "its data end before its pixels do")
        case VP8_STATUS_UNSUPPORTED_FEATURE: throw .unsupportedKind(.webp, "an unknown feature")
        default: throw .corrupt(.webp, "its data contradict the format")
        }
    }

    /// What the first bytes say.
    private struct WebPFeatures {
        let width: Int
        let height: Int
        let isAnimated: Bool

        init(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
            var features = WebPBitstreamFeatures()
            try check(
                WebPGetFeatures(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &features)
            )
            (width, height) = (Int(features.width), Int(features.height))
            isAnimated = features.has_animation != 0
        }
    }
}

/// The chunks of a WebP file, as libwebpdemux reads them.
private struct WebPContainer: ~Copyable {
    private let handle: OpaquePointer?
    private let state: WebPDemuxState

    /// `bytes` must stay valid as long as this value lives.
    init(_ bytes: UnsafeRawBufferPointer) {
        var data = WebPData(bytes: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), size: bytes.count)
        var state = WEBP_DEMUX_PARSE_ERROR
        handle = WebPDemuxPartial(&data, &state)
        self.state = state
    }

    deinit { WebPDemuxDelete(handle) }

    /// Whether the file is as long as it says, as far as that can be told.
    var isWhole: Bool { state == WEBP_DEMUX_DONE || state == WEBP_DEMUX_PARSE_ERROR }

    /// Whether every chunk is where the format has it.
    var isSound: Bool { state == WEBP_DEMUX_DONE && handle != nil }

    /// The first frame's bitstream, valid as long as the file's bytes, and its place on the canvas.
    borrowing func firstFrame() throws(ImageError) -> (bytes: UnsafeRawBufferPointer, left: Int, top: Int) {
        var frame = WebPIterator()
        defer { WebPDemuxReleaseIterator(&frame) }
        guard isSound, WebPDemuxGetFrame(handle, 1, &frame) != 0, frame.complete != 0 else {
            throw .corrupt(.webp, "its first frame cannot be found")
        }
        let bytes = UnsafeRawBufferPointer(start: frame.fragment.bytes, count: frame.fragment.size)
        return (bytes, Int(frame.x_offset), Int(frame.y_offset))
    }

    /// The orientation of the EXIF chunk.
    var orientation: Orientation {
        var chunk = WebPChunkIterator()
        guard isSound, WebPDemuxGetChunk(handle, "EXIF", 1, &chunk) != 0 else { return .upright }
        defer { WebPDemuxReleaseChunkIterator(&chunk) }
        return Orientation(exif: UnsafeRawBufferPointer(start: chunk.chunk.bytes, count: chunk.chunk.size))
    }
}
