// SPDX-License-Identifier: Apache-2.0

extension ImageDecoder {
    static func decodeBMP(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) -> DecodedImage {
        let file = try BitmapFile(bytes)
        try limits.check(width: file.width, height: file.height)
        try file.checkLength()
        guard var image = RGBImage(allocating: file.width, file.height) else {
            throw .outOfMemory(width: file.width, height: file.height)
        }
        try file.decode(into: &image)
        return DecodedImage(image: image, format: .bmp, warnings: [])
    }
}

/// A Windows or OS/2 bitmap: the header's meaning, and the bytes it is about.
///
/// Sources: Microsoft's `BITMAPINFOHEADER`, `BITMAPV5HEADER` and "Bitmap Compression". Where they leave a choice it is
/// OpenCV's (`modules/imgcodecs/src/grfmt_bmp.cpp`), named where it is made.
private struct BitmapFile {
    let width: Int
    let height: Int

    private let bytes: UnsafeRawBufferPointer
    private let isTopDown: Bool
    private let layout: Layout
    private let pixelOffset: Int
    /// 256 colours, black where the file has none.
    private var palette = [RGBColor](repeating: RGBColor(red: 0, green: 0, blue: 0), count: 256)

    /// How pixels are stored.
    private enum Layout {
        /// Indices of 1, 4 or 8 bits into the palette.
        case indexed(bits: Int)
        /// Runs of such indices, of 4 or 8 bits.
        case runs(bits: Int)
        /// Blue in the lowest five bits, then green, then five of red.
        case words(greenBits: Int)
        /// Blue, green and red bytes.
        case bytes
        /// Four bytes; each channel is one of them, so many bits above the lowest.
        case longWords(red: Int, green: Int, blue: Int)

        /// Bits of a stored pixel.
        var bitCount: Int {
            switch self {
            case .indexed(let bits), .runs(let bits): bits
            case .words: 16
            case .bytes: 24
            case .longWords: 32
            }
        }
    }

    /// Reads the headers and the palette.
    ///
    /// `bytes` must stay valid as long as this value lives.
    init(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        let file = LittleEndianBytes(bytes)
        let fileHeaderSize = 14
        let headerSize = Int(try file.uint32(at: fileHeaderSize))
        let isOld = headerSize == 12
        guard [12, 40, 52, 56, 64, 108, 124].contains(headerSize) else {
            throw .unsupportedKind(.bmp, "a header of \(headerSize) bytes")
        }
        guard bytes.count >= fileHeaderSize + headerSize else { throw .truncated(.bmp, "the header is incomplete") }

        let storedWidth = isOld ? Int(try file.uint16(at: 18)) : Int(try file.int32(at: 18))
        let storedHeight = isOld ? Int(try file.uint16(at: 20)) : Int(try file.int32(at: 22))
        let bitCount = Int(try file.uint16(at: isOld ? 24 : 28))
        let compression = isOld ? 0 : try file.uint32(at: 30)
        let colorCount = isOld ? 0 : Int(try file.uint32(at: 46))
        guard storedWidth > 0, storedHeight != 0 else {
            throw .corrupt(.bmp, "its size is \(storedWidth)×\(storedHeight)")
        }

        self.bytes = bytes
        (width, height, isTopDown) = (storedWidth, abs(storedHeight), storedHeight < 0)
        layout = try Self.layout(bitCount: bitCount, compression: compression, headerSize: headerSize, file)
        pixelOffset = Int(try file.uint32(at: 10))
        guard pixelOffset >= fileHeaderSize + headerSize else {
            throw .corrupt(.bmp, "its pixels begin at byte \(pixelOffset), within the header")
        }
        guard bitCount <= 8 else { return }
        guard colorCount <= 256 else { throw .corrupt(.bmp, "its palette has \(colorCount) colours") }
        let entrySize = isOld ? 3 : 4
        for index in 0..<(colorCount == 0 ? 1 << bitCount : colorCount) {
            let start = fileHeaderSize + headerSize + entrySize * index
            guard start + entrySize <= bytes.count else { throw .truncated(.bmp, "the palette is incomplete") }
            palette[index] = RGBColor(red: bytes[start + 2], green: bytes[start + 1], blue: bytes[start])
        }
    }

