// SPDX-License-Identifier: Apache-2.0

import Synchronization
import YoloqInference
import YoloqJobs

/// Makes predictors for the threads of one process: finds the engine once, and checks each model once.
final class EngineSetup: Sendable {
    /// The engine of this process.
    let runtime: OpenVINORuntime

    private let directory: ModelDirectory
    private let precision: Precision
    private let installation = Installation.current
    private let verdicts = Mutex<[String: SelfCheck.Verdict]>([:])

    /// Loads the engine.
    ///
    /// - Parameters:
    ///   - options: Which engine, and how.
    ///   - directory: Where models are.
    /// - Throws: `InferenceError` with code `.engineMissing`, which says how to install it.
    init(_ options: EngineOptions, directory: ModelDirectory) throws(InferenceError) {
        runtime = try OpenVINORuntime(library: options.openvino)
        self.directory = directory
        precision = options.precision
        CompiledModelCache(folder: installation.compiledModels).trim()
    }

    /// Makes a warmed and checked predictor for the calling thread.
    ///
    /// - Parameter model: As a job asks for it.
    /// - Returns: The predictor.
    /// - Throws: `InferenceError`; `.modelChanged` if the file is no longer the one the job was submitted for.
    func makePredictor(for model: ModelReference) throws(InferenceError) -> Predictor<OpenVINOEngine> {
        let file = try directory.resolve(model.path)
        guard file.sha256 == model.sha256 else {
            throw InferenceError(
                code: .modelChanged,
                message: "\(model.path) has changed since the job was submitted (SHA-256 \(file.sha256.prefix(12))…, "
                    + "submitted for \(model.sha256.prefix(12))…). Put the old file back and retry, or run on the new one: yoloq retry --kind model_changed --use-current."
            )
        }
        return try makePredictor(for: file)
    }

    /// Makes a warmed and checked predictor for the calling thread.
    ///
    /// - Parameter file: The model.
    /// - Returns: The predictor.
    /// - Throws: `InferenceError`.
    func makePredictor(for file: ModelFile) throws(InferenceError) -> Predictor<OpenVINOEngine> {
        var options = OpenVINOEngine.Options(cacheFolder: installation.compiledModels)
        options.precision = try verdict(for: file, options).precision
        var predictor = Predictor(
            engine: try OpenVINOEngine(file, runtime: runtime, options: options),
            card: file.card
        )
        try predictor.warmUp()
        return predictor
    }

    /// Checks a model, the first time in this process; threads that come meanwhile wait for the answer.
    private func verdict(
        for file: ModelFile,
        _ options: OpenVINOEngine.Options
    ) throws(InferenceError) -> SelfCheck.Verdict {
        try verdicts.withLock { verdicts throws(InferenceError) in
            if let known = verdicts[file.sha256] { return known }
            let verdict = try SelfCheck.verdict(
                for: file,
                requested: precision,
                runtime: runtime,
                options: options,
                verdicts: installation.cache + "/precision-verdicts.json"
            )
            verdicts[file.sha256] = verdict
            return verdict
        }
    }
}
