// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqVision

/// `yoloq models add`: copies a model to where it is found by name.
struct ModelsAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Copy a model to where it is found by name.",
        discussion: """
            Goes into $YOLOQ_HOME/weights (default ~/.local/share/yoloq/weights), with the .card.json beside it, after it was \
            read, checked and run once. Its hash is recorded there; yoloq models verify compares.
            """
    )

    @Argument(
        help: "An exported model: an .onnx file such as runs/detect/train/weights/best.onnx, or a folder of OpenVINO's."
    )
    var path: String

    @OptionGroup var adding: AddingOptions
    @OptionGroup(title: "Engine") var engine: EngineOptions

    func run() throws {
        let installer = try ModelInstaller()
        let source = try ModelDirectory.standard().resolve(path.contains("/") ? path : "./" + path)
        let name = adding.name ?? source.name
        let added = try installer.install(source, as: name, adding, origin: source.path) { copy in
            try adding.tryOut(copy, engine)
        }
        Console.print("\(name)  \(added.card.summary)  \(added.path)")
    }
}

/// How a model is taken in.
struct AddingOptions: ParsableArguments {
    @Option(help: "The name to give it. Default: the file's name.")
    var name: String?

    @Option(
        help: ArgumentHelp(
            "The family it is of, where it does not say so: yolov5, yolox, rtdetr, …; written into its card.",
            valueName: "yolox"
        )
    )
    var family: String?

    @Flag(help: "Replace a model of this name.")
    var force = false

    @Flag(help: "Take it without running it once.")
    var noCheck = false

    func validate() throws {
        guard name.map(\.isModelName) ?? true else {
            throw ValidationError("\"\(name ?? "")\" cannot be a model's name: leave out \"/\" and a leading dot")
        }
    }

    /// What to do with a model of the same name.
    var existing: ModelInstaller.Existing { force ? .replace : .refuse }

    /// Runs a model once, and says how it went.
    ///
    /// - Parameters:
    ///   - file: The model.
    ///   - engine: Which engine, and how.
    /// - Throws: `InferenceError` if it does not run. That there is no engine here is only noted.
    func tryOut(_ file: ModelFile, _ engine: EngineOptions) throws(InferenceError) {
        guard !noCheck else { return }
        do throws(InferenceError) {
            Console.note("\(file.name): \(try ModelTrial(file, engine).summary)")
        } catch {
            guard error.code == .engineMissing else { throw error }
            Console.note("\(file.name): not run, since there is no engine here (yoloq doctor)")
        }
    }
}
