// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

/// Videos through the whole program.
@Suite(
    .enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"),
    .enabled(if: Clip.isPossible, "needs ffmpeg: run ops/install-packages"),
    .serialized
)
struct VideoCommandTests {
    private let site: Site
    private let model = ["--model", Checkout.demo, "--imgsz", "96"]

    init() throws { site = try Site() }

    private func submit(_ clip: Clip, _ options: String..., environment: [String: String] = [:]) throws
        -> YoloqProcess.Result
    {
        try YoloqProcess.run(
            ["submit", clip.path, "--batch", "clip"] + model + options,
            at: site,
            environment: environment
        )
    }

    @Test func `each frame has a result, and the batch stands for the video`() throws {
        let clip = try Clip.mp4(frames: 200)
        let submitted = try submit(clip, "--json")
        #expect(submitted.status == ExitCode.ok, "\(submitted.errors)")
        #expect(submitted.objects.count == 4)
        #expect(submitted.objects.last?["count"] as? Int == 3)
        #expect(try YoloqProcess.run("result", "--batch", "clip", at: site).status == ExitCode.tryLater)
        #expect(try YoloqProcess.run("worker", "--threads", "2", "--until-empty", at: site).status == ExitCode.ok)
        #expect(try YoloqProcess.run("wait", "--batch", "clip", "--timeout", "1s", at: site).status == ExitCode.ok)
        let result = try YoloqProcess.run("result", "--batch", "clip", "--json", at: site)
        #expect(result.status == ExitCode.ok, "\(result.errors)")
        #expect(result.objects.compactMap { $0["frame"] as? Int } == Array(0..<200))
        for (index, record) in result.objects.enumerated() {
            let seconds = try #require(record["time_s"] as? Double)
            #expect(abs(seconds - Double(index) / 25) < 1e-3)
            #expect(record["state"] as? String == "succeeded")
            #expect(record["predictions"] is [Any])
            let image = try #require(record["image"] as? [String: Any])
            #expect(image["width"] as? Int == 98)
            #expect((image["sha256"] as? String)?.count == 64)
        }
        let hashes = result.objects.compactMap { ($0["image"] as? [String: Any])?["sha256"] as? String }
        #expect(Set(hashes).count == 200)
        let database = try DatabaseQueue(path: site.database)
        defer { try? database.close() }
        let rows = try database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM video_detections") }
        #expect(rows == result.objects.reduce(0) { $0 + (($1["predictions"] as? [Any])?.count ?? 0) })
    }

    @Test func `a video without a batch gets one, and a rate chooses frames`() throws {
        let clip = try Clip.mp4(frames: 100)
        let submitted = try YoloqProcess.run(["submit", clip.path, "--fps", "2", "--json"] + model, at: site)
        let batch = try #require(submitted.objects.last?["batch"] as? String)
        #expect(try YoloqProcess.run("worker", "--threads", "1", "--until-empty", at: site).status == ExitCode.ok)
        let result = try YoloqProcess.run("result", "--batch", batch, "--json", at: site)
        #expect(result.objects.compactMap { $0["frame"] as? Int } == [0, 13, 25, 38, 50, 63, 75, 88])
        // In a pipe the batch is told beside the ids, and a key always gives the same.
        let first = try YoloqProcess.run(["submit", clip.path, "--key", "k"] + model, at: site)
        let second = try YoloqProcess.run(["submit", clip.path, "--key", "k"] + model, at: site)
        #expect(first.errors.contains("batch video-") && first.errors == second.errors && first.lines == second.lines)
    }

    @Test func `a killed worker costs no frame, and none is told twice`() throws {
        let clip = try Clip.mp4(frames: 900)
        #expect(try submit(clip).status == ExitCode.ok)
        let worker = try YoloqProcess(["worker", "--threads", "1"], at: site)
        // In the middle: some segments are done, one runs.
        _ = try YoloqProcess.run("wait", "1", "--timeout", "300s", at: site)
        worker.send(SIGKILL)
        #expect(worker.finish().status == SIGKILL)
        let next = try YoloqProcess(["worker", "--threads", "2"], at: site)
        let waited = try YoloqProcess.run("wait", "--batch", "clip", "--timeout", "300s", at: site)
        #expect(waited.status == ExitCode.ok, "\(waited.errors)")
        next.send(SIGTERM)
        #expect(next.finish().status == ExitCode.ok)
        let result = try YoloqProcess.run("result", "--batch", "clip", "--json", at: site)
        #expect(result.objects.compactMap { $0["frame"] as? Int } == Array(0..<900))
    }

