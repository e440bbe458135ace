// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqVision

/// `yoloq models inspect`: everything known of a model.
struct ModelsInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what is known of a model, and how it will be run."
    )

    @Argument(help: "A model's name or path.")
    var model: String

    @OptionGroup var weights: WeightsOptions

    @Option(help: ArgumentHelp("The family to take it for.", valueName: "yolox"))
    var family: String?

    @Flag(help: "Print one line of JSON.")
    var json = false

    func run() throws {
        let file = try weights.directory.resolve(model)
        let card = try family.map { try file.card.read(as: $0) } ?? file.card
        let description = ModelDescription(file, card)
        Console.print(json ? description.json.description : description.text)
    }
}

/// Everything known of a model without running it.
private struct ModelDescription {
    private let file: ModelFile
    /// By runtime and processor, as far as self-checks were made of this content.
    private let verdicts: [(where: String, verdict: SelfCheck.Verdict)]
    private let card: ModelCard

    init(_ file: ModelFile, _ card: ModelCard) {
        self.file = file
        self.card = card
        let kept = try? Data(contentsOf: URL(filePath: Installation.current.cache + "/precision-verdicts.json"))
        let all = kept.flatMap { try? JSONDecoder().decode([String: SelfCheck.Verdict].self, from: $0) } ?? [:]
        let prefix = file.sha256 + " | "
        verdicts = all.filter { $0.key.hasPrefix(prefix) }.sorted { $0.key < $1.key }
            .map { (String($0.key.dropFirst(prefix.count)), $0.value) }
    }

    // MARK: For people

    var text: String {
        var lines: [(String, String)] = [
            ("name", file.name), ("path", file.path), ("format", file.format.rawValue), ("sha256", file.sha256),
        ]
        if file.parts.count > 1 {
            lines += file.parts.map { ("  \($0.role.rawValue)", "\($0.sha256)  \($0.path)") }
        }
        lines += [("task", card.task.rawValue), ("head", card.doubt?.message ?? card.head.rawValue)]
        if let family = card.family { lines.append(("family", family)) }
        lines += card.inputs.map { ("input", $0.summary) } + card.outputs.map { ("output", $0.summary) }
        lines += [
            ("size", sizeText), ("stride", "\(card.stride)"), ("batch", batchText), ("runs as", runsAs),
            ("classes", card.classNames.enumerated().map { "\($0) \($1)" }.joined(separator: ", ")),
        ]
        if let shape = card.metadata["kpt_shape"] { lines.append(("keypoints", shape)) }
        lines += verdicts.map { ("precision", "\($0.verdict.summary), on \($0.where)") }
        if verdicts.isEmpty { lines.append(("precision", precisionText)) }
        for key in ["description", "version", "license", "source"] {
            if let value = card.metadata[key] { lines.append((key, value)) }
        }
        return lines.map { "\($0.0.padding(toLength: 11, withPad: " ", startingAt: 0)) \($0.1)" }.joined(
            separator: "\n"
        )
    }

    private var sizeText: String {
        let own = "\(card.imageSize.height)x\(card.imageSize.width)"
        return card.isDynamic ? "\(own), or any multiple of \(card.stride)" : "\(own) only"
    }

    private var batchText: String {
        if let size = card.fixedBatchSize {
            return "\(size) always: one image runs in the first place, the others stay black and cost the same time. "
                + "Export it with batch=1 or dynamic=True"
        }
        return card.inputShape.first == .some(nil) ? "any" : "1"
    }

    private var runsAs: String {
        let ports = card.inputs + card.outputs
        let isHalf = ports.contains { $0.elementType == .f16 }
        let batch = card.fixedBatchSize ?? 1
        return "one image at a time, f32 [\(batch), 3, height, width], RGB, 0…1, "
            + (card.isDynamic ? "compiled for each size" : "compiled once")
            + (isHalf ? "; its f16 inputs and outputs are converted from and to f32" : "")
    }

    private var precisionText: String {
        card.task == .classify || card.task == .pose
            ? "f32, as for every \(card.task.rawValue) model" : "decided by a self-check at the first run"
    }

    // MARK: For programs

    var json: JSONValue {
        [
            "name": .string(file.name), "path": .string(file.path), "sha256": .string(file.sha256),
            "task": .string(card.task.rawValue), "head": card.doubt == nil ? .string(card.head.rawValue) : .null,
            "doubt": card.doubt.map { .string($0.message) } ?? .null, "stride": .int(card.stride),
            "imgsz": [.int(card.imageSize.height), .int(card.imageSize.width)], "dynamic": .bool(card.isDynamic),
            "names": .array(card.classNames.map(JSONValue.string)),
            "metadata": .object(
                card.metadata.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }
            ),
            "format": .string(file.format.rawValue), "family": card.family.map(JSONValue.string) ?? .null,
            "batch": card.inputShape.first.flatMap { $0 }.map(JSONValue.int) ?? .null,
            "inputs": .array(card.inputs.map(describe)), "outputs": .array(card.outputs.map(describe)),
            "files": .array(
                file.parts.map { part in
                    [
                        "role": .string(part.role.rawValue), "path": .string(part.path), "bytes": .int(part.byteCount),
                        "sha256": .string(part.sha256),
                    ]
                }
            ),
            "precision": .array(
                verdicts.map { place, verdict in
                    [
                        "on": .string(place), "precision": .string(verdict.precision.rawValue),
                        "fast": .string(verdict.fastPrecision.rawValue), "compared": .int(verdict.boxesCompared),
                        "score_difference": .double(verdict.largestScoreDifference),
                        "box_difference": .double(verdict.largestBoxDifference),
                        "unmatched": .int(verdict.unmatchedDetections),
                    ]
                }
            ),
        ]
    }

    private func describe(_ port: ModelPort) -> JSONValue {
        [
            "name": .string(port.name), "type": port.elementType.map { .string($0.name) } ?? .null,
            "shape": port.shape.map { .array($0.map { $0.map(JSONValue.int) ?? .null }) } ?? .null,
        ]
    }
}
