// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import yoloq

/// `yoloq list`, as a user meets it; no job is run, so no engine is needed.
struct ListCommandTests {
    private let site: Site

    init() throws { site = try Site() }

    private func yoloq(_ arguments: String...) throws -> YoloqProcess.Result {
        try YoloqProcess.run(arguments, at: site)
    }

    private func submit(batch: String) throws {
        let submitted = try yoloq("submit", Checkout.samples, "--model", Checkout.demo, "--batch", batch)
        #expect(submitted.status == ExitCode.ok, "\(submitted.errors)")
    }

    @Test func `jobs come newest first, and pages follow each other while others are submitted`() throws {
        try submit(batch: "a")
        try submit(batch: "b")
        let whole = try yoloq("list", "--json", "--limit", "1000")
        #expect(whole.status == ExitCode.ok, "\(whole.errors)")
        let ids = whole.objects.compactMap { $0["job"] as? String }.compactMap(Int.init)
        #expect(ids == Array((1...ids.count).reversed()) && ids.count >= 4)
        for key in ["state", "model", "source", "submitted_at", "run_at"] {
            #expect(whole.objects.allSatisfy { $0[key] is String }, "\(key)")
        }
        for key in ["started_at", "finished_at", "error", "waits_for", "worker"] {
            #expect(whole.objects.allSatisfy { $0[key] is NSNull }, "\(key)")
        }
        var paged: [Int] = []
        while true {
            let after = paged.last.map { ["--after", String($0)] } ?? []
            let page = try YoloqProcess.run(["list", "--json", "--limit", "3"] + after, at: site)
            guard !page.objects.isEmpty else { break }
            paged += page.objects.compactMap { $0["job"] as? String }.compactMap(Int.init)
            if paged.count == 3 { try submit(batch: "c") }
        }
        #expect(paged == ids)
    }

    @Test func `filters choose, and what matches nothing is an empty list`() throws {
        try submit(batch: "a")
        try submit(batch: "b")
        let count = try yoloq("list", "--batch", "a", "--json").objects.count
        #expect(count > 0)
        #expect(try yoloq("list", "--batch", "a").lines.allSatisfy { $0.contains("queued") && $0.contains("shapes") })
        #expect(try yoloq("list", "--model", "shapes", "--state", "queued,running").lines.count == 2 * count)
        #expect(try yoloq("list", "--model", Checkout.demo).lines.count == 2 * count)
        for arguments in [["--state", "failed"], ["--batch", "none"], ["--model", "none"], ["--kind", "truncated"]] {
            let result = try YoloqProcess.run(["list"] + arguments, at: site)
            #expect(result.status == ExitCode.ok && result.output.isEmpty, "\(arguments)")
        }
    }

    @Test func `wrong arguments are refused with status 64`() throws {
        for arguments in [["--state", "lost"], ["--state", ""], ["--limit", "0"], ["--after", "x"]] {
            #expect(try YoloqProcess.run(["list"] + arguments, at: site).status == ExitCode.usage, "\(arguments)")
        }
        #expect(try yoloq("list").status == ExitCode.noInput, "there is no queue yet")
    }

    #if os(Linux)
        @Test func `on a terminal the next page is told as a command that a shell takes`() throws {
            try submit(batch: "it's night")
            let first = try YoloqProcess.onTerminal(#"list --batch "it's night" --limit 4"#, at: site)
            let next = try #require(first.split(whereSeparator: \.isNewline).last)
            #expect(next == "next: yoloq list --batch 'it'\\''s night' --limit 4 --after 3")
            let second = try YoloqProcess.onTerminal(String(next.dropFirst("next: yoloq ".count)), at: site)
            #expect(second.contains("that is all"))
            #expect(second.split(whereSeparator: \.isNewline).count == 3)
        }
    #endif

    @Test func `columns are as wide as their widest cell and empty ones fall away`() {
        #expect(JobTable.lines([["1", "", "a"], ["22", "", ""]]) == ["1   a", "22"])
        #expect(JobTable.lines([]).isEmpty)
    }
}
