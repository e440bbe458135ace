// SPDX-License-Identifier: Apache-2.0

extension RunLengthMask {
    /// The pixels of the image, from a mask of the model's input.
    ///
    /// Cuts the padding off, scales zeros and ones bilinearly, as torch's `interpolate` does in Float32, and keeps what is
    /// above one half. Takes memory for the smallest rectangle with all the ones, and for the runs, whatever the sizes.
    ///
    /// - Parameter letterbox: How the image was fitted into the input.
    /// - Returns: A mask of the size of the upright image.
    public func scaled(from letterbox: Letterbox) -> RunLengthMask {
        precondition(size == letterbox.input, "the mask is \(size), and the input \(letterbox.input)")
        let image = PixelRectangle(
            columns: letterbox.left..<letterbox.left + letterbox.scaledWidth,
            rows: letterbox.top..<letterbox.top + letterbox.scaledHeight
        )
        let box = boundingBox
        let columns = reach(of: box.columns, in: image.columns, scaledTo: letterbox.source.width)
        let rows = reach(of: box.rows, in: image.rows, scaledTo: letterbox.source.height)
        guard !columns.isEmpty, !rows.isEmpty else { return RunLengthMask(emptyOf: letterbox.source) }
        return scaled(image, to: letterbox.source, PixelRectangle(columns: columns, rows: rows))
    }

    /// Scales a part of the mask to another size; `targets` is where something else than zeros can come of it.
    private func scaled(_ part: PixelRectangle, to target: ImageSize, _ targets: PixelRectangle) -> RunLengthMask {
        let rows = BilinearAxis(from: part.rows.count, to: target.height, targets: targets.rows)
        let columns = BilinearAxis(from: part.columns.count, to: target.width, targets: targets.columns)
        let stage = BilinearStage(rows: rows, columns: columns)
        let needed = PixelRectangle(
            columns: columns.sources.moved(by: part.columns.lowerBound),
            rows: rows.sources.moved(by: part.rows.lowerBound)
        )
        let pixels = bitmap(of: needed)
        var row = [Float](repeating: 0, count: needed.columns.count)
        return row.withUnsafeMutableBufferPointer { row in
            // A rectangle with something in it has columns.
            guard let values = row.baseAddress else { return RunLengthMask(emptyOf: target) }
            return RunLengthMask(size: target, rectangle: targets) { y, output in
                stage.writeSigns(y, above: 0.5, to: output) { index in
                    let start = index * needed.columns.count
                    for x in 0..<needed.columns.count { values[x] = Float(pixels[start + x]) }
                    return UnsafePointer(values)
                }
            }
        }
    }
}

/// Which pixels of a scaled axis come from some of `ones`, and perhaps a few more.
///
/// - Parameters:
///   - ones: Pixels of the whole axis.
///   - part: What of the axis is scaled.
///   - count: How many pixels it becomes.
/// - Returns: Of `0..<count`; empty if no pixel does.
private func reach(of ones: Range<Int>, in part: Range<Int>, scaledTo count: Int) -> Range<Int> {
    let ones = ones.clamped(to: part)
    guard !ones.isEmpty else { return 0..<0 }
    // Target i comes from the two pixels around (i + 0.5) * scale - 0.5.
    let scale = Double(part.count) / Double(count)
    let first = (Double(ones.lowerBound - part.lowerBound) - 0.5) / scale - 0.5
    let last = (Double(ones.upperBound - part.lowerBound) + 0.5) / scale - 0.5
    let lower = min(max(Int(first.rounded(.down)), 0), count - 1)
    return lower..<max(min(Int(last.rounded(.up)) + 1, count), lower + 1)
}
