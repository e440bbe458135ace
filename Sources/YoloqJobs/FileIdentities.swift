// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Which files a queue was opened on, whatever their names lead to by now.
///
/// On Unix a file can be removed or replaced while it is open; what is written afterwards goes into a file without a name,
/// and is gone with the process. The log and the shared memory count too: without them other processes do not see what
/// is committed. SQLite removes neither while a connection is open.
///
/// It looks with `stat` only. Opening the files would drop SQLite's locks.
struct FileIdentities: Sendable {
    /// What tells a file from every other on this machine.
    private struct Identity: Equatable {
        let device: dev_t
        let inode: ino_t

        init?(path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = status.st_dev
            inode = status.st_ino
        }
    }

    private let files: [(path: String, identity: Identity?)]

    /// Remembers the files of a queue.
    ///
    /// Call it when the connections have been used once, so that all files are there.
    init(_ paths: QueuePaths) {
        files = [paths.database, paths.log, paths.sharedMemory].map { ($0, Identity(path: $0)) }
    }

    /// Checks that the names still lead to the files that were opened.
    ///
    /// - Parameter action: Completes "cannot …" in the error.
    /// - Throws: `fileReplaced`.
    func check(_ action: String) throws(JobsError) {
        for (path, identity) in files {
            let found = Identity(path: path)
            guard found != identity || found == nil else { continue }
            throw JobsError(
                .fileReplaced,
                "cannot \(action): \(path) was \(found == nil ? "removed" : "replaced by another file") while the queue was "
                    + "open. Stop every yoloq that uses it, put the files back, and start again"
            )
        }
    }
}
