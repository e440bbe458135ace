// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqImages
import YoloqInference
import YoloqJobs
import YoloqVision

/// `yoloq bench vision`: what happens to an image before and after the network.
struct BenchVisionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vision",
        abstract: "Measure decoding, letterboxing and what is done with the network's output, on one thread.",
        discussion: """
            Each image goes through each stage several times; the median is the image's, and the mean over the images is \
            printed. ops/bench-vision runs it beside OpenCV, Pillow and Ultralytics' own code: quote the ratios.
            """
    )

    @Argument(help: ArgumentHelp("Image files, folders with images, or quoted patterns.", valueName: "image"))
    var images: [String]

    @OptionGroup var modelOptions: ModelOptions
    @OptionGroup(title: "Prediction") var prediction: PredictionOptions
    @OptionGroup(title: "Engine") var engine: EngineOptions

    @Option(help: ArgumentHelp("How often each image goes through each stage.", valueName: "n"))
    var rounds = 5

    @Flag(help: "Print a line of JSON.")
    var json = false

    func validate() throws {
        guard rounds > 0 else { throw ValidationError("--rounds is at least 1") }
    }

    func run() throws {
        var inputs = Inputs(images)
        try inputs.check(skipMissing: false, advice: "Correct it")
        let model = try modelOptions.resolve()
        let parameters = try prediction.parameters(for: model.card)
        let card = try model.card.read(as: parameters.family)
        var network = try EngineSetup(engine, directory: modelOptions.weights.directory).makePredictor(for: model)
            .takeEngine()
        var costs = StageCosts()
        for path in inputs {
            try costs.add(path, engine: &network, card: card, parameters, rounds: rounds)
        }
        Console.print(json ? costs.json(model: model.name).description : costs.text)
        try Console.flush()
    }
}

/// The time that the stages take.
private struct StageCosts {
    private var imageCount = 0
    private var detectionCount = 0
    private var decode = Duration.zero
    private var preprocess = Duration.zero
    private var fromFile = Duration.zero
    private var postprocess = Duration.zero

    /// Adds one image.
    ///
    /// - Throws: `ImageFailure` or `InferenceError` for an image that cannot be run.
    mutating func add<E: Engine & ~Copyable>(
        _ path: String,
        engine: inout E,
        card: ModelCard,
        _ parameters: PredictionParameters,
        rounds: Int
    ) throws {
        let bytes = try ImageFile.bytes(of: path)
        var decoded = try ImageDecoder.decode(bytes)
        let decoding = try median(rounds) { decoded = try ImageDecoder.decode(bytes) }
        let size = ImageSize(height: decoded.image.height, width: decoded.image.width)
        let letterbox = try Letterbox(source: size, card: card, parameters: parameters)
        var filling = Duration.zero, both = Duration.zero
        let (reading, count) = try engine.run(letterbox.input) { tensor in
            filling = median(rounds) { letterbox.write(decoded.image, into: tensor) }
            both = (try? median(rounds) { try Self.read(bytes, letterbox, into: tensor) }) ?? .zero
        } read: { (outputs) throws(VisionError) -> (Duration, Int) in
            var count = 0
            let reading = try median(rounds) { () throws(VisionError) in
                count = try decodePredictions(outputs, card: card, parameters: parameters, letterbox: letterbox).count
            }
            return (reading, count)
        }
        imageCount += 1
        detectionCount += count
        decode += decoding
        preprocess += filling
        fromFile += both
        postprocess += reading
    }

    /// From a file's bytes to the tensor, as a worker does it.
    private static func read(
        _ bytes: [UInt8],
        _ letterbox: Letterbox,
        into tensor: UnsafeMutableBufferPointer<Float>
    ) throws(ImageError) {
        try bytes.withUnsafeBufferPointer { (bytes) throws(ImageError) in
            let bytes = UnsafeRawBufferPointer(bytes)
            guard var rows = try ImageDecoder.open(bytes) else {
                return letterbox.write(try ImageDecoder.decode(bytes).image, into: tensor)
            }
            try letterbox.write(rows: { (y) throws(ImageError) in try rows.row(y) }, into: tensor)
            _ = try rows.finish()
        }
    }

    func json(model: String) -> JSONValue {
        [
            "model": .string(model), "images": .int(imageCount), "detections": .int(detectionCount),
            "decode_ms": .double(milliseconds(decode)), "preprocess_ms": .double(milliseconds(preprocess)),
            "both_ms": .double(milliseconds(fromFile)),
            "postprocess_ms": .double(milliseconds(postprocess)),
        ]
    }

    var text: String {
        [
            ("decode", decode), ("letterbox and tensor", preprocess), ("both, row by row", fromFile),
            ("head, suppression, masks", postprocess),
        ].map { name, time in
            "\(name.padding(toLength: 26, withPad: " ", startingAt: 0))\(String(format: "%8.3f", milliseconds(time))) ms"
        }.joined(separator: "\n") + "\n\(detectionCount) detections in \(counted(imageCount, "image"))"
    }

    /// For each image, in milliseconds rounded to microseconds.
    private func milliseconds(_ sum: Duration) -> Double {
        (sum / .microseconds(1) / Double(max(imageCount, 1))).rounded() / 1000
    }
}

/// The middle one of some runs' times.
private func median<Failure: Error>(_ rounds: Int, _ body: () throws(Failure) -> Void) throws(Failure) -> Duration {
    var times: [Duration] = []
    for _ in 0..<rounds {
        let start = ContinuousClock.now
        try body()
        times.append(.now - start)
    }
    return times.sorted()[rounds / 2]
}
