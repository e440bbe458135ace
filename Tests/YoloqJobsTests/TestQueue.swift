// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

@testable import YoloqJobs

/// A folder that goes away with its owner.
final class TemporaryFolder: Sendable {
    let path: String

    /// Memory that looks like a disk, where there is one: there a sync costs nothing.
    static let memory = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm/" : NSTemporaryDirectory()

    init(in parent: String = NSTemporaryDirectory()) throws {
        path = parent + "yoloq-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Opens a queue in a new folder, runs the body, closes the queue, always.
func withQueue<R>(
    options: JobQueue.Options = JobQueue.Options(),
    in parent: String = NSTemporaryDirectory(),
    _ body: (JobQueue) throws -> R
) throws -> R {
    let folder = try TemporaryFolder(in: parent)
    return try withExtendedLifetime(folder) {
        let queue = try JobQueue(path: folder.path + "/queue.db", options: options)
        let result = Result {
            try queue.addTestWorker()
            return try body(queue)
        }
        try queue.close()
        return try result.get()
    }
}

/// Repeatable randomness (SplitMix64), so that a failure can be run again from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A fixed moment; tests move away from it.
let noon = Timestamp(microseconds: 1_800_000_000_000_000)

/// A model that no file stands for: the queue does not look.
func model(_ name: String = "net") -> ModelReference {
    ModelReference(name: name, path: "/models/\(name).onnx", sha256: String(repeating: "a", count: 64))
}

/// Jobs named after their number.
func requests(_ count: Int, model name: String = "net", batch: String? = nil, priority: Int = 0) -> [JobRequest] {
    (0..<count).map {
        JobRequest(model: model(name), source: "/images/\($0).jpg", batch: batch, priority: priority)
    }
}

extension JobQueue {
    /// The rows of all models.
    func allModels() throws -> [Int64] { try models().map(\.id) }

    /// Puts a worker called `w` on the list, without a process behind it.
    func addTestWorker() throws {
        try write("add a worker", durability: .normal) { database in
            try database.execute(
                sql: """
                    INSERT INTO workers (id, host, boot_id, pid, threads, started_at_us, lease_expires_at_us)
                    VALUES ('w', 'elsewhere', 'none', 1, 1, 1, 1)
                    """
            )
            return ((), [])
        }
    }

    /// Claims for the worker called `w`, serving everything.
    func claimAny(limit: Int = 1, loaded: Int64? = nil, now: Timestamp = noon) throws -> [Claim] {
        try claim(limit: limit, models: allModels(), loaded: loaded, worker: "w", now: now)
    }

    /// Counts the rows themselves, state by state, for comparison with the counters.
    func countRows() throws -> JobCounts {
        try read("count rows") { database in
            var counts = JobCounts()
            for state in JobState.allCases {
                counts[state] =
                    try Int.fetchOne(
                        database,
                        sql: "SELECT count(*) FROM jobs WHERE state = ?",
                        arguments: [state.rawValue]
                    ) ?? 0
            }
            return counts
        }
    }
}
