// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import YoloqJobs

/// 100,000 random operations, each done to the SQLite store and to the reference.
///
/// Four walks of 25,000, each from a seed of its own, which it prints. `YOLOQ_SEED=17 swift test --filter 'random
/// operations'` takes one walk again.
struct ModelBasedTests {
    private static let seeds: [UInt64] = {
        if let text = ProcessInfo.processInfo.environment["YOLOQ_SEED"], let seed = UInt64(text) { return [seed] }
        return (0..<4).map { _ in UInt64.random(in: 1...999_999_999) }
    }()

    @Test(arguments: seeds)
    func `random operations do to the queue what they do to the reference`(seed: UInt64) throws {
        print("YOLOQ_SEED=\(seed)")
        var options = JobQueue.Options()
        options.durability = .normal
        let folder = try TemporaryFolder(in: TemporaryFolder.memory)
        try withExtendedLifetime(folder) {
            let queue = try JobQueue(path: folder.path + "/queue.db", options: options)
            var walk = RandomWalk(on: queue, seed: seed)
            let result = Result { try walk.take(25_000) }
            try queue.close()
            try result.get()
            print("YOLOQ_SEED=\(seed): \(walk.summary)")
        }
    }
}
