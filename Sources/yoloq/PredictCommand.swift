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

    @Argument(
        help: ArgumentHelp(
            "Image and video files, folders with some, quoted patterns, or URLs of images.",
            valueName: "image"
        )
    )
    var images: [String]

    @OptionGroup var frames: FrameOptions

    @OptionGroup var modelOptions: ModelOptions
    @OptionGroup(title: "Prediction") var prediction: PredictionOptions
    @OptionGroup(title: "Engine") var engine: EngineOptions
    @OptionGroup(title: "Output") var resultOptions: ResultOptions

    @Flag(help: "Let URLs lead to this machine and to private networks too.")
    var allowPrivateUrls = false

    func run() throws {
        var inputs = Inputs(images, takesVideos: true)
        try inputs.check(skipMissing: false, advice: "Correct it")
        let model = try modelOptions.resolve()
        let parameters = try prediction.parameters(for: model.card)
        var printer = try resultOptions.printer
        var predictor = try EngineSetup(engine, directory: modelOptions.weights.directory).makePredictor(for: model)
        let json = parameters.json.description
        let run = PredictRun(
            model: model,
            parameters: parameters,
            text: allowPrivateUrls ? URLSource.allowingPrivate(json) : json,
            videos: VideoRequests(selection: frames.selection),
            limits: engine.limits
        )
        var failedCount = 0
        for path in inputs {
            let isWhole =
                VideoRequests.isVideo(path)
                ? try run.video(path, &predictor, &printer) : try run.image(path, &predictor, &printer)
            if !isWhole { failedCount += 1 }
        }
        try printer.finish()
        if failedCount > 0 { throw CommandFailure(.jobFailed) }
    }
}
