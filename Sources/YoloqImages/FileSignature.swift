// SPDX-License-Identifier: Apache-2.0

/// What the first bytes of a file say it is.
enum FileSignature: Equatable {
    case jpeg
    case png
    case webp
    case bmp
    case tiff
    /// The container of HEIC and AVIF.
    case heif(ImageFormat)
    /// So short that only the beginning of a signature is there.
    case cut(ImageFormat)
    /// A format that is known by name but not read.
    case other(String)
    case unknown

    private static let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    init(of bytes: UnsafeRawBufferPointer) {
        func has(_ text: StaticString, at offset: Int = 0) -> Bool {
            guard bytes.count >= offset + text.utf8CodeUnitCount else { return false }
            return text.withUTF8Buffer { $0.elementsEqual(bytes[offset..<offset + $0.count]) }
        }
        func begins(_ prefix: [UInt8]) -> Bool { bytes.starts(with: prefix) }

        self =
            if begins([0xFF, 0xD8, 0xFF]) {
                .jpeg
            } else if begins(Self.pngSignature) {
                .png
            } else if bytes.count < 3, [0xFF, 0xD8].starts(with: bytes) {
                .cut(.jpeg)
            } else if bytes.count < Self.pngSignature.count, Self.pngSignature.starts(with: bytes) {
                .cut(.png)
            } else if has("RIFF") && has("WEBP", at: 8) {
                .webp
            } else if has("RIFF") && bytes.count < 12 {
                .cut(.webp)
            } else if has("GIF8") {
                .other("GIF")
            } else if has("II*\0") || has("MM\0*") || has("II+\0") || has("MM\0+") {
                .tiff
            } else if has("BM") && bytes.count >= 26 && Self.isBitmapHeader(bytes) {
                .bmp
            } else if has("ftyp", at: 4), let format = Self.heifFormat(bytes) {
                .heif(format)
            } else if has("\0\0\0\u{0C}JXL ") || begins([0xFF, 0x0A]) {
                .other("JPEG XL")
            } else if has("\0\0\0\u{0C}jP  ") || begins([0xFF, 0x4F, 0xFF, 0x51]) {
                .other("JPEG 2000")
            } else if has("%PDF-") {
                .other("PDF")
            } else if has("ftyp", at: 4) || begins([0x1A, 0x45, 0xDF, 0xA3]) || (has("RIFF") && has("AVI ", at: 8)) {
                .other("a video")
            } else {
                .unknown
            }
    }

    /// "BM" may begin any text; the size of the second header, bytes 14…17, tells a bitmap.
    private static func isBitmapHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
        [12, 16, 40, 52, 56, 64, 108, 124].contains(bytes[14]) && bytes[15] == 0 && bytes[16] == 0 && bytes[17] == 0
    }

    /// What the brands of an ISO base media file (ISO/IEC 14496-12, 4.3) say it is: HEIC, AVIF or neither.
    ///
    /// "mif1" and "msf1", any image in this container, leave it to the other brands.
    private static func heifFormat(_ bytes: UnsafeRawBufferPointer) -> ImageFormat? {
        let boxSize = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        let end = min(max(boxSize, 12), bytes.count, 256)
        // The major brand, its version, then compatible brands, each of four bytes.
        let brands = stride(from: 8, to: end - 3, by: 4).filter { $0 != 12 }.map { offset in
            String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
        }
        guard let major = brands.first else { return nil }
        func format(_ brand: String) -> ImageFormat? {
            switch brand {
            case "avif", "avis": .avif
            case "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs": .heic
            default: nil
            }
        }
        if let format = format(major) { return format }
        guard ["mif1", "msf1", "miaf"].contains(major) else { return nil }
        return brands.lazy.compactMap(format).first ?? .heic
    }
}
