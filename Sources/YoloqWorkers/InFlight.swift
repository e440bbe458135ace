// SPDX-License-Identifier: Apache-2.0

import Synchronization
import YoloqJobs

/// The claims that a worker's threads are running, so that they can be given back when there is no time to finish.
final class InFlight: Sendable {
    private let claims = Mutex<Set<Claim>>([])

    /// Notes that a job runs.
    func begin(_ claim: Claim) {
        claims.withLock { _ = $0.insert(claim) }
    }

    /// Notes that a job has ended; false if it was taken away meanwhile.
    func end(_ claim: Claim) -> Bool {
        claims.withLock { $0.remove(claim) != nil }
    }

    /// Takes all claims away from their threads.
    func takeAll() -> Set<Claim> {
        claims.withLock { claims in
            defer { claims = [] }
            return claims
        }
    }
}
