// SPDX-License-Identifier: Apache-2.0

import YoloqJobs

/// The wish that a worker stop: once to finish what runs, twice to stop at once.
///
/// A signal handler only sets it; the loops look at it at their own pace.
public final class StopSignal: Sendable {
    /// How urgent the wish is.
    public enum Urgency: Int, Sendable, Hashable, Comparable {
        /// Nobody wishes it.
        case none
        /// Claim nothing new, finish what runs.
        case drain
        /// Give back what runs.
        case atOnce

        /// Whether the left wish is weaker.
        public static func < (left: Urgency, right: Urgency) -> Bool { left.rawValue < right.rawValue }
    }

    private struct State {
        var urgency = Urgency.none
        var listeners: [@Sendable () -> Void] = []
    }

    private let state = Locked(State())

    /// A signal that nobody has given yet.
    public init() {}

    /// How urgent the wish is now.
    public var urgency: Urgency { state.withLock(\.urgency) }

    /// Whether anybody wishes it.
    public var isRequested: Bool { urgency != .none }

    /// Makes the wish one step more urgent.
    public func request() {
        let listeners = state.withLock { state in
            state.urgency = state.urgency == .none ? .drain : .atOnce
            return state.listeners
        }
        for listener in listeners { listener() }
    }

    /// Calls a piece of code with each request, on the thread that makes it; at once if one was made already.
    func onRequest(_ listener: @escaping @Sendable () -> Void) {
        let isRequested = state.withLock { state in
            state.listeners.append(listener)
            return state.urgency != .none
        }
        if isRequested { listener() }
    }
}
