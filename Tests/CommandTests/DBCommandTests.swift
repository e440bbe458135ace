// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

/// `yoloq db`, as a user meets it; no job is run, so no engine is needed.
struct DBCommandTests {
    private let site: Site

    init() throws { site = try Site() }

    private func yoloq(_ arguments: String...) throws -> YoloqProcess.Result {
        try YoloqProcess.run(arguments, at: site)
    }

    /// A folder with one picture under many names.
    private func folder(of count: Int) throws -> String {
        let folder = site.folder + "/many"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let sample = try #require(try FileManager.default.contentsOfDirectory(atPath: Checkout.samples).sorted().first)
        for index in 0..<count {
            try FileManager.default.createSymbolicLink(
                atPath: "\(folder)/\(index).jpg",
                withDestinationPath: Checkout.samples + "/" + sample
            )
        }
        return folder
    }

    @Test func `a backup beside a submitter holds all that was acknowledged before, and can be restored`() throws {
        let submit = try YoloqProcess(["submit", try folder(of: 5000), "--model", Checkout.demo], at: site)
        submit.wait { $0.outputSoFar.contains("\n") }
        let before = submit.outputSoFar.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let copy = site.folder + "/copy.db"
        let backup = try yoloq("db", "backup", copy, "--json")
        #expect(backup.status == ExitCode.ok, "\(backup.errors)")
        #expect(submit.finish().status == ExitCode.ok)

        let line = try #require(backup.objects.first)
        #expect(line["backup"] as? String == copy && line["bytes"] is Int && line["writers_waited_ms"] is NSNumber)
        let count = try #require(line["jobs"] as? Int)
        #expect(count >= before.count && !before.isEmpty)
        #expect(count % 500 == 0 || count == 5000, "whole transactions")

        let restored = try Site()
        try FileManager.default.copyItem(atPath: copy, toPath: restored.database)
        let check = try YoloqProcess.run("db", "check", "--json", at: restored)
        #expect(check.status == ExitCode.ok, "\(check.output)\(check.errors)")
        #expect(check.objects.last?["ok"] as? Bool == true)
        let jobs = try YoloqProcess.run("list", "--limit", "10000", "--json", at: restored).objects
        let ids = Set(jobs.compactMap { $0["job"] as? String })
        #expect(ids.count == count && ids.isSuperset(of: before.map(String.init)))
    }

    @Test func `an existing file is replaced only with --force`() throws {
        _ = try yoloq("submit", Checkout.samples, "--model", Checkout.demo)
        let copy = site.folder + "/copy.db"
        let text = try yoloq("db", "backup", copy)
        #expect(text.status == ExitCode.ok && text.output.contains("6 jobs") && text.output.contains("writers waited"))
        let again = try yoloq("db", "backup", copy)
        #expect(again.status == ExitCode.usage && again.errors.contains("--force"))
        #expect(try yoloq("db", "backup", copy, "--force").status == ExitCode.ok)
        #expect(try yoloq("db", "backup", site.database, "--force").status == ExitCode.usage)
    }

    @Test func `a falsified counter fails the check with status 74 and a word on what to do`() throws {
        _ = try yoloq("submit", Checkout.samples, "--model", Checkout.demo)
        #expect(try yoloq("db", "check").output.hasPrefix("ok"))
        let file = try DatabaseQueue(path: site.database)
        try file.inDatabase { try $0.execute(sql: "UPDATE model_counts SET queued = 5") }
        try file.close()
        let check = try yoloq("db", "check")
        #expect(check.status == ExitCode.inputOutput)
        #expect(check.output.contains(#"6 jobs of model "shapes" are queued, their counter says 5"#))
        #expect(check.output.contains("restore a backup"))
        let lines = try yoloq("db", "check", "--json").objects
        #expect(lines.count == 2 && lines[0]["advice"] is String && lines[1]["ok"] as? Bool == false)
    }

    @Test func `migrate tells from what to what`() throws {
        #expect(try yoloq("db", "migrate").status == ExitCode.noInput)
        let first = try String(contentsOf: Checkout.root.appending(path: "migrations/0001_queue.sql"), encoding: .utf8)
        let file = try DatabaseQueue(path: site.database)
        try file.inDatabase { database in
            try database.execute(sql: "PRAGMA auto_vacuum = 2; PRAGMA application_id = \(0x796F_6C71)")
            try database.execute(sql: "PRAGMA journal_mode = wal")
        }
        var migrator = DatabaseMigrator()
        migrator.registerMigration("0001_queue") { try $0.execute(sql: first) }
        try migrator.migrate(file)
        try file.close()
        let migrated = try yoloq("db", "migrate")
        #expect(migrated.status == ExitCode.ok, "\(migrated.errors)")
        #expect(migrated.output.contains("from 0001_queue to 0"))
        #expect(try yoloq("db", "migrate").output.contains("up to date"))
        #expect(try yoloq("db", "migrate", "--json").objects.first?["from"] as? String != "0001_queue")
    }

    @Test func `stats tell what the file holds`() throws {
        _ = try yoloq("submit", Checkout.samples, "--model", Checkout.demo, "--batch", "a")
        let stats = try #require(try yoloq("db", "stats", "--json").objects.first)
        #expect(stats["jobs"] as? Int == 6 && stats["batches"] as? Int == 1 && stats["schema"] is String)
        #expect(stats["journal_mode"] as? String == "wal" && stats["auto_vacuum"] as? String == "incremental")
        #expect(try yoloq("db", "stats").output.contains("6, 0 with a result"))
    }
}
