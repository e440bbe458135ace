// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Videos looked at without a queue.
@Suite(
    .enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"),
    .enabled(if: Clip.isPossible, "needs ffmpeg: run ops/install-packages"),
    .serialized
)
struct VideoPredictTests {
    private let site: Site
    private let model = ["--model", Checkout.demo, "--imgsz", "96"]

    init() throws { site = try Site() }

    private func predict(_ arguments: String..., environment: [String: String] = [:]) throws -> YoloqProcess.Result {
        try YoloqProcess.run(["predict"] + arguments + model, at: site, environment: environment)
    }

    /// What does not depend on when and by whom it was run.
    private func content(_ record: [String: Any]) throws -> String {
        let keys = [
            "frame", "time_s", "image", "predictions", "parameters", "warnings", "error", "source", "model", "task",
        ]
        let part = record.filter { keys.contains($0.key) }
        #expect(part.count == keys.count)
        return String(
            decoding: try JSONSerialization.data(withJSONObject: part, options: .sortedKeys),
            as: UTF8.self
        )
    }

    @Test func `predict says of each frame what jobs say`() throws {
        let clip = try Clip.mp4(frames: 200)
        let predicted = try predict(clip.path, "--every", "3", "--json", "--conf", "0.05")
        #expect(predicted.status == ExitCode.ok, "\(predicted.errors)")
        #expect(predicted.objects.compactMap { $0["frame"] as? Int } == Array(stride(from: 0, to: 200, by: 3)))
        let submit = ["submit", clip.path, "--every", "3", "--conf", "0.05", "--batch", "clip"]
        #expect(try YoloqProcess.run(submit + model, at: site).status == ExitCode.ok)
        #expect(try YoloqProcess.run("worker", "--threads", "1", "--until-empty", at: site).status == ExitCode.ok)
        let result = try YoloqProcess.run("result", "--batch", "clip", "--json", at: site)
        #expect(try predicted.objects.map(content) == result.objects.map(content))
        #expect(predicted.objects.contains { !(($0["predictions"] as? [Any])?.isEmpty ?? true) })
    }

    @Test func `results of a video come while it is looked at`() throws {
        let clip = try Clip.mp4(frames: 3000)
        let process = try YoloqProcess(["predict", clip.path, "--json"] + model, at: site)
        process.wait { $0.outputSoFar.contains("\"frame\":0,") }
        #expect(process.isRunning)
        process.send(SIGKILL)
        let result = process.finish()
        #expect(result.status == SIGKILL)
        #expect(!result.objects.isEmpty)
    }

    @Test func `a broken video is a record with its kind, and the others are looked at`() throws {
        let whole = try Clip.mp4(frames: 300)
        let bytes = try Data(contentsOf: URL(filePath: whole.path))
        let cut = try Clip("cut.mp4", bytes: bytes.prefix(bytes.count * 2 / 3))
        let noise = try Clip("noise.mp4", bytes: Data(repeating: 7, count: 5000))
        let predicted = try predict(noise.path, cut.path, whole.path, "--every", "10", "--json")
        #expect(predicted.status == ExitCode.jobFailed)
        let kinds = predicted.objects.map { ($0["error"] as? [String: Any])?["kind"] as? String }
        #expect(kinds.compactMap { $0 } == ["unsupported_format", "truncated"])
        #expect(kinds.suffix(30).allSatisfy { $0 == nil })
        #expect(predicted.objects.first?["frame"] is NSNull)
    }

    @Test func `frames with too many pixels are refused before anything is decoded`() throws {
        let clip = try Clip.mp4(frames: 20)
        let predicted = try predict(clip.path, "--json", "--max-pixels", "6000")
        #expect(predicted.status == ExitCode.jobFailed)
        let error = predicted.objects.first?["error"] as? [String: Any]
        #expect(error?["kind"] as? String == "too_large")
    }

    @Test func `that a video is gone is said once, and pictures do not go beside it`() throws {
        let folder = site.folder + "/videos"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/clip.mp4"
        let clip = try Clip.mp4(frames: 200)
        try FileManager.default.copyItem(atPath: clip.path, toPath: path)
        let submit = ["submit", path, "--batch", "clip"]
        #expect(try YoloqProcess.run(submit + model, at: site).status == ExitCode.ok)
        #expect(try YoloqProcess.run("worker", "--threads", "1", "--until-empty", at: site).status == ExitCode.ok)
        let beside = try YoloqProcess.run("result", "--batch", "clip", "--plot", folder, "--json", at: site)
        #expect(beside.status == ExitCode.noInput)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["clip.mp4"])
        try FileManager.default.removeItem(atPath: path)
        let drawn = try YoloqProcess.run(
            ["result", "--batch", "clip", "--plot", site.folder + "/pictures", "--json"],
            at: site
        )
        #expect(drawn.status == ExitCode.noInput)
        #expect(drawn.objects.count == 200)
        #expect(drawn.errors.split(separator: "\n").count { $0.contains(path) } == 1, "\(drawn.errors)")
        #expect(drawn.errors.contains("200 results could not be drawn"))
    }
}
