// SPDX-License-Identifier: Apache-2.0

extension RunLengthMask {
    /// The mask of a model's input as one of the upright image: without the padding, scaled bilinearly and above one half, as
    /// `scale_masks` in `ultralytics/utils/ops.py` 8.4.190 does it.
    ///
    /// Works on the pixels around the ones alone, so that neither size matters.
    ///
    /// - Parameter image: Size of the upright image, which the letterbox centred in the input.
    /// - Returns: A mask of the image.
    public func unpaddedAndScaled(to image: ImageSize) -> RunLengthMask {
        let cut = unpadded(size, for: image)
        let box = boundingBox
        let columns = targets(box.columns, of: cut.columns, to: image.width)
        let rows = targets(box.rows, of: cut.rows, to: image.height)
        let rectangle = PixelRectangle(columns: columns, rows: rows)
        guard !box.isEmpty, !rectangle.isEmpty else { return RunLengthMask(emptyOf: image) }
        let across = BilinearAxis(from: cut.columns.count, to: image.width, targets: columns)
        let down = BilinearAxis(from: cut.rows.count, to: image.height, targets: rows)
        let sources = PixelRectangle(
            columns: across.sources.moved(by: cut.columns.lowerBound),
            rows: down.sources.moved(by: cut.rows.lowerBound)
        )
        // Around 0, so that above one half is above 0.
        let plane = bitmap(of: sources).map { Float($0) - 0.5 }
        let stage = BilinearStage(rows: down, columns: across)
        return plane.withUnsafeBufferPointer { plane in
            guard let first = plane.baseAddress else { return RunLengthMask(emptyOf: image) }
            return RunLengthMask(size: image, rectangle: rectangle) { y, pixels in
                stage.writeSigns(y, to: pixels) { first + $0 * sources.columns.count }
            }
        }
    }
}

/// Which pixels of the image some pixels of the input may reach, and perhaps a few more.
private func targets(_ sources: Range<Int>, of cut: Range<Int>, to count: Int) -> Range<Int> {
    let inside = sources.clamped(to: cut)
    guard !inside.isEmpty else { return 0..<0 }
    let scale = Double(count) / Double(cut.count)
    let first = Double(inside.lowerBound - cut.lowerBound - 1) * scale
    let end = Double(inside.upperBound - cut.lowerBound + 1) * scale
    return max(Int(first.rounded(.down)), 0)..<min(Int(end.rounded(.up)), count)
}
