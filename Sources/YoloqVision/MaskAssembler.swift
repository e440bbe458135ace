// SPDX-License-Identifier: Apache-2.0
#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Makes masks from a segment model's prototypes, with the numbers of Ultralytics 8.4.190.
///
/// A detection's mask is the sum of the prototypes, each times one of the detection's coefficients: a plane of logits a
/// quarter of the input's size, which is scaled up; what is above 0 and inside the box is the mask (`process_mask` and
/// `process_mask_native` in `ultralytics/utils/ops.py`). All in Float32, as torch's `interpolate` scales it.
///
/// Works at one detection at a time and only in its box. Rows become run lengths as they are made: besides these it takes
/// the logits below the box and a few rows, so an image's size costs nothing.
public struct MaskAssembler {
    /// Size of the masks in pixels.
    public let size: ImageSize
    /// How many coefficients a detection has.
    public let coefficientCount: Int

    private let prototypes: Prototypes
    /// In the plane that is scaled to `size`: how much finer it is than the prototypes.
    private let factor: Int
    /// Which part of that plane is the image.
    private let cut: PixelRectangle
    /// Whether the box cuts the prototypes' plane, not the mask.
    private let isCroppedFirst: Bool

    /// Makes an assembler for one image.
    ///
    /// - Parameters:
    ///   - prototypes: Float32, (1, coefficients, height, width), the model's second output; it must outlive the
    ///     assembler.
    ///   - letterbox: How the image was fitted into the input.
    ///   - frame: Which pixels the masks shall be made of.
    ///   - head: The model's; YOLOv5 makes masks of the input's pixels in a way of its own.
    /// - Throws: `badOutput` if the tensor is not of such a shape.
    public init(
        prototypes: OutputTensor,
        letterbox: Letterbox,
        frame: MaskFrame,
        head: HeadLayout = .anchors
    ) throws(VisionError) {
        isCroppedFirst = head == .objectness && frame == .input
        self.prototypes = try Prototypes(prototypes)
        let plane = ImageSize(height: self.prototypes.height, width: self.prototypes.width)
        coefficientCount = self.prototypes.count
        switch frame {
        case .input:
            size = letterbox.input
            factor = 1
            cut = PixelRectangle(plane)
        case .image:
            size = letterbox.source
            factor = paddingFactor(of: plane, for: letterbox.source)
            cut = unpadded(
                ImageSize(height: factor * plane.height, width: factor * plane.width),
                for: letterbox.source
            )
        }
    }

    /// Makes the mask of one detection.
    ///
    /// - Parameters:
    ///   - coefficients: As many as the prototypes.
    ///   - box: In pixels of the masks' frame; may reach beyond it.
    /// - Returns: Of the size `size`, with ones inside the box only; perhaps with none.
    public func mask(coefficients: [Float], box: Box) -> RunLengthMask {
        precondition(coefficients.count == coefficientCount, "a detection has a coefficient for each prototype")
        guard !isCroppedFirst else { return maskCroppedFirst(coefficients, box) }
        let rectangle = PixelRectangle(cropping: box, to: size)
        guard !rectangle.isEmpty else { return RunLengthMask(emptyOf: size) }
        let rows = BilinearAxis(from: cut.rows.count, to: size.height, targets: rectangle.rows)
        let columns = BilinearAxis(from: cut.columns.count, to: size.width, targets: rectangle.columns)
        let last = BilinearStage(rows: rows, columns: columns)
        let needed = PixelRectangle(
            columns: columns.sources.moved(by: cut.columns.lowerBound),
            rows: rows.sources.moved(by: cut.rows.lowerBound)
        )
        guard factor > 1 else {
            return prototypes.withLogits(coefficients, of: needed) { logits in
                RunLengthMask(size: size, rectangle: rectangle) { y, pixels in
                    last.writeSigns(y, to: pixels) { logits + $0 * needed.columns.count }
                }
            }
        }
        return mask(coefficients, rectangle, finePlane: needed, last)
    }

