// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing
import YoloqJobs

/// A command whose output nobody reads keeps nobody from anything: writers go on, and the log stays as short as ever.
///
/// The jobs are run by the test itself, so no engine is needed.
@Suite(.serialized)
struct StalledOutputTests {
    private let site: Site
    private let queue: JobQueue
    private let now = Timestamp.now()

    /// Jobs of the batch `done`: each has a result of some kilobytes and a try that failed before.
    private static let finishedCount = 400
    /// Jobs of the newest submit: they wait.
    private static let waitingCount = 2500
    private static let modelCount = 150

    init() throws {
        site = try Site()
        var options = JobQueue.Options()
        options.durability = .normal
        queue = try JobQueue(path: site.database, options: options)
    }

    /// A line or more of text for every record: what a pipe takes is soon full.
    private func model(_ number: Int) -> ModelReference {
        let name = "net\(number)-" + String(repeating: "x", count: 600)
        return ModelReference(name: name, path: "/models/\(name).onnx", sha256: String(repeating: "a", count: 64))
    }

    private func fill() throws {
        var retry = RetryPolicy()
        retry.firstDelay = .zero
        let finished = (0..<Self.finishedCount).map { number in
            var request = JobRequest(model: model(number % Self.modelCount), source: "/images/\(number).jpg")
            request.batch = "done"
            request.retry = retry
            return request
        }
        try queue.submit(finished, now: now) { _ in }
        let worker = try queue.addWorker(threads: 1, serves: nil, now: now)
        let failure = JobFailure(kind: "unreadable", message: String(repeating: "why ", count: 50), isRetryable: true)
        try run(as: worker, .failed(failure))
        while try queue.promote(now: now + .seconds(1)) > 0 {}
        #expect(try run(as: worker, .succeeded(result: Self.document)) == Self.finishedCount)
        _ = try queue.removeWorker(worker, now: now)
        let waiting = (0..<Self.waitingCount).map { JobRequest(model: model(0), source: "/images/later-\($0).jpg") }
        try queue.submit(waiting, now: now + .seconds(1)) { _ in }
    }

    /// Runs all that waits.
    @discardableResult
    private func run(as worker: WorkerLock, _ ending: Outcome.Ending) throws -> Int {
        var count = 0
        for model in try queue.models() {
            while true {
                let claims = try queue.claim(
                    limit: 100,
                    models: [model.id],
                    worker: worker.worker,
                    now: now + .seconds(1)
                )
                guard !claims.isEmpty else { break }
                count += claims.count
                _ = try queue.record(claims.map { Outcome($0, ending, at: now) }, jitter: { 0 })
            }
        }
        return count
    }

    /// What a worker writes, with 20 boxes.
    private static let document: String = {
        let box = #"{"x1":15.44,"y1":230.5,"x2":801.3,"y2":740.35}"#
        let prediction = #"{"name":"bus","class":5,"confidence":0.89772,"box":\#(box)}"#
        return """
            {"task":"detect","image":{"width":810,"height":1080,"sha256":"\(String(repeating: "b", count: 64))"},\
            "warnings":[],"predictions":[\(Array(repeating: prediction, count: 20).joined(separator: ","))],\
            "provenance":{"model_sha256":"\(String(repeating: "a", count: 64))","engine":"none","precision":"f32",\
            "input":[640,640],"letterbox":"full"},"timing_ms":{"queued":0,"load":0,"decode":0,"preprocess":0,\
            "inference":0,"postprocess":0}}
            """
    }()

    // MARK: The log

    /// A page and the header in front of it.
    private static let frameByteCount = 4096 + 24
    /// Where a checkpoint is due, and what the largest transactions here add to it while a short read puts it off.
    private static let logLimit = (JobQueue.Options().checkpointFrameCount + 1000) * frameByteCount

