// SPDX-License-Identifier: Apache-2.0

/// The number of a job: given at submit, unique in its database for ever.
public struct JobID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The row's id, from 1 upwards.
    public let rawValue: Int64

    /// Makes an id from its number.
    public init(rawValue: Int64) {
        self.rawValue = rawValue
    }

    /// Reads an id as people type it, such as `17`; nil if it is not a positive decimal number.
    public init?(_ text: some StringProtocol) {
        guard let number = Int64(text), number > 0, text.allSatisfy(\.isASCII), text.first != "+" else { return nil }
        rawValue = number
    }

    /// Decimal digits.
    public var description: String { String(rawValue) }

    /// Whether the left job was submitted before the right one.
    public static func < (left: JobID, right: JobID) -> Bool { left.rawValue < right.rawValue }
}

/// Where a job is on its way.
///
/// `scheduled` → `queued` → `running` → `succeeded`, `failed` or `cancelled`; a running job that is given back or
/// retried returns to `queued` or `scheduled`. Raw values are those of the `state` column.
public enum JobState: Int, Sendable, Hashable, CaseIterable {
    /// Not before a time: delayed at submit, or waiting to be tried again.
    case scheduled = 0
    /// Ready; the next free worker that serves its model takes it.
    case queued = 1
    /// Claimed by a worker.
    case running = 2
    /// Ended with a result.
    case succeeded = 3
    /// Ended for good with a reason: no attempt left, or not worth one.
    case failed = 4
    /// Ended because somebody asked for it.
    case cancelled = 5

    /// Whether the job has ended; such a job never changes state by itself again.
    public var isFinal: Bool { self == .succeeded || self == .failed || self == .cancelled }

    /// The state's name as users see it and as the counter columns are called.
    public var name: String { String(describing: self) }
}

/// The model a job asks for, as it was when the job was submitted.
public struct ModelReference: Sendable, Hashable {
    /// The name people use, such as `yolo11n`.
    public let name: String
    /// Absolute path of the file.
    public let path: String
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    public let sha256: String

    /// Names a model by its file.
    public init(name: String, path: String, sha256: String) {
        self.name = name
        self.path = path
        self.sha256 = sha256
    }
}

/// Why a job failed.
public struct JobFailure: Error, Sendable, Hashable {
    /// A short word that programs can switch on, such as `not_found` or `truncated`.
    public let kind: String
    /// A sentence for people: what was asked, what happened, what to do.
    public let message: String
    /// Whether running the same job again could help.
    public let isRetryable: Bool

    /// Describes a failure.
    public init(kind: String, message: String, isRetryable: Bool = false) {
        self.kind = kind
        self.message = message
        self.isRetryable = isRetryable
    }
}

/// How many jobs are in each state.
public struct JobCounts: Sendable, Hashable {
    /// By the states' raw values; the last two are unused.
    private var counts = SIMD8<Int>()

    /// No job in any state.
    public init() {}

    /// The number of jobs in a state.
    public subscript(state: JobState) -> Int {
        get { counts[state.rawValue] }
        set { counts[state.rawValue] = newValue }
    }

    /// All jobs.
    public var total: Int { counts.wrappedSum() }

    /// Jobs that have ended.
    public var finished: Int { self[.succeeded] + self[.failed] + self[.cancelled] }

    /// Jobs that have not ended.
    public var unfinished: Int { total - finished }

    /// Adds two counts, state by state.
    public static func + (left: JobCounts, right: JobCounts) -> JobCounts {
        var sum = left
        sum.counts &+= right.counts
        return sum
    }
}
