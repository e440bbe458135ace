// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqJobs

@testable import yoloq

/// Results for other programs, of jobs that the test itself runs: no engine is needed.
struct ExportTests {
    private let site: Site

    init() throws { site = try Site() }

    /// Submits a job for each source, and ends each with a document, or with a failure where there is none.
    private func fill(_ batch: String, _ jobs: [(source: String, document: String?)], waiting: Int = 0) throws {
        var options = JobQueue.Options()
        options.durability = .normal
        let queue = try JobQueue(path: site.database, options: options)
        let model = ModelReference(name: "net", path: "/net.onnx", sha256: String(repeating: "b", count: 64))
        func submit(_ sources: [String]) throws {
            let requests = sources.map { source in
                var request = JobRequest(model: model, source: source)
                request.batch = batch
                return request
            }
            try queue.submit(requests, now: .now()) { _ in }
        }
        try submit(jobs.map(\.source))
        let documents = Dictionary(uniqueKeysWithValues: jobs)
        let worker = try queue.addWorker(threads: 1, serves: nil, now: .now())
        var claims: [Claim] = []
        repeat {
            claims = try queue.claim(
                limit: 500,
                models: try queue.models().map(\.id),
                worker: worker.worker,
                now: .now()
            )
            let outcomes = claims.map { claim in
                guard let document = documents[claim.source] ?? nil else {
                    let failure = JobFailure(kind: "corrupt", message: "it is broken", isRetryable: false)
                    return Outcome(claim, .failed(failure), at: .now())
                }
                return Outcome(claim, .succeeded(result: document), at: .now())
            }
            _ = try queue.record(outcomes, jitter: { 0 })
        } while !claims.isEmpty
        _ = try queue.removeWorker(worker, now: .now())
        if waiting > 0 { try submit((1...waiting).map { "/later-\($0).jpg" }) }
        try queue.close()
    }

    private func fillPhotos(waiting: Int = 0, failing: Bool = false) throws {
        let cat = storedDocument(storedBox(at: (0, 0, 9, 9)) + "," + storedBox("dog", class: 8, confidence: 0.3))
        let failed = failing ? [(source: "/c/broken.jpg", document: String?.none)] : []
        try fill(
            "photos",
            [("/a/1.jpg", cat), ("/b/none.jpg", storedDocument("")), ("/b/2.jpg", cat)] + failed,
            waiting: waiting
        )
    }

    private func export(_ options: String...) throws -> YoloqProcess.Result {
        try YoloqProcess.run(["export"] + options, at: site)
    }

