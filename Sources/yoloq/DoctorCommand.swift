// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqJobs
import YoloqVision

/// `yoloq doctor`: looks whether everything is in place.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check engine, models, queue and machine, and say what to do.",
        discussion: """
            Looks at the queue from the outside too: who holds its locks, and which programs other than yoloq have it open. \
            Ends with 0 if jobs can run here.
            """
    )

    @OptionGroup var queueOptions: QueueOptions
    @OptionGroup var weights: WeightsOptions
    @OptionGroup var engine: EngineOptions

    @Flag(help: "Print a line of JSON for each finding.")
    var json = false

    func run() throws {
        let queue = QueueExamination(options: queueOptions).findings()
        let findings = [checkMachine(), checkEngine(), checkModels(), checkSQLite()] + queue + [checkDisk()]
        for finding in findings {
            Console.print(json ? finding.json.description : finding.line)
        }
        guard !findings.contains(where: { $0.grade == .broken }) else {
            throw CommandFailure(
                findings.first { $0.grade == .broken && $0.what == "engine" } == nil ? .inputOutput : .noEngine
            )
        }
    }

    private func checkMachine() -> Finding {
        let info = ProcessInfo.processInfo
        let memory = info.physicalMemory / (1 << 30)
        return Finding(
            "machine",
            .good,
            "\(info.activeProcessorCount) cores, \(memory) GiB, \(info.operatingSystemVersionString), yoloq \(yoloqVersion)"
        )
    }

    private func checkEngine() -> Finding {
        do throws(InferenceError) {
            let runtime = try OpenVINORuntime(library: engine.openvino)
            return Finding("engine", .good, "\(runtime.name) on \(runtime.deviceName) (\(runtime.path))")
        } catch {
            return Finding("engine", .broken, error.message)
        }
    }

    private func checkModels() -> Finding {
        let directory = weights.directory
        let names = directory.list().map(\.name)
        guard !names.isEmpty else {
            return Finding(
                "models",
                .doubtful,
                "none in \(directory.searchPaths.joined(separator: ", ")). Add one: yoloq models add best.onnx"
            )
        }
        do {
            let model = try directory.defaultModel(environment: ProcessInfo.processInfo.environment)
            return Finding("models", .good, "\(names.joined(separator: ", ")); \(model.name) without --model")
        } catch {
            return Finding("models", .good, "\(names.joined(separator: ", ")); none without --model")
        }
    }

    private func checkSQLite() -> Finding {
        let version = JobQueue.sqliteVersion
        guard JobQueue.hasWALResetBug(sqliteVersion: version) else { return Finding("sqlite", .good, version) }
        return Finding(
            "sqlite",
            .good,
            "\(version), which can corrupt a file when checkpoints overlap (fixed in 3.51.3). yoloq takes them one at a time "
                + "under its write lock; let other programs only read the database"
        )
    }

    private func checkDisk() -> Finding {
        var folder = URL(filePath: queueOptions.path).deletingLastPathComponent()
        while !FileManager.default.fileExists(atPath: folder.path), folder.path != "/" {
            folder.deleteLastPathComponent()
        }
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.path)
        guard let free = (attributes?[.systemFreeSize] as? NSNumber)?.int64Value else {
            return Finding("disk", .doubtful, "cannot tell the free space of \(folder.path)")
        }
        let text = String(format: "%.1f GiB free at %@", Double(free) / Double(1 << 30), folder.path as NSString)
        return Finding("disk", free > 1 << 28 ? .good : .doubtful, free > 1 << 28 ? text : text + ": soon full")
    }
}
