// SPDX-License-Identifier: Apache-2.0

/// The files that make up one queue, all beside the database.
struct QueuePaths: Sendable, Hashable {
    /// The SQLite database.
    ///
    /// Nothing but SQLite may open it, not even to copy or hash it: closing any descriptor of it drops the locks that
    /// SQLite holds in the same process (sqlite.org/howtocorrupt.html §2.2). `stat` is safe.
    let database: String

    /// Held by whoever writes.
    var writeLock: String { database + "-lock" }
    /// Held by whoever is next in line for the write lock.
    var turnstile: String { database + "-turn" }
    /// Two counters that move when there is work or when there are results.
    var wake: String { database + "-wake" }
    /// One lock file for each worker process.
    var workers: String { database + "-workers" }
}
