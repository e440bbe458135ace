// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import Foundation
import YoloqImages
public import YoloqInference
import YoloqJobs
public import YoloqVision
public import YoloqWorkers

/// Which queue to use.
struct QueueOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The queue's database.",
            discussion: "Default: $YOLOQ_DB, else $YOLOQ_HOME/queue.db, else ~/.local/share/yoloq/queue.db.",
            valueName: "path"
        )
    )
    var db: String?

    @Option(
        help: "What a commit survives: full (loss of power) or normal (death of the process).",
        transform: QueueOptions.durability
    )
    var durability: Durability = .full

    @Flag(help: "Use a queue on a network file system: only if one host uses it and its locks work.")
    var allowNetworkFs = false

    /// Parses a durability.
    static func durability(_ text: String) throws -> Durability {
        guard let durability = Durability(rawValue: text) else {
            throw ValidationError("durability is full or normal, not \"\(text)\"")
        }
        return durability
    }

    /// The database's absolute path.
    var path: String {
        let environment = ProcessInfo.processInfo.environment
        let given = db ?? environment["YOLOQ_DB"].flatMap { $0.isEmpty ? nil : $0 }
        return URL(filePath: given ?? Installation.current.home + "/queue.db").standardizedFileURL.path
    }

    /// Opens the queue, runs the body, closes the queue, always.
    ///
    /// - Parameters:
    ///   - create: Whether to make the queue, and the default folder, if they do not exist.
    ///   - body: Uses the queue.
    /// - Returns: What the body returns.
    /// - Throws: `JobsError`, or what the body throws.
    func withQueue<R>(create: Bool, _ body: (JobQueue) throws -> R) throws -> R {
        if create {
            let folder = URL(filePath: path).deletingLastPathComponent()
            try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        var options = JobQueue.Options()
        options.durability = durability
        options.allowsNetworkFileSystem = allowNetworkFs
        options.createsIfMissing = create
        let queue = try JobQueue(path: path, options: options)
        let result = Result { try body(queue) }
        do throws(JobsError) {
            try queue.close()
        } catch {
            // What the command did stands, and its own error is the one to tell.
            Console.complain(error.message)
        }
        return try result.get()
    }
}

/// Where models are.
struct WeightsOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A folder to look for models in, before the usual ones.", valueName: "folder"))
    var weights: String?

    /// The options as arguments of a child process.
    var arguments: [String] { weights.map { ["--weights", $0] } ?? [] }

    /// The folders to look in.
    var directory: ModelDirectory { .standard(weights: weights) }
}

/// Which model to use.
struct ModelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A model's name or path.",
            discussion: "Default: $YOLOQ_MODEL, else the only model there is besides the demo.",
            valueName: "model"
        )
    )
    var model: String?

    @OptionGroup var weights: WeightsOptions

    /// Finds the model.
    func resolve() throws -> ModelFile {
        let directory = weights.directory
        if let model { return try directory.resolve(model) }
        return try directory.defaultModel(environment: ProcessInfo.processInfo.environment)
    }
}

/// How to predict; goes with each job.
struct PredictionOptions: ParsableArguments {
    @Option(help: "Confidence above which a prediction is kept, 0 to 1.")
    var conf = 0.25

    @Option(
        help: "Overlap (IoU) above which the weaker of two boxes is dropped, 0 to 1; 0.7, for YOLOv5 and YOLOX 0.45."
    )
    var iou: Double?

    @Option(help: "Keep at most this many predictions in an image.")
    var maxDet = 300

    @Option(
        help: ArgumentHelp(
            "The family that the model is of, where it does not say so: yolov5, yolox, rtdetr, …",
            valueName: "yolox"
        )
    )
    var family: String?

    @Option(help: ArgumentHelp("Keep only these classes, by name or number.", valueName: "person,0"))
    var classes: String?

    @Flag(help: "Let boxes of different classes suppress each other.")
    var agnosticNms = false

    @Option(help: "The model's input size in pixels, for models that take any size.")
    var imgsz: Int?

    @Option(help: "How the image is fitted in: auto, full (padded to the square) or rect (padded to the stride).")
    var letterbox = LetterboxMode.auto

    @Flag(help: "Make masks at the image's own size: smoother outlines, more time.")
    var retinaMasks = false

