// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Which files a queue was opened on, whatever their names lead to by now.
///
/// On Unix a file can be removed or replaced while it is open; what is written afterwards goes into a file without a name,
/// and is gone with the process. The log and the shared memory count too: without them other processes do not see what
/// is committed. SQLite removes neither while a connection is open.
///
/// It looks with `stat` only: opening the files would drop SQLite's locks. And it looks at the folder first, whose time of
/// change tells that no name in it has changed: since Linux 6.13 whoever asks for a file's own time makes its next write
/// store a new one, and with a look at the log for each commit a commit takes a third longer.
struct FileIdentities: Sendable {
    private let folder: String
    private let files: [(path: String, identity: FileStamp.Identity?)]
    /// The folder when all names in it were last found to be as they should; nil if that says nothing.
    private let sound = Locked<FileStamp?>(nil)

    /// Remembers the files of a queue.
    ///
    /// Call it when the connections have been used once, so that all files are there.
    init(_ paths: QueuePaths) {
        folder = (paths.database as NSString).deletingLastPathComponent
        files = [paths.database, paths.log, paths.sharedMemory].map { ($0, FileStamp(path: $0)?.identity) }
    }

    /// Checks that the names still lead to the files that were opened.
    ///
    /// - Parameter action: Completes "cannot …" in the error.
    /// - Throws: `fileReplaced`.
    func check(_ action: String) throws(JobsError) {
        // Taken before the looks at the files: what changes after it is seen the next time.
        let stamp = FileStamp(path: folder)
        guard stamp == nil || stamp != sound.withLock(\.self) else { return }
        for (path, identity) in files {
            let found = FileStamp(path: path)?.identity
            guard found != identity || found == nil else { continue }
            throw JobsError(
                .fileReplaced,
                "cannot \(action): \(path) was \(found == nil ? "removed" : "replaced by another file") while the queue was "
                    + "open. Stop every yoloq that uses it, put the files back, and start again"
            )
        }
        // The clock of file systems moves in steps of up to 10 ms, and a second change in one step leaves the same time.
        let isOld = stamp.map { $0.changedAt < Timestamp.now() - .milliseconds(20) } ?? false
        sound.withLock { $0 = isOld ? stamp : nil }
    }
}

/// What `stat` says of a file or folder.
private struct FileStamp: Equatable {
    /// What tells it from every other on this machine.
    struct Identity: Equatable {
        let device: dev_t
        let inode: ino_t
    }

    let identity: Identity
    private let seconds: Int
    private let nanoseconds: Int

    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        identity = Identity(device: status.st_dev, inode: status.st_ino)
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        (seconds, nanoseconds) = (time.tv_sec, time.tv_nsec)
    }

    /// When its content changed: of a folder, the names in it.
    var changedAt: Timestamp { Timestamp(microseconds: Int64(seconds) * 1_000_000 + Int64(nanoseconds) / 1000) }
}
