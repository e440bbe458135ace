// SPDX-License-Identifier: Apache-2.0
#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

/// A colour of 8 bits a channel.
public struct RGBColor: Sendable, Hashable {
    /// Red, 0…255.
    public var red: UInt8
    /// Green, 0…255.
    public var green: UInt8
    /// Blue, 0…255.
    public var blue: UInt8

    /// Makes a colour from its channels, each 0…255.
    public init(red: UInt8, green: UInt8, blue: UInt8) {
        self.red = red
        self.green = green
        self.blue = blue
    }
}

/// An RGB image: `UInt8`, (height, width, 3), row-major, no row padding.
///
/// It owns its memory and cannot be copied by accident; `copy()` copies.
///
/// `@unchecked Sendable`: the pointer is private and has one owner, since the type is noncopyable. It is read only
/// through borrowing functions and written only through mutating ones, so the compiler's exclusivity holds for it.
public struct RGBImage: ~Copyable, @unchecked Sendable {
    /// Width in pixels, at least 1.
    public let width: Int
    /// Height in pixels, at least 1.
    public let height: Int
    private let pixels: UnsafeMutablePointer<UInt8>  // (height, width, 3), then `tail` bytes

    /// Bytes after the last pixel that may be read, of no meaning: the resizer loads two pixels as eight bytes.
    static let tail = 8

    /// Makes a black image.
    ///
    /// - Parameters:
    ///   - width: Pixels, at least 1.
    ///   - height: Pixels, at least 1.
    public init(width: Int, height: Int) {
        guard let image = RGBImage(allocating: width, height) else {
            preconditionFailure("no memory for an image of \(width)×\(height) pixels")
        }
        self = image
    }

    /// Makes an image of one colour.
    ///
    /// - Parameters:
    ///   - width: Pixels, at least 1.
    ///   - height: Pixels, at least 1.
    ///   - color: The colour of every pixel.
    public init(width: Int, height: Int, filledWith color: RGBColor) {
        self.init(width: width, height: height)
        fill(rows: 0..<height, columns: 0..<width, with: color)
    }

    /// Makes a black image, or nil when memory is out.
    ///
    /// The memory is zero and untouched: what is never written costs nothing.
    init?(allocating width: Int, _ height: Int) {
        self.init(width, height) { calloc($0, 1) }
    }

    /// Makes an image for a caller that writes every pixel, or nil when memory is out.
    ///
    /// Memory that was freed before is taken again as it is, without clearing it.
    init?(unwritten width: Int, _ height: Int) {
        self.init(width, height, malloc)
    }

    private init?(_ width: Int, _ height: Int, _ allocate: (_ byteCount: Int) -> UnsafeMutableRawPointer?) {
        precondition(width > 0 && height > 0, "an image has at least one pixel")
        let (area, areaOverflows) = width.multipliedReportingOverflow(by: height)
        let (count, countOverflows) = area.multipliedReportingOverflow(by: 3)
        precondition(!areaOverflows && !countOverflows && count < Int.max - Self.tail, "the image's size overflows")
        guard let memory = allocate(count + Self.tail) else { return nil }
        self.width = width
        self.height = height
        pixels = memory.bindMemory(to: UInt8.self, capacity: count + Self.tail)
    }

    deinit { free(pixels) }

    /// Number of bytes in the image: `3 * width * height`.
    public var byteCount: Int { 3 * width * height }

    /// Calls a function with the pixels.
    ///
    /// - Parameter body: Gets the pixels, `UInt8`, (height, width, 3), valid during the call.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public borrowing func withUnsafePixels<R: ~Copyable, E: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeBufferPointer(start: pixels, count: byteCount))
    }

    /// Calls a function that may change the pixels.
    ///
    /// - Parameter body: Gets the pixels, `UInt8`, (height, width, 3), valid during the call.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; the pixels stay as `body` left them.
    public mutating func withUnsafeMutablePixels<R: ~Copyable, E: Error>(
        _ body: (UnsafeMutableBufferPointer<UInt8>) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeMutableBufferPointer(start: pixels, count: byteCount))
    }

    /// Returns an image of its own with the same pixels.
    public borrowing func copy() -> RGBImage {
        let image = RGBImage(width: width, height: height)
        image.pixels.update(from: pixels, count: byteCount)
        return image
    }

    /// Copies a part of the image.
    ///
    /// - Parameters:
    ///   - columns: At least one; inside the image.
    ///   - rows: At least one; inside the image.
    /// - Returns: The part as an image of its own.
    public borrowing func cropped(columns: Range<Int>, rows: Range<Int>) -> RGBImage {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= height, "rows outside the image")
        precondition(columns.lowerBound >= 0 && columns.upperBound <= width, "columns outside the image")
        let part = RGBImage(width: columns.count, height: rows.count)
        for (index, y) in rows.enumerated() {
            let row = pixels + 3 * (y * width + columns.lowerBound)
            (part.pixels + 3 * index * columns.count).update(from: row, count: 3 * columns.count)
        }
        return part
    }

    /// Fills a rectangle that lies wholly inside the image.
    mutating func fill(rows: Range<Int>, columns: Range<Int>, with color: RGBColor) {
        guard !rows.isEmpty, !columns.isEmpty else { return }
        precondition(rows.lowerBound >= 0 && rows.upperBound <= height, "rows outside the image")
        precondition(columns.lowerBound >= 0 && columns.upperBound <= width, "columns outside the image")
        for y in rows {
            var pixel = pixels + 3 * (y * width + columns.lowerBound)
            for _ in columns {
                pixel[0] = color.red
                pixel[1] = color.green
                pixel[2] = color.blue
                pixel += 3
            }
        }
    }
}
