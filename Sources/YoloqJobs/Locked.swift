// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A value that several threads share, behind a lock.
///
/// As `Mutex` of the standard library, but over a lock that the thread sanitizer sees: `Mutex` on Linux is a futex inside a
/// library that is not instrumented, so that every correct use of it is reported as a race.
package final class Locked<State>: @unchecked Sendable {
    // @unchecked because `state` is touched only under `lock`, and what goes in and out of it is sent.

    private let lock = NSLock()
    private var state: State

    /// Shares a value.
    package init(_ state: sending State) { self.state = state }

    /// Runs a piece of code that nobody else's runs beside.
    ///
    /// It must be short, and must not ask for the same lock again.
    package func withLock<R, E: Error>(_ body: (inout State) throws(E) -> R) throws(E) -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(&state)
    }
}
