// SPDX-License-Identifier: Apache-2.0

/// Gathers what was found in the tiles of one image.
public struct SlicedPredictions {
    private let source: ImageSize
    private let merging: Slicing.Merging
    private let parameters: PredictionParameters
    private var predictions: [Prediction] = []

    /// Nothing found yet.
    ///
    /// - Parameters:
    ///   - source: Size of the upright image.
    ///   - merging: What becomes of things that were found in several tiles.
    ///   - parameters: Of these the IoU threshold, whether classes suppress each other, and how many to keep count.
    public init(of source: ImageSize, merging: Slicing.Merging, parameters: PredictionParameters) {
        self.source = source
        self.merging = merging
        self.parameters = parameters
    }

    /// Adds what was found in one tile.
    ///
    /// - Parameters:
    ///   - found: In pixels of the tile; masks in the frame of the tile, not of the model's input.
    ///   - tile: Where it is in the image.
    public mutating func add(_ found: [Prediction], of tile: PixelRectangle) {
        predictions += found.map { $0.moved(from: tile, to: source) }
        // No more take part in the end, so that memory does not grow with the image.
        let limit = PredictionParameters.maxCandidates
        guard predictions.count > 2 * limit else { return }
        predictions = bestFirst(predictions.lazy.map(\.confidence)).prefix(limit).sorted().map { predictions[$0] }
    }

    /// Merges what was found in several tiles.
    ///
    /// - Returns: In pixels of the upright image, best first; equal ones in the order of the tiles.
    public consuming func merged() -> [Prediction] {
        switch merging {
        case .nms: suppressed()
        case .nmm: joined()
        }
    }

    private func suppressed() -> [Prediction] {
        guard predictions.first?.rotatedBox == nil else { return suppressedOriented() }
        let candidates = predictions.map {
            Candidate(box: $0.box, classIndex: $0.classIndex, confidence: $0.confidence)
        }
        // Not moved apart: the offset of the reference presumes boxes within 7680 pixels.
        return suppressOverlaps(candidates, parameters, isMovedApart: false).map { predictions[$0] }
    }

    private func suppressedOriented() -> [Prediction] {
        let groups = Dictionary(grouping: predictions.indices) {
            parameters.isClassAgnostic ? 0 : predictions[$0].classIndex
        }
        let kept = groups.values.flatMap { indices in
            let candidates = indices.compactMap { index in
                predictions[index].rotatedBox.map {
                    RotatedCandidate(box: $0, classIndex: 0, confidence: predictions[index].confidence)
                }
            }
            return suppressOverlaps(
                candidates,
                iouThreshold: parameters.iouThreshold,
                isClassAgnostic: true,
                limit: parameters.maxDetections
            ).map { indices[$0] }
        }.sorted()
        return bestFirst(kept.lazy.map { predictions[$0].confidence }).prefix(parameters.maxDetections)
            .map { predictions[kept[$0]] }
    }

    /// Greedy non-maximum merging: the best takes in all of its class of which more than the IoU threshold lies in it, or it
    /// in them, as long as it grows; then the best of the rest.
    private func joined() -> [Prediction] {
        var rest = Array(bestFirst(predictions.lazy.map(\.confidence)).prefix(PredictionParameters.maxCandidates))
        var found: [Prediction] = []
        while let best = rest.first, found.count < parameters.maxDetections {
            rest.removeFirst()
            var whole = predictions[best]
            var parts: [Int] = []
            var partCount = -1
            while partCount < parts.count {
                partCount = parts.count
                rest.removeAll { index in
                    let other = predictions[index]
                    guard parameters.isClassAgnostic || other.classIndex == whole.classIndex,
                        Double(whole.box.coveredPart(with: other.box)) > parameters.iouThreshold
                    else { return false }
                    whole.box = whole.box.union(other.box)
                    parts.append(index)
                    return true
                }
            }
            if let mask = whole.mask, !parts.isEmpty {
                let runs = parts.compactMap { predictions[$0].mask?.runs }.reduce(mask.runs) { $0.union($1) }
                whole.mask = InstanceMask(runs: runs, frame: .image, polygon: runs.outline)
            }
            found.append(whole)
        }
        return found
    }
}

extension Prediction {
    /// As found in the image of which the tile is a part.
    fileprivate func moved(from tile: PixelRectangle, to source: ImageSize) -> Prediction {
        let (left, top) = (Float(tile.columns.lowerBound), Float(tile.rows.lowerBound))
        var moved = self
        moved.box = Box(x1: box.x1 + left, y1: box.y1 + top, x2: box.x2 + left, y2: box.y2 + top)
        moved.rotatedBox?.centerX += left
        moved.rotatedBox?.centerY += top
        moved.keypoints = keypoints?.map { Keypoint(x: $0.x + left, y: $0.y + top, visibility: $0.visibility) }
        if let mask {
            precondition(mask.frame == .image, "a tile's mask is of the tile's pixels")
            moved.mask = InstanceMask(
                runs: mask.runs.placed(in: tile, of: source),
                frame: .image,
                polygon: mask.polygon.map { Point(x: $0.x + left, y: $0.y + top) }
            )
        }
        return moved
    }
}

extension Box {
    /// How much of the smaller of two boxes lies in the other, 0…1; 0 or NaN if one has no area.
    fileprivate func coveredPart(with other: Box) -> Float {
        let width = min(x2, other.x2) - max(x1, other.x1)
        let height = min(y2, other.y2) - max(y1, other.y1)
        guard width > 0, height > 0 else { return 0 }
        let areas = ((x2 - x1) * (y2 - y1), (other.x2 - other.x1) * (other.y2 - other.y1))
        return width * height / min(areas.0, areas.1)
    }

    fileprivate func union(_ other: Box) -> Box {
        Box(x1: min(x1, other.x1), y1: min(y1, other.y1), x2: max(x2, other.x2), y2: max(y2, other.y2))
    }
}
