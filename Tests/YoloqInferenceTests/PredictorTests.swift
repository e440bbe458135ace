// SPDX-License-Identifier: Apache-2.0
import Testing
import YoloqImages
import YoloqVision

@testable import YoloqInference

/// A head of two classes over the 84 anchors of a 64×64 input, with one box.
private func head(
    anchor: Int = 10,
    box: [Float] = [32, 32, 16, 16],
    score: Float = 0.9,
    anchors: Int = 84
) -> (shape: [Int], values: [Float]) {
    var values = [Float](repeating: 0, count: 6 * anchors)
    for (row, value) in (box + [score, 0.01]).enumerated() { values[row * anchors + anchor] = value }
    return ([1, 6, anchors], values)
}

@Suite struct `Image predictor` {
    private let grey = RGBColor(red: 255, green: 255, blue: 255)

    @Test func `an image becomes a tensor, then predictions in its own pixels`() throws {
        var predictor = Predictor(engine: FakeEngine(outputs: [head()]), card: try tinyCard())
        #expect(predictor.engineName == "fake 1")
        #expect(predictor.precision == "f32")
        let image = RGBImage(width: 128, height: 128, filledWith: grey)
        let found = try predictor.predict(image, parameters: PredictionParameters())
        #expect(found.input == ImageSize(height: 64, width: 64))
        #expect(found.letterbox == .rect)
        #expect(found.predictions.count == 1)
        #expect(found.predictions.first?.classIndex == 0)
        #expect(found.predictions.first?.confidence == 0.9)
        #expect(found.predictions.first?.box == Box(x1: 48, y1: 48, x2: 80, y2: 80))
        #expect(found.preprocess >= .zero && found.inference >= .zero && found.postprocess >= .zero)
        let engine = predictor.takeEngine()
        #expect(engine.seen == [1, 1, 1])
    }

    @Test func `auto becomes rect for a dynamic model and full for a fixed one`() throws {
        var parameters = PredictionParameters()
        let image = RGBImage(width: 64, height: 64, filledWith: grey)
        var dynamic = Predictor(engine: FakeEngine(outputs: [head()]), card: try tinyCard())
        #expect(try dynamic.predict(image, parameters: parameters).letterbox == .rect)
        let card = try tinyCard(TinyModel(size: (64, 64)))
        var fixed = Predictor(engine: FakeEngine(outputs: [head()]), card: card)
        #expect(try fixed.predict(image, parameters: parameters).letterbox == .full)
        parameters.letterbox = .full
        #expect(try dynamic.predict(image, parameters: parameters).letterbox == .full)
    }

    @Test func `a large image is looked at as a whole and in tiles`() throws {
        var predictor = Predictor(engine: FakeEngine(outputs: [head()]), card: try tinyCard())
        var parameters = PredictionParameters()
        parameters.slicing = Slicing(size: 64, overlap: 0.25)
        let image = RGBImage(width: 112, height: 64, filledWith: grey)
        let found = try predictor.predict(image, parameters: parameters)
        // The whole, then the tiles at columns 0 and 48; each has one box in its middle.
        #expect(found.tileCount == 2)
        #expect(found.input == ImageSize(height: 64, width: 64))
        #expect(Set(found.predictions.map(\.box.x1)) == [24, 72, 42])
        let engine = predictor.takeEngine()
        #expect(engine.runs.count == 3)
    }

    @Test func `an image no larger than a tile is looked at once, as without tiles`() throws {
        var predictor = Predictor(engine: FakeEngine(outputs: [head()]), card: try tinyCard())
        var parameters = PredictionParameters()
        let image = RGBImage(width: 128, height: 96, filledWith: grey)
        let plain = try predictor.predict(image, parameters: parameters)
        parameters.slicing = Slicing(size: 128)
        let found = try predictor.predict(image, parameters: parameters)
        #expect(found.predictions == plain.predictions)
        #expect(found.tileCount == nil)
    }

    @Test func `a run that nobody wants stops between two tiles`() throws {
        var predictor = Predictor(engine: FakeEngine(outputs: [head()]), card: try tinyCard())
        var parameters = PredictionParameters()
        parameters.slicing = Slicing(size: 64, overlap: 0)
        let image = RGBImage(width: 640, height: 64, filledWith: grey)
        var questions = 0
        let found = try predictor.predict(image, parameters: parameters) {
            questions += 1
            return questions < 4
        }
        #expect(found == nil)
        let engine = predictor.takeEngine()
        #expect(engine.runs.count == 4)
    }

    @Test func `parameters of one call leave nothing behind`() throws {
        var predictor = Predictor(engine: FakeEngine(outputs: [head(score: 0.5)]), card: try tinyCard())
        let image = RGBImage(width: 64, height: 64, filledWith: grey)
        var strict = PredictionParameters()
        strict.confidenceThreshold = 0.6
        #expect(try predictor.predict(image, parameters: PredictionParameters()).predictions.count == 1)
        #expect(try predictor.predict(image, parameters: strict).predictions.isEmpty)
        #expect(try predictor.predict(image, parameters: PredictionParameters()).predictions.count == 1)
    }

    @Test func `warming up runs once at the model's size and passes a sound network`() throws {
        var predictor = Predictor(engine: FakeEngine(outputs: [head()]), card: try tinyCard())
        try predictor.warmUp()
        let engine = predictor.takeEngine()
        #expect(engine.runs == [ImageSize(height: 64, width: 64)])
        let grey: Float = 114 / 255
        #expect(engine.seen == [grey, grey, grey])
    }

