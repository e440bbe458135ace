// SPDX-License-Identifier: Apache-2.0

/// How fast jobs have been done lately.
public struct Throughput: Sendable, Hashable {
    /// Jobs that end in a second, while somebody works.
    public let jobsPerSecond: Double

    /// How far back jobs count.
    private static let window = Duration.seconds(60)
    /// A pause between two jobs that is taken for part of the work.
    private static let shortPause: Int64 = 1_000_000

    /// Measures the jobs that ended in the last minute.
    ///
    /// The time in which no job was under way for more than a second is left out: a queue that was empty for half of the
    /// minute is not half as fast. Of a job that was started before the minute the part inside it counts. Gives nil if no
    /// job ended in the last minute.
    ///
    /// - Parameters:
    ///   - jobs: The latest ones, in any order; those that ended without an attempt do not count.
    ///   - now: The time.
    public init?(of jobs: some Sequence<FinishedJob>, now: Timestamp) {
        let start = now.microseconds - Throughput.window.wholeMicroseconds
        let spans = jobs.compactMap { job -> (start: Int64, end: Int64)? in
            guard let startedAt = job.startedAt?.microseconds else { return nil }
            let end = job.finishedAt.microseconds
            // Clocks may have been set in between.
            guard end > start, end <= now.microseconds, startedAt <= end else { return nil }
            return (startedAt, end)
        }.sorted { $0.start < $1.start }
        guard !spans.isEmpty else { return nil }
        var count = 0.0
        var busy: Int64 = 0
        var reached: Int64?
        for span in spans {
            let inside = (start: max(span.start, start), end: span.end)
            count += span.start == span.end ? 1 : Double(inside.end - inside.start) / Double(span.end - span.start)
            let pause = reached.map { inside.start - $0 } ?? .max
            let from = pause <= Throughput.shortPause ? min(reached ?? inside.start, inside.end) : inside.start
            busy += max(inside.end - from, 0)
            reached = max(reached ?? inside.end, inside.end)
        }
        // Whatever the clock could not tell apart took a millisecond.
        jobsPerSecond = count / (Double(max(busy, 1000)) / 1e6)
    }

    /// How long a number of jobs takes at this rate.
    public func time(for count: Int) -> Duration { .seconds(Double(count) / jobsPerSecond) }
}
