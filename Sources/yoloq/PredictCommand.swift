// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import YoloqInference
import YoloqJobs
import YoloqVision
import YoloqWorkers

/// `yoloq predict`: runs a model on images here and now, without the queue.
struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Run a model on images without the queue; same output as result.",
        discussion: "For a look at a model. Nothing is stored; for work that must not be lost use submit."
    )

    @Argument(help: ArgumentHelp("Image files, folders with images, quoted patterns, or URLs.", valueName: "image"))
    var images: [String]

    @OptionGroup var modelOptions: ModelOptions
    @OptionGroup(title: "Prediction") var prediction: PredictionOptions
    @OptionGroup(title: "Engine") var engine: EngineOptions
    @OptionGroup(title: "Output") var resultOptions: ResultOptions

    @Flag(help: "Let URLs lead to this machine and to private networks too.")
    var allowPrivateUrls = false

    func run() throws {
        var inputs = Inputs(images)
        try inputs.check(skipMissing: false, advice: "Correct it")
        let model = try modelOptions.resolve()
        let parameters = try prediction.parameters(for: model.card)
        var printer = try resultOptions.printer
        var predictor = try EngineSetup(engine, directory: modelOptions.weights.directory).makePredictor(for: model)
        let json = parameters.json.description
        let text = allowPrivateUrls ? URLSource.allowingPrivate(json) : json
        var failedCount = 0
        for path in inputs {
            let start = Timestamp.now()
            let outcome: Result<ResultDocument, ImageFailure>
            do throws(ImageFailure) {
                let loading = ContinuousClock.now
                let bytes = try URLSource.bytes(of: path, parameters: text, policy: URLPolicy())
                outcome = .success(
                    try predictor.process(
                        ImageInput(bytes, source: path, loading: .now - loading),
                        parameters: parameters,
                        modelSHA256: model.sha256,
                        limits: engine.limits
                    )
                )
            } catch {
                outcome = .failure(error)
                failedCount += 1
            }
            try printer.print(
                ResultRecord(
                    source: path,
                    model: model.name,
                    parameters: text,
                    startedAt: start,
                    finishedAt: .now(),
                    outcome
                )
            )
        }
        try printer.finish()
        if failedCount > 0 { throw CommandFailure(.jobFailed) }
    }
}