    private static func layout(
        bitCount: Int,
        compression: UInt32,
        headerSize: Int,
        _ file: LittleEndianBytes
    ) throws(ImageError) -> Layout {
        let none: UInt32 = 0, rle8: UInt32 = 1, rle4: UInt32 = 2, bitFields: UInt32 = 3
        switch (bitCount, compression) {
        case (1, none), (4, none), (8, none): return .indexed(bits: bitCount)
        case (8, rle8), (4, rle4): return .runs(bits: bitCount)
        case (16, none): return .words(greenBits: 5)
        case (24, none): return .bytes
        case (32, none): return .longWords(red: 16, green: 8, blue: 0)
        case (16, bitFields) where headerSize != 64, (32, bitFields) where headerSize != 64:
            // Within a newer header, right after the oldest: the same place.
            let (red, green, blue) = (try file.uint32(at: 54), try file.uint32(at: 58), try file.uint32(at: 62))
            switch (bitCount, red, green, blue) {
            case (16, 0x7C00, 0x3E0, 0x1F): return .words(greenBits: 5)
            case (16, 0xF800, 0x7E0, 0x1F): return .words(greenBits: 6)
            default: break
            }
            if bitCount == 32 {
                // OpenCV looks at these masks only in the newer headers, which have one for alpha too.
                let masks = [red, green, blue]
                if headerSize < 56 || masks.contains(0) { return .longWords(red: 16, green: 8, blue: 0) }
                let shifts = masks.map { $0.trailingZeroBitCount }
                if zip(masks, shifts).allSatisfy({ mask, shift in mask >> UInt32(shift) == 0xFF && shift % 8 == 0 }) {
                    return .longWords(red: shifts[0], green: shifts[1], blue: shifts[2])
                }
            }
            throw .unsupportedKind(.bmp, "unusual colour masks")
        default: throw .unsupportedKind(.bmp, "\(bitCount) bits a pixel, compression \(compression)")
        }
    }

    /// Throws where pixels of a fixed size cannot all be there; costs nothing.
    func checkLength() throws(ImageError) {
        if case .runs = layout { return }
        // The last row's padding is no pixel.
        let needed = pixelOffset + (height - 1) * rowSize + (width * layout.bitCount + 7) / 8
        guard needed <= bytes.count else {
            throw .truncated(.bmp, "it has \(bytes.count) bytes and needs \(needed)")
        }
    }

    /// Bytes from one row to the next: whole groups of four.
    private var rowSize: Int { (width * layout.bitCount + 31) / 32 * 4 }

    /// The row of the image that the index-th stored one is.
    private func row(_ index: Int) -> Int { isTopDown ? index : height - 1 - index }

    /// After `checkLength`.
    func decode(into image: inout RGBImage) throws(ImageError) {
        if case .runs(let bits) = layout {
            try decodeRuns(of: bits, into: &image)
            return
        }
        image.withUnsafeMutablePixels { pixels in
            guard let start = bytes.baseAddress, let target = pixels.baseAddress else { return }
            for index in 0..<height {
                decodeRow(start + pixelOffset + index * rowSize, into: target + 3 * width * row(index))
            }
        }
    }

    private func decodeRow(_ source: UnsafeRawPointer, into target: UnsafeMutablePointer<UInt8>) {
        let source = source.assumingMemoryBound(to: UInt8.self)
        var target = target
        func write(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
            target[0] = red
            target[1] = green
            target[2] = blue
            target += 3
        }
        switch layout {
        case .indexed(let bits), .runs(let bits):
            let perByte = 8 / bits
            palette.withUnsafeBufferPointer { palette in
                for x in 0..<width {
                    let shift = 8 - bits * (1 + x % perByte)
                    let color = palette[Int(source[x / perByte] >> shift) & (1 << bits - 1)]
                    write(color.red, color.green, color.blue)
                }
            }
        case .words(let greenBits):
            // As in OpenCV the low bits stay zero: white is 248, 252 or 248, 248.
            for x in 0..<width {
                let word = UInt32(source[2 * x]) | UInt32(source[2 * x + 1]) << 8
                let green = (word >> 5) << (8 - greenBits)
                write(
                    UInt8(truncatingIfNeeded: (word >> (5 + greenBits)) << 3),
                    UInt8(truncatingIfNeeded: green),
                    UInt8(truncatingIfNeeded: word << 3)
                )
            }
        case .bytes:
            for x in 0..<width { write(source[3 * x + 2], source[3 * x + 1], source[3 * x]) }
        case .longWords(let red, let green, let blue):
            for x in 0..<width {
                let pixel = source + 4 * x
                write(pixel[red / 8], pixel[green / 8], pixel[blue / 8])
            }
        }
    }

