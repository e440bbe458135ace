// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqJobs
import YoloqVision

/// `yoloq bench`: measures this machine.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what the queue and the work around the network cost on this machine.",
        subcommands: [BenchQueueCommand.self, BenchVisionCommand.self, BenchLaneCommand.self]
    )
}

/// `yoloq bench queue`: the queue beside a bare loop of the same SQL statements.
struct BenchQueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Measure the queue beside a bare loop of the same statements in C calls.",
        discussion: """
            Works on new queues in a temporary folder. The rates depend on the disk, on the machine and on its \
            neighbours: the ratio of two columns of one run is what says something about the queue. Rounds alternate; the \
            median of their ratios is printed with its range.
            """
    )

    @Option(help: ArgumentHelp("Where to make the temporary folder: the disk to measure.", valueName: "path"))
    var folder: String?

    @Option(help: ArgumentHelp("Jobs in a round, ten times as many where they go in batches.", valueName: "n"))
    var jobs = 2000

    @Option(help: ArgumentHelp("How many rounds.", valueName: "n"))
    var rounds = 5

    @Option(help: ArgumentHelp("Also measure a cycle beside this many finished jobs.", valueName: "n"))
    var stored = 0

    @Option(help: ArgumentHelp("The mean time between two jobs of a pickup, in milliseconds.", valueName: "ms"))
    var pause = 25

    @Option(
        help: "What to measure: submit, claim, record, cycle, drain, pickup, recovery; separated by commas.",
        transform: BenchSection.list
    )
    var parts = BenchSection.allCases

    @Option(help: "Measure only one durability: full or normal.", transform: QueueOptions.durability)
    var durability: Durability?

    @Flag(help: "Print a line of JSON for each measurement.")
    var json = false

    func validate() throws {
        guard jobs >= 100, rounds > 0, pause > 0, stored >= 0 else {
            throw ValidationError("--jobs is at least 100, --rounds and --pause at least 1, --stored at least 0")
        }
    }

    func run() throws {
        let base = folder.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory
        let home = base.appending(path: "yoloq-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: home) }
        let bench = Bench(folder: home, rounds: rounds)
        for plan in plans { show(try bench.compare(plan)) }
        for durability in durabilities where parts.contains(.pickup) {
            let lines = try bench.measurePickup(count: min(jobs, 300), pause: pause, durability: durability)
            for line in lines { show(line) }
        }
        for durability in durabilities where parts.contains(.recovery) {
            show(try bench.measureRecovery(count: min(jobs, 20), durability: durability))
        }
        if stored > 0 { for line in try bench.measureHistory(stored) { show(line) } }
    }

    private var durabilities: [Durability] { durability.map { [$0] } ?? Durability.allCases }

    private var plans: [BenchPlan] {
        durabilities.flatMap { durability in
            parts.flatMap { section in
                section.forms.map { form in
                    BenchPlan(
                        part: form.part,
                        durability: durability,
                        lanes: form.lanes,
                        jobCount: form.batchCount == 1 ? jobs : jobs * 10,
                        batchCount: form.batchCount
                    )
                }
            }
        }
    }

    private func show(_ line: any BenchLine) {
        Console.print(json ? line.json.description : line.text)
        // A round takes a while, and people watch.
        try? Console.flush()
    }
}

/// A group of measurements.
enum BenchSection: String, CaseIterable {
    case submit, claim, record, cycle, drain, pickup, recovery

    /// Parses a list of names.
    static func list(_ text: String) throws -> [BenchSection] {
        try text.split(separator: ",").map { name in
            guard let section = BenchSection(rawValue: String(name)) else {
                let names = allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--parts names \(names), not \"\(name)\"")
            }
            return section
        }
    }

    /// What is compared with the bare loop.
    var forms: [(part: BenchPart, lanes: BenchLanes, batchCount: Int)] {
        switch self {
        case .submit: [1, 100, JobQueue.submitChunkCount].map { (.submit, .threads(1), $0) }
        case .claim: [1, 100].map { (.claim, .threads(1), $0) }
        case .record: [1, 100].map { (.record, .threads(1), $0) }
        case .cycle:
            [.threads(1), .threads(2), .threads(4), .processes(2)].flatMap { lanes in
                [1, 100].map { (.cycle, lanes, $0) }
            }
        case .drain: [(.drain, .threads(2), 1), (.drain, .processes(2), 1)]
        case .pickup, .recovery: []
        }
    }
}

