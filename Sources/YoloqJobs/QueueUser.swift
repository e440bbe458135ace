// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A process that has a queue's files open, other than this one.
public struct QueueUser: Sendable, Hashable {
    /// What it does to the queue at this moment.
    public enum Act: Sendable, Hashable, CaseIterable {
        /// Holds yoloq's write lock.
        case holdsWriteLock
        /// Is next in line for it.
        case isNextInLine
        /// Writes, as SQLite sees it.
        case writes
        /// Holds a read transaction: the write-ahead log cannot be used again until it ends.
        case reads
    }

    /// Its number.
    public let pid: Int
    /// Its command's name, such as `python3`.
    public let command: String
    /// Whether it keeps to yoloq's rules: it has the write lock's file open.
    public let isYoloq: Bool
    /// What it does.
    public fileprivate(set) var acts: Set<Act>

    /// Forgets what it does not do any more.
    ///
    /// - Parameter acts: What it was seen to do later.
    public mutating func keep(_ acts: Set<Act>) { self.acts.formIntersection(acts) }
}

extension JobQueue {
    /// The processes that have a queue open, and what they do to it.
    ///
    /// Opens nothing of the queue: it can be asked while somebody holds the write lock.
    ///
    /// - Parameter path: The database.
    /// - Returns: The others, by number; nil if this system does not tell.
    public static func users(ofQueueAt path: String) -> [QueueUser]? {
        guard let real = try? QueuePaths.resolvingLinks(path), let first = LockTable.current() else { return nil }
        let paths = QueuePaths(database: real)
        return QueueUsers(paths, locks: first).users.sorted { $0.pid < $1.pid }
    }

    /// The size of a queue's write-ahead log in bytes; 0 if there is none.
    public static func logByteCount(ofQueueAt path: String) -> Int {
        (try? QueuePaths.resolvingLinks(path)).map { QueuePaths.size($0 + "-wal") } ?? 0
    }

    /// The kind of file system a queue lies on, such as `ext4`, and whether it reaches beyond this machine.
    ///
    /// - Parameter path: The database, which may be missing.
    /// - Returns: nil if the system does not tell.
    public static func fileSystem(ofQueueAt path: String) -> (kind: String, isNetwork: Bool)? {
        guard let real = try? QueuePaths.resolvingLinks(path), let kind = FileSystem.kind(of: real) else { return nil }
        return (kind, FileSystem.isNetwork(kind))
    }
}

/// What the locks on a queue's files tell.
struct QueueUsers {
    private let paths: QueuePaths
    private var byPID: [Int: QueueUser] = [:]

    /// The processes.
    var users: [QueueUser] { Array(byPID.values) }

    /// The bytes of the `-shm` file that SQLite locks (os_unix.c, `UNIX_SHM_BASE`; wal.c, `WAL_WRITE_LOCK` and
    /// `WAL_READ_LOCK`): who writes, who reads, and one that every process that has the file open locks.
    private enum SharedMemory {
        static let writer: Int64 = 120
        static let readers: ClosedRange<Int64> = 123...127
        static let presence: Int64 = 128
    }

    init(_ paths: QueuePaths, locks: LockTable) {
        self.paths = paths
        let shared = paths.database + "-shm"
        for entry in QueueUsers.entries(of: paths.writeLock, in: locks) where entry.isHeld {
            note(entry, .holdsWriteLock)
        }
        for entry in QueueUsers.entries(of: paths.turnstile, in: locks) where entry.isHeld {
            note(entry, .isNextInLine)
        }
        for entry in QueueUsers.entries(of: shared, in: locks) where entry.isHeld {
            if entry.bytes.contains(SharedMemory.writer), entry.isExclusive { note(entry, .writes) }
            // Adjacent bytes show as one range.
            if entry.bytes.overlaps(SharedMemory.readers) { note(entry, .reads) }
            if entry.bytes.contains(SharedMemory.presence) { note(entry, nil) }
        }
    }

    private mutating func note(_ entry: LockTable.Entry, _ act: QueueUser.Act?) {
        guard entry.pid != Int(getpid()) else { return }
        let user = byPID[entry.pid] ?? describe(entry.pid)
        byPID[entry.pid] = user
        if let act { byPID[entry.pid]?.acts.insert(act) }
    }

    private func describe(_ pid: Int) -> QueueUser {
        let name = (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? "unknown"
        let command = name.trimmingCharacters(in: .whitespacesAndNewlines)
        // What a process of another user has open is not to be seen.
        let isYoloq = QueueUsers.has(pid, open: paths.writeLock) ?? (command == "yoloq")
        return QueueUser(pid: pid, command: command, isYoloq: isYoloq, acts: [])
    }

    /// The locks on a file.
    private static func entries(of path: String, in locks: LockTable) -> [LockTable.Entry] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        let device = deviceText(UInt64(status.st_dev))
        // Layered file systems show another device in the list: then the descriptors decide.
        return locks.entries.filter {
            $0.inode == UInt64(status.st_ino) && ($0.device == device || has($0.pid, open: path) == true)
        }
    }

    /// A device as the list writes it (sysmacros.h: how glibc packs the two numbers).
    static func deviceText(_ device: UInt64) -> String {
        let major = (device >> 8) & 0xFFF | (device >> 32) & ~0xFFF
        let minor = device & 0xFF | (device >> 12) & ~0xFF
        return String(format: "%02x:%02x", major, minor)
    }

    /// Whether a process has a file open; nil if that is not to be seen.
    private static func has(_ pid: Int, open path: String) -> Bool? {
        let folder = "/proc/\(pid)/fd"
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return nil }
        return names.contains {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")) == path
        }
    }
}
