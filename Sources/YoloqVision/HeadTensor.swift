// SPDX-License-Identifier: Apache-2.0
#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The output with the boxes: Float32, (anchors, numbers) or, of `anchors` layout, (numbers, anchors).
struct HeadTensor {
    private let values: UnsafeBufferPointer<Float>
    private let layout: HeadLayout
    /// How many boxes it holds.
    private let count: Int
    /// How many numbers each has.
    private let width: Int
    private let classCount: Int
    /// Where what the task adds begins; an oriented box's angle is there too.
    private let extraStart: Int
    let extraCount: Int
    private let isOriented: Bool

    /// Checks an output against the card.
    ///
    /// - Parameters:
    ///   - outputs: In the order of the file.
    ///   - card: The model's own.
    /// - Throws: `badOutput` if the shape is another.
    init(_ outputs: [OutputTensor], card: ModelCard) throws(VisionError) {
        let output = try Self.boxes(outputs)
        layout = card.head
        values = output.values
        isOriented = card.task == .obb
        extraCount = card.extraCount
        (count, width) = layout.isByRows ? (output.shape[1], output.shape[2]) : (output.shape[2], output.shape[1])
        if layout.namesClass {
            // 2^24: beyond it a Float does not count in ones.
            classCount = card.classNames.isEmpty ? 1 << 24 : card.classNames.count
            extraStart = 6
            guard width == 6 + extraCount else {
                throw .badOutput("it is \(output.shape), not (1, rows, \(6 + extraCount))")
            }
        } else {
            classCount = card.classNames.count
            extraStart = layout.leadCount + classCount
            let expected = extraStart + extraCount
            guard width == expected, classCount > 0 else {
                let shape = layout.isByRows ? "(1, anchors, \(expected))" : "(1, \(expected), anchors)"
                throw .badOutput("it is \(output.shape), but \(classCount) classes make \(shape)")
            }
        }
    }

    private static func boxes(_ outputs: [OutputTensor]) throws(VisionError) -> OutputTensor {
        guard let output = outputs.first(where: { $0.shape.count != 4 }), output.shape.count == 3, output.shape[0] == 1
        else {
            throw .badOutput("the first output is \(outputs.first?.shape ?? []), not of shape (1, …, …)")
        }
        guard output.shape[1] >= 0, output.shape[2] >= 0, output.values.count == output.shape[1] * output.shape[2]
        else {
            throw .badOutput("\(output.values.count) numbers do not make a tensor of shape \(output.shape)")
        }
        return output
    }

    /// A number of a box.
    private func number(_ index: Int, of anchor: Int) -> Float {
        layout.isByRows ? values[anchor * width + index] : values[index * count + anchor]
    }

    // MARK: Candidates

    /// The boxes above the threshold whose best class may stay, in the order of the tensor.
    ///
    /// - Parameters:
    ///   - threshold: 0…1.
    ///   - parameters: Of these the classes count.
    ///   - letterbox: Tells the input's size.
    /// - Returns: Boxes in pixels of the input.
    /// - Throws: `badOutput` for a class that the model does not have, or a grid of another size.
    func candidates(
        above threshold: Float,
        _ parameters: PredictionParameters,
        _ letterbox: Letterbox
    ) throws(VisionError) -> [Candidate] {
        let filter = ClassFilter(parameters.classes)
        switch layout {
        case .anchors: return anchorCandidates(above: threshold, filter)
        case .endToEnd: return try finalCandidates(above: threshold, filter) { $0 }
        case .chosenQueries:
            return try finalCandidates(above: threshold, filter) { box in
                Middle(x: box.x1, y: box.y1, width: box.x2, height: box.y2).box.scaled(to: letterbox.input)
            }
        case .objectness, .decodedGrid: return objectnessCandidates(above: threshold, filter) { $1 }
        case .grid:
            let cells = CellGrid(letterbox.input)
            guard cells.count == count else {
                throw .badOutput("it has \(count) boxes, and an input of \(letterbox.input) has \(cells.count) cells")
            }
            return objectnessCandidates(above: threshold, filter, cells.decode)
        case .queries: return queryCandidates(above: threshold, filter, letterbox.input)
        case .scores: return []
        }
    }

    /// Rows of a box, a confidence and the number of a class; `decode` turns the box's four numbers into corners.
    private func finalCandidates(
        above threshold: Float,
        _ filter: ClassFilter,
        _ decode: (Box) -> Box
    ) throws(VisionError) -> [Candidate] {
        var candidates: [Candidate] = []
        for row in 0..<count where values[row * width + 4] > threshold {
            let start = row * width
            guard values[start + 5] >= 0, values[start + 5] < Float(classCount) else {
                throw .badOutput("row \(row) has class \(values[start + 5]), and the model has \(classCount)")
            }
            let classIndex = Int(values[start + 5])
            guard filter.contains(classIndex) else { continue }
            let box = Box(x1: values[start], y1: values[start + 1], x2: values[start + 2], y2: values[start + 3])
            candidates.append(
                Candidate(box: decode(box), classIndex: classIndex, confidence: values[start + 4], anchor: row)
            )
        }
        return candidates
    }

