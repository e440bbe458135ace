// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Lets one thread of this process through at a time.
///
/// A thread that finds the gate open goes through, even if others wait: they look again every 150 µs, and waking one of them
/// at each opening would put a change of threads between any two transactions. Who has waited for a millisecond is
/// impatient; then nobody overtakes any more, and the next opening wakes it.
final class ThreadGate: @unchecked Sendable {
    // @unchecked because the variables are touched only under `condition`.

    private let condition = NSCondition()
    private var isTaken = false
    private var impatientCount = 0

    /// Goes through, sooner or later.
    ///
    /// - Parameters:
    ///   - deadline: When to stop waiting.
    ///   - giveUp: Asked about every 20 ms while waiting; true ends the wait.
    /// - Returns: Whether the gate is ours; then `leave` must be called.
    func enter(before deadline: ContinuousClock.Instant, giveUp: () -> Bool) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        guard isTaken || impatientCount > 0 else {
            isTaken = true
            return true
        }
        let cameAt = ContinuousClock.now
        var isImpatient = false
        defer { if isImpatient { impatientCount -= 1 } }
        while isTaken || (impatientCount > 0 && !isImpatient) {
            _ = condition.wait(until: Date(timeIntervalSinceNow: isImpatient ? 0.02 : 0.00015))
            let now = ContinuousClock.now
            if !isImpatient, now - cameAt >= .milliseconds(1) {
                isImpatient = true
                impatientCount += 1
            }
            if isTaken, now >= deadline || giveUp() { return false }
        }
        isTaken = true
        return true
    }

    /// Lets the next one through; wakes it if it is impatient.
    func leave() {
        condition.lock()
        isTaken = false
        // All, since one that must not overtake could be the only one that a signal reaches.
        if impatientCount > 0 { condition.broadcast() }
        condition.unlock()
    }
}
