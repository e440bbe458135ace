// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqInference
import YoloqJobs
import YoloqVision

@testable import yoloq

/// Results in the forms of other programs.
struct ExportTests {
    private func record(_ predictions: String, task: VisionTask = .detect, source: String = "/photos/cat 7.jpg") throws
        -> ResultRecord
    {
        let document = """
            {"task":"\(task.rawValue)","image":{"width":200,"height":100,"sha256":"a"},"warnings":[],
            "predictions":[\(predictions)],
            "provenance":{"model_sha256":"b","engine":"e","precision":"f32","input":[64,64],"letterbox":"full"},
            "timing_ms":{"queued":0,"load":0,"decode":0,"preprocess":0,"inference":12.5,"postprocess":0}}
            """
        return ResultRecord(
            source: source,
            model: "net",
            parameters: "{}",
            startedAt: .now(),
            finishedAt: .now(),
            .success(try ResultDocument(decoding: document))
        )
    }

    private static let cat =
        #"{"name":"cat","class":15,"confidence":0.12346,"box":{"x1":10,"y1":20.12345,"x2":30.5,"y2":40}}"#
    private static let turned = """
        {"name":"ship","class":1,"confidence":0.25,"box":{"x1":10,"y1":20,"x2":30,"y2":10,"x3":40,"y3":30,"x4":20,"y4":40},
        "rotated":{"cx":25,"cy":25,"w":22.3607,"h":22.3607,"angle":0.46365}}
        """
    private static let person = """
        {"name":"person","class":0,"confidence":0.5,"box":{"x1":0,"y1":0,"x2":200,"y2":100},
        "keypoints":{"x":[100,50],"y":[50,25],"visible":[0.5,0.9]}}
        """
    private static let leaf = #"{"name":"Dao","class":3,"confidence":0.876}"#

    /// A mask of a 64x64 input, in which an image of 200 by 100 lies in rows 16 to 47.
    private static func masked(_ mask: RunLengthMask, frame: MaskFrame) -> String {
        """
        {"name":"a","class":0,"confidence":0.5,"box":{"x1":0,"y1":0,"x2":100,"y2":50},
        "segments":{"x":[0,100,100],"y":[0,0,50]},
        "mask":{"size":[\(mask.size.height),\(mask.size.width)],
        "counts":\(JSONValue.string(mask.compressedCounts)),"frame":"\(frame.rawValue)"}}
        """
    }