    /// Rows of cx, cy, w, h, objectness and classes; a class's score is the product of the two.
    private func objectnessCandidates(
        above threshold: Float,
        _ filter: ClassFilter,
        _ decode: (_ anchor: Int, _ middle: Middle) -> Middle
    ) -> [Candidate] {
        var candidates: [Candidate] = []
        for row in 0..<count where values[row * width + 4] > threshold {
            let start = row * width
            let objectness = values[start + 4]
            guard let best = bestClass(at: start + 5, times: objectness), best.score > threshold,
                filter.contains(best.index)
            else { continue }
            let middle = Middle(
                x: values[start],
                y: values[start + 1],
                width: values[start + 2],
                height: values[start + 3]
            )
            candidates.append(
                Candidate(box: decode(row, middle).box, classIndex: best.index, confidence: best.score, anchor: row)
            )
        }
        return candidates
    }

    /// Rows of cx, cy, w, h as parts of the input, and classes.
    private func queryCandidates(above threshold: Float, _ filter: ClassFilter, _ input: ImageSize) -> [Candidate] {
        var candidates: [Candidate] = []
        for row in 0..<count {
            let start = row * width
            guard let best = bestClass(at: start + 4, times: 1), best.score > threshold, filter.contains(best.index)
            else { continue }
            let box = Middle(
                x: values[start],
                y: values[start + 1],
                width: values[start + 2],
                height: values[start + 3]
            ).box
            candidates.append(
                Candidate(
                    box: box.scaled(to: input),
                    classIndex: best.index,
                    confidence: best.score,
                    anchor: row
                )
            )
        }
        return candidates
    }

    /// The first class with the highest score; nil if one is NaN, since torch's maximum then is NaN.
    private func bestClass(at start: Int, times factor: Float) -> (index: Int, score: Float)? {
        var best = (index: 0, score: -Float.infinity)
        for index in 0..<classCount {
            let score = values[start + index] * factor
            if score.isNaN { return nil }
            if score > best.score { best = (index, score) }
        }
        return best
    }

    private func anchorCandidates(above threshold: Float, _ filter: ClassFilter) -> [Candidate] {
        guard let values = values.baseAddress, count > 0 else { return [] }
        var candidates: [Candidate] = []
        let scores = values + 4 * count
        forEachAnchor(of: scores, above: threshold) { anchor, confidence in
            guard let classIndex = firstClass(of: scores + anchor, with: confidence), filter.contains(classIndex) else {
                return
            }
            let middle = Middle(
                x: values[anchor],
                y: values[count + anchor],
                width: values[2 * count + anchor],
                height: values[3 * count + anchor]
            )
            candidates.append(
                Candidate(box: middle.box, classIndex: classIndex, confidence: confidence, anchor: anchor)
            )
        }
        return candidates
    }

    /// Calls `body` for each anchor whose highest score is above the threshold, in their order.
    ///
    /// Goes class by class over blocks of anchors that stay in the first-level cache: the way the numbers lie in memory,
    /// several at a time. Anchor by anchor each number would be on a cache line of its own. Few anchors pass, so which
    /// class it was is looked up afterwards.
    private func forEachAnchor(
        of scores: UnsafePointer<Float>,
        above threshold: Float,
        _ body: (_ anchor: Int, _ confidence: Float) -> Void
    ) {
        let blockSize = min(1024, count)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: blockSize) { block in
            guard let highest = block.baseAddress else { return }
            for start in stride(from: 0, to: self.count, by: blockSize) {
                let count = min(blockSize, self.count - start)
                highest.initialize(from: scores + start, count: count)
                for classIndex in 1..<classCount {
                    raise(highest, to: scores + classIndex * self.count + start, count)
                }
                for index in 0..<count where highest[index] > threshold { body(start + index, highest[index]) }
            }
        }
    }

    /// The first class whose score is the anchor's highest; nil if one is NaN, since torch's maximum then is NaN.
    private func firstClass(of scores: UnsafePointer<Float>, with highest: Float) -> Int? {
        var first: Int?
        for classIndex in 0..<classCount {
            let score = scores[classIndex * count]
            if score.isNaN { return nil }
            if first == nil, score == highest { first = classIndex }
        }
        return first
    }
}

