// SPDX-License-Identifier: Apache-2.0

/// What the first bytes of a file say it is.
enum FileSignature: Equatable {
    case jpeg
    case png
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
                .other("WebP")
            } else if has("GIF8") {
                .other("GIF")
            } else if has("II*\0") || has("MM\0*") || has("II+\0") || has("MM\0+") {
                .other("TIFF")
            } else if has("BM") && bytes.count >= 26 && Self.isBitmapHeader(bytes) {
                .other("BMP")
            } else if has("ftypavif", at: 4) || has("ftypavis", at: 4) {
                .other("AVIF")
            } else if ["ftyphei", "ftyphev", "ftypmif", "ftypmsf"].contains(where: { has($0, at: 4) }) {
                .other("HEIC")
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
}