/// What does the work.
enum BenchLanes {
    case threads(Int)
    case processes(Int)

    var text: String {
        switch self {
        case .threads(1): "1 thread"
        case .threads(let count): "\(count) threads"
        case .processes(let count): "\(count) processes"
        }
    }
}

/// One comparison with the bare loop.
struct BenchPlan {
    let part: BenchPart
    let durability: Durability
    let lanes: BenchLanes
    let jobCount: Int
    let batchCount: Int
}

/// Something that was measured.
protocol BenchLine {
    var json: JSONValue { get }
    var text: String { get }
}

/// Middle and range of some numbers.
struct Spread {
    let median: Double
    let least: Double
    let greatest: Double

    /// Sums up at least one number.
    init(_ values: [Double]) {
        let sorted = values.sorted()
        median = sorted[sorted.count / 2]
        least = sorted[0]
        greatest = sorted[sorted.count - 1]
    }

    var json: JSONValue {
        .array([least, median, greatest].map { .double(($0 * 1000).rounded() / 1000) })
    }
}

/// The rates of the queue and of the bare loop.
struct Comparison: BenchLine {
    let plan: BenchPlan
    let jobCount: (queue: Int, bare: Int)
    let queue: Spread
    let bare: Spread
    let ratio: Spread

    var json: JSONValue {
        [
            "what": .string(plan.part.rawValue), "durability": .string(plan.durability.rawValue),
            "lanes": .string(plan.lanes.text), "batch": .int(plan.batchCount), "queue_jobs": .int(jobCount.queue),
            "bare_jobs": .int(jobCount.bare), "queue_jobs_per_s": queue.json, "bare_jobs_per_s": bare.json,
            "ratio": ratio.json,
        ]
    }

    var text: String {
        let name = plan.part.rawValue.padding(toLength: 7, withPad: " ", startingAt: 0)
        let lanes = plan.lanes.text.padding(toLength: 11, withPad: " ", startingAt: 0)
        return String(
            format: "%@ %@ %3d at a time, %@ queue %8.0f/s  bare %8.0f/s  ratio %.2f [%.2f to %.2f]",
            name as NSString,
            lanes as NSString,
            plan.batchCount,
            plan.durability.rawValue.padding(toLength: 6, withPad: " ", startingAt: 0) as NSString,
            queue.median,
            bare.median,
            ratio.median,
            ratio.least,
            ratio.greatest
        )
    }
}

/// How long something took, many times.
struct Latency: BenchLine {
    let what: String
    let durability: Durability?
    let microseconds: [Double]

    private func quantile(_ share: Double) -> Double {
        microseconds.sorted()[min(microseconds.count - 1, Int(Double(microseconds.count) * share))]
    }

    var json: JSONValue {
        func rounded(_ value: Double) -> JSONValue { .double(value.rounded()) }
        return [
            "what": .string(what), "durability": durability.map { .string($0.rawValue) } ?? .null,
            "count": .int(microseconds.count), "p50_us": rounded(quantile(0.5)), "p99_us": rounded(quantile(0.99)),
            "max_us": rounded(quantile(1)),
        ]
    }

    var text: String {
        let name = [what, durability?.rawValue].compactMap(\.self).joined(separator: ", ")
        return String(
            format: "%@  p50 %.0f us  p99 %.0f us  max %.0f us",
            name.padding(toLength: 36, withPad: " ", startingAt: 0) as NSString,
            quantile(0.5),
            quantile(0.99),
            quantile(1)
        )
    }
}

/// What one job costs beside a history.
struct HistoryLine: BenchLine {
    let storedCount: Int
    let cost: CycleCost

    var json: JSONValue {
        [
            "what": "history", "stored": .int(storedCount), "vm_steps": .int(cost.stepCount),
            "wal_frames": .int(cost.frameCount), "cycle_us": .double((Double(cost.nanoseconds) / 1000).rounded()),
        ]
    }

    var text: String {
        "a cycle beside \(storedCount) finished jobs: \(cost.stepCount) steps, \(cost.frameCount) frames, "
            + "\(cost.nanoseconds / 1000) us"
    }
}
