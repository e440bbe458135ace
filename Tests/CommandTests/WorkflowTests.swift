// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The commands as a user meets them, on the demo model.
@Suite(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
struct WorkflowTests {
    private let site: Site
    private let model = ["--model", Checkout.demo]

    init() throws { site = try Site() }

    private func yoloq(_ arguments: String..., environment: [String: String] = [:]) throws -> YoloqProcess.Result {
        try YoloqProcess.run(arguments, at: site, environment: environment)
    }

    private var samples: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: Checkout.samples).sorted()
                .map { Checkout.samples + "/" + $0 }
        }
    }

    @Test func `submit, worker and result give detections with everything that DESIGN names`() throws {
        let submitted = try YoloqProcess.run(
            ["submit", Checkout.samples, "--batch", "demo", "--meta", #"{"camera":3}"#, "--json"] + model,
            at: site
        )
        #expect(submitted.status == ExitCode.ok, "\(submitted.errors)")
        let jobs = submitted.objects.dropLast()
        #expect(jobs.count == (try samples).count)
        #expect(jobs.allSatisfy { $0["created"] as? Bool == true && $0["job"] is String && $0["source"] is String })
        #expect(submitted.objects.last?["batch"] as? String == "demo")
        #expect(submitted.objects.last?["count"] as? Int == jobs.count)

        #expect(try yoloq("worker", "--threads", "2", "--until-empty").status == ExitCode.ok)
        let results = try yoloq("result", "--batch", "demo", "--json")
        #expect(results.status == ExitCode.ok)
        #expect(results.objects.count == jobs.count)
        for record in results.objects {
            #expect(record["schema"] as? Int == 1)
            #expect(record["state"] as? String == "succeeded")
            #expect(record["model"] as? String == "shapes")
            #expect(record["task"] as? String == "detect")
            #expect(record["batch"] as? String == "demo")
            #expect((record["meta"] as? [String: Int]) == ["camera": 3])
            #expect(record["attempts"] as? Int == 1)
            #expect(record["error"] is NSNull)
            for key in ["submitted_at", "started_at", "finished_at", "worker"] { #expect(record[key] is String) }
            let predictions = try #require(record["predictions"] as? [[String: Any]])
            #expect(!predictions.isEmpty)
            for prediction in predictions {
                #expect(Set(prediction.keys) == ["name", "class", "confidence", "box"])
            }
            let image = try #require(record["image"] as? [String: Any])
            #expect((image["sha256"] as? String)?.count == 64)
            let provenance = try #require(record["provenance"] as? [String: Any])
            #expect(
                Set(provenance.keys) == [
                    "model_sha256", "dataset", "engine", "precision", "input", "letterbox", "tiles",
                ]
            )
            let timing = try #require(record["timing_ms"] as? [String: Any])
            #expect(Set(timing.keys) == ["queued", "load", "decode", "preprocess", "inference", "postprocess"])
            let parameters = try #require(record["parameters"] as? [String: Any])
            #expect(parameters["conf"] as? Double == 0.25)
        }
    }

    @Test func `the three formats tell the same and predict tells it too`() throws {
        let image = try #require(try samples.first)
        _ = try yoloq("submit", image, "--model", Checkout.demo)
        _ = try yoloq("worker", "--threads", "1", "--until-empty")
        let line = try #require(try yoloq("result", "1", "--json").lines.first)
        let array = try yoloq("result", "1", "--format", "json").output
        #expect(array == "[\(line)\n]\n")
        let record = try #require(try yoloq("result", "1", "--json").objects.first)
        let predictions = try #require(record["predictions"] as? [NSDictionary])
        let ultralytics = try yoloq("result", "1", "--format", "ultralytics").output
        #expect(try JSONSerialization.jsonObject(with: Data(ultralytics.utf8)) as? [NSDictionary] == predictions)
        let predicted = try #require(try yoloq("predict", image, "--model", Checkout.demo, "--json").objects.first)
        #expect(predicted["predictions"] as? [NSDictionary] == predictions)
        #expect(predicted["job"] is NSNull)
        #expect(Set(predicted.keys) == Set(record.keys))
    }

    @Test func `plot draws a picture of the image's size for each result`() throws {
        _ = try yoloq("submit", Checkout.samples, "--model", Checkout.demo)
        _ = try yoloq("worker", "--threads", "2", "--until-empty")
        let folder = site.folder + "/plots"
        #expect(try yoloq("result", "--last", "--plot", folder).status == ExitCode.ok)
        let pictures = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(pictures.count == (try samples).count)
        // What was drawn is an image that the program itself can read.
        #expect(try yoloq("predict", folder, "--model", Checkout.demo).status == ExitCode.ok)
    }

    @Test func `a missing file refuses the whole submit and skip-missing passes over it`() throws {
        let image = try #require(try samples.first)
        let refused = try yoloq("submit", image, "/nowhere/x.jpg", "--model", Checkout.demo)
        #expect(refused.status == ExitCode.noInput)
        #expect(refused.errors.contains("/nowhere/x.jpg") && refused.errors.contains("--skip-missing"))
        #expect(try yoloq("status").status == ExitCode.noInput, "nothing was made")
        let passed = try yoloq("submit", image, "/nowhere/x.jpg", "--model", Checkout.demo, "--skip-missing")
        #expect(passed.status == ExitCode.ok)
        #expect(passed.lines == ["1"])
    }

    @Test func `folders and patterns stand for the images in them, sorted`() throws {
        let folder = try yoloq("submit", Checkout.samples, "--model", Checkout.demo, "--json").objects.dropLast()
        #expect(folder.compactMap { $0["source"] as? String } == (try samples))
        let pattern = try yoloq("submit", Checkout.samples + "/*.png", "--model", Checkout.demo, "--json").objects
        #expect(
            pattern.dropLast().compactMap { $0["source"] as? String } == (try samples).filter { $0.hasSuffix(".png") }
        )
    }

    @Test func `wrong arguments are refused in words with status 64`() throws {
        let image = try #require(try samples.first)
        let cases: [([String], String)] = [
            (["submit", image, "--batch", "17"], "did you mean worker --batch-size?"),
            (["submit", image, "--conf", "7"], "conf"),
            (["submit", image, "--classes", "zebra"], "zebra"),
            (["submit", image, "--meta", "{oops"], "JSON"),
            (["submit", image, "--max-det", "0"], "max_det"),
            (["submit"], "image"),
            (["result"], "--last"),
            (["result", "x"], "x"),
            (["wait"], "--batch"),
            (["worker", "--threads", "0"], "threads"),
            (["nonsense"], "nonsense"),
        ]
        for (arguments, word) in cases {
            let result = try YoloqProcess.run(
                arguments + (arguments.first == "submit" ? model : []),
                at: site
            )
            #expect(result.status == ExitCode.usage, "\(arguments)")
            #expect(result.errors.contains(word), "\(arguments): \(result.errors)")
            #expect(result.output.isEmpty)
        }
    }

    @Test func `a model that does not exist is missed with close names`() throws {
        let result = try yoloq("submit", try #require(try samples.first), "--model", "shape")
        #expect(result.status == ExitCode.noInput)
        #expect(result.errors.contains("shapes"))
    }

    @Test func `result of a job that has not ended says so, and of none at all too`() throws {
        _ = try yoloq("submit", try #require(try samples.first), "--model", Checkout.demo)
        let waiting = try yoloq("result", "1", "--json")
        #expect(waiting.status == ExitCode.tryLater)
        #expect(waiting.objects.first?["state"] as? String == "queued")
        #expect(waiting.objects.first?["predictions"] is NSNull)
        #expect(try yoloq("result", "99").status == ExitCode.noInput)
        #expect(try yoloq("wait", "99").status == ExitCode.noInput)
    }

    @Test func `wait gives up at its time and says that nobody works`() throws {
        _ = try yoloq("submit", try #require(try samples.first), "--model", Checkout.demo)
        let result = try yoloq("wait", "1", "--timeout", "100ms")
        #expect(result.status == ExitCode.timedOut)
        #expect(result.errors.contains("1 job needs shapes; no live worker serves it: run yoloq worker"))
        #expect(result.output.isEmpty)
        let status = try yoloq("status")
        #expect(status.errors.contains("no live worker serves it"))
    }

    @Test func `wait prints each result when it comes`() throws {
        _ = try yoloq("submit", Checkout.samples, "--model", Checkout.demo, "--batch", "b")
        let waiting = try YoloqProcess(["wait", "--batch", "b", "--json", "--timeout", "300s"], at: site)
        _ = try yoloq("worker", "--threads", "1", "--until-empty")
        let result = waiting.finish()
        #expect(result.status == ExitCode.ok)
        #expect(result.objects.count == (try samples).count)
        #expect(result.objects.allSatisfy { $0["state"] as? String == "succeeded" })
    }

    @Test func `submit with wait prints results and fails if a job does`() throws {
        let worker = try YoloqProcess(["worker", "--threads", "1"], at: site)
        let good = try yoloq("submit", try #require(try samples.first), "--model", Checkout.demo, "--wait", "--json")
        #expect(good.status == ExitCode.ok)
        #expect(good.objects.last?["state"] as? String == "succeeded")
        let text = site.folder + "/text.jpg"
        try Data("hello".utf8).write(to: URL(filePath: text))
        let bad = try yoloq("submit", text, "--model", Checkout.demo, "--wait", "--json")
        #expect(bad.status == ExitCode.jobFailed)
        worker.send(SIGTERM)
        #expect(worker.finish().status == ExitCode.ok)
    }

    @Test func `a model that changed after submit fails its jobs and not the worker`() throws {
        let copy = site.folder + "/net.onnx"
        try FileManager.default.copyItem(atPath: Checkout.demo, toPath: copy)
        let image = try #require(try samples.first)
        _ = try yoloq("submit", image, "--model", copy)
        // A trailing field that no reader knows: another file, still a model.
        let handle = try FileHandle(forWritingTo: URL(filePath: copy))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([0xF8, 0x07, 0x01]))
        try handle.close()
        _ = try yoloq("submit", image, "--model", Checkout.demo)
        #expect(try yoloq("worker", "--threads", "1", "--until-empty").status == ExitCode.ok)
        let records = try yoloq("result", "1", "2", "--json").objects
        #expect((records.first?["error"] as? [String: Any])?["kind"] as? String == "model_changed")
        #expect(records.last?["state"] as? String == "succeeded")
    }

    @Test func `without an engine every command that needs one says how to get it`() throws {
        let result = try yoloq(
            "worker",
            "--until-empty",
            environment: ["YOLOQ_OPENVINO": "/nowhere"]
        )
        #expect(result.status == ExitCode.noEngine)
        #expect(result.errors.contains("/nowhere") && result.errors.contains("ops/install-openvino"))
    }

    @Test func `a model that comes back is used again`() throws {
        let image = try #require(try samples.first)
        let model = site.folder + "/net.onnx"
        try FileManager.default.copyItem(atPath: Checkout.demo, toPath: model)
        _ = try yoloq("submit", image, "--model", model)
        try FileManager.default.moveItem(atPath: model, toPath: model + ".away")
        let worker = try YoloqProcess(["worker", "--threads", "1"], at: site)
        #expect(try yoloq("wait", "1", "--timeout", "300s").status == ExitCode.jobFailed)
        try FileManager.default.moveItem(atPath: model + ".away", toPath: model)
        // The reason holds for some seconds; a job behind them must succeed.
        var states: [String] = []
        repeat {
            let id = try #require(try yoloq("submit", image, "--model", model).lines.first)
            _ = try yoloq("wait", id, "--timeout", "300s")
            states.append(try yoloq("result", id, "--json").objects.first?["state"] as? String ?? "")
        } while states.last == "failed" && states.count < 200
        #expect(states.last == "succeeded")
        worker.send(SIGTERM)
        #expect(worker.finish().status == ExitCode.ok)
    }

    @Test func `pictures never replace the images they are drawn from`() throws {
        let image = site.folder + "/photo.jpg"
        try FileManager.default.copyItem(atPath: try #require(try samples.first), toPath: image)
        let before = try Data(contentsOf: URL(filePath: image))
        let refused = try yoloq("predict", image, "--model", Checkout.demo, "--plot", site.folder)
        #expect(refused.status == ExitCode.noInput)
        #expect(refused.errors.contains("another folder"))
        #expect(try Data(contentsOf: URL(filePath: image)) == before)
    }

    @Test func `an image that is gone spoils neither the output nor the other pictures`() throws {
        let copies = ["a.jpg", "b.jpg"].map { site.folder + "/" + $0 }
        for copy in copies { try FileManager.default.copyItem(atPath: try #require(try samples.first), toPath: copy) }
        _ = try YoloqProcess.run(["submit"] + copies + ["--model", Checkout.demo], at: site)
        _ = try yoloq("worker", "--until-empty", "--threads", "1")
        try FileManager.default.removeItem(atPath: copies[0])
        let result = try yoloq("result", "--last", "--format", "json", "--plot", site.folder + "/plots")
        #expect(result.status == ExitCode.noInput)
        let records = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [Any]
        #expect(records?.count == 2)
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.folder + "/plots") == ["2-b.jpg"])
    }

    #if os(Linux)
        @Test func `a full standard output is an error and a full standard error is none`() throws {
            let image = try #require(try samples.first)
            func shell(_ redirection: String) throws -> Int32 {
                let process = Process()
                process.executableURL = URL(filePath: "/bin/sh")
                process.arguments = [
                    "-c", "exec \"$0\" submit \"$1\" --model \"$2\" \(redirection)", Checkout.executable.path, image,
                    Checkout.demo,
                ]
                process.environment = site.environment
                try process.run()
                process.waitUntilExit()
                return process.terminationStatus
            }
            #expect(try shell(">/dev/full 2>/dev/null") == ExitCode.inputOutput)
            #expect(try shell(">/dev/null 2>/dev/full") == ExitCode.ok)
        }
    #endif

    @Test func `an image over the pixel limit is refused and the limit can be set`() throws {
        let image = try #require(try samples.first)
        let result = try yoloq("predict", image, "--model", Checkout.demo, "--max-pixels", "1000", "--json")
        #expect(result.status == ExitCode.jobFailed)
        let error = result.objects.first?["error"] as? [String: Any]
        #expect(error?["kind"] as? String == "too_large")
        #expect((error?["message"] as? String)?.contains("--max-pixels") == true)
    }

    @Test func `meta of several lines stays on one`() throws {
        _ = try yoloq("submit", try #require(try samples.first), "--model", Checkout.demo, "--meta", "{\n \"a\": 1\n}")
        #expect(try yoloq("result", "1", "--json").lines.count == 1)
    }

    @Test func `models are listed, inspected and added`() throws {
        let added = try yoloq("models", "add", Checkout.demo, "--name", "mine")
        #expect(added.status == ExitCode.ok, "\(added.errors)")
        #expect(try yoloq("models", "list", "--json").objects.contains { $0["name"] as? String == "mine" })
        let card = try #require(try yoloq("models", "inspect", "mine", "--json").objects.first)
        #expect(card["task"] as? String == "detect")
        #expect((card["names"] as? [String])?.count ?? 0 >= 6)
        #expect(try yoloq("models", "add", Checkout.demo, "--name", "mine").status == ExitCode.usage)
        #expect(try yoloq("models", "add", "/nowhere/x.onnx").status == ExitCode.noInput)
    }

    @Test func `a job keeps its tiles, and its result says how many there were`() throws {
        let sample = try #require(try samples.first)
        let submitted = try yoloq(
            "submit",
            sample,
            "--model",
            Checkout.demo,
            "--slice",
            "200",
            "--overlap",
            "0.25",
            "--slice-merge",
            "nmm"
        )
        #expect(submitted.status == ExitCode.ok, "\(submitted.errors)")
        #expect(try yoloq("worker", "--threads", "1", "--until-empty").status == ExitCode.ok)
        let record = try #require(try yoloq("result", "1", "--json").objects.first)
        let parameters = record["parameters"] as? [String: Any]
        let slice = try #require(parameters?["slice"] as? [String: Any])
        #expect(slice["size"] as? Int == 200 && slice["overlap"] as? Double == 0.25)
        #expect(slice["merge"] as? String == "nmm")
        let image = record["image"] as? [String: Any]
        let (width, height) = try #require((image?["width"] as? Int, image?["height"] as? Int) as? (Int, Int))
        // Steps of 150 from 0 until a tile of 200 reaches the end.
        func count(_ length: Int) -> Int { max((length - 200 + 149) / 150, 0) + 1 }
        let provenance = record["provenance"] as? [String: Any]
        #expect(provenance?["tiles"] as? Int == count(width) * count(height))
        let refused = try yoloq("submit", sample, "--model", Checkout.demo, "--overlap", "0.1")
        #expect(refused.status == ExitCode.usage)
        #expect(refused.errors.contains("--slice"))
    }
}
