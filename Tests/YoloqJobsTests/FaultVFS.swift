// SPDX-License-Identifier: Apache-2.0

import CFaultVFS
import Foundation
import GRDB

@testable import YoloqJobs

/// A layer below SQLite that fails when told to and keeps an account of what it was told: see `CFaultVFS.h`.
///
/// Make one for each database.
final class FaultVFS: @unchecked Sendable {
    // @unchecked because the C functions lock for themselves.

    /// What SQLite asks of a disk.
    enum Call: UInt32 {
        case create, write, truncate, sync, delete, read, open, mapSharedMemory
    }

    /// The files of a database.
    enum File: UInt32, CaseIterable {
        case database = 1
        case log = 2
        case journal = 4

        /// What follows the database's name.
        var suffix: String {
            switch self {
            case .database: ""
            case .log: "-wal"
            case .journal: "-journal"
            }
        }
    }

    /// One change of the disk.
    struct Operation: Sendable {
        let call: Call
        let file: File
        /// Which content the name stands for: a file that is made again gets a new one.
        let content: Int64
        /// Of a write; for a truncation the new length.
        let offset: Int
        /// Of a write.
        let bytes: [UInt8]
        /// Whether all changes of names before it are on the disk from here on.
        let syncsFolder: Bool
    }

    let name = "fault-\(UUID().uuidString)"
    private let pointer: OpaquePointer

    /// Registers a layer under a name of its own.
    init() {
        guard let pointer = yoloq_fault_vfs_make(name) else { preconditionFailure("SQLite takes another layer") }
        self.pointer = pointer
    }

    /// Options of a queue above this layer.
    func options(_ change: (inout JobQueue.Options) -> Void = { _ in }) -> JobQueue.Options {
        var options = JobQueue.Options()
        options.vfs = name
        change(&options)
        return options
    }

    /// Makes calls fail from now on.
    ///
    /// - Parameters:
    ///   - call: What fails.
    ///   - files: Of which files.
    ///   - first: The first call that fails, counted from 1 and from now.
    ///   - count: How many fail in a row.
    ///   - code: What SQLite is told.
    ///   - half: Whether a failing write leaves the first half of its bytes behind.
    func fail(
        _ call: Call,
        of files: [File] = File.allCases,
        first: Int = 1,
        count: Int = .max,
        code: ResultCode,
        half: Bool = false
    ) {
        let set = files.reduce(0) { $0 | Int32($1.rawValue) }
        yoloq_fault_vfs_fail(
            pointer,
            yoloq_fault_call(call.rawValue),
            set,
            Int64(first),
            Int64(count),
            code.rawValue,
            half
        )
    }

    /// Counts calls that pass.
    func count(_ call: Call, of files: [File] = File.allCases, during body: () throws -> Void) rethrows -> Int {
        fail(call, of: files, first: .max, code: .SQLITE_ERROR)
        try body()
        heal()
        return callCount
    }

    /// Lets everything pass again.
    func heal() { yoloq_fault_vfs_heal(pointer) }

    /// The calls of the kind that fails, since `fail`.
    var callCount: Int { Int(yoloq_fault_vfs_call_count(pointer)) }
    /// Those of them that failed.
    var failureCount: Int { Int(yoloq_fault_vfs_failure_count(pointer)) }

    /// Starts the record.
    func record() { yoloq_fault_vfs_record(pointer) }

    /// How many changes the record holds.
    var operationCount: Int { Int(yoloq_fault_vfs_operation_count(pointer)) }

    /// The record.
    var operations: [Operation] {
        (0..<operationCount).map { index in
            let operation = yoloq_fault_vfs_operation(pointer, Int64(index))
            guard let call = Call(rawValue: operation.call.rawValue), let file = File(rawValue: operation.file.rawValue)
            else { preconditionFailure("the header and this file list the same values") }
            return Operation(
                call: call,
                file: file,
                content: operation.content,
                offset: Int(operation.offset),
                bytes: Array(UnsafeBufferPointer(start: operation.bytes, count: Int(operation.byte_count))),
                syncsFolder: operation.syncs_folder
            )
        }
    }

    // MARK: Locks

    /// What decides whether a checkpoint and a commit can meet.
    enum Step: Sendable, Hashable {
        /// SQLite's locks that matter here; those of readers do not.
        enum Lock: UInt32 {
            case write = 1
            case checkpoint, exclusive
        }

        case lock(Lock, connection: Int)
        case unlock(Lock, connection: Int)
        /// The log was written.
        case append
        /// The database was written.
        case copy(connection: Int)
    }

    /// One step, and whether somebody held the watched lock file meanwhile.
    struct GuardedStep: Sendable, Hashable {
        let step: Step
        let isGuarded: Bool
    }

    /// Starts to keep account of the steps and of who holds a lock file.
    func watch(_ lockFile: String) {
        guard yoloq_fault_vfs_watch(pointer, lockFile) else { preconditionFailure("cannot open \(lockFile)") }
    }

    /// The account, in the order in which things happened.
    var steps: [GuardedStep] {
        (0..<yoloq_fault_vfs_step_count(pointer)).map { index in
            let step = yoloq_fault_vfs_step(pointer, index)
            return GuardedStep(step: Step(step), isGuarded: step.is_guarded)
        }
    }
}

extension FaultVFS.Step {
    fileprivate init(_ step: yoloq_step) {
        let connection = Int(step.connection)
        switch (step.kind, Lock(rawValue: step.lock.rawValue)) {
        case (YOLOQ_STEP_LOCK, let lock?): self = .lock(lock, connection: connection)
        case (YOLOQ_STEP_UNLOCK, let lock?): self = .unlock(lock, connection: connection)
        case (YOLOQ_STEP_APPEND, _): self = .append
        case (YOLOQ_STEP_COPY, _): self = .copy(connection: connection)
        default: preconditionFailure("the header and this file list the same values")
        }
    }
}
