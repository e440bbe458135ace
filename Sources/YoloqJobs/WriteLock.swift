// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The one lock under which every yoloq process writes, checkpoints, opens and closes a queue.
///
/// Three steps: a gate between the threads of this process, a turnstile file for the next in line, and the lock
/// file itself; the turnstile is dropped as soon as the lock is held. With the lock file alone a process that writes in
/// a loop takes it again before a waiting one wakes up; with the turnstile the loop stands in line like everybody. For two
/// milliseconds from there it may take the lock again past the line: SQLite throws its cache away whenever another process
/// has written, so taking turns with every transaction is slow.
///
/// `flock` is bound to the open file, so each step has one descriptor, closed on `exec` and never shared.
final class WriteLock: @unchecked Sendable {
    // @unchecked because `signature` and `isUnbroken` are touched only behind `threads`.

    /// How long a process may take the lock again without standing in line.
    ///
    /// In nanoseconds.
    private static let turn: Int64 = 2_000_000

    private let threads = ThreadGate()
    private let turnstile: Int32
    private let file: Int32
    private let path: String
    private var signature = Signature.new()

    /// Whether nobody else has held the lock since this object last did, for whoever holds it now.
    private(set) var isUnbroken = false

    /// Opens the two files and makes them if they are missing.
    init(_ paths: QueuePaths) throws(JobsError) {
        path = paths.writeLock
        turnstile = try openSidecar(paths.turnstile)
        file = try openSidecar(paths.writeLock)
    }

    deinit {
        close(file)
        close(turnstile)
    }

    /// Runs a piece of work while nobody else writes.
    ///
    /// - Parameters:
    ///   - patience: How long to wait for the lock.
    ///   - giveUp: Asked while waiting; true ends the wait.
    ///   - body: The work. It must not ask for the lock again.
    /// - Returns: What the work returns.
    /// - Throws: `busy` when the patience is at its end, with the holder's process; `interrupted` when `giveUp` said so;
    ///   what the work throws.
    func withLock<R: ~Copyable>(
        patience: Duration,
        giveUp: () -> Bool,
        _ body: () throws(JobsError) -> R
    ) throws(JobsError) -> R {
        let deadline = ContinuousClock.now + patience
        try wait(until: deadline, giveUp) { threads.enter(before: deadline, giveUp: giveUp) }
        defer { threads.leave() }
        if !(isInTurn(signature) && tryLock(file)) {
            try waitInLine(until: deadline, giveUp)
        }
        defer { flock(file, LOCK_UN) }
        signHolder()
        return try body()
    }

    /// Takes the lock behind whoever came before, and begins a turn.
    private func waitInLine(until deadline: ContinuousClock.Instant, _ giveUp: () -> Bool) throws(JobsError) {
        try wait(until: deadline, giveUp) { tryLock(turnstile) }
        defer { flock(turnstile, LOCK_UN) }
        try wait(until: deadline, giveUp) { tryLock(file) }
        signature.turnBegan = monotonicNanoseconds()
    }

    /// Tries until it works.
    ///
    /// Within the holder's turn it tries seldom, so that it does not take the lock between two transactions of the turn, but
    /// soon enough if the holder has no more to write. Otherwise the waits are short: a write transaction takes well under a
    /// millisecond without its fsync, and the first tries follow each other at once, since falling asleep and waking up again
    /// takes about as long.
    private func wait(until deadline: ContinuousClock.Instant, _ giveUp: () -> Bool, _ attempt: () -> Bool)
        throws(JobsError)
    {
        var tries = 0
        while !attempt() {
            if giveUp() { throw JobsError(.interrupted, "stopped while waiting for the write lock \(path)") }
            guard ContinuousClock.now < deadline else {
                let holder = holder.map { "process \($0.pid)" } ?? "another process"
                throw JobsError(
                    .busy,
                    "cannot write to the queue: \(holder) has held \(path) for too long. Try again, or stop it"
                )
            }
            tries += 1
            if holder.map(isInTurn) ?? false {
                usleep(150)
            } else if tries < WriteLock.eagerTryCount {
                sched_yield()
            } else {
                usleep(tries < WriteLock.frequentTryCount ? 20 : 500)
            }
        }
    }

    /// About 50 µs.
    private static let eagerTryCount = 64
    /// About 10 ms.
    private static let frequentTryCount = 200

    private func tryLock(_ descriptor: Int32) -> Bool {
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EINTR else { return false }
        }
        return true
    }

    /// Who holds the lock or held it last, as the lock file has it.
    private struct Signature: Equatable {
        /// For the message of whoever waits in vain.
        var pid: pid_t
        /// Tells holders apart whose processes have the same number, as in containers.
        var number: UInt64
        /// When its turn began, by the clock that all processes share.
        var turnBegan: Int64 = 0

        static func new() -> Signature { Signature(pid: getpid(), number: .random(in: 1 ... .max)) }
    }

    /// Whether a holder may still take the lock without standing in line.
    private func isInTurn(_ holder: Signature) -> Bool {
        (0..<WriteLock.turn) ~= monotonicNanoseconds() - holder.turnBegan
    }

    /// Leaves our signature in the lock file, and notes whether it was there already.
    private func signHolder() {
        // Reading costs a fraction of writing, and mostly the last holder was this one.
        let holder = holder
        isUnbroken = holder.map { ($0.pid, $0.number) == (signature.pid, signature.number) } ?? false
        guard holder != signature else { return }
        withUnsafeBytes(of: signature) { _ = pwrite(file, $0.baseAddress, $0.count, 0) }
    }

    private var holder: Signature? {
        var holder = Signature(pid: 0, number: 0)
        let count = withUnsafeMutableBytes(of: &holder) { pread(file, $0.baseAddress, $0.count, 0) }
        return count > 0 ? holder : nil
    }
}

/// Opens a small file beside the database for reading and writing, and makes it if it is missing.
func openSidecar(_ path: String) throws(JobsError) -> Int32 {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
        let error = errno
        let what = "cannot open the queue: \(path): \(String(cString: strerror(error)))"
        guard error != ENOSPC, error != EDQUOT else {
            throw JobsError(.diskFull, "\(what). Free some space; nothing acknowledged is lost")
        }
        throw JobsError(.io, "\(what). Check that the folder exists and that you may write to it")
    }
    return descriptor
}
