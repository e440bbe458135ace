// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The files that make up one queue, all beside the database.
struct QueuePaths: Sendable, Hashable {
    /// The SQLite database.
    ///
    /// Nothing but SQLite may open it, not even to copy or hash it: closing any descriptor of it drops the locks that
    /// SQLite holds in the same process (sqlite.org/howtocorrupt.html §2.2). `stat` is safe.
    let database: String

    /// The write-ahead log; SQLite makes it, and removes it when the last connection of all closes.
    var log: String { database + "-wal" }
    /// What SQLite's connections share about the log; comes and goes with it.
    var sharedMemory: String { database + "-shm" }
    /// Held by whoever writes.
    var writeLock: String { database + "-lock" }
    /// Held by whoever is next in line for the write lock.
    var turnstile: String { database + "-turn" }
    /// Counters that move when there is work, results, or a word to a worker.
    var wake: String { database + "-wake" }
    /// One lock file for each worker process.
    var workers: String { database + "-workers" }
}

extension QueuePaths {
    /// The path without links, as SQLite sees it: two names of one file must not have two locks.
    ///
    /// - Parameter path: A file that may be missing, in a folder that is there.
    /// - Returns: The real path.
    /// - Throws: `io` if the folder is not there.
    static func resolvingLinks(_ path: String) throws(JobsError) -> String {
        if let real = realPath(path) { return real }
        let cut = path.lastIndex(of: "/")
        let folder = cut.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard let realFolder = realPath(folder) else {
            throw JobsError(
                .io,
                "cannot open the queue: \(path): there is no folder \(folder). Make it, or give another --db"
            )
        }
        let name = cut.map { path[path.index(after: $0)...] } ?? path[...]
        return realFolder == "/" ? "/\(name)" : "\(realFolder)/\(name)"
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