    @Test func `cancel ends what has not been looked at`() throws {
        let clip = try Clip.mp4(frames: 300)
        #expect(try submit(clip, "--every", "2").status == ExitCode.ok)
        #expect(try YoloqProcess.run("cancel", "--batch", "clip", at: site).status == ExitCode.ok)
        let worker = try YoloqProcess.run("worker", "--threads", "1", "--until-empty", at: site)
        #expect(worker.errors.contains("0 succeeded"))
        #expect(try YoloqProcess.run("result", "--batch", "clip", at: site).status == ExitCode.jobFailed)
    }

    @Test func `a broken video ends as failed with its kind`() throws {
        let whole = try Clip.mp4(frames: 300)
        let bytes = try Data(contentsOf: URL(filePath: whole.path))
        let cut = try Clip("cut.mp4", bytes: bytes.prefix(bytes.count * 2 / 3))
        let noise = try Clip("noise.mp4", bytes: Data(repeating: 7, count: 5000))
        for clip in [cut, noise] { #expect(try submit(clip).status == ExitCode.ok) }
        #expect(try YoloqProcess.run("worker", "--threads", "1", "--until-empty", at: site).status == ExitCode.ok)
        let result = try YoloqProcess.run("result", "--batch", "clip", "--json", at: site)
        #expect(result.status == ExitCode.jobFailed)
        let kinds = result.objects.compactMap { ($0["error"] as? [String: Any])?["kind"] as? String }
        #expect(kinds == ["truncated", "unsupported_format"])
        #expect(result.objects.count { $0["state"] as? String == "succeeded" } > 100)
    }

    @Test func `predict tells of each frame what a worker does`() throws {
        let clip = try Clip.mp4(frames: 100)
        #expect(try submit(clip, "--every", "9").status == ExitCode.ok)
        #expect(try YoloqProcess.run("worker", "--threads", "1", "--until-empty", at: site).status == ExitCode.ok)
        let stored = try YoloqProcess.run("result", "--batch", "clip", "--json", at: site).objects
        let predicted = try YoloqProcess.run(
            ["predict", clip.path, Checkout.samples + "/shapes-1.jpg", "--every", "9", "--json"] + model,
            at: site
        )
        #expect(predicted.status == ExitCode.ok, "\(predicted.errors)")
        let frames = predicted.objects.filter { $0["frame"] is Int }
        #expect(frames.count == 12 && predicted.objects.count == 13)
        for (frame, expected) in zip(frames, stored) {
            for key in ["frame", "time_s", "predictions", "image", "source"] {
                #expect((frame[key] as? NSObject) == (expected[key] as? NSObject))
            }
        }
        let noise = try Clip("noise.mp4", bytes: Data(repeating: 7, count: 5000))
        let failed = try YoloqProcess.run(["predict", noise.path, "--json"] + model, at: site)
        #expect(failed.status == ExitCode.jobFailed)
        #expect((failed.objects.first?["error"] as? [String: Any])?["kind"] as? String == "unsupported_format")
    }

    @Test func `frames are drawn and cut out, by predict and from what is stored`() throws {
        let clip = try Clip.mp4(frames: 130)
        let sure = ["--conf", "0.05"]
        let predicted = try YoloqProcess.run(
            ["predict", clip.path, "--every", "10", "--plot", site.folder + "/a", "--json"] + model + sure,
            at: site
        )
        #expect(predicted.errors.contains("13 pictures"), "\(predicted.errors)")
        #expect(try submit(clip, "--every", "10", "--conf", "0.05").status == ExitCode.ok)
        #expect(try YoloqProcess.run("worker", "--threads", "1", "--until-empty", at: site).status == ExitCode.ok)
        let drawing = [
            "result", "--batch", "clip", "--plot", site.folder + "/b", "--crop", site.folder + "/c", "--json",
        ]
        let drawn = try YoloqProcess.run(drawing, at: site)
        #expect(drawn.status == ExitCode.ok, "\(drawn.errors)")
        let found = drawn.objects.reduce(0) { $0 + (($1["predictions"] as? [Any])?.count ?? 0) }
        #expect(found > 0 && drawn.errors.contains("\(found) crop"))
        let names = try FileManager.default.contentsOfDirectory(atPath: site.folder + "/b").sorted()
        #expect(names.count == 13 && names.contains("1-clip_0.jpg") && names.contains("1-clip_120.jpg"))
        for name in names {
            let own = try Data(contentsOf: URL(filePath: site.folder + "/b/" + name))
            let other = site.folder + "/a/" + name.dropFirst(2)
            #expect(own == (try Data(contentsOf: URL(filePath: other))))
        }
        // Another video by now: said once, not for each frame.
        try Data(repeating: 1, count: 99).write(to: URL(filePath: clip.path))
        let changed = try YoloqProcess.run(drawing, at: site)
        #expect(changed.status == ExitCode.noInput)
        #expect(changed.errors.split(separator: "\n").count { $0.contains("has changed") } == 1, "\(changed.errors)")
        #expect(changed.objects.count == 13)
    }

    @Test func `a folder's videos are taken with its images`() throws {
        let clip = try Clip.mp4(frames: 70)
        let folder = site.folder + "/mixed"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: clip.path, toPath: folder + "/b.mp4")
        for name in ["a.jpg", "c.jpg"] {
            try FileManager.default.copyItem(atPath: Checkout.samples + "/shapes-1.jpg", toPath: folder + "/" + name)
        }
        for (option, words) in [
            (["--inline"], "videos stay"), (["--latest", "x"], "segments"), (["--key", "x"], "one job"),
        ] {
            let refused = try YoloqProcess.run(["submit", folder] + option + model, at: site)
            #expect(refused.status == ExitCode.usage && refused.errors.contains(words), "\(refused.errors)")
        }
        let blind = try YoloqProcess.run(["submit", folder] + model, at: site, environment: ["PATH": site.folder])
        #expect(blind.status == ExitCode.noEngine && !FileManager.default.fileExists(atPath: site.database))
        let submitted = try YoloqProcess.run(["submit", folder, "--every", "35", "--json"] + model, at: site)
        #expect(
            submitted.objects.compactMap { $0["source"] as? String }
                == ["a.jpg", "b.mp4", "c.jpg"].map { folder + "/" + $0 }
        )
        let batch = try #require(submitted.objects.last?["batch"] as? String)
        #expect(try YoloqProcess.run("worker", "--threads", "1", "--until-empty", at: site).status == ExitCode.ok)
        let result = try YoloqProcess.run("result", "--batch", batch, "--json", at: site)
        #expect(result.objects.map { $0["frame"] as? Int } == [nil, 0, 35, nil])
        let predicted = try YoloqProcess.run(["predict", folder + "/*", "--every", "35", "--json"] + model, at: site)
        #expect(predicted.objects.map { $0["frame"] as? Int } == [nil, 0, 35, nil])
    }

    @Test(arguments: ["submit", "predict"])
    func `a video at a URL is refused with what to do`(command: String) throws {
        let refused = try YoloqProcess.run([command, "https://example.com/clip.MP4?x=1"] + model, at: site)
        #expect(refused.status == ExitCode.usage)
        #expect(refused.errors.contains("Download it"))
    }

    @Test func `without ffmpeg it is said what to install`() throws {
        let clip = try Clip.mp4(frames: 20)
        let refused = try submit(clip, environment: ["PATH": site.folder])
        #expect(refused.status == ExitCode.noEngine)
        #expect(refused.errors.contains("apt-get install ffmpeg"))
        let predicted = try YoloqProcess.run(
            ["predict", clip.path] + model,
            at: site,
            environment: ["PATH": site.folder]
        )
        #expect(predicted.status == ExitCode.noEngine && predicted.errors.contains("apt-get install ffmpeg"))
        #expect(try submit(clip, "--max-attempts", "1").status == ExitCode.ok)
        let worker = try YoloqProcess.run(
            ["worker", "--threads", "1", "--until-empty"],
            at: site,
            environment: ["PATH": site.folder]
        )
        #expect(worker.status == ExitCode.ok, "\(worker.errors)")
        let record = try #require(try YoloqProcess.run("result", "1", "--json", at: site).objects.first)
        let error = try #require(record["error"] as? [String: Any])
        #expect(error["kind"] as? String == "ffmpeg_missing")
        #expect(error["retryable"] as? Bool == true)
    }
}
