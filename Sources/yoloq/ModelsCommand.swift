// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqVision

/// `yoloq models`: which models there are.
struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "List, inspect and add models.",
        subcommands: [List.self, Inspect.self, Add.self]
    )
}

extension ModelsCommand {
    /// `yoloq models list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the models that can be asked for by name.")

        @OptionGroup var weights: WeightsOptions

        @Flag(help: "Print a line of JSON for each model.")
        var json = false

        func run() throws {
            let directory = weights.directory
            let listings = directory.list()
            if listings.isEmpty, !json {
                Console.note(
                    "no models in \(directory.searchPaths.joined(separator: ", ")). Add one: yoloq models add best.onnx"
                )
            }
            let width = listings.map(\.name.count).max() ?? 0
            for listing in listings {
                let description = describe(listing, in: directory)
                if json {
                    let line: JSONValue = [
                        "name": .string(listing.name), "path": .string(listing.path),
                        "format": .string(listing.format.rawValue), "description": .string(description),
                    ]
                    Console.print(line.description)
                } else {
                    let name = listing.name.padding(toLength: width, withPad: " ", startingAt: 0)
                    Console.print("\(name)  \(description)  \(listing.path)")
                }
            }
        }

        private func describe(_ listing: ModelListing, in directory: ModelDirectory) -> String {
            do throws(InferenceError) {
                return try directory.resolve(listing.path).card.summary
            } catch {
                return "cannot be used (\(error.code.rawValue))"
            }
        }
    }

    /// `yoloq models inspect`.
    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show what a model says of itself.")

        @Argument(help: "A model's name or path.")
        var model: String

        @OptionGroup var weights: WeightsOptions

        @Flag(help: "Print one line of JSON.")
        var json = false

        func run() throws {
            let file = try weights.directory.resolve(model)
            Console.print(json ? file.json.description : file.text)
        }
    }

    /// `yoloq models add`.
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy a model to where it is found by name.",
            discussion:
                "Goes into $YOLOQ_HOME/weights (default ~/.local/share/yoloq/weights) after it was read and checked."
        )

        @Argument(help: "An exported model, such as runs/detect/train/weights/best.onnx.")
        var path: String

        @Option(help: "The name to give it. Default: the file's name.")
        var name: String?

        @Flag(help: "Replace a model of this name.")
        var force = false

        func validate() throws {
            if let name, name.isEmpty || name.hasPrefix(".") || name.contains("/") {
                throw ValidationError("\"\(name)\" cannot be a model's name: leave out \"/\" and a leading dot")
            }
        }

        func run() throws {
            let folder = Installation.current.home + "/weights"
            let file = try ModelDirectory.standard().resolve(path.contains("/") ? path : "./" + path)
            let name = name ?? file.name
            let target = "\(folder)/\(name).onnx"
            guard force || !FileManager.default.fileExists(atPath: target) else {
                throw CommandFailure(
                    .usage,
                    "there is a model \"\(name)\" at \(target). Give another --name, or --force"
                )
            }
            do {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                // Written whole under another name first: a worker never sees half a model.
                try Data(contentsOf: URL(filePath: file.path)).write(to: URL(filePath: target), options: .atomic)
            } catch {
                throw CommandFailure(
                    .inputOutput,
                    "cannot copy \(file.path) to \(target): \(error.localizedDescription)"
                )
            }
            Console.print("\(name)  \(file.card.summary)  \(target)")
        }
    }
}

extension ModelCard {
    /// A few words: task, classes, input.
    fileprivate var summary: String {
        "\(task.rawValue), \(classNames.count) classes, \(imageSize.height)x\(imageSize.width)\(isDynamic ? " or any" : "")"
    }
}

extension ModelFile {
    fileprivate var json: JSONValue {
        [
            "name": .string(name), "path": .string(path), "sha256": .string(sha256),
            "task": .string(card.task.rawValue), "head": .string(card.head.rawValue), "stride": .int(card.stride),
            "imgsz": [.int(card.imageSize.height), .int(card.imageSize.width)], "dynamic": .bool(card.isDynamic),
            "names": .array(card.classNames.map(JSONValue.string)),
            "metadata": .object(
                card.metadata.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }
            ),
        ]
    }

    fileprivate var text: String {
        """
        name      \(name)
        path      \(path)
        sha256    \(sha256)
        task      \(card.task.rawValue)
        head      \(card.head.rawValue)
        input     \(card.imageSize.height)x\(card.imageSize.width)\(card.isDynamic ? ", or any multiple of \(card.stride)" : "")
        classes   \(card.classNames.enumerated().map { "\($0) \($1)" }.joined(separator: ", "))
        """
    }
}
