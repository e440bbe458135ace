// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// What a writer tells sleeping processes.
public struct WakeKinds: OptionSet, Sendable, Hashable {
    /// The bits.
    public let rawValue: Int

    /// Makes a set from its bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// There may be a job to claim.
    public static let work = WakeKinds(rawValue: 1)
    /// A job has ended.
    public static let results = WakeKinds(rawValue: 2)
    /// A running job was cancelled: its worker shall look.
    public static let control = WakeKinds(rawValue: 4)
}

/// The sidecar file `<database>-wake`: three counters, for work, results and control.
///
/// Raised after COMMIT returned and before the write lock is released; a sleeping process watches the file, compares the
/// counters before and after a query that found nothing, and sleeps until one moves. Watching the write-ahead log instead
/// would wake it between the write and the fsync, before the row can be seen.
public struct WakeCounters: Sendable, Hashable {
    /// Raised whenever there may be a job to claim.
    public internal(set) var work: UInt64 = 0
    /// Raised whenever a job has ended.
    public internal(set) var results: UInt64 = 0
    /// Raised whenever a running job was cancelled.
    public internal(set) var control: UInt64 = 0

    /// The counters of a new queue.
    public init() {}
}

/// The open sidecar file.
final class WakeFile: Sendable {
    let path: String
    private let descriptor: Int32
    /// What the file holds, if no other process can have written it since.
    private let known = Locked<WakeCounters?>(nil)

    /// Opens the file, and makes it if it is missing.
    init(_ paths: QueuePaths) throws(JobsError) {
        path = paths.wake
        descriptor = try openSidecar(paths.wake)
    }

    deinit { close(descriptor) }

    /// Reads the counters; a new, empty file counts as zeros.
    func read() -> WakeCounters {
        var counters = WakeCounters()
        _ = withUnsafeMutableBytes(of: &counters) { pread(descriptor, $0.baseAddress, $0.count, 0) }
        return counters
    }

    /// Reads the file anew before the next write.
    ///
    /// Call it under the write lock if another process may have held it.
    func forget() { known.withLock { $0 = nil } }

    /// Raises the counters of the given kinds.
    ///
    /// Call it under the write lock.
    func raise(_ kinds: WakeKinds) {
        guard !kinds.isEmpty else { return }
        var counters = known.withLock(\.self) ?? read()
        if kinds.contains(.work) { counters.work &+= 1 }
        if kinds.contains(.results) { counters.results &+= 1 }
        if kinds.contains(.control) { counters.control &+= 1 }
        let count = withUnsafeBytes(of: counters) { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        known.withLock { $0 = count == MemoryLayout<WakeCounters>.size ? counters : nil }
    }
}
