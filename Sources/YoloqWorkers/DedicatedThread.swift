// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// A thread of its own for work that blocks or burns CPU for long; Swift's concurrency pool must do neither.
///
/// Join it before letting it go, unless the process is about to end.
final class DedicatedThread: Sendable {
    private let hasEnded = DispatchSemaphore(value: 0)

    /// Starts a thread.
    ///
    /// - Parameters:
    ///   - name: At most 15 bytes, as Linux keeps them; shown by `top -H`, `ps -L` and profilers.
    ///   - body: What it does. The thread ends with it.
    init(name: String, body: @escaping @Sendable () -> Void) {
        let hasEnded = hasEnded
        let thread = Thread {
            DedicatedThread.nameCurrentThread(name)
            body()
            hasEnded.signal()
        }
        // As much as the main thread has: runtimes recurse deeply while they compile a network.
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Waits until the body has returned.
    ///
    /// Call it once.
    func join() {
        hasEnded.wait()
    }

    #if os(Linux)
        /// Tells the kernel itself: Foundation's `Thread.name` comes too late for a thread that has just started.
        private static func nameCurrentThread(_ name: String) {
            try? Data(name.utf8.prefix(15)).write(to: URL(filePath: "/proc/thread-self/comm"))
        }
    #else
        private static func nameCurrentThread(_ name: String) {
            Thread.current.name = name
        }
    #endif
}
