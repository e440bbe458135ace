// SPDX-License-Identifier: Apache-2.0

/// Joins the outlines of a mask's parts into one, as `merge_multi_segment` in `ultralytics/data/converter.py` 8.4.190 does.
///
/// Each outline is tied to the next where the two are closest (the first such pair counts). The way goes from the first
/// to the last over the ties, each outline between them up to its second tie, and comes back over what is left of them.
///
/// - Parameter contours: Closed outlines in the order of `RunLengthMask.outerContours()`, none without points.
/// - Returns: One closed outline; a lone one as it is, none of none.
func mergedContour(_ contours: [[PixelPoint]]) -> [PixelPoint] {
    guard contours.count > 1 else { return contours.first ?? [] }
    let ties = zip(contours, contours.dropFirst()).map { closestPoints($0, $1) }
    var merged: [PixelPoint] = []
    var ways: [Way] = []
    for (index, contour) in contours.enumerated() {
        let entry = index > 0 ? ties[index - 1].second : nil
        let exit = index < ties.count ? ties[index].first : nil
        ways.append(Way(contour, entry: entry, exit: exit))
    }
    for way in ways { merged += way.there }
    for way in ways.reversed() { merged += way.back }
    return merged
}

/// One outline cut open where it is tied to its neighbours.
private struct Way {
    let there: ArraySlice<PixelPoint>
    let back: ArraySlice<PixelPoint>

    init(_ contour: [PixelPoint], entry: Int?, exit: Int?) {
        guard let entry, let exit else {
            // At either end the whole outline is gone around.
            there = closed(contour, from: entry ?? exit ?? 0)[...]
            back = []
            return
        }
        let isForward = entry <= exit
        let points = isForward ? contour : contour.reversed()
        let (first, second) = isForward ? (entry, exit) : (contour.count - 1 - entry, contour.count - 1 - exit)
        let around = closed(points, from: first)
        there = around[...(second - first)]
        back = around[(second - first)...]
    }
}

/// A closed outline that begins and ends at one of its points.
private func closed(_ contour: [PixelPoint], from start: Int) -> [PixelPoint] {
    Array(contour[start...] + contour[...start])
}

/// The first pair of points, in the order of `first` and then of `second`, of which no other pair is closer.
///
/// Looks at all pairs if it must; points too far away for any are passed over, and nothing is closer than two parts with
/// one pixel between them.
private func closestPoints(_ first: [PixelPoint], _ second: [PixelPoint]) -> (first: Int, second: Int) {
    let columns = second.reduce((Int.max, Int.min)) { (min($0.0, $1.x), max($0.1, $1.x)) }
    let rows = second.reduce((Int.max, Int.min)) { (min($0.0, $1.y), max($0.1, $1.y)) }
    var closest = (first: 0, second: 0)
    var least = Int.max
    for (i, a) in first.enumerated() {
        guard least > 4 else { break }
        // No point of the second outline is closer than the rectangle around them.
        let dx = max(columns.0 - a.x, a.x - columns.1, 0)
        let dy = max(rows.0 - a.y, a.y - rows.1, 0)
        guard dx * dx + dy * dy < least else { continue }
        for (j, b) in second.enumerated() {
            let distance = (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y)
            if distance < least {
                least = distance
                closest = (i, j)
            }
        }
    }
    return closest
}