    @Test func `COCO's form has ids, boxes by their corner and size, and scores`() throws {
        let entries = try record(Self.cat).coco().map(\.description)
        #expect(
            entries == [
                #"{"image_id":"cat 7","file_name":"cat 7.jpg","category_id":17,"bbox":[10.0,20.123,20.5,19.877],"#
                    + #""score":0.12346}"#
            ]
        )
        let numbered = try record(Self.turned, task: .obb, source: "/val/000000000139.jpg").coco().map(\.description)
        #expect(
            numbered == [
                #"{"image_id":139,"file_name":"000000000139.jpg","category_id":2,"bbox":[10.0,10.0,30.0,30.0],"#
                    + #""score":0.25,"rbox":[25.0,25.0,22.361,22.361,0.464],"#
                    + #""poly":[10.0,20.0,30.0,10.0,40.0,30.0,20.0,40.0]}"#
            ]
        )
        let keypoints = try record(Self.person, task: .pose).coco().map(\.description)
        #expect(keypoints.first?.hasSuffix(#""keypoints":[100.0,50.0,0.5,50.0,25.0,0.9]}"#) == true)
        #expect(throws: CommandFailure.self) { try record(Self.leaf, task: .classify).coco() }
    }

    @Test func `COCO's numbers skip the ten that were never used`() throws {
        func number(_ index: Int, _ name: String) throws -> Int {
            let text = #"{"name":"\#(name)","class":\#(index),"confidence":1}"#
            return COCOCategory.number(
                of: try JSONDecoder().decode(ResultDocument.Detection.self, from: Data(text.utf8))
            )
        }
        #expect(try number(0, "person") == 1 && number(10, "fire hydrant") == 11 && number(11, "stop sign") == 13)
        #expect(try number(79, "toothbrush") == 90 && number(24, "backpack") == 27 && number(72, "refrigerator") == 82)
        #expect(try number(79, "tooth") == 80 && number(300, "x") == 301)
        #expect(COCOCategory.names.count == 80 && Set(COCOCategory.names).count == 80)
    }

    @Test func `COCO's masks are of the image, whichever frame they were stored in`() throws {
        let input = RunLengthMask(
            size: ImageSize(height: 64, width: 64),
            rectangle: PixelRectangle(columns: 0..<32, rows: 0..<32),
            bitmap: [UInt8](repeating: 1, count: 32 * 32)
        )
        let image = RunLengthMask(
            size: ImageSize(height: 100, width: 200),
            rectangle: PixelRectangle(columns: 0..<100, rows: 0..<50),
            bitmap: [UInt8](repeating: 1, count: 5000)
        )
        for (mask, frame) in [(input, MaskFrame.input), (image, .image)] {
            let entry = try #require(try record(Self.masked(mask, frame: frame), task: .segment).coco().first)
            let object = try JSONSerialization.jsonObject(with: Data(entry.description.utf8)) as? [String: Any]
            let segmentation = try #require(object?["segmentation"] as? [String: Any])
            #expect(segmentation["size"] as? [Int] == [100, 200])
            let found = try RunLengthMask(size: image.size, compressedCounts: segmentation["counts"] as? String ?? "")
            // Scaled bilinearly, the mask loses the pixel in its corner: two thirds by two thirds is less than a half.
            let corner = PixelRectangle(columns: 99..<100, rows: 49..<50)
            #expect(found.bitmap(of: corner) == [frame == .input ? 0 : 1])
            #expect(found.boundingBox == image.boundingBox && found.area == (frame == .input ? 4999 : 5000))
        }
    }

    @Test func `label files hold what the reference writes`() throws {
        #expect(try record(Self.cat).labels(withConfidence: true) == ["15 0.10125 0.300617 0.1025 0.198766 0.12346"])
        #expect(
            try record(Self.turned, task: .obb).labels(withConfidence: false) == ["1 0.05 0.2 0.15 0.1 0.2 0.3 0.1 0.4"]
        )
        #expect(
            try record(Self.person, task: .pose).labels(withConfidence: false)
                == ["0 0.5 0.5 1 1 0.5 0.5 0.5 0.25 0.25 0.9"]
        )
        #expect(try record(Self.leaf, task: .classify).labels(withConfidence: true) == ["0.88 Dao"])
        let mask = RunLengthMask(emptyOf: ImageSize(height: 64, width: 64))
        let segment = Self.masked(mask, frame: .input)
        #expect(try record(segment, task: .segment).labels(withConfidence: false) == ["0 0 0 0.5 0 0.5 0.5"])
        let thin = segment.replacing(#""x":[0,100,100],"y":[0,0,50]"#, with: #""x":[0,100],"y":[0,0]"#)
        #expect(try record(thin, task: .segment).labels(withConfidence: false).isEmpty)
    }

    @Test func `label files of one name stand beside each other and replace nothing`() throws {
        let site = try Site()
        var labels = ResultLabels(folder: site.folder + "/labels", withConfidence: false)
        try labels.write(record(Self.cat, source: "/a/bus.jpg"))
        try labels.write(record(Self.turned, task: .obb, source: "/b/bus.png"))
        try labels.write(record("", source: "/b/empty.png"))
        let names = try FileManager.default.contentsOfDirectory(atPath: labels.folder).sorted()
        #expect(names == ["bus-2.txt", "bus.txt"] && labels.count == 2)
        var again = ResultLabels(folder: labels.folder, withConfidence: false)
        #expect(throws: CommandFailure.self) { try again.write(record(Self.cat, source: "/a/bus.jpg")) }
        #expect(try String(contentsOfFile: labels.folder + "/bus.txt", encoding: .utf8).hasPrefix("15 "))
    }

    @Test func `Roboflow's form has centres, points and ids that stay`() throws {
        let text = try record(Self.cat).roboflow.description
        #expect(text.contains(#""time":0.0125,"image":{"width":200,"height":100}"#))
        #expect(text.contains(#""x":20.25,"y":30.06173,"width":20.5,"height":19.87655"#))
        #expect(try text == record(Self.cat).roboflow.description)
        #expect(try text != record(Self.cat, source: "/other.jpg").roboflow.description)
        let id = /"detection_id":"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"/
        #expect(text.contains(id))
        let turned = try record(Self.turned, task: .obb).roboflow.description
        #expect(turned.contains(#""points":[{"x":10.0,"y":20.0},{"x":30.0,"y":10.0}"#))
        let person = try record(Self.person, task: .pose).roboflow.description
        #expect(person.contains(#"{"x":100.0,"y":50.0,"confidence":0.5,"class_id":0,"class":"0"}"#))
        let leaf = try record(Self.leaf, task: .classify).roboflow.description
        #expect(
            leaf.hasSuffix(
                #""predictions":[{"class":"Dao","class_id":3,"confidence":0.876}],"top":"Dao","confidence":0.876}"#
            )
        )
    }

    @Test func `a file is there whole or not at all`() throws {
        let site = try Site()
        let path = site.folder + "/results.jsonl"
        try "old".write(toFile: path, atomically: true, encoding: .utf8)
        do {
            let output = try ResultOutput(path: path)
            try output.print("half")
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.folder) == ["results.jsonl"])
        let output = try ResultOutput(path: path)
        try output.print("whole")
        try output.finish()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "whole\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.folder) == ["results.jsonl"])
        #expect(throws: CommandFailure.self) { _ = try ResultOutput(path: site.folder + "/no/such/folder.json") }
    }

    @Test(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
    func `a batch is exported in every form, and what has no result is told`() throws {
        let site = try Site()
        func yoloq(_ arguments: String...) throws -> YoloqProcess.Result { try YoloqProcess.run(arguments, at: site) }
        #expect(try yoloq("submit", Checkout.samples, "--model", Checkout.demo, "--batch", "all").status == ExitCode.ok)
        let early = try yoloq("export", "--batch", "all")
        #expect(early.status == ExitCode.tryLater && early.errors.contains("6 not ended of 6 jobs"))
        #expect(try yoloq("worker", "--threads", "1", "--until-empty").status == ExitCode.ok)

        let found = try yoloq("result", "--batch", "all", "--json").objects
        let count = found.compactMap { ($0["predictions"] as? [Any])?.count }.reduce(0, +)
        let output = site.folder + "/out"
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        for format in ["json", "jsonl", "ultralytics", "csv", "coco", "roboflow"] {
            let path = "\(output)/\(format)"
            let done = try yoloq("export", "--batch", "all", "--format", format, "--output", path)
            #expect(done.status == ExitCode.ok && done.lines.isEmpty, "\(done.errors)")
            let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            switch format {
            case "coco":
                let entries = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [Any]
                #expect(entries?.count == count && count > 6)
            case "json": #expect(lines.count == 7)
            case "csv": #expect(lines.count == count + 1)
            default: #expect(lines.count == 6)
            }
        }
        let some = try yoloq("export", "--last", "--format", "coco", "--class", "no such class")
        #expect(some.lines == ["[]"])
        let labels = try yoloq(
            "export",
            "--batch",
            "all",
            "--format",
            "yolo-txt",
            "--save-conf",
            "--output",
            output + "/labels"
        )
        #expect(labels.status == ExitCode.ok && labels.errors.contains("6 files in"))
        let names = try FileManager.default.contentsOfDirectory(atPath: output + "/labels").sorted()
        #expect(names == (1...6).map { "shapes-\($0).txt" })
        for arguments in [["--format", "text"], ["--format", "yolo-txt"], ["--save-conf"]] {
            #expect(try YoloqProcess.run(["export", "--last"] + arguments, at: site).status == ExitCode.usage)
        }
    }

    @Test(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
    func `what was found is cut out, a folder for each class`() throws {
        let site = try Site()
        let crops = site.folder + "/crops"
        let done = try YoloqProcess.run(
            ["predict", Checkout.samples, "--model", Checkout.demo, "--json", "--crop", crops],
            at: site
        )
        #expect(done.status == ExitCode.ok, "\(done.errors)")
        var expected: [String: Int] = [:]
        for record in done.objects {
            for prediction in record["predictions"] as? [[String: Any]] ?? [] {
                expected[prediction["name"] as? String ?? "", default: 0] += 1
            }
        }
        for (name, count) in expected {
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(crops)/\(name)").count == count)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: crops).sorted() == expected.keys.sorted())
        #expect(done.errors.contains("\(expected.values.reduce(0, +)) crops in"))
    }
}