    @Test func `warming up refuses outputs that are not finite or of another shape`() throws {
        let card = try tinyCard()
        for output in [
            head(score: .nan), head(box: [0, 0, .infinity, 0]), ([1, 5, 84], [Float](repeating: 0, count: 420)),
        ] {
            var predictor = Predictor(engine: FakeEngine(outputs: [output]), card: card)
            #expect(inferenceError { try predictor.warmUp() }?.code == .badOutput)
        }
        var two = Predictor(engine: FakeEngine(outputs: [head(), head()]), card: card)
        #expect(inferenceError { try two.warmUp() }?.code == .badOutput)
    }
}

@Suite struct `Self-check` {
    private func verdict(_ exact: (shape: [Int], values: [Float]), _ fast: (shape: [Int], values: [Float])) throws
        -> SelfCheck.Verdict
    {
        var a = FakeEngine(outputs: [exact])
        var b = FakeEngine(precision: "bf16", outputs: [fast])
        return try SelfCheck.compare(
            exact: &a,
            fast: &b,
            card: try tinyCard(),
            images: [.drawn(width: 64, height: 64), .drawn(seed: 2)]
        )
    }

    @Test func `small differences pass and are told`() throws {
        let verdict = try verdict(head(), head(box: [32.5, 32, 16, 16], score: 0.89))
        #expect(verdict.precision == .bf16)
        #expect(verdict.fastPrecision == .bf16)
        #expect(abs(verdict.largestScoreDifference - 0.01) < 1e-5)
        #expect(verdict.largestBoxDifference >= 0.5 && verdict.largestBoxDifference < 0.51)
        #expect(verdict.unmatchedDetections == 0)
        #expect(verdict.boxesCompared >= 2 * 84)
    }

    @Test func `a score, a box or a value that is off means f32`() throws {
        #expect(try verdict(head(), head(score: 0.7)).precision == .f32)
        #expect(try verdict(head(), head(box: [32, 32, 20, 16])).precision == .f32)
    }

    @Test func `an end-to-end head is compared by its scores even where nothing is detected`() throws {
        let card = ModelCard(
            classNames: ["red", "green"],
            imageSize: ImageSize(height: 64, width: 64),
            outputShapes: [[1, 2, 6]],
            head: .endToEnd
        )
        func verdict(_ score: Float) throws -> SelfCheck.Verdict {
            var exact = FakeEngine(outputs: [([1, 2, 6], [1, 1, 9, 9, 0.2, 0, 1, 1, 9, 9, 0.1, 1])])
            var fast = FakeEngine(
                precision: "bf16",
                outputs: [([1, 2, 6], [1, 1, 9, 9, score, 0, 1, 1, 9, 9, 0.1, 1])]
            )
            return try SelfCheck.compare(
                exact: &exact,
                fast: &fast,
                card: card,
                images: [.drawn(width: 64, height: 64)]
            )
        }
        #expect(try verdict(0.21).precision == .bf16)
        #expect(try verdict(0.21).boxesCompared == 2)
        #expect(try verdict(0.02).precision == .f32)
    }

    @Test func `a detection that only one of them finds means f32`() throws {
        let lost = try verdict(head(score: 0.36), head(score: 0.24))
        #expect(lost.precision == .f32)
    }

    @Test func `values of the fast format that are not finite mean f32, those of f32 are an error`() throws {
        #expect(try verdict(head(), head(score: .nan)).precision == .f32)
        #expect(inferenceError { _ = try verdict(head(score: .nan), head()) }?.code == .badOutput)
    }

    @Test func `the drawn scene is the same each time and differs by seed`() {
        let scenes = [SampleImage.drawn(), .drawn(), .drawn(seed: 2)].map { sample in
            sample.image.withUnsafePixels { Array($0) }
        }
        #expect(scenes[0] == scenes[1])
        #expect(scenes[0] != scenes[2])
        #expect(Set(scenes[0]).count > 200)
    }

    @Test(.enabled(if: hasOpenVINO, needsOpenVINO))
    func `what is asked for is taken, and a runtime that chooses f32 needs no check`() throws {
        let folder = try TemporaryFolder()
        let file = try TinyModel().file(in: folder)
        let verdicts = folder.path + "/verdicts.json"
        let runtime = try runtime.get()
        func verdict(_ requested: Precision) throws -> SelfCheck.Verdict {
            try SelfCheck.verdict(
                for: file,
                requested: requested,
                runtime: runtime,
                options: .init(),
                verdicts: verdicts
            )
        }
        #expect(try verdict(.f32).precision == .f32)
        #expect(try verdict(.bf16).precision == .bf16)
        let auto = try verdict(.auto)
        let engine = try OpenVINOEngine(file, runtime: runtime)
        if engine.precision == "f32" { #expect(auto.precision == .f32 && auto.boxesCompared == 0) }
        #expect(try verdict(.auto) == auto)
    }

    @Test(.enabled(if: hasOpenVINO, needsOpenVINO))
    func `a network that gives nothing finite does not get past warming up`() throws {
        let folder = try TemporaryFolder()
        let file = try TinyModel(givesNotANumber: true).file(in: folder)
        let engine = try OpenVINOEngine(file, runtime: runtime.get())
        var predictor = Predictor(engine: engine, card: file.card)
        #expect(inferenceError { try predictor.warmUp() }?.code == .badOutput)
    }
}
