// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference
import YoloqJobs
import YoloqVision

/// What the latest jobs tell of a queue: rate, times and failures.
///
/// Reads five hundred jobs of each kind, whatever the queue holds.
struct RecentWork {
    /// How many jobs of each kind are looked at.
    static let count = 500

    /// The latest jobs with a result.
    let succeeded: [FinishedJob]
    /// The latest failed ones.
    let failed: [FinishedJob]
    /// When it was looked.
    let now: Timestamp

    /// Reads them.
    init(_ queue: JobQueue, now: Timestamp) throws(JobsError) {
        succeeded = try queue.recent(.succeeded, limit: RecentWork.count)
        failed = try queue.recent(.failed, limit: RecentWork.count)
        self.now = now
    }

    /// How fast the jobs of a kind have been done.
    func throughput(where isCounted: (FinishedJob) -> Bool = { _ in true }) -> Throughput? {
        Throughput(of: (succeeded + failed).lazy.filter(isCounted), now: now)
    }

    /// Failures by kind, the most frequent first.
    var failures: [(kind: String, count: Int)] {
        Dictionary(grouping: failed, by: { $0.errorKind ?? "" }).map { ($0.key, $0.value.count) }
            .sorted { ($1.count, $0.kind) < ($0.count, $1.kind) }
    }

    /// The times of the stages; empty if nothing has succeeded.
    var stages: [StageTimes] {
        // One that took over another job's result has no times of its own.
        let own = succeeded.filter { $0.startedAt != nil }
        let timings = ResultDocument.timings(decoding: own.compactMap(\.result))
        guard !timings.isEmpty else { return [] }
        var stages = StageTimes.names.map { name, part in StageTimes(name: name, timings.map { $0[keyPath: part] }) }
        guard timings.count == own.count else { return stages }
        let totals = zip(own, timings).map { job, timing in
            timing.queued + (job.startedAt.map { job.finishedAt - $0 } ?? .zero) / .milliseconds(1)
        }
        stages.append(StageTimes(name: "total", totals))
        return stages
    }
}

/// How long one stage took: half of the jobs no longer than `p50` and so on, in milliseconds.
struct StageTimes {
    /// The stages of `timing_ms`, in the order in which a job goes through them.
    static var names: [(String, KeyPath<ResultDocument.Timing, Double>)] {
        [
            ("queued", \.queued), ("load", \.load), ("decode", \.decode), ("preprocess", \.preprocess),
            ("inference", \.inference), ("postprocess", \.postprocess),
        ]
    }

    let name: String
    let p50: Double
    let p95: Double
    let p99: Double

    /// Takes the nearest ranks.
    ///
    /// - Parameters:
    ///   - name: The stage.
    ///   - milliseconds: At least one time.
    init(name: String, _ milliseconds: [Double]) {
        let sorted = milliseconds.sorted()
        func rank(_ share: Double) -> Double { sorted[max(Int((share * Double(sorted.count)).rounded(.up)) - 1, 0)] }
        self.name = name
        (p50, p95, p99) = (rank(0.5), rank(0.95), rank(0.99))
    }

    /// The three numbers, rounded to 3 decimals.
    var json: JSONValue {
        func rounded(_ value: Double) -> JSONValue { .double((value * 1000).rounded() / 1000) }
        return ["p50": rounded(p50), "p95": rounded(p95), "p99": rounded(p99)]
    }

    /// A row of a table.
    var cells: [String] { [name] + [p50, p95, p99].map { String(format: "%9.1f", $0) } }
}
