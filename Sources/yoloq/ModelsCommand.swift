// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqVision

/// `yoloq models`: which models there are.
struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "List, inspect, add, pull and verify models.",
        subcommands: [
            List.self, ModelsInspectCommand.self, ModelsAddCommand.self, ModelsPullCommand.self,
            ModelsVerifyCommand.self,
        ]
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
                    "no models in \(directory.searchPaths.joined(separator: ", ")). Add one: yoloq models add best.onnx, or pull one: yoloq models pull yolox_nano"
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
}

extension ModelCard {
    /// A few words: task, classes, input.
    var summary: String {
        guard doubt == nil else { return "\(task.rawValue), of a family that --family must name" }
        return
            "\(task.rawValue), \(classNames.count) classes, \(imageSize.height)x\(imageSize.width)\(isDynamic ? " or any" : "")"
    }
}
