// SPDX-License-Identifier: Apache-2.0

import YoloqInference
import YoloqVision

/// A model run once, on a drawn scene: what an addition or a check of it shows.
struct ModelTrial {
    /// What the comparison of precisions said.
    let verdict: SelfCheck.Verdict
    /// The runtime and its version.
    let engine: String
    /// How many predictions the scene gave.
    let predictionCount: Int
    /// The time one run took.
    let inference: Duration

    /// Runs a model.
    ///
    /// - Parameters:
    ///   - file: The model.
    ///   - options: Which engine, and how.
    /// - Throws: `InferenceError`; `.engineMissing` if there is nothing to run it with.
    init(_ file: ModelFile, _ options: EngineOptions) throws(InferenceError) {
        let runtime = try OpenVINORuntime(library: options.openvino)
        var engineOptions = OpenVINOEngine.Options()
        // Afresh: a verdict that was kept says nothing of the files and the machine as they are now.
        verdict = try SelfCheck.verdict(
            for: file,
            requested: options.precision,
            runtime: runtime,
            options: engineOptions
        )
        engineOptions.precision = verdict.precision
        var predictor = Predictor(
            engine: try OpenVINOEngine(file, runtime: runtime, options: engineOptions),
            card: file.card
        )
        try predictor.warmUp()
        let found = try predictor.predict(SampleImage.drawn().image, parameters: PredictionParameters())
        engine = predictor.engineName
        predictionCount = found.predictions.count
        inference = found.inference
    }

    /// One line for people.
    var summary: String {
        "runs on \(engine), \(verdict.summary); \(predictionCount) predictions in a drawn scene"
    }
}