    private func logByteCount() throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: site.database + "-wal")[.size] as? Int)
    }

    /// How often the log was begun anew: the checkpoint sequence number in its header
    /// (sqlite.org/fileformat.html#the_write_ahead_log).
    private func logRound() throws -> UInt32 {
        let file = try FileHandle(forReadingFrom: URL(filePath: site.database + "-wal"))
        defer { try? file.close() }
        let header = try file.read(upToCount: 16) ?? Data()
        return header.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Writes until the log has been begun anew several times; false if it has grown beyond its limit instead.
    private func writeRounds(_ count: UInt32) throws -> Bool {
        let first = try logRound()
        while try logRound() < first + count {
            // Rewrites the rows of all models.
            try queue.pause(.everything, now: now)
            try queue.resume(.everything)
            guard try logByteCount() <= Self.logLimit else { return false }
        }
        return true
    }

    /// Writes while commands wait for somebody to read what they print.
    private func stall(_ commands: [YoloqProcess]) throws {
        for command in commands {
            while command.isRunning, !command.isStalled { usleep(1000) }
        }
        let isBounded = try writeRounds(3)
        let frameCount = try logByteCount() / Self.frameByteCount
        #expect(isBounded, "the log has \(frameCount) frames")
        for command in commands { #expect(command.isRunning && command.isStalled) }
    }

    private func withFilledQueue(_ body: () throws -> Void) throws {
        let result = Result {
            try fill()
            try body()
        }
        try queue.close()
        try result.get()
    }

    // MARK: The commands

    /// Commands that print more than a pipe takes, and how many lines that is.
    private static let commands: [(words: String, lineCount: ClosedRange<Int>)] = [
        ("result --batch done", 21 * finishedCount...21 * finishedCount),
        ("result --batch done --format json", finishedCount + 1...finishedCount + 1),
        ("result --batch done --format jsonl", finishedCount...finishedCount),
        ("result --batch done --format ultralytics", finishedCount...finishedCount),
        ("result --batch done --json --attempts", finishedCount...finishedCount),
        ("wait --batch done --json", finishedCount...finishedCount),
        ("export --batch done", finishedCount...finishedCount),
        ("export --batch done --format coco", 20 * finishedCount + 1...20 * finishedCount + 1),
        ("list --limit 2000", 2000...2000),
        ("list --limit 2000 --json", 2000...2000),
        ("list --limit 2000 --state succeeded --json", finishedCount...finishedCount),
        ("status", modelCount...modelCount + 50),
        ("status --json", 1...1),
        ("status --last --json", waitingCount...waitingCount),
    ]

    @Test func `commands whose output nobody reads let the log be used anew`() throws {
        try withFilledQueue {
            let processes = try Self.commands.map { words, _ in
                try YoloqProcess(words.split(separator: " ").map(String.init), at: site, stallsOutput: true)
            }
            try stall(processes)
            for (process, (words, lineCount)) in zip(processes, Self.commands) {
                let result = process.finish()
                #expect(result.status == ExitCode.ok, "\(words): \(result.errors)")
                #expect(lineCount.contains(result.lines.count), "\(words): \(result.lines.count) lines")
            }
        }
    }

    @Test func `a read transaction that is left open would be noticed`() throws {
        try withFilledQueue {
            let reader = try DatabaseQueue(path: site.database)
            let isBounded = try reader.inDatabase { database in
                try database.execute(sql: "BEGIN")
                _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs")
                defer { try? database.execute(sql: "COMMIT") }
                return try writeRounds(3)
            }
            #expect(!isBounded)
            try reader.close()
        }
    }

    private func submission(of count: Int, _ options: String...) throws -> YoloqProcess {
        let list = site.folder + "/list.txt"
        try Array(repeating: Checkout.samples + "/shapes-1.jpg", count: count).joined(separator: "\n")
            .write(toFile: list, atomically: true, encoding: .utf8)
        let words = ["submit", "--from-file", list, "--model", Checkout.demo, "--batch", "new", "--json"]
        return try YoloqProcess(words + options, at: site, stallsOutput: true)
    }

    @Test func `a submit whose output nobody reads lets others write`() throws {
        try withFilledQueue {
            let process = try submission(of: 3000)
            try stall([process])
            let result = process.finish()
            #expect(result.status == ExitCode.ok, "\(result.errors)")
            #expect(result.lines.count == 3001)
            #expect(try queue.counts(ofBatch: "new")?.total == 3000)
        }
    }

    @Test func `a submit that waits and whose output nobody reads lets others write`() throws {
        try withFilledQueue {
            // More lines than a pipe takes are only of results.
            let process = try submission(of: 200, "--wait")
            while process.isRunning, try queue.counts(ofBatch: "new")?.total != 200 { usleep(1000) }
            let worker = try queue.addWorker(threads: 1, serves: nil, now: now)
            try run(as: worker, .succeeded(result: Self.document))
            _ = try queue.removeWorker(worker, now: now)
            try stall([process])
            let result = process.finish()
            #expect(result.status == ExitCode.ok, "\(result.errors)")
            #expect(result.objects.count { $0["predictions"] is [Any] } == 200)
        }
    }

    // MARK: Several processes

    @Test func `the log stays bounded while processes submit, cancel, list and prune at once`() throws {
        try withFilledQueue {
            let list = site.folder + "/list.txt"
            try Array(repeating: Checkout.samples + "/shapes-1.jpg", count: 8000).joined(separator: "\n")
                .write(toFile: list, atomically: true, encoding: .utf8)
            let submit = ["submit", "--from-file", list, "--model", Checkout.demo, "--durability", "normal"]
            var processes = try (1...3).map { try YoloqProcess(submit + ["--batch", "b\($0)"], at: site) }
            let first = try logRound()
            var longest = 0
            var round = 0
            while processes.prefix(3).contains(where: \.isRunning) || round < 3 {
                round += 1
                let others = [
                    "list --limit 1000 --json", "cancel --batch b\(round)", "prune --older-than 0s", "status",
                ]
                processes += try others.map {
                    try YoloqProcess($0.split(separator: " ").map(String.init), at: site)
                }
                while processes.dropFirst(3).contains(where: \.isRunning) {
                    try queue.pause(.everything, now: now)
                    try queue.resume(.everything)
                    longest = max(longest, try logByteCount())
                }
            }
            for process in processes {
                let result = process.finish()
                // A batch that is not there, or not there any more.
                #expect([ExitCode.ok, ExitCode.noInput].contains(result.status), "\(result.errors)")
            }
            #expect(longest <= Self.logLimit, "\(longest / Self.frameByteCount) frames")
            // Begun anew, or cut to nothing.
            let last = try logRound()
            #expect(last != first)
        }
        let file = try DatabaseQueue(path: site.database)
        #expect(try file.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
        try file.close()
    }
}