    /// Reads `BI_RLE8` or `BI_RLE4`.
    ///
    /// As in OpenCV, pixels that the runs leave out get the palette's first colour, and a run must not cross the end
    /// of its row. Of `BI_RLE4` OpenCV does not read moves and early ends; here they mean what they mean in `BI_RLE8`.
    private func decodeRuns(of bits: Int, into image: inout RGBImage) throws(ImageError) {
        image.fill(rows: 0..<height, columns: 0..<width, with: palette[0])
        try image.withUnsafeMutablePixels { pixels throws(ImageError) in
            var input = pixelOffset
            func next() throws(ImageError) -> Int {
                guard input < bytes.count else { throw .truncated(.bmp, "its runs end before the image does") }
                defer { input += 1 }
                return Int(bytes[input])
            }
            var position = 0  // of the next pixel, in reading order of the stored rows
            let end = width * height
            /// Whether a run has just filled its row, so that the end of row that follows is already made.
            var isAtRowEnd = false

            func write(_ index: Int) {
                let color = palette[index]
                let target = 3 * (row(position / width) * width + position % width)
                pixels[target] = color.red
                pixels[target + 1] = color.green
                pixels[target + 2] = color.blue
                position += 1
            }
            func checkRoom(_ count: Int) throws(ImageError) {
                guard position % width + count <= width else { throw .corrupt(.bmp, "a run is longer than its row") }
                isAtRowEnd = position % width + count == width
            }

            while position < end || isAtRowEnd {
                // After the last row the mark of the end may be missing.
                if position >= end && input + 2 > bytes.count { return }
                let count = try next(), code = try next()
                switch (count, code) {
                case (0, 0):
                    if !isAtRowEnd { position = (position / width + 1) * width }
                    isAtRowEnd = false
                case (0, 1):
                    return
                case (0, 2):
                    let (right, down) = (try next(), try next())
                    position += right + down * width
                    isAtRowEnd = false
                case (0, _):
                    if position >= end { throw .corrupt(.bmp, "it has more rows than it says") }
                    try checkRoom(code)
                    let byteCount = (code * bits + 7) / 8
                    for index in 0..<byteCount {
                        let byte = try next()
                        if bits == 8 {
                            write(byte)
                        } else {
                            write(byte >> 4)
                            if 2 * index + 1 < code { write(byte & 15) }
                        }
                    }
                    if byteCount % 2 == 1 { _ = try next() }
                default:
                    if position >= end { throw .corrupt(.bmp, "it has more rows than it says") }
                    try checkRoom(count)
                    for index in 0..<count {
                        write(bits == 8 ? code : index % 2 == 0 ? code >> 4 : code & 15)
                    }
                }
            }
        }
    }
}

/// Untrusted bytes, read as little-endian numbers.
private struct LittleEndianBytes {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func uint16(at offset: Int) throws(ImageError) -> UInt16 {
        guard offset + 2 <= bytes.count else { throw .truncated(.bmp, "the header is incomplete") }
        return UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    func uint32(at offset: Int) throws(ImageError) -> UInt32 {
        guard offset + 4 <= bytes.count else { throw .truncated(.bmp, "the header is incomplete") }
        return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    func int32(at offset: Int) throws(ImageError) -> Int32 { Int32(bitPattern: try uint32(at: offset)) }
}
