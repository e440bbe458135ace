// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What users say about their jobs, before and after they run; no worker needed.
struct ControlTests {
    private let site: Site
    private let image = Checkout.samples + "/shapes-1.jpg"

    init() throws { site = try Site() }

    @discardableResult
    private func yoloq(_ arguments: String..., input: Data? = nil) throws -> YoloqProcess.Result {
        let model = arguments.first == "submit" ? ["--model", Checkout.demo] : []
        return try YoloqProcess(arguments + model, at: site, input: input).finish()
    }

    private func status() throws -> [String: Any] {
        try #require(try yoloq("status", "--json").objects.first)
    }

    private func state(_ job: String) throws -> String? {
        try yoloq("status", job, "--json").objects.first?["state"] as? String
    }

    @Test func `a delayed job is scheduled, and delay and moment exclude each other`() throws {
        #expect(try yoloq("submit", image, "--delay", "1h").lines == ["1"])
        #expect(try yoloq("submit", image, "--at", "2999-01-01T00:00:00Z").lines == ["2"])
        #expect(try yoloq("submit", image, "--at", "2001-01-01 10:00").lines == ["3"])
        #expect(try status()["scheduled"] as? Int == 2)
        #expect(try status()["queued"] as? Int == 1)
        #expect(try yoloq("submit", image, "--delay", "1h", "--at", "10:00").status == ExitCode.usage)
        #expect(try yoloq("submit", image, "--at", "soon").status == ExitCode.usage)
    }

    @Test func `the same key gives the same job, and stands for one image only`() throws {
        let first = try yoloq("submit", image, "--key", "order 17", "--json").objects
        let second = try yoloq("submit", image, "--key", "order 17", "--json").objects
        #expect(first.first?["created"] as? Bool == true)
        #expect(second.first?["created"] as? Bool == false)
        #expect(first.first?["job"] as? String == second.first?["job"] as? String)
        #expect(second.last?["created"] as? Int == 0)
        #expect(try yoloq("submit", Checkout.samples, "--key", "many").status == ExitCode.usage)
        #expect(try status()["queued"] as? Int == 1)
    }

    @Test func `racing submitters of one key make one job`() throws {
        let runs = try (0..<8).map { _ in
            try YoloqProcess(["submit", image, "--key", "one", "--model", Checkout.demo, "--json"], at: site)
        }
        let results = runs.map { $0.finish() }
        #expect(results.allSatisfy { $0.status == ExitCode.ok }, "\(results.map(\.errors))")
        let lines = results.compactMap(\.objects.first)
        #expect(Set(lines.compactMap { $0["job"] as? String }).count == 1)
        #expect(lines.count { $0["created"] as? Bool == true } == 1)
    }

    @Test func `only the newest job of a source waits`() throws {
        for _ in 0..<3 { try yoloq("submit", image, "--latest", "camera 3") }
        #expect(try state("1") == "cancelled")
        #expect(try state("2") == "cancelled")
        #expect(try state("3") == "queued")
    }

    @Test func `a full queue refuses the whole submit and says how full it is`() throws {
        try yoloq("submit", Checkout.samples)
        let refused = try yoloq("submit", Checkout.samples, "--max-queued", "10")
        #expect(refused.status == ExitCode.tryLater)
        #expect(refused.errors.contains("6 jobs wait"))
        #expect(try status()["queued"] as? Int == 6)
        #expect(try yoloq("submit", Checkout.samples, "--max-queued", "12").status == ExitCode.ok)
    }