    @Option(
        help: ArgumentHelp(
            "Look at the image in tiles of this many pixels, besides once as a whole: for small things in large images.",
            valueName: "pixels"
        )
    )
    var slice: Int?

    @Option(help: "How much of its side a tile shares with the next, 0 to 0.9 (0.2).")
    var overlap: Double?

    @Option(
        help: """
            What becomes of things found in several tiles: nms (the weaker is dropped) or nmm (they are joined, for things \
            larger than the overlap).
            """
    )
    var sliceMerge: Slicing.Merging?

    func validate() throws {
        guard slice != nil || (overlap == nil && sliceMerge == nil) else {
            throw ValidationError("--overlap and --slice-merge are about --slice")
        }
    }

    /// The parameters, checked against a model.
    func parameters(for card: ModelCard) throws -> PredictionParameters {
        let card = try card.read(as: family)
        var parameters = PredictionParameters()
        parameters.family = family
        parameters.confidenceThreshold = conf
        parameters.iouThreshold = iou ?? card.defaultIoUThreshold
        parameters.maxDetections = maxDet
        parameters.classes = try classes.map {
            try card.classIndices(for: $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
        }
        parameters.isClassAgnostic = agnosticNms
        parameters.imageSize = imgsz
        parameters.letterbox = letterbox
        parameters.isMaskNative = retinaMasks
        parameters.slicing = slice.map { Slicing(size: $0, overlap: overlap ?? 0.2, merging: sliceMerge ?? .nms) }
        try parameters.validate(for: card)
        return parameters
    }
}

extension LetterboxMode: ExpressibleByArgument {}
extension Slicing.Merging: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}

/// Which engine to use, and how.
struct EngineOptions: ParsableArguments {
    @Option(
        help: "What the network computes in: auto (the fast form, if this model passes its self-check), f32 or bf16."
    )
    var precision = Precision.auto

    @Option(help: ArgumentHelp("The OpenVINO library, or a folder with it.", valueName: "path"))
    var openvino: String?

    @Option(help: "Refuse images of more pixels than this, before anything is allocated for them.")
    var maxPixels = ImageLimits().maxPixelCount

    /// The options as arguments of a child process.
    var arguments: [String] {
        ["--precision", precision.rawValue, "--max-pixels", "\(maxPixels)"]
            + (openvino.map { ["--openvino", $0] } ?? [])
    }

    /// What an image may have at most.
    var limits: ImageLimits { ImageLimits(maxPixelCount: maxPixels) }

    func validate() throws {
        guard maxPixels > 0 else {
            throw ValidationError("--max-pixels is a number of pixels from 1, not \(maxPixels)")
        }
    }
}

/// What to do with images at URLs.
struct URLOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where to fetch images at URLs from: any, public or none.",
            discussion: """
                any is the public internet, and for jobs submitted with --allow-private-urls also private networks and this \
                machine; public never goes there, whatever a job says.
                """,
            valueName: "where"
        )
    )
    var urls = URLPolicy.Access.any

    @Option(help: ArgumentHelp("How long fetching one image may take (30s).", valueName: "time"))
    var urlTimeout: TimeSpan?

    @Option(help: ArgumentHelp("How many bytes an image at a URL may have.", valueName: "count"))
    var urlMaxBytes = URLPolicy().maxByteCount

    /// The options as arguments of a child process.
    var arguments: [String] {
        let milliseconds = Int64((policy.timeout / .milliseconds(1)).rounded(.up))
        return [
            "--urls", urls.rawValue, "--url-timeout", "\(milliseconds)ms", "--url-max-bytes", "\(urlMaxBytes)",
        ]
    }

    /// The policy they make.
    var policy: URLPolicy {
        URLPolicy(
            access: urls,
            timeout: urlTimeout?.duration ?? URLPolicy().timeout,
            maxByteCount: urlMaxBytes
        )
    }

    func validate() throws {
        guard urlTimeout.map({ $0.duration > .zero && $0.duration <= .seconds(86_400) }) ?? true else {
            throw ValidationError("--url-timeout is longer than nothing, and at most a day")
        }
        guard urlMaxBytes > 0 else { throw ValidationError("--url-max-bytes is a number from 1") }
    }
}

extension URLPolicy.Access: ExpressibleByArgument {}
