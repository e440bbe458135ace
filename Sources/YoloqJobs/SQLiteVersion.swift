// SPDX-License-Identifier: Apache-2.0

import GRDB

extension JobQueue {
    /// The version of the SQLite library in use, such as `3.40.1`.
    public static var sqliteVersion: String {
        (try? DatabaseQueue().read { try String.fetchOne($0, sql: "SELECT sqlite_version()") }) ?? "unknown"
    }

    /// Whether a version of SQLite can corrupt a file when two checkpoints overlap and a commit restarts the log.
    ///
    /// Fixed in 3.51.3, and in the older lines in 3.44.6 and 3.50.7 (sqlite.org/wal.html#walresetbug).
    ///
    /// - Parameter version: Such as `3.40.1`.
    /// - Returns: Whether it has the bug; true if the version cannot be read.
    public static func hasWALResetBug(sqliteVersion version: String) -> Bool {
        let parts = version.split(separator: ".").compactMap { Int($0) }
        guard parts.count >= 3, parts[0] == 3 else { return true }
        switch parts[1] {
        case 44: return parts[2] < 6
        case 50: return parts[2] < 7
        case 51: return parts[2] < 3
        case let minor: return minor < 51
        }
    }
}
