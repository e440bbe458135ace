// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation

extension Stretch {
    /// Measures the same work on several threads at once; the clock runs from the first start to the last end.
    ///
    /// - Parameters:
    ///   - threadCount: How many threads.
    ///   - body: One thread's work; it calls its argument when its clock is about to start, and goes on when all do.
    /// - Returns: The joint stretch.
    /// - Throws: What one of the threads threw.
    package static func sideBySide(
        _ threadCount: Int,
        _ body: @escaping @Sendable (_ whenReady: () -> Void) throws -> Stretch
    ) throws -> Stretch {
        let starting = DispatchGroup()
        let running = DispatchGroup()
        let ends = Locked<[Result<Stretch, any Error>]>([])
        for _ in 0..<threadCount {
            starting.enter()
            running.enter()
            Thread {
                var isReady = false
                let end = Result {
                    try body {
                        isReady = true
                        starting.leave()
                        starting.wait()
                    }
                }
                if !isReady { starting.leave() }
                ends.withLock { $0.append(end) }
                running.leave()
            }.start()
        }
        running.wait()
        return joining(try ends.withLock { try $0.map { try $0.get() } })
    }
}
