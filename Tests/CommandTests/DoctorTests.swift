// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

/// What `yoloq doctor` says about a queue; whether there is an engine does not matter here.
struct DoctorTests {
    private let site: Site

    init() throws {
        site = try Site()
        let submitted = try YoloqProcess.run("submit", Checkout.samples, "--model", Checkout.demo, at: site)
        #expect(submitted.status == ExitCode.ok, "\(submitted.errors)")
    }

    /// The text and grade of each finding of a kind.
    private func findings(_ check: String) throws -> [(text: String, grade: String)] {
        try YoloqProcess.run("doctor", "--json", at: site).objects.filter { $0["check"] as? String == check }
            .map { ($0["text"] as? String ?? "", $0["grade"] as? String ?? "") }
    }

    /// Changes the file while no process has it open.
    private func change(_ sql: String) throws {
        let file = try DatabaseQueue(path: site.database)
        try file.inDatabase { try $0.execute(sql: sql) }
        try file.close()
    }

    @Test func `a quiet queue is in order`() throws {
        for check in ["queue", "log", "lock", "files", "clock", "sqlite", "disk"] {
            #expect(try findings(check).map(\.grade) == ["good"], "\(check)")
        }
        #expect(try findings("queue").first?.text.contains("6 unfinished") == true)
    }

    #if os(Linux)
        @Test(.enabled(if: Checkout.hasPython, "needs python3"))
        func `a foreign program that holds a read transaction is named with what it does to the log`() throws {
            let reader = Process()
            reader.executableURL = URL(filePath: "/usr/bin/env")
            let script = """
                import os, sqlite3, sys
                connection = sqlite3.connect(sys.argv[1], isolation_level=None)
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM jobs").fetchall()
                print(os.getpid(), flush=True)
                sys.stdin.readline()
                connection.execute("COMMIT")
                print("idle", flush=True)
                sys.stdin.readline()
                """
            reader.arguments = ["python3", "-c", script, site.database]
            let (input, output) = (Pipe(), Pipe())
            reader.standardInput = input
            reader.standardOutput = output
            reader.standardError = output
            try reader.run()
            defer {
                try? input.fileHandleForWriting.close()
                reader.waitUntilExit()
            }
            func nextLine() -> String {
                var line = Data()
                while line.last != UInt8(ascii: "\n") {
                    let chunk = output.fileHandleForReading.availableData
                    // Nothing to read is the end only if the program has ended.
                    if chunk.isEmpty && !reader.isRunning { break }
                    line += chunk
                }
                return String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            }
            let pid = nextLine()
            let log = try #require(try findings("log").first)
            #expect(log.grade == "doubtful")
            #expect(log.text.contains("its WAL cannot shrink") && log.text.contains("until process \(pid) (python"))
            #expect(log.text.contains("ends its read transaction"))

            try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
            #expect(nextLine() == "idle")
            let later = try #require(try findings("log").first)
            #expect(later.grade == "good" && later.text.contains("also open in process \(pid) (python"))
        }

        @Test(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
        func `a worker beside is no foreigner, and a killed one is said to be dead`() throws {
            let worker = try YoloqProcess(["worker", "--threads", "1"], at: site)
            _ = try YoloqProcess.run("wait", "6", "--timeout", "300s", at: site)
            #expect(try findings("log").first?.text.contains("also open") == false)
            #expect(try findings("worker").isEmpty)
            worker.send(SIGKILL)
            _ = worker.finish()
            let dead = try #require(try findings("worker").first)
            #expect(dead.text.contains("is dead") && dead.text.contains("process \(worker.pid)"))
            #expect(dead.text.contains("it has no jobs") || dead.text.contains("yoloq worker"))
        }
    #endif

    @Test func `a clock that was set back and a pause in force are found`() throws {
        try change("UPDATE jobs SET created_at_us = created_at_us + 3600000000")
        try change("INSERT INTO pauses VALUES ('shapes', 1)")
        #expect(try findings("clock").first?.text.contains("the clock was set back") == true)
        let pause = try #require(try findings("pause").first)
        #expect(pause.text == "model shapes is paused: lift it with yoloq resume shapes" && pause.grade == "doubtful")
    }

    @Test func `a file that is no queue is broken`() throws {
        try Data("hello, this is no database at all".utf8).write(to: URL(filePath: site.database))
        #expect(try findings("queue").first?.grade == "broken")
        #expect(try findings("lock").count == 1, "what can be seen from the outside is told all the same")
    }
}