    @Test func `images come from lists, from folders below and from standard input`() throws {
        let samples = try FileManager.default.contentsOfDirectory(atPath: Checkout.samples)
            .filter { $0.hasSuffix(".jpg") || $0.hasSuffix(".png") }
        let paths = samples.map { Checkout.samples + "/" + $0 }
        let list = site.folder + "/list.txt"
        try paths.joined(separator: "\n").write(toFile: list, atomically: true, encoding: .utf8)
        #expect(try yoloq("submit", "--from-file", list).lines.count == samples.count)
        let names = Data(paths.joined(separator: "\0").utf8)
        #expect(try yoloq("submit", "--from-file", "-", "--null", input: names).lines.count == samples.count)
        let folder = URL(filePath: Checkout.samples).deletingLastPathComponent().path
        #expect(try yoloq("submit", folder).status == ExitCode.noInput)
        #expect(try yoloq("submit", folder, "--recursive").lines.count == samples.count)
        let bytes = try Data(contentsOf: URL(filePath: image))
        #expect(try yoloq("submit", "-", input: bytes).lines.count == 1)
        #expect(try yoloq("submit", "-").status == ExitCode.noInput)
        #expect(try yoloq("submit").status == ExitCode.usage)
    }

    @Test func `a missing name in a list refuses the whole submit unless it may be passed over`() throws {
        let names = Data("\(image)\n\n/none.jpg\n\(image)".utf8)
        let refused = try yoloq("submit", "--from-file", "-", input: names)
        #expect(refused.status == ExitCode.noInput)
        #expect(refused.errors.contains("/none.jpg"))
        #expect(!FileManager.default.fileExists(atPath: site.database))
        #expect(try yoloq("submit", "--from-file", "-", "--skip-missing", input: names).lines.count == 2)
    }

    @Test func `queued jobs are cancelled by id and by batch, and retried`() throws {
        try yoloq("submit", Checkout.samples, "--batch", "a")
        try yoloq("submit", image)
        #expect(try yoloq("cancel", "7").output.contains("1 job cancelled"))
        #expect(try yoloq("cancel", "7").output.contains("1 had ended before"))
        #expect(try yoloq("cancel", "--batch", "a", "--json").objects.first?["cancelled"] as? Int == 6)
        #expect(try yoloq("cancel", "99").status == ExitCode.noInput)
        #expect(try yoloq("cancel").status == ExitCode.usage)
        #expect(try yoloq("wait", "--batch", "a").status == ExitCode.jobFailed)
        #expect(try yoloq("retry", "--batch", "a").output.contains("0 jobs"))
        #expect(try yoloq("retry", "--batch", "a", "--cancelled").output.contains("6 jobs"))
        #expect(try status()["queued"] as? Int == 6)
    }

    @Test func `pruning deletes what has ended and nothing else`() throws {
        try yoloq("submit", Checkout.samples, "--batch", "a")
        try yoloq("submit", image)
        try yoloq("cancel", "--batch", "a")
        #expect(try yoloq("prune").output.contains("0 cancelled"))
        #expect(try yoloq("prune", "--older-than", "0s", "--state", "failed").output == "deleted 0 failed\n")
        #expect(try yoloq("prune", "--older-than", "0s").output.contains("6 cancelled"))
        #expect(try status()["queued"] as? Int == 1)
        #expect(try status()["cancelled"] as? Int == 0)
        #expect(try yoloq("status", "--batch", "a").status == ExitCode.noInput)
        #expect(try yoloq("prune", "--state", "running").status == ExitCode.usage)
    }

    @Test func `pauses are said, and each is taken back by itself`() throws {
        #expect(try yoloq("pause", "shapes").errors.contains("no job has asked for it yet"))
        try yoloq("submit", image)
        #expect(try yoloq("pause").errors.contains("the whole queue is paused"))
        #expect(try yoloq("resume").errors.contains("still paused: shapes"))
        #expect(try yoloq("resume", "shapes").errors.contains("goes on"))
        #expect(try yoloq("resume", "shapes").errors.contains("was not paused"))
    }

    @Test(arguments: [
        ["--max-attempts", "0"], ["--time-limit", "0s"], ["--batch", "17"], ["--null"], ["--delay", "5"],
    ])
    func `options that make no sense are refused before anything is stored`(options: [String]) throws {
        let result = try YoloqProcess.run(["submit", image, "--model", Checkout.demo] + options, at: site)
        #expect(result.status == ExitCode.usage)
        #expect(!FileManager.default.fileExists(atPath: site.database))
    }
}
