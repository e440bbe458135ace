// SPDX-License-Identifier: Apache-2.0

/// Scales RGB images with Pillow's antialiased bilinear filter on 8 bits, bit for bit, and computes only a part.
///
/// Where an image shrinks, each output pixel is a weighted mean of all that it covers, so that nothing is skipped;
/// `BilinearResizer` looks at four pixels only. As in `libImaging/Resample.c` (Pillow 12), weights have 22 bits, rows
/// are scaled along x first, and each of the two passes is rounded to bytes. Pillow 13 differs where an image gets
/// wider and less tall at once: it scales along y first there.
///
/// The tables are made once; a resizer may be used for many images of its size, by many threads.
public struct PillowResizer: Sendable {
    /// Width of the images that are read, in pixels.
    public let sourceWidth: Int
    /// Height of the images that are read, in pixels.
    public let sourceHeight: Int
    /// Width of the rows that come out, in pixels.
    public let width: Int
    /// Number of rows that come out.
    public let height: Int

    private let columns: FilterAxis
    private let rows: FilterAxis

    /// Makes a resizer that computes a whole image.
    ///
    /// - Parameters:
    ///   - sourceWidth: Width of the images to read, at least 1.
    ///   - sourceHeight: Height of the images to read, at least 1.
    ///   - width: Width to make, at least 1.
    ///   - height: Height to make, at least 1.
    public init(sourceWidth: Int, sourceHeight: Int, width: Int, height: Int) {
        self.init(
            sourceWidth: sourceWidth,
            sourceHeight: sourceHeight,
            scaledWidth: width,
            scaledHeight: height,
            columns: 0..<width,
            rows: 0..<height
        )
    }

    /// Makes a resizer that computes what `geometry` keeps of the scaled image.
    ///
    /// - Parameter geometry: How an image becomes a classifier's input.
    public init(_ geometry: CenterCropGeometry) {
        self.init(
            sourceWidth: geometry.sourceWidth,
            sourceHeight: geometry.sourceHeight,
            scaledWidth: geometry.scaledWidth,
            scaledHeight: geometry.scaledHeight,
            columns: geometry.left..<geometry.left + geometry.width,
            rows: geometry.top..<geometry.top + geometry.height
        )
    }

    /// Makes a resizer that computes a part of a scaled image: the pixels that scaling first and cropping then give.
    ///
    /// - Parameters:
    ///   - sourceWidth: Width of the images to read, at least 1.
    ///   - sourceHeight: Height of the images to read, at least 1.
    ///   - scaledWidth: Width of the whole scaled image.
    ///   - scaledHeight: Height of the whole scaled image.
    ///   - columns: The columns of the scaled image to compute; at least one, all inside it.
    ///   - rows: The rows of the scaled image to compute; at least one, all inside it.
    public init(
        sourceWidth: Int,
        sourceHeight: Int,
        scaledWidth: Int,
        scaledHeight: Int,
        columns: Range<Int>,
        rows: Range<Int>
    ) {
        precondition(sourceWidth > 0 && sourceHeight > 0, "sizes are at least 1 pixel")
        precondition(
            !columns.isEmpty && columns.lowerBound >= 0 && columns.upperBound <= scaledWidth,
            "columns outside"
        )
        precondition(!rows.isEmpty && rows.lowerBound >= 0 && rows.upperBound <= scaledHeight, "rows outside")
        precondition(max(sourceWidth, sourceHeight) <= Int(Int32.max) / 3, "a side is too long")
        self.sourceWidth = sourceWidth
        self.sourceHeight = sourceHeight
        width = columns.count
        height = rows.count
        self.columns = FilterAxis(from: sourceWidth, to: scaledWidth, of: columns)
        self.rows = FilterAxis(from: sourceHeight, to: scaledHeight, of: rows)
    }

    /// Scales an image row by row.
    ///
    /// - Parameters:
    ///   - image: An image of `sourceWidth` × `sourceHeight` pixels.
    ///   - body: Called once for each output row, top to bottom, with its index and its `width` pixels.
    public func forEachRow(of image: borrowing RGBImage, _ body: (_ y: Int, _ row: PlanarRow) -> Void) {
        precondition(
            image.width == sourceWidth && image.height == sourceHeight,
            "the resizer is made for \(sourceWidth)×\(sourceHeight) pixels, the image has \(image.width)×\(image.height)"
        )
        image.withUnsafePixels { pixels in
            guard let first = pixels.baseAddress else { return }
            forEachRow(of: { first + 3 * sourceWidth * $0 }, body)
        }
    }

