// SPDX-License-Identifier: Apache-2.0

/// A box above the confidence threshold, not yet suppressed.
struct Candidate: Hashable {
    /// In pixels of the model's input.
    var box: Box
    var classIndex: Int
    /// Above 0 and not NaN.
    var confidence: Float
    /// Which box of the head it is.
    var anchor = 0
}

/// How far apart classes are moved so that one suppression serves them all (`max_wh` in `ultralytics/utils/nms.py`).
let classOffset: Float = 7680

/// Greedy non-maximum suppression as torchvision's `nms` does it, on boxes moved apart by class.
///
/// A box is dropped if its IoU with a better kept one is above `iouThreshold`: IoU in Float32 on the *moved* boxes
/// (at class 79 they have only 1/16 pixel left, and the reference has no more), compared as Double. The best 30000
/// candidates take part; equal confidences keep their order. Each box meets only the kept ones of its class, so it costs
/// `candidates × limit` at worst.
///
/// - Parameters:
///   - candidates: In the order of the network's anchors.
///   - parameters: Of these the IoU threshold, whether classes suppress each other, and how many to keep count.
///   - isMovedApart: Whether boxes are moved; otherwise the classes are kept apart without it.
/// - Returns: Indices of the kept candidates, best first.
func suppressOverlaps(
    _ candidates: [Candidate],
    _ parameters: PredictionParameters,
    isMovedApart: Bool = true
) -> [Int] {
    suppressOverlaps(
        candidates,
        iouThreshold: parameters.iouThreshold,
        isClassAgnostic: parameters.isClassAgnostic,
        limit: parameters.maxDetections,
        isMovedApart: isMovedApart
    )
}

/// As above, with the parameters one by one.
func suppressOverlaps(
    _ candidates: [Candidate],
    iouThreshold: Double,
    isClassAgnostic: Bool,
    limit: Int,
    isMovedApart: Bool = true
) -> [Int] {
    let isSeparated = !isClassAgnostic && (!isMovedApart || fitsClassOffset(candidates))
    let offset = isClassAgnostic || !isMovedApart ? 0 : classOffset
    var keptOfClass: [Int: [MovedBox]] = [:]
    var kept: [Int] = []
    for index in bestFirst(candidates.lazy.map(\.confidence)).prefix(PredictionParameters.maxCandidates) {
        guard kept.count < limit else { break }
        let candidate = candidates[index]
        let box = MovedBox(candidate.box, by: Float(candidate.classIndex) * offset)
        let rivals = isSeparated ? candidate.classIndex : 0
        if keptOfClass[rivals, default: []].contains(where: { Double($0.iou(box)) > iouThreshold }) { continue }
        keptOfClass[rivals, default: []].append(box)
        kept.append(index)
    }
    return kept
}

/// Sorts indices by falling confidence, equal ones in their order.
///
/// A positive float's bits rise with its value, so one 64-bit number holds both and the sort needs no closure.
func bestFirst(_ confidences: some Collection<Float>) -> [Int] {
    var keys: [UInt64] = []
    keys.reserveCapacity(confidences.count)
    for (index, confidence) in confidences.enumerated() {
        keys.append(UInt64(~confidence.bitPattern) << 32 | UInt64(index))
    }
    keys.sort()
    return keys.map { Int($0 & 0xFFFF_FFFF) }
}

/// Whether the offset really keeps classes apart, so that each may be looked at by itself.
///
/// Boxes can reach beyond the input, to infinity even. NaN is passed over: a box with NaN has IoU NaN with every other.
private func fitsClassOffset(_ candidates: [Candidate]) -> Bool {
    var lowest = Float.infinity
    var highest = -Float.infinity
    for candidate in candidates {
        if candidate.box.x1 < lowest { lowest = candidate.box.x1 }
        if candidate.box.x2 > highest { highest = candidate.box.x2 }
    }
    return Double(highest) - Double(lowest) <= Double(classOffset)
}

/// A box moved by its class, with its area as it then is.
private struct MovedBox {
    private let x1: Float
    private let y1: Float
    private let x2: Float
    private let y2: Float
    private let area: Float

    init(_ box: Box, by offset: Float) {
        x1 = box.x1 + offset
        y1 = box.y1 + offset
        x2 = box.x2 + offset
        y2 = box.y2 + offset
        area = (x2 - x1) * (y2 - y1)
    }

    func iou(_ other: MovedBox) -> Float {
        let width = min(x2, other.x2) - max(x1, other.x1)
        let height = min(y2, other.y2) - max(y1, other.y1)
        guard width > 0, height > 0 else { return 0 }  // the quotient would be 0 or NaN: no threshold is below either
        let intersection = width * height
        return intersection / (area + other.area - intersection)
    }
}
