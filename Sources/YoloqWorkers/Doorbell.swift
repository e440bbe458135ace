// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Where idle worker threads sleep.
///
/// A ring wakes one; whoever finds a job rings for the next.
///
/// Whoever wants to sleep takes the count of rings before it looks for work: a ring in between is not slept through.
final class Doorbell: @unchecked Sendable {
    // @unchecked because `rings` is touched only under `condition`.

    private let condition = NSCondition()
    private var rings: UInt64 = 0

    /// The number of rings so far.
    var count: UInt64 {
        condition.withLock { rings }
    }

    /// Wakes one sleeper.
    func ring() {
        condition.withLock {
            rings &+= 1
            condition.signal()
        }
    }

    /// Wakes all sleepers.
    func ringForAll() {
        condition.withLock {
            rings &+= 1
            condition.broadcast()
        }
    }

    /// Sleeps until a ring after the given count.
    ///
    /// The name is for profiles: time spent here is idle.
    func waitForWork(since seen: UInt64) {
        condition.withLock {
            // A condition may wake up without reason.
            while rings == seen { condition.wait() }
        }
    }
}