    /// Scales rows as they come.
    ///
    /// - Parameters:
    ///   - source: Gives a source row: RGB, (sourceWidth, 3). Asked from top to bottom, once for each row that something comes
    ///     of; must be valid until it is asked again.
    ///   - body: Called once for each output row, top to bottom, with its index and its `width` pixels.
    /// - Throws: What `source` throws.
    public func forEachRow<E: Error>(
        of source: (_ y: Int) throws(E) -> UnsafePointer<UInt8>,
        _ body: (_ y: Int, _ row: PlanarRow) -> Void
    ) throws(E) {
        let stride = 3 * width
        let needed = rows.sampleRange
        // Scaled along x: (needed, width, 3); then the row that goes out, and again with its channels apart; and its sums.
        let scaled = UnsafeMutablePointer<UInt8>.allocate(capacity: (needed.count + 2) * stride)
        let sums = UnsafeMutablePointer<Int32>.allocate(capacity: stride)
        defer {
            scaled.deallocate()
            sums.deallocate()
        }
        for (index, row) in needed.enumerated() {
            columns.scaleRow(try source(row), into: scaled + stride * index)
        }
        let target = scaled + stride * needed.count
        let channels = target + stride
        for y in 0..<height {
            rows.mixRows(y, of: scaled, count: stride, sums: sums, into: target)
            split(target, count: width, into: channels, capacity: width)
            body(y, PlanarRow(channels, count: width, capacity: width))
        }
    }
}

/// Pillow's bilinear filter along one axis: for each output position the samples that it covers and their weights.
private struct FilterAxis: Sendable {
    /// Samples that any position needs, as a whole.
    let sampleRange: Range<Int>

    private let windows: [Window]
    /// In units of 2⁻²², window after window; each sums to about 2²².
    private let weights: [Int32]

    private struct Window {
        let first: Int32  // sample, counted from the axis' beginning
        let count: Int32
        let weightsStart: Int
    }

    private static let precision: Int32 = 22
    private static let half: Int32 = 1 << 21

    /// Makes the table for `positions`, a part of the `count` positions that `source` samples are scaled to.
    init(from source: Int, to count: Int, of positions: Range<Int>) {
        let scale = Double(source) / Double(count)
        let support = max(scale, 1)  // of a triangle that reaches one output pixel, or one sample, to either side
        var windows: [Window] = [], weights: [Int32] = []
        windows.reserveCapacity(positions.count)
        weights.reserveCapacity(positions.count * (2 * Int(support) + 2))
        var raw: [Double] = []
        for position in positions {
            let center = (Double(position) + 0.5) * scale
            let first = max(Int(center - support + 0.5), 0)
            let end = min(Int(center + support + 0.5), source)
            raw.removeAll(keepingCapacity: true)
            var sum = 0.0
            for sample in first..<end {
                let distance = abs((Double(sample) - center + 0.5) * (1 / support))
                let weight = distance < 1 ? 1 - distance : 0
                raw.append(weight)
                sum += weight
            }
            windows.append(
                Window(first: Int32(first), count: Int32(end - first), weightsStart: weights.count)
            )
            for weight in raw {
                let share = sum == 0 ? weight : weight / sum
                weights.append(Int32(0.5 + share * Double(1 << Self.precision)))
            }
        }
        self.windows = windows
        self.weights = weights
        let first = windows.map { Int($0.first) }.min() ?? 0
        let end = windows.map { Int($0.first + $0.count) }.max() ?? 0
        sampleRange = first..<end
    }

    /// Scales one row of RGB pixels.
    func scaleRow(_ source: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<UInt8>) {
        windows.withUnsafeBufferPointer { windows in
            weights.withUnsafeBufferPointer { weights in
                guard let weights = weights.baseAddress else { return }
                var target = target
                for window in windows {
                    var sample = source + 3 &* Int(window.first)
                    var weight = weights + window.weightsStart
                    let end = weight + Int(window.count)
                    var (red, green, blue) = (Self.half, Self.half, Self.half)
                    while weight < end {
                        red &+= Int32(sample[0]) &* weight.pointee
                        green &+= Int32(sample[1]) &* weight.pointee
                        blue &+= Int32(sample[2]) &* weight.pointee
                        sample += 3
                        weight += 1
                    }
                    target[0] = Self.byte(red)
                    target[1] = Self.byte(green)
                    target[2] = Self.byte(blue)
                    target += 3
                }
            }
        }
    }

    /// Mixes the rows that one output row covers.
    ///
    /// - Parameters:
    ///   - index: Which of the positions.
    ///   - source: The rows of `sampleRange`, `count` bytes each.
    ///   - count: Bytes of a row.
    ///   - sums: Room for `count` numbers.
    ///   - target: Gets `count` bytes.
    func mixRows(
        _ index: Int,
        of source: UnsafePointer<UInt8>,
        count: Int,
        sums: UnsafeMutablePointer<Int32>,
        into target: UnsafeMutablePointer<UInt8>
    ) {
        let window = windows[index]
        sums.update(repeating: Self.half, count: count)
        var row = source + count * (Int(window.first) - sampleRange.lowerBound)
        for tap in 0..<Int(window.count) {
            let weight = weights[window.weightsStart + tap]
            for column in 0..<count { sums[column] &+= Int32(row[column]) &* weight }
            row += count
        }
        for column in 0..<count { target[column] = Self.byte(sums[column]) }
    }

    /// Sums cannot be negative; rounded weights of very many samples could add up to a little more than one.
    @inline(__always)
    private static func byte(_ sum: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: min(sum &>> precision, 255))
    }
}