    /// Cuts the probabilities to the box before they are scaled up, as YOLOv5 does (`process_mask` in
    /// `yolov5/utils/segment/general.py`): what is above one half then is the mask, at the box's edges half a cell more or
    /// less than the box.
    private func maskCroppedFirst(_ coefficients: [Float], _ box: Box) -> RunLengthMask {
        let plane = ImageSize(height: prototypes.height, width: prototypes.width)
        let across = Float(Double(plane.width) / Double(size.width))
        let down = Float(Double(plane.height) / Double(size.height))
        let kept = PixelRectangle(
            cropping: Box(x1: box.x1 * across, y1: box.y1 * down, x2: box.x2 * across, y2: box.y2 * down),
            to: plane
        )
        guard !kept.isEmpty else { return RunLengthMask(emptyOf: size) }
        let rectangle = PixelRectangle(
            columns: reach(of: kept.columns, from: plane.width, to: size.width),
            rows: reach(of: kept.rows, from: plane.height, to: size.height)
        )
        let rows = BilinearAxis(from: plane.height, to: size.height, targets: rectangle.rows)
        let columns = BilinearAxis(from: plane.width, to: size.width, targets: rectangle.columns)
        let needed = PixelRectangle(columns: columns.sources, rows: rows.sources)
        let stage = BilinearStage(rows: rows, columns: columns)
        return prototypes.withLogits(coefficients, of: needed) { logits in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: needed.pixelCount) { probabilities in
                guard let first = probabilities.baseAddress else { return RunLengthMask(emptyOf: size) }
                for index in 0..<needed.pixelCount {
                    let (row, column) = index.quotientAndRemainder(dividingBy: needed.columns.count)
                    let isKept =
                        kept.rows.contains(needed.rows.lowerBound + row)
                        && kept.columns.contains(needed.columns.lowerBound + column)
                    (first + index).initialize(to: isKept ? 1 / (1 + exp(-logits[index])) : 0)
                }
                return RunLengthMask(size: size, rectangle: rectangle) { y, pixels in
                    stage.writeSigns(y, above: 0.5, to: pixels) { UnsafePointer(first) + $0 * needed.columns.count }
                }
            }
        }
    }

    /// Scales in two steps, the first of them to a plane in which the padding is whole pixels.
    private func mask(
        _ coefficients: [Float],
        _ rectangle: PixelRectangle,
        finePlane: PixelRectangle,
        _ last: BilinearStage
    ) -> RunLengthMask {
        let rows = BilinearAxis(
            from: prototypes.height,
            to: factor * prototypes.height,
            targets: finePlane.rows
        )
        let columns = BilinearAxis(
            from: prototypes.width,
            to: factor * prototypes.width,
            targets: finePlane.columns
        )
        let first = BilinearStage(rows: rows, columns: columns)
        let needed = PixelRectangle(columns: columns.sources, rows: rows.sources)
        return prototypes.withLogits(coefficients, of: needed) { logits in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: first.width) { fine in
                // Memory for at least one pixel always has an address.
                guard let row = fine.baseAddress else { return RunLengthMask(emptyOf: size) }
                row.initialize(repeating: 0, count: first.width)
                return RunLengthMask(size: size, rectangle: rectangle) { y, pixels in
                    last.writeSigns(y, to: pixels) { index in
                        first.write(finePlane.rows.lowerBound + index, to: row) { logits + $0 * needed.columns.count }
                        return UnsafePointer(row)
                    }
                }
            }
        }
    }
}

/// Which pixels of a scaled axis have some of `cells` among their sources.
private func reach(of cells: Range<Int>, from sourceCount: Int, to targetCount: Int) -> Range<Int> {
    let first = max(cells.lowerBound - 1, 0) * targetCount / sourceCount
    let last = min((cells.upperBound + 1) * targetCount / sourceCount + 1, targetCount)
    return first..<last
}

