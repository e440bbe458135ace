// SPDX-License-Identifier: Apache-2.0

import YoloqInference

extension ResultDocument.Detection.Corners {
    /// The corners: two of an upright box, four of an oriented one.
    var corners: [(x: Double, y: Double)] {
        let all = [(x1, y1), (x2, y2)].map { (x: $0.0, y: $0.1) }
        guard let x3, let y3, let x4, let y4 else { return all }
        return all + [(x3, y3), (x4, y4)]
    }

    /// Left, top, right and bottom of the box, of an oriented one those of the upright rectangle around it.
    var edges: (left: Double, top: Double, right: Double, bottom: Double) {
        corners.reduce((.infinity, .infinity, -.infinity, -.infinity)) { edges, corner in
            (min(edges.0, corner.x), min(edges.1, corner.y), max(edges.2, corner.x), max(edges.3, corner.y))
        }
    }

    /// Left, top, width and height.
    var cornerAndSides: [Double] {
        let (left, top, right, bottom) = edges
        return [left, top, right - left, bottom - top]
    }

    /// Centre, width and height.
    var centerAndSides: [Double] {
        let (left, top, right, bottom) = edges
        return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    }
}
