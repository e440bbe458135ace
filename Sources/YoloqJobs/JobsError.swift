// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Something that went wrong with the queue itself.
///
/// A job that fails is no such error but data: see `JobFailure`.
public struct JobsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of trouble it is.
    public enum Code: String, Sendable {
        /// Another process held the write lock for longer than the deadline. Nothing was written; try again.
        case busy
        /// The caller asked to stop while it waited for the write lock. Nothing was written.
        case interrupted
        /// There is no queue at the path.
        case missing
        /// The file is no yoloq queue, or is damaged.
        case invalidFile = "invalid_file"
        /// A newer yoloq has changed the schema.
        case newerSchema = "newer_schema"
        /// No space left. Nothing of the failed transaction was written.
        case diskFull = "disk_full"
        /// The disk failed. After it this queue accepts no more writes: what the disk still holds is not known.
        case io
        /// A worker's thread cannot be stopped any more: the worker gives itself up, and its jobs go to others.
        case stuck
        /// The database file or its log was removed or replaced while the queue was open. After it this queue accepts no more
        /// writes: they would go where nobody finds them.
        case fileReplaced = "file_replaced"
        /// The file is on a network file system, whose locks cannot be trusted.
        case networkFileSystem = "network_file_system"
        /// More jobs wait than the submitter wanted to allow. Nothing of the refused chunk was written.
        case full
        /// The request itself is wrong.
        case invalidRequest = "invalid_request"
    }

    /// What kind of trouble it is.
    public let code: Code
    /// What was asked, what happened, what to do.
    public let message: String

    /// Whether the queue that threw it must not write any more.
    var isLasting: Bool { code == .io || code == .fileReplaced }

    /// The message.
    public var description: String { message }

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension JobsError {
    /// Runs a piece of work on the database and words what went wrong.
    static func wrapping<R: ~Copyable>(
        _ action: String,
        path: String,
        _ body: () throws -> R
    ) throws(JobsError) -> R {
        do {
            return try body()
        } catch let error as JobsError {
            throw error
        } catch let error as DatabaseError {
            throw JobsError(error, action: action, path: path)
        } catch let error as StoredRow.Damage {
            throw JobsError(damage: "\(error)", action: action, path: path)
        } catch is RowDecodingError {
            throw JobsError(damage: "a stored value is none that the schema admits", action: action, path: path)
        } catch {
            throw JobsError(.io, "cannot \(action): \(path): \(error)")
        }
    }

    private init(damage: String, action: String, path: String) {
        self.init(
            .invalidFile,
            "cannot \(action): \(path): \(damage). Restore a backup; yoloq db check tells what else is damaged"
        )
    }

    private init(_ error: DatabaseError, action: String, path: String) {
        let what = "cannot \(action): \(path): \(error.message ?? "SQLite error \(error.resultCode.rawValue)")"
        // The shared memory is a file, too, and nothing of it has to last.
        let isFull = error.resultCode == .SQLITE_FULL || error.extendedResultCode == .SQLITE_IOERR_SHMSIZE
        switch error.resultCode {
        case _ where isFull:
            self.init(.diskFull, "\(what). Free some space; nothing acknowledged is lost")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.busy, "\(what). A program other than yoloq is writing to the file; let it only read")
        case .SQLITE_NOTADB, .SQLITE_CORRUPT:
            self.init(.invalidFile, "\(what). Restore a backup, or give another --db")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
            self.init(.io, "\(what). Check that the folder exists and that you may write to it")
        case .SQLITE_CONSTRAINT:
            self.init(.invalidRequest, "\(what) (\(error.sql ?? "no statement"))")
        default:
            self.init(.io, "\(what) (SQLite \(error.extendedResultCode.rawValue))")
        }
    }
}
