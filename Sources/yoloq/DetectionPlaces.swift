// SPDX-License-Identifier: Apache-2.0

import YoloqInference

extension ResultDocument.Detection.Corners {
    /// The four corners of an oriented box; nil of an upright one.
    var orientedCorners: [(x: Double, y: Double)]? {
        guard let x3, let y3, let x4, let y4 else { return nil }
        return [(x1, y1), (x2, y2), (x3, y3), (x4, y4)]
    }

    /// Two corners, or the four of an oriented box.
    var corners: [(x: Double, y: Double)] { orientedCorners ?? [(x1, y1), (x2, y2)] }
}

extension ResultDocument.Detection {
    /// The upright rectangle around the box; nil of a class of the whole image.
    var bounds: (x1: Double, y1: Double, x2: Double, y2: Double)? {
        guard let corners = box?.corners else { return nil }
        let (columns, rows) = (corners.map(\.x), corners.map(\.y))
        guard let left = columns.min(), let right = columns.max(), let top = rows.min(), let bottom = rows.max() else {
            return nil
        }
        return (left, top, right, bottom)
    }
}