/// Raises each of `count` numbers to the other where that is above it; one instruction for several, NaN passed over.
private func raise(_ highest: UnsafeMutablePointer<Float>, to scores: UnsafePointer<Float>, _ count: Int) {
    for index in 0..<count { highest[index] = scores[index] > highest[index] ? scores[index] : highest[index] }
}

/// A box by its middle.
private struct Middle {
    var x: Float
    var y: Float
    var width: Float
    var height: Float

    var box: Box {
        let (halfWidth, halfHeight) = (width / 2, height / 2)
        return Box(x1: x - halfWidth, y1: y - halfHeight, x2: x + halfWidth, y2: y + halfHeight)
    }
}

extension Box {
    /// In pixels, from parts of the input's sides.
    fileprivate func scaled(to input: ImageSize) -> Box {
        let (width, height) = (Float(input.width), Float(input.height))
        return Box(x1: x1 * width, y1: y1 * height, x2: x2 * width, y2: y2 * height)
    }
}

/// The cells of an input at strides 8, 16 and 32, level by level and row by row, as YOLOX counts them.
private struct CellGrid {
    private let levels: [(start: Int, columns: Int, stride: Float)]
    let count: Int

    init(_ input: ImageSize) {
        var start = 0
        var levels: [(start: Int, columns: Int, stride: Float)] = []
        for stride in [8, 16, 32] {
            levels.append((start, input.width / stride, Float(stride)))
            start += (input.height / stride) * (input.width / stride)
        }
        self.levels = levels
        count = start
    }

    /// A box in pixels of the input from one relative to its cell.
    func decode(_ cell: Int, _ relative: Middle) -> Middle {
        let level = levels.last { $0.start <= cell } ?? levels[0]
        let (row, column) = (cell - level.start).quotientAndRemainder(dividingBy: max(level.columns, 1))
        return Middle(
            x: (relative.x + Float(column)) * level.stride,
            y: (relative.y + Float(row)) * level.stride,
            width: exp(relative.width) * level.stride,
            height: exp(relative.height) * level.stride
        )
    }
}

extension HeadTensor {
    // MARK: What a task adds

    /// The oriented box of a candidate, in pixels of the input.
    func rotatedBox(_ candidate: Candidate) -> RotatedBox {
        let anchor = candidate.anchor
        return RotatedBox(
            centerX: number(0, of: anchor),
            centerY: number(1, of: anchor),
            width: number(2, of: anchor),
            height: number(3, of: anchor),
            angle: number(extraStart, of: anchor)
        )
    }

    func oriented(_ candidate: Candidate, _ letterbox: Letterbox) -> Prediction {
        let box = letterbox.toSource(rotatedBox(candidate))
        return Prediction(
            classIndex: candidate.classIndex,
            confidence: candidate.confidence,
            box: box.boundingBox,
            rotatedBox: box
        )
    }

    func pose(_ candidate: Candidate, _ shape: KeypointShape, _ letterbox: Letterbox) -> Prediction {
        let keypoints = (0..<shape.count).map { index in
            let start = extraStart + index * shape.dimensions
            let place = letterbox.toSource(
                Point(x: number(start, of: candidate.anchor), y: number(start + 1, of: candidate.anchor))
            )
            let visibility = shape.dimensions == 3 ? number(start + 2, of: candidate.anchor) : nil
            return Keypoint(x: place.x, y: place.y, visibility: visibility)
        }
        return Prediction(
            classIndex: candidate.classIndex,
            confidence: candidate.confidence,
            box: letterbox.toSource(candidate.box),
            keypoints: keypoints
        )
    }

    /// A prediction with its mask; nil if the mask is empty.
    func segmented(
        _ candidate: Candidate,
        _ letterbox: Letterbox,
        _ assembler: MaskAssembler,
        _ frame: MaskFrame
    ) -> Prediction? {
        let coefficients = (0..<extraCount).map { number(extraStart + $0, of: candidate.anchor) }
        let box = letterbox.toSource(candidate.box)
        let runs = assembler.mask(coefficients: coefficients, box: frame == .input ? candidate.box : box)
        guard !runs.isEmpty else { return nil }
        let polygon = runs.polygon(frame: frame, letterbox: letterbox)
        return Prediction(
            classIndex: candidate.classIndex,
            confidence: candidate.confidence,
            box: box,
            mask: InstanceMask(runs: runs, frame: frame, polygon: polygon)
        )
    }
}

extension RotatedBox {
    var hasNaN: Bool { centerX.isNaN || centerY.isNaN || width.isNaN || height.isNaN || angle.isNaN }

    /// The upright rectangle around it.
    public var boundingBox: Box {
        let corners = corners
        return Box(
            x1: corners.map(\.x).min() ?? centerX,
            y1: corners.map(\.y).min() ?? centerY,
            x2: corners.map(\.x).max() ?? centerX,
            y2: corners.map(\.y).max() ?? centerY
        )
    }
}
