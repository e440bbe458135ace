// SPDX-License-Identifier: Apache-2.0

/// Looks through the steps of all connections for a checkpoint that a commit met, or could have met.
///
/// Every write of the log and of the database, and every checkpoint, is to be done by the holder of the lock file. While a
/// checkpoint copies, one and the same connection is to hold SQLite's write lock from the first page to the last, so that
/// programs that do not know the lock file are shut out too, or the checkpointing one is to have the database for itself,
/// as the last one has when it closes. A write lock alone is no fault: a reader that finds a header half written takes it
/// for a moment.
struct LockAudit {
    /// What was done wrong.
    enum Fault: Hashable {
        case commitOutsideTheLock, checkpointOutsideTheLock, copyOutsideTheLock
        /// The log was written between a checkpoint's start and its end.
        case commitDuringCheckpoint
        /// Pages were copied while anybody could have taken the write lock.
        case copyWithoutWriteLock
        /// The write lock changed hands between two copied pages of one checkpoint.
        case writeLockChangedHands
    }

    private(set) var faults: [Fault] = []
    /// How many transactions wrote the log.
    private(set) var commitCount = 0
    /// How many checkpoints copied something.
    private(set) var checkpointCount = 0

    private var writer: Int?
    private var hasWritten = false
    private var checkpointer: Int?
    /// Who held the write lock at the checkpoint's first page; nil if nobody did.
    private var witness: Int??
    private var exclusive: Int?

    /// Looks through the steps.
    init(_ steps: [FaultVFS.GuardedStep]) {
        for step in steps { take(step) }
    }

    private mutating func take(_ guarded: FaultVFS.GuardedStep) {
        switch guarded.step {
        case .lock(.write, let connection):
            writer = connection
            hasWritten = false
        case .unlock(.write, _): writer = nil
        case .lock(.exclusive, let connection): exclusive = connection
        case .unlock(.exclusive, _): exclusive = nil
        case .lock(.checkpoint, let connection):
            checkpointer = connection
            witness = nil
            if !guarded.isGuarded { faults.append(.checkpointOutsideTheLock) }
        case .unlock(.checkpoint, _): checkpointer = nil
        case .append: append(guarded)
        case .copy(let connection): copy(by: connection, guarded)
        }
    }

    private mutating func append(_ guarded: FaultVFS.GuardedStep) {
        if !hasWritten { commitCount += 1 }
        hasWritten = true
        if !guarded.isGuarded { faults.append(.commitOutsideTheLock) }
        if checkpointer != nil { faults.append(.commitDuringCheckpoint) }
    }

    private mutating func copy(by connection: Int, _ guarded: FaultVFS.GuardedStep) {
        if !guarded.isGuarded { faults.append(.copyOutsideTheLock) }
        // Of a new file, before it has a log.
        guard checkpointer != nil else { return }
        if writer == nil && exclusive != connection { faults.append(.copyWithoutWriteLock) }
        if let witness {
            if witness != writer { faults.append(.writeLockChangedHands) }
        } else {
            witness = .some(writer)
            checkpointCount += 1
        }
    }
}
