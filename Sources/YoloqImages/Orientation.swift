// SPDX-License-Identifier: Apache-2.0

/// How stored pixels are turned to be seen upright: EXIF 2.3, tag 0x0112.
enum Orientation: UInt16 {
    case upright = 1
    case mirrored = 2  // left and right swapped
    case turnedHalf = 3
    case flipped = 4  // top and bottom swapped
    case transposed = 5  // mirrored at the main diagonal
    case turnedRight = 6  // the upright image is the stored one turned clockwise by a quarter
    case transversed = 7  // mirrored at the other diagonal
    case turnedLeft = 8

    var swapsAxes: Bool { rawValue >= 5 }

    /// Reads the orientation from a TIFF block, as in JPEG's APP1 after "Exif\0\0" or in PNG's eXIf.
    ///
    /// The bytes are untrusted. Whatever cannot be read, or is no orientation, gives `.upright`: an image with
    /// damaged EXIF is still an image.
    init(exif tiff: UnsafeRawBufferPointer) {
        self = Self.read(tiff) ?? .upright
    }

    private static func read(_ tiff: UnsafeRawBufferPointer) -> Orientation? {
        let isBigEndian: Bool
        switch (tiff.first, tiff.dropFirst().first) {
        case (0x49, 0x49): isBigEndian = false  // "II"
        case (0x4D, 0x4D): isBigEndian = true  // "MM"
        default: return nil
        }
        func uint16(at offset: Int) -> UInt16? {
            guard offset >= 0, offset <= tiff.count - 2 else { return nil }
            let value = tiff.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
            return isBigEndian ? UInt16(bigEndian: value) : UInt16(littleEndian: value)
        }
        func uint32(at offset: Int) -> UInt32? {
            guard offset >= 0, offset <= tiff.count - 4 else { return nil }
            let value = tiff.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            return isBigEndian ? UInt32(bigEndian: value) : UInt32(littleEndian: value)
        }

        guard uint16(at: 2) == 42, let directory = uint32(at: 4), let entryCount = uint16(at: Int(directory)) else {
            return nil
        }
        let orientationTag: UInt16 = 0x0112
        for index in 0..<Int(entryCount) {
            let entry = Int(directory) + 2 + 12 * index  // tag, type, count, value
            guard let tag = uint16(at: entry) else { return nil }
            guard tag == orientationTag else { continue }
            // The type should be SHORT. OpenCV does not look at it, nor do we.
            return uint16(at: entry + 8).flatMap(Orientation.init(rawValue:))
        }
        return nil
    }
}

extension RGBImage {
    /// The upright image of stored pixels.
    ///
    /// - Parameter orientation: How `self` is stored.
    /// - Returns: `self`, if it is upright, or a new image; nil when there is no memory for one.
    consuming func upright(_ orientation: Orientation) -> RGBImage? {
        if orientation == .upright { return self }
        let (width, height) = orientation.swapsAxes ? (self.height, self.width) : (self.width, self.height)
        guard var result = RGBImage(unwritten: width, height) else { return nil }

        // Pixel (x, y) of the result is the stored pixel origin + x * stepX + y * stepY, counted in pixels.
        let row = self.width
        let (right, bottom) = (self.width - 1, (self.height - 1) * self.width)
        let (origin, stepX, stepY) =
            switch orientation {
            case .upright: (0, 1, row)
            case .mirrored: (right, -1, row)
            case .turnedHalf: (bottom + right, -1, -row)
            case .flipped: (bottom, 1, -row)
            case .transposed: (0, row, 1)
            case .turnedRight: (bottom, -row, 1)
            case .transversed: (bottom + right, -row, -1)
            case .turnedLeft: (right, row, -1)
            }
        withUnsafePixels { source in
            result.withUnsafeMutablePixels { target in
                gather(
                    source,
                    origin: origin,
                    stepX: stepX,
                    stepY: stepY,
                    into: target,
                    width: width,
                    height: height
                )
            }
        }
        return result
    }
}

/// Copies pixels in blocks, so that a quarter turn finds the lines of its source still in the cache.
///
/// - Parameters:
///   - source: RGB pixels.
///   - origin: Where pixel (0, 0) of the target lies in the source, in pixels.
///   - stepX: Source pixels from one target column to the next.
///   - stepY: Source pixels from one target row to the next.
///   - target: RGB, (height, width, 3).
///   - width: Width of the target in pixels.
///   - height: Height of the target in pixels.
private func gather(
    _ source: UnsafeBufferPointer<UInt8>,
    origin: Int,
    stepX: Int,
    stepY: Int,
    into target: UnsafeMutableBufferPointer<UInt8>,
    width: Int,
    height: Int
) {
    guard let source = source.baseAddress, let target = target.baseAddress else { return }
    let block = 32  // 32 rows of 32 pixels: 3 KB on either side
    for blockY in stride(from: 0, to: height, by: block) {
        for blockX in stride(from: 0, to: width, by: block) {
            let columns = min(block, width &- blockX)
            for y in blockY..<min(blockY &+ block, height) {
                var from = source + 3 &* (origin &+ blockX &* stepX &+ y &* stepY)
                var to = target + 3 &* (y &* width &+ blockX)
                for _ in 0..<columns {
                    to[0] = from[0]
                    to[1] = from[1]
                    to[2] = from[2]
                    from += 3 &* stepX
                    to += 3
                }
            }
        }
    }
}