    /// Names in the site's folder but for the queue's.
    private func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: site.folder).filter { !$0.hasPrefix("queue.db") }.sorted()
            .filter { $0 != "workers" }
    }

    @Test func `each format tells of each image, in the order of the jobs`() throws {
        try fillPhotos()
        let jsonl = try export("--batch", "photos")
        #expect(jsonl.status == ExitCode.ok && jsonl.objects.compactMap { $0["job"] as? String } == ["1", "2", "3"])
        #expect(try YoloqProcess.run("result", "--batch", "photos", "--json", at: site).output == jsonl.output)
        let coco = try export("--last", "--format", "coco")
        let entries = try JSONSerialization.jsonObject(with: Data(coco.output.utf8)) as? [[String: Any]]
        #expect(entries?.compactMap { $0["image_id"] as? Int } == [1, 1, 2, 2])
        #expect(try export("2", "--format", "coco").output == "[]\n")
        let some = try export("--batch", "photos", "--format", "coco", "--class", "dog", "--min-confidence", "0.2")
        #expect(some.output.split(separator: "\n").count == 3)
        let roboflow = try export("1", "2", "3", "--format", "roboflow")
        #expect(roboflow.objects.compactMap { ($0["predictions"] as? [Any])?.count } == [2, 0, 2])
        #expect(try export("--batch", "photos", "--format", "csv").lines.count == 5)
        #expect(try export("--batch", "photos", "--format", "ultralytics").lines.count == 3)
    }

    @Test func `label files say what was found, and where they are`() throws {
        try fillPhotos()
        let folder = site.folder + "/labels"
        let result = try export("--batch", "photos", "--format", "yolo-txt", "--output", folder, "--save-conf")
        #expect(result.status == ExitCode.ok && result.output.isEmpty && result.errors.contains("2 label files in"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["1.txt", "2.txt"])
        let text = try String(contentsOfFile: folder + "/1.txt", encoding: .utf8)
        #expect(text == "7 0.5 0.5 1 1 0.5\n8 0.222222 0.361111 0.222222 0.166667 0.3\n")
        let again = try export("--batch", "photos", "--format", "yolo-txt", "--output", folder)
        #expect(again.status == ExitCode.usage && again.errors.contains("new folder"))
    }

    @Test func `what has no result is left out, counted, and told by the status`() throws {
        try fillPhotos(failing: true)
        for format in ["jsonl", "json", "coco", "csv", "roboflow", "ultralytics"] {
            let result = try export("--batch", "photos", "--format", format)
            #expect(result.status == ExitCode.jobFailed && !result.output.contains("broken"), "\(format)")
            #expect(result.errors.contains("left out, having no result: 1 failed"), "\(format)")
        }
        try fill("later", [], waiting: 2)
        let later = try export("--batch", "later", "--format", "coco")
        #expect(later.status == ExitCode.tryLater && later.output == "[]\n")
        #expect(later.errors.contains("left out, having no result: 2 queued"))
        // The same of a result in a form that has no place for a failure; one that has shows it.
        let csv = try YoloqProcess.run("result", "--batch", "photos", "--format", "csv", at: site)
        #expect(csv.status == ExitCode.jobFailed && csv.errors.contains("1 failed"))
        let json = try YoloqProcess.run("result", "--batch", "photos", "--json", at: site)
        #expect(json.output.contains("broken") && !json.errors.contains("left out"))
    }

    // MARK: Files

    @Test func `a file is what standard output would be, and takes the place of an older one`() throws {
        try fillPhotos(failing: true)
        let path = site.folder + "/out.json"
        try "older".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(atPath: site.folder + "/link", withDestinationPath: path)
        let result = try export("--batch", "photos", "--format", "coco", "--output", site.folder + "/link")
        #expect(result.status == ExitCode.jobFailed && result.output.isEmpty)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(try text == export("--batch", "photos", "--format", "coco").output)
        #expect(try files() == ["link", "out.json"])
        func permissions(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(FileManager.default.createFile(atPath: site.folder + "/usual", contents: nil))
        #expect(try permissions(path) == permissions(site.folder + "/usual"))
    }

    @Test func `an export that fails leaves what was there, and nothing else`() throws {
        try fill(
            "mixed",
            [
                ("/a/1.jpg", storedDocument(storedBox())),
                ("/a/2.jpg", storedDocument(#"{"name":"leaf","class":1,"confidence":0.5}"#, task: "classify")),
            ]
        )
        let path = site.folder + "/out.json"
        try "older".write(toFile: path, atomically: true, encoding: .utf8)
        let classified = try export("--batch", "mixed", "--format", "coco", "--output", path)
        #expect(classified.status == ExitCode.usage && classified.errors.contains("/a/2.jpg"))
        #expect(try export("1", "99", "--output", path).status == ExitCode.noInput)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "older")
        #expect(try files() == ["out.json"])
    }

    @Test func `places that are no files are refused in words`() throws {
        try fillPhotos()
        let folder = try export("--batch", "photos", "--output", site.folder)
        #expect(folder.status == ExitCode.usage && folder.errors.contains("is a folder"))
        let device = try export("--batch", "photos", "--output", "/dev/null")
        #expect(device.status == ExitCode.usage && device.errors.contains("no regular file"))
        let nowhere = try export("--batch", "photos", "--output", site.folder + "/no/such/out.json")
        #expect(nowhere.status == ExitCode.inputOutput && nowhere.errors.contains("folder"))
    }

    @Test func `what cannot be meant is refused`() throws {
        for (options, word) in [
            (["--last", "--format", "text"], "text"), (["--last", "--format", "yolo-txt"], "--output"),
            (["--last", "--save-conf"], "yolo-txt"), ([], "--batch"), (["--last", "--format", "yolo"], "yolo-txt"),
        ] as [([String], String)] {
            let result = try YoloqProcess.run(["export"] + options, at: site)
            #expect(result.status == ExitCode.usage && result.errors.contains(word), "\(options): \(result.errors)")
        }
    }

    @Test func `wait prints in any format when jobs have ended, and nothing if not asked to`() throws {
        try fillPhotos()
        let coco = try YoloqProcess.run("wait", "--batch", "photos", "--format", "coco", at: site)
        #expect(try coco.output == export("--batch", "photos", "--format", "coco").output)
        #expect(coco.output.hasPrefix("[{"))
        #expect(try YoloqProcess.run("wait", "--batch", "photos", at: site).output.isEmpty)
        #expect(try YoloqProcess.run("wait", "--batch", "photos", "--json", at: site).objects.count == 3)
    }

    // MARK: Memory

    /// The most memory that a run of the program held, in bytes.
    private func peak(_ arguments: String...) throws -> Int {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            [
                "python3", "-c",
                """
                import resource, subprocess, sys
                subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
                unit = 1 if sys.platform == "darwin" else 1024
                print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit)
                """,
                Checkout.executable.path,
            ] + arguments
        process.environment = site.environment
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return try #require(
            Int(String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
        )
    }

    @Test(.enabled(if: Checkout.hasPython, "needs python3"))
    func `ten times as many results take no more memory`() throws {
        // About 5 KB each, as text.
        let boxes = Array(repeating: storedBox("traffic light", at: (1.23456, 2.34567, 3.45678, 4.56789)), count: 40)
        let document = storedDocument(boxes.joined(separator: ","))
        for (batch, count) in [("few", 300), ("many", 3000)] {
            try fill(batch, (0..<count).map { ("/images/\(batch)-\($0).jpg", document) })
        }
        for format in ["coco", "yolo-txt"] {
            func peak(_ batch: String) throws -> Int {
                let path = "\(site.folder)/\(batch)-\(format)"
                return try self.peak("export", "--batch", batch, "--format", format, "--output", path)
            }
            let (few, many) = (try peak("few"), try peak("many"))
            #expect(many - few < 8 << 20, "\(format): \(few) bytes for 300, \(many) for 3000")
        }
    }
}
