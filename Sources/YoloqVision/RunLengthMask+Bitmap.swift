// SPDX-License-Identifier: Apache-2.0

extension RunLengthMask {
    /// The pixels of a rectangle, one byte each.
    ///
    /// - Parameter rectangle: Inside the image; nil = all of it.
    /// - Returns: 0 or 1 for each pixel of the rectangle, row by row.
    public func bitmap(of rectangle: PixelRectangle? = nil) -> [UInt8] {
        let rectangle = rectangle ?? PixelRectangle(size)
        precondition(rectangle.isInside(size), "the rectangle is inside the image")
        return [UInt8](unsafeUninitializedCapacity: rectangle.pixelCount) { pixels, count in
            count = rectangle.pixelCount
            pixels.initialize(repeating: 0)
            guard let first = pixels.baseAddress else { return }
            paint(rectangle, at: first, stride: rectangle.columns.count)
        }
    }

    /// The pixels of a rectangle with a border of zeros around them, as following an outline needs them.
    ///
    /// - Parameter rectangle: Inside the image.
    /// - Returns: 0 or 1, (rows + 2, columns + 2), row by row.
    func borderedBitmap(of rectangle: PixelRectangle) -> [UInt8] {
        let stride = rectangle.columns.count + 2
        let pixelCount = stride * (rectangle.rows.count + 2)
        return [UInt8](unsafeUninitializedCapacity: pixelCount) { pixels, count in
            count = pixelCount
            pixels.initialize(repeating: 0)
            guard let first = pixels.baseAddress else { return }
            paint(rectangle, at: first + stride + 1, stride: stride)
        }
    }

    /// Sets the ones of a rectangle in memory that is 0.
    ///
    /// Runs go down columns and memory along rows, so only the ends of runs are written where they are, and then each row
    /// is combined with the one above it, many pixels at a time.
    private func paint(_ rectangle: PixelRectangle, at pixels: UnsafeMutablePointer<UInt8>, stride: Int) {
        guard !rectangle.isEmpty else { return }
        forEachColumnRun { column, rows in
            guard rectangle.columns.contains(column) else { return }
            let rows = rows.clamped(to: rectangle.rows)
            guard !rows.isEmpty else { return }
            let start = pixels + column - rectangle.columns.lowerBound
            start[(rows.lowerBound - rectangle.rows.lowerBound) * stride] ^= 1
            if rows.upperBound < rectangle.rows.upperBound {
                start[(rows.upperBound - rectangle.rows.lowerBound) * stride] ^= 1
            }
        }
        for y in 1..<rectangle.rows.count {
            combine(pixels + y * stride, with: pixels + (y - 1) * stride, rectangle.columns.count)
        }
    }
}

private func combine(_ row: UnsafeMutablePointer<UInt8>, with above: UnsafePointer<UInt8>, _ count: Int) {
    for x in 0..<count { row[x] ^= above[x] }
}
