// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// One way to do a queue's work, for comparison with another one: the queue itself, or the bare statements.
///
/// A lane is used by the thread that made it.
package protocol BenchLane {
    /// A claimed job.
    associatedtype Held

    /// Submits jobs: a transaction for each 500.
    func submit(_ count: Int) throws

    /// Claims jobs in one transaction.
    func claim(_ limit: Int) throws -> [Held]

    /// Records a result for each of the jobs, in one transaction.
    func record(_ held: [Held]) throws
}

/// What part of a job's way is measured.
package enum BenchPart: String, Sendable, CaseIterable {
    /// Jobs are put in.
    case submit
    /// Jobs are claimed.
    case claim
    /// Results are stored.
    case record
    /// Claim and record, with jobs that wait already.
    case drain
    /// Submit, claim and record, over and over.
    case cycle
}

extension BenchLane {
    /// Does some work with and without looking at the clock.
    ///
    /// - Parameters:
    ///   - part: What to do on the clock; what it needs before is done off it.
    ///   - jobCount: How many jobs to do it with.
    ///   - batchCount: How many of them at a time.
    ///   - whenReady: Called when the clock is about to start.
    /// - Returns: The time it took.
    /// - Throws: What the lane throws.
    package func run(
        _ part: BenchPart,
        jobCount: Int,
        batchCount: Int,
        whenReady: () -> Void = {}
    ) throws -> Stretch {
        // Statements are prepared with their first use.
        try submit(batchCount)
        try record(try claim(batchCount))
        var held: [[Held]] = []
        held.reserveCapacity(jobCount / batchCount + 1)
        if part != .submit, part != .cycle { try submit(jobCount) }
        if part == .record { while case let some = try claim(batchCount), !some.isEmpty { held.append(some) } }
        whenReady()
        return try Stretch.measure {
            switch part {
            case .submit:
                for _ in 0..<jobCount / batchCount { try submit(batchCount) }
                return jobCount / batchCount * batchCount
            case .claim:
                while case let some = try claim(batchCount), !some.isEmpty { held.append(some) }
                return held.reduce(0) { $0 + $1.count }
            case .record:
                for some in held { try record(some) }
                return held.reduce(0) { $0 + $1.count }
            case .drain:
                var count = 0
                while case let some = try claim(batchCount), !some.isEmpty {
                    try record(some)
                    count += some.count
                }
                return count
            case .cycle:
                var count = 0
                for _ in 0..<jobCount / batchCount {
                    try submit(batchCount)
                    let some = try claim(batchCount)
                    try record(some)
                    count += some.count
                }
                return count
            }
        }
    }
}

/// A measured stretch of work.
package struct Stretch: Sendable, Hashable {
    /// How many jobs were dealt with.
    package let jobCount: Int
    /// The start, as `monotonicNanoseconds` gives it.
    package let start: Int64
    /// The end.
    package let end: Int64

    /// Describes a stretch that was measured elsewhere.
    package init(jobCount: Int, start: Int64, end: Int64) {
        self.jobCount = jobCount
        self.start = start
        self.end = end
    }

    /// Measures a piece of work that returns a number of jobs.
    static func measure(_ body: () throws -> Int) rethrows -> Stretch {
        let start = monotonicNanoseconds()
        let count = try body()
        return Stretch(jobCount: count, start: start, end: monotonicNanoseconds())
    }

    /// The jobs for each second.
    package var jobsPerSecond: Double { Double(jobCount) / (Double(end - start) / 1e9) }

    /// Joins stretches that ran side by side.
    package static func joining(_ parts: [Stretch]) -> Stretch {
        Stretch(
            jobCount: parts.reduce(0) { $0 + $1.jobCount },
            start: parts.map(\.start).min() ?? 0,
            end: parts.map(\.end).max() ?? 0
        )
    }
}

/// Reads the clock that all processes of a machine share and nobody sets.
package func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
