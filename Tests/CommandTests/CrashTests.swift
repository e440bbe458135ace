// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

/// Workers that are killed, suspended, or die of what they run.
@Suite(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"), .serialized)
struct CrashTests {
    private let site: Site
    private let quickly = ["--model", Checkout.demo, "--imgsz", "32"]
    /// An input that takes the engine long enough to be caught at it.
    private let slowly = ["--model", Checkout.demo, "--imgsz", "3840"]
    private let image = Checkout.samples + "/shapes-1.jpg"

    init() throws { site = try Site() }

    private func status() throws -> [String: Any] {
        try #require(try YoloqProcess.run("status", "--json", at: site).objects.first)
    }

    private func waitUntilRunning(_ count: Int) throws {
        while try status()["running"] as? Int ?? 0 < count { usleep(10_000) }
    }

    /// Builds a library that ends a process with a signal when it opens a file whose name says so.
    private func buildPoison() throws -> String {
        let source = site.folder + "/poison.c"
        let library = site.folder + "/libpoison.so"
        try """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <stdarg.h>
        #include <string.h>
        static int guarded(const char *name, const char *path, int flags, int mode) {
            if (strstr(path, "poisoned")) *(volatile int *)8 = 0;
            int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
            return next(path, flags, mode);
        }
        #define GUARD(name) int name(const char *path, int flags, ...) { \\
            va_list list; va_start(list, flags); int mode = va_arg(list, int); va_end(list); \\
            return guarded(#name, path, flags, mode); }
        GUARD(open)
        GUARD(open64)
        """.write(toFile: source, atomically: true, encoding: .utf8)
        let clang = Process()
        clang.executableURL = URL(filePath: "/usr/bin/env")
        clang.arguments = ["clang", "-shared", "-fPIC", "-o", library, source, "-ldl"]
        try clang.run()
        clang.waitUntilExit()
        try #require(clang.terminationStatus == 0)
        return library
    }

    #if os(Linux)
        @Test func `an image that kills its process is found out, and its neighbours succeed`() throws {
            let poisoned = site.folder + "/poisoned.jpg"
            try FileManager.default.copyItem(atPath: image, toPath: poisoned)
            // First in the queue, so that its neighbours run beside it and after it.
            _ = try YoloqProcess.run(["submit", poisoned, "--priority", "1"] + quickly, at: site)
            _ = try YoloqProcess.run(["submit", Checkout.samples, "--batch", "good"] + quickly, at: site)
            let environment = ["LD_PRELOAD": try buildPoison(), "SWIFT_BACKTRACE": "enable=no"]
            let first = try YoloqProcess.run(
                "worker",
                "--threads",
                "2",
                "--until-empty",
                at: site,
                environment: environment
            )
            #expect(first.status == SIGSEGV)
            let second = try YoloqProcess.run(
                "worker",
                "--threads",
                "2",
                "--until-empty",
                at: site,
                environment: environment
            )
            #expect(second.status == ExitCode.ok, "\(second.errors)")
            let good = try YoloqProcess.run("result", "--batch", "good", "--json", at: site)
            #expect(good.status == ExitCode.ok)
            let result = try YoloqProcess.run("result", "1", "--attempts", "--json", at: site)
            let error = try #require(result.objects.first?["error"] as? [String: Any])
            #expect(error["kind"] as? String == "crashed")
            let message = try #require(error["message"] as? String)
            #expect(message.contains("signal 11"))
            let digest = try #require(good.objects.first?["image"] as? [String: Any])["sha256"] as? String
            #expect(message.contains(try #require(digest)))
            let history = try #require(result.objects.first?["history"] as? [[String: Any]])
            #expect(history.compactMap { $0["outcome"] as? String } == ["crash", "crash"])

            // Once the cause is gone, a retry is all it takes.
            _ = try YoloqProcess.run("retry", "--kind", "crashed", at: site)
            _ = try YoloqProcess.run("worker", "--threads", "1", "--until-empty", at: site)
            #expect(try YoloqProcess.run("result", "1", at: site).status == ExitCode.ok)
        }
    #endif

    @Test func `a worker that is suspended for longer than its lease loses its job and stops`() throws {
        _ = try YoloqProcess.run(["submit", image] + slowly, at: site)
        let sleeper = try YoloqProcess(["worker", "--threads", "1"], at: site)
        try waitUntilRunning(1)
        sleeper.send(SIGSTOP)
        let other = try YoloqProcess(["worker", "--threads", "1"], at: site)
        #expect(try YoloqProcess.run("wait", "1", "--timeout", "120s", at: site).status == ExitCode.ok)
        let before = try YoloqProcess.run("result", "1", "--attempts", "--json", at: site).objects.first
        sleeper.send(SIGCONT)
        let result = sleeper.finish()
        #expect(result.status == ExitCode.inputOutput, "\(result.errors)")
        #expect(result.errors.contains("others take it for dead"))
        let after = try YoloqProcess.run("result", "1", "--attempts", "--json", at: site).objects.first
        #expect(before?["worker"] as? String == after?["worker"] as? String)
        #expect(before?["finished_at"] as? String == after?["finished_at"] as? String)
        let history = try #require(after?["history"] as? [[String: Any]])
        #expect(history.compactMap { $0["outcome"] as? String } == ["rescued", "succeeded"])
        other.send(SIGTERM)
        #expect(other.finish().status == ExitCode.ok)
    }

    @Test func `a running job is cancelled and its worker goes on`() throws {
        _ = try YoloqProcess.run(["submit", image] + slowly, at: site)
        _ = try YoloqProcess.run(["submit", image] + quickly, at: site)
        let worker = try YoloqProcess(["worker", "--threads", "1"], at: site)
        try waitUntilRunning(1)
        #expect(try YoloqProcess.run("cancel", "1", at: site).status == ExitCode.ok)
        #expect(try YoloqProcess.run("wait", "2", "--timeout", "120s", at: site).status == ExitCode.ok)
        worker.send(SIGTERM)
        #expect(worker.finish().status == ExitCode.ok)
        #expect(
            try YoloqProcess.run("status", "1", "--json", at: site).objects.first?["state"] as? String == "cancelled"
        )
    }

    @Test func `kills at random moments lose nothing and nothing runs twice`() throws {
        // The long form that the figures in the notes come from: YOLOQ_STORM_KILLS=200.
        let environment = ProcessInfo.processInfo.environment
        let kills = environment["YOLOQ_STORM_KILLS"].flatMap(Int.init) ?? 30
        var random = SeededRandom(environment["YOLOQ_SEED"].flatMap(UInt64.init) ?? .random(in: 0...9_999_999))
        print("storm of \(kills) kills, YOLOQ_SEED=\(random.seed)")
        var storm = try Storm(site: site, submit: ["submit"] + quickly + ["--from-file", try list(of: 40)])
        for _ in 0..<kills {
            usleep(.random(in: 20_000...700_000, using: &random))
            try storm.kill(using: &random)
        }
        let (acknowledged, deaths) = try storm.end()

        let database = try DatabaseQueue(path: site.database)
        defer { #expect(throws: Never.self) { try database.close() } }
        let (integrity, states, wrongCounts, workers, attempts) = try database.read { database in
            (
                try String.fetchOne(database, sql: "PRAGMA integrity_check"),
                try Dictionary(
                    uniqueKeysWithValues: Row.fetchAll(
                        database,
                        sql: "SELECT id, state, (SELECT count(*) FROM results WHERE job_id = jobs.id) FROM jobs"
                    ).map { ($0[0] as Int, [$0[1] as Int, $0[2] as Int]) }
                ),
                try Int.fetchOne(
                    database,
                    sql: """
                        SELECT count(*) FROM model_counts WHERE succeeded <> (SELECT count(*) FROM jobs WHERE state = 3)
                            OR queued + scheduled + running + failed + cancelled <> 0
                        """
                ),
                try Int.fetchOne(database, sql: "SELECT count(*) FROM workers"),
                try Row.fetchAll(database, sql: "SELECT worker_id, ended_at_us FROM attempts WHERE outcome = 'crash'")
            )
        }
        #expect(integrity == "ok")
        // Everything acknowledged has exactly one outcome, and so has everything else that got in.
        #expect(acknowledged.allSatisfy { states[$0] == [3, 1] })
        #expect(states.values.allSatisfy { $0 == [3, 1] })
        #expect(wrongCounts == 0)
        #expect(workers == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.database + "-workers").isEmpty)
        let rescues = attempts.compactMap { row in
            deaths[row["worker_id"]].map { Double((row["ended_at_us"] as Int64) - $0) / 1e6 }
        }.sorted()
        #expect(!rescues.isEmpty)
        func quantile(_ share: Double) -> Double { rescues[min(rescues.count - 1, Int(share * Double(rescues.count)))] }
        print(
            "\(kills) kills: \(acknowledged.count) acknowledged, \(states.count) succeeded once; \(rescues.count) rescues after "
                + String(format: "p50 %.2f, p99 %.2f, max %.2f s", quantile(0.5), quantile(0.99), quantile(1))
        )
    }

    /// A list with one picture many times.
    private func list(of count: Int) throws -> String {
        let path = site.folder + "/list.txt"
        try Array(repeating: image, count: count).joined(separator: "\n")
            .write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }
}

/// Submitters and workers that are killed and started anew.
private struct Storm {
    private let site: Site
    private let submit: [String]
    private var submitters: [YoloqProcess] = []
    private var workers: [YoloqProcess] = []
    private var acknowledged: Set<Int> = []
    /// When workers were killed, by pid, in microseconds since 1970 UTC.
    private var killedAt: [Int32: Int64] = [:]

    init(site: Site, submit: [String]) throws {
        self.site = site
        self.submit = submit
        for _ in 0..<2 {
            try submitters.append(YoloqProcess(submit, at: site))
            try workers.append(YoloqProcess(["worker", "--threads", "2"], at: site))
        }
    }

    /// Kills one process and starts another in its place; submitters that have ended are replaced too.
    mutating func kill(using random: inout SeededRandom) throws {
        if Int.random(in: 0..<4, using: &random) == 0 {
            let victim = submitters.removeFirst()
            victim.send(SIGKILL)
            note(victim.finish())
            try submitters.append(YoloqProcess(submit, at: site))
        } else {
            let victim = workers.remove(at: .random(in: 0..<workers.count, using: &random))
            // One that has not started yet would tell nothing.
            victim.wait { $0.errorsSoFar.contains("ready") }
            victim.send(SIGKILL)
            killedAt[victim.pid] = Int64(Date().timeIntervalSince1970 * 1e6)
            _ = victim.finish()
            try workers.append(YoloqProcess(["worker", "--threads", "2"], at: site))
            // More work, so that the next victim has some.
            note(submitters.removeFirst().finish())
            try submitters.append(YoloqProcess(submit, at: site))
        }
    }

    private mutating func note(_ result: YoloqProcess.Result) {
        // The last line of a killed process may be cut.
        let whole = result.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        acknowledged.formUnion(whole.compactMap { Int($0) })
    }

    /// Lets everything come to its end.
    ///
    /// - Returns: The acknowledged jobs, and when workers died, by their ids.
    mutating func end() throws -> (acknowledged: Set<Int>, deaths: DeathTimes) {
        for submitter in submitters { note(submitter.finish()) }
        _ = try YoloqProcess.run("worker", "--threads", "2", "--until-empty", at: site)
        for worker in workers { worker.send(SIGTERM) }
        for worker in workers { #expect(worker.finish().status == ExitCode.ok) }
        // What the last ones gave back.
        _ = try YoloqProcess.run("worker", "--threads", "2", "--until-empty", at: site)
        return (acknowledged, DeathTimes(killedAt: killedAt))
    }
}

/// Looks up by a worker's id when its process was killed.
private struct DeathTimes {
    let killedAt: [Int32: Int64]

    /// The id is host, process and a random part, with dashes between.
    subscript(worker: String) -> Int64? {
        let parts = worker.split(separator: "-")
        guard parts.count >= 3, let pid = Int32(parts[parts.count - 2]) else { return nil }
        return killedAt[pid]
    }
}

/// SplitMix64: random numbers that a seed gives again.
private struct SeededRandom: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(_ seed: UInt64) {
        self.seed = seed
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
