// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqVision

/// `yoloq models verify`: compares models with what was recorded of them, and runs them once.
struct ModelsVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Compare models with their recorded hashes and run them once.",
        discussion: """
            Hashes are recorded by models add and models pull, in models.json beside the models. Ends with status 66 if a \
            model is not as recorded, or does not run.
            """
    )

    @Argument(
        help: ArgumentHelp("Models' names or paths. Default: all that can be asked for by name.", valueName: "model")
    )
    var models: [String] = []

    @Flag(help: "Record the hashes of models that have none on record, as they are now.")
    var record = false

    @Flag(help: "Compare hashes only; run nothing.")
    var noCheck = false

    @Flag(help: "Print a line of JSON for each model.")
    var json = false

    @OptionGroup var weights: WeightsOptions
    @OptionGroup(title: "Engine") var engine: EngineOptions

    /// What was found of one model.
    private struct Report {
        var name: String
        var isGood = true
        var texts: [String] = []
        var sha256: String?
        var recorded: String?
        var precision: String?

        mutating func fail(_ text: String) {
            isGood = false
            texts.append(text)
        }

        var json: JSONValue {
            [
                "name": .string(name), "ok": .bool(isGood), "sha256": sha256.map(JSONValue.string) ?? .null,
                "recorded": recorded.map(JSONValue.string) ?? .null,
                "precision": precision.map(JSONValue.string) ?? .null, "text": .string(texts.joined(separator: "; ")),
            ]
        }
    }

    func run() throws {
        let directory = weights.directory
        let names = models.isEmpty ? directory.list().map(\.path) : models
        guard !names.isEmpty else {
            throw CommandFailure(
                .noInput,
                "no models in \(directory.searchPaths.joined(separator: ", ")). Add one: yoloq models add"
            )
        }
        var badCount = 0
        for name in names {
            let report = try look(at: name, in: directory)
            if !report.isGood { badCount += 1 }
            Console.print(
                json
                    ? report.json.description
                    : "\(report.isGood ? "ok" : "NO")  \(report.name)  \(report.texts.joined(separator: "; "))"
            )
        }
        guard badCount == 0 else {
            throw CommandFailure(.noInput, "\(badCount) of \(names.count) models are not as they should be (above)")
        }
    }

    private func look(at name: String, in directory: ModelDirectory) throws -> Report {
        var report = Report(name: name)
        let file: ModelFile
        do throws(InferenceError) {
            file = try directory.resolve(name)
        } catch {
            report.fail(error.message)
            return report
        }
        report.name = file.name
        report.sha256 = file.sha256
        try compare(file, &report)
        guard report.isGood, !noCheck else { return report }
        do throws(InferenceError) {
            let trial = try ModelTrial(file, engine)
            report.precision = trial.verdict.precision.rawValue
            report.texts.append(trial.summary)
        } catch {
            report.fail(error.message)
        }
        return report
    }

    private func compare(_ file: ModelFile, _ report: inout Report) throws {
        let entry = try ModelLedger(of: file.folder).models[file.name]
        report.recorded = entry?.sha256
        guard let entry else {
            guard record else {
                report.texts.append("no hash on record (--record writes it)")
                return
            }
            var ledger = try ModelLedger(of: file.folder)
            ledger.models[file.name] = ModelLedger.Entry(file, source: nil)
            try ledger.write(to: file.folder)
            report.recorded = file.sha256
            report.texts.append("recorded")
            return
        }
        guard entry.sha256 != file.sha256 else {
            report.texts.append("as recorded")
            return
        }
        let now = Dictionary(uniqueKeysWithValues: file.parts.map { ($0.role.rawValue, $0.sha256) })
        let changed = Set(now.keys).union(entry.parts.keys).filter { now[$0] != entry.parts[$0] }.sorted()
        report.fail(
            "changed since it was recorded on \(entry.recordedAt): \(changed.joined(separator: ", ")). Put the old file back, "
                + "or add the new one: yoloq models add --force"
        )
    }
}