/// How much finer than the prototypes a plane must be for the letterbox's padding to be whole pixels in it: 1, 2 or 4.
///
/// The input is four times the prototypes; half of a padding must be a whole number of the plane's pixels.
private func paddingFactor(of plane: ImageSize, for source: ImageSize) -> Int {
    let input = ImageSize(height: 4 * plane.height, width: 4 * plane.width)
    let image = unpadded(input, for: source)
    let paddings = (input.height - image.rows.count) | (input.width - image.columns.count)
    // Of all paddings and their halves the lowest bit decides.
    let lowestBit = (paddings | paddings / 2).trailingZeroBitCount
    return 4 >> min(lowestBit, 2)
}

/// Which part of a letterboxed plane is the image, as `scale_masks` in `ultralytics/utils/ops.py` finds it.
private func unpadded(_ plane: ImageSize, for source: ImageSize) -> PixelRectangle {
    let gain = min(
        Double(plane.height) / Double(source.height),
        Double(plane.width) / Double(source.width)
    )
    func part(_ whole: Int, _ source: Int) -> Range<Int> {
        let count = min(max(Int((Double(source) * gain).rounded(.toNearestOrEven)), 1), whole)
        // round(d / 2 - 0.1): of an odd padding the smaller half comes first.
        let start = (whole - count) / 2
        return start..<start + count
    }
    return PixelRectangle(
        columns: part(plane.width, source.width),
        rows: part(plane.height, source.height)
    )
}

extension Range where Bound == Int {
    func moved(by offset: Int) -> Range<Int> { lowerBound + offset..<upperBound + offset }
}

/// A segment model's second output: Float32, (count, height, width).
private struct Prototypes {
    let count: Int
    let height: Int
    let width: Int
    private let values: UnsafePointer<Float>

    init(_ output: OutputTensor) throws(VisionError) {
        guard output.shape.count == 4, output.shape[0] == 1, output.shape.allSatisfy({ $0 > 0 }) else {
            throw .badOutput("the prototypes are \(output.shape), not (1, coefficients, height, width)")
        }
        guard let values = output.values.baseAddress, output.values.count == output.shape.reduce(1, *) else {
            throw .badOutput("\(output.values.count) numbers do not make prototypes of shape \(output.shape)")
        }
        (count, height, width) = (output.shape[1], output.shape[2], output.shape[3])
        self.values = values
    }

    /// Calls `body` with the logits of a rectangle, row by row, valid during the call.
    func withLogits<R>(
        _ coefficients: [Float],
        of rectangle: PixelRectangle,
        _ body: (UnsafePointer<Float>) -> R
    ) -> R {
        let logits = UnsafeMutablePointer<Float>.allocate(capacity: rectangle.pixelCount)
        defer { logits.deallocate() }
        logits.initialize(repeating: 0, count: rectangle.pixelCount)
        let width = rectangle.columns.count
        for (index, y) in rectangle.rows.enumerated() {
            let row = logits + index * width
            let start = values + y * self.width + rectangle.columns.lowerBound
            var channel = 0
            while channel + 4 <= count {
                addFour(row, start + channel * plane, plane, SIMD4(coefficients[channel..<channel + 4]), width)
                channel += 4
            }
            while channel < count {
                addOne(row, start + channel * plane, coefficients[channel], width)
                channel += 1
            }
        }
        return body(UnsafePointer(logits))
    }

    private var plane: Int { height * width }
}

/// Adds four prototypes to a row in their order, each times its coefficient.
private func addFour(
    _ row: UnsafeMutablePointer<Float>,
    _ start: UnsafePointer<Float>,
    _ plane: Int,
    _ coefficients: SIMD4<Float>,
    _ count: Int
) {
    let (second, third, fourth) = (start + plane, start + 2 * plane, start + 3 * plane)
    for x in 0..<count {
        var sum = row[x]
        sum += coefficients[0] * start[x]
        sum += coefficients[1] * second[x]
        sum += coefficients[2] * third[x]
        sum += coefficients[3] * fourth[x]
        row[x] = sum
    }
}

private func addOne(
    _ row: UnsafeMutablePointer<Float>,
    _ start: UnsafePointer<Float>,
    _ coefficient: Float,
    _ count: Int
) {
    for x in 0..<count { row[x] += coefficient * start[x] }
}
