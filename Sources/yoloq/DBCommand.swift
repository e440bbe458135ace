// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqJobs
import YoloqVision

/// `yoloq db`: looks after the queue's file.
struct DBCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "db",
        abstract: "Migrate, back up, check and measure the queue's file.",
        subcommands: [Migrate.self, Backup.self, Check.self, Stats.self]
    )

    /// `yoloq db migrate`.
    struct Migrate: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "migrate",
            abstract: "Bring the file up to date.",
            discussion: "Every command does so when it opens the queue; this one does nothing else, and tells."
        )

        @OptionGroup var queueOptions: QueueOptions

        @Flag(help: "Print one line of JSON.")
        var json = false

        func run() throws {
            try queueOptions.withQueue(create: false) { queue in
                let before = queue.schemaBefore
                if json {
                    let line: JSONValue = ["from": before.json, "to": .string(JobQueue.schema)]
                    Console.print(line.description)
                } else if before == JobQueue.schema {
                    Console.print("\(queue.path) is up to date: \(JobQueue.schema)")
                } else {
                    Console.print("\(queue.path): from \(before ?? "nothing") to \(JobQueue.schema)")
                }
            }
        }
    }

    /// `yoloq db backup`.
    struct Backup: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "backup",
            abstract: "Copy the queue into a file while others go on working.",
            discussion: """
                The copy is one file, checked and safe on the disk when the command has ended. In it no job is running: those \
                that were are queued again. Writers wait while it is copied, which the command tells. To restore it: stop \
                all workers, remove the queue's file and its -wal and -shm, copy the backup there.
                """
        )

        @Argument(help: ArgumentHelp("The file to write.", valueName: "file"))
        var destination: String

        @OptionGroup var queueOptions: QueueOptions

        @Flag(help: "Replace the file if it is there.")
        var force = false

        @Flag(help: "Print one line of JSON.")
        var json = false

        func run() throws {
            try queueOptions.withQueue(create: false) { queue in
                let path = Installation.absolutePath(destination)
                var bar = ProgressBar("copying")
                defer { bar.finish() }
                let report = try queue.backup(to: path, isReplacing: force, now: .now()) { bar.update($0, of: $1) }
                bar.finish()
                if json {
                    let line: JSONValue = [
                        "backup": .string(report.path), "bytes": .int(report.byteCount),
                        "jobs": .int(report.counts.total), "requeued": .int(report.requeuedCount),
                        "writers_waited_ms": .double(report.lockedTime.milliseconds),
                    ]
                    Console.print(line.description)
                } else {
                    Console.print(
                        "\(report.path): \(counted(report.counts.total, "job")), \(report.byteCount.byteText), checked; "
                            + "\(report.requeuedCount) were running and are queued in it; writers waited "
                            + "\(report.lockedTime.milliseconds) ms"
                    )
                }
            }
        }
    }

    /// `yoloq db check`.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Check every page and row of the file.",
            discussion: """
                Works on a copy beside the file, which goes away by itself: it takes as much space as the file for a \
                while. Ends with 74 if something is wrong.
                """
        )

        @OptionGroup var queueOptions: QueueOptions

        @Flag(help: "Print a line of JSON for each finding, then one that sums up.")
        var json = false

        func run() throws {
            try queueOptions.withQueue(create: false) { queue in
                var bar = ProgressBar("copying")
                defer { bar.finish() }
                let report = try queue.check { bar.update($0, of: $1) }
                bar.finish()
                for finding in report.findings { show(finding) }
                sumUp(report, path: queue.path)
                guard report.findings.isEmpty else { throw CommandFailure(.inputOutput) }
            }
        }

        private func show(_ finding: CheckFinding) {
            if json {
                let line: JSONValue = ["finding": .string(finding.text), "advice": .string(finding.advice)]
                Console.print(line.description)
            } else {
                Console.print("NO  \(finding.text)\n    \(finding.advice)")
            }
        }

        private func sumUp(_ report: CheckReport, path: String) {
            let milliseconds = report.lockedTime.milliseconds
            if json {
                let line: JSONValue = [
                    "ok": .bool(report.findings.isEmpty), "findings": .int(report.findings.count),
                    "bytes": .int(report.byteCount), "writers_waited_ms": .double(milliseconds),
                ]
                Console.print(line.description)
            } else if report.findings.isEmpty {
                Console.print("ok  \(path): \(report.byteCount.byteText) checked; writers waited \(milliseconds) ms")
            }
        }
    }

    /// `yoloq db stats`.
    struct Stats: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "stats",
            abstract: "Show what the file holds and how it is set up.",
            discussion: "Costs the same in any queue: what would have to be counted is counted up to 10,000."
        )

        @OptionGroup var queueOptions: QueueOptions

        @Flag(help: "Print one line of JSON.")
        var json = false

        func run() throws {
            try queueOptions.withQueue(create: false) { queue in
                let stats = try queue.stats()
                if json {
                    Console.print(stats.json(path: queue.path).description)
                } else {
                    Console.print(queue.path)
                    JobTable.lines(stats.rows).forEach { Console.print("  \($0)") }
                }
            }
        }
    }
}

extension QueueStats {
    fileprivate func json(path: String) -> JSONValue {
        [
            "path": .string(path), "bytes": .int(byteCount), "wal_bytes": .int(logByteCount),
            "page_bytes": .int(pageByteCount), "pages": .int(pageCount), "free_pages": .int(freePageCount),
            "jobs": .int(counts.total), "results": .int(counts[.succeeded]), "models": .int(modelCount),
            "batches": .int(batchCount.value), "batches_bounded": .bool(batchCount.isBounded),
            "workers": .int(workerCount), "inputs": .int(inputCount.value),
            "inputs_bounded": .bool(inputCount.isBounded), "input_bytes": .int(inputByteCount),
            "oldest_job_at": oldestJobAt.json, "newest_job_at": newestJobAt.json, "schema": .string(schema),
            "auto_vacuum": .string(autoVacuum), "journal_mode": .string(journalMode),
            "sqlite": .string(JobQueue.sqliteVersion),
        ]
    }

    fileprivate var rows: [[String]] {
        func text(_ count: BoundedCount) -> String { count.isBounded ? "more than \(count.value)" : "\(count.value)" }
        let free = (freePageCount * pageByteCount).byteText
        return [
            ["file", "\(byteCount.byteText), its log \(logByteCount.byteText)"],
            ["pages", "\(pageCount) of \(pageByteCount) bytes, \(freePageCount) of them free (\(free))"],
            ["jobs", "\(counts.total), \(counts[.succeeded]) with a result"],
            ["inputs", "\(text(inputCount)) kept in the queue, \(inputByteCount.byteText)"],
            ["others", "\(modelCount) models, \(text(batchCount)) batches, \(workerCount) workers"],
            ["oldest", oldestJobAt?.text ?? "none"],
            ["newest", newestJobAt?.text ?? "none"],
            ["set up", "schema \(schema), auto_vacuum \(autoVacuum), journal_mode \(journalMode)"],
            ["SQLite", JobQueue.sqliteVersion],
        ]
    }
}

extension Int {
    /// A number of bytes for people: `512 B`, `1.5 MiB`.
    var byteText: String {
        var value = Double(self)
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(self) B" : String(format: "%.1f %@", value, units[unit] as NSString)
    }
}

extension Duration {
    /// Milliseconds with one decimal.
    var milliseconds: Double { (self / .microseconds(100)).rounded() / 10 }
}
