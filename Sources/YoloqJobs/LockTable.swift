// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The kernel's list of file locks, `/proc/locks` of Linux (proc(5)).
struct LockTable {
    /// One lock, held or waited for.
    struct Entry: Hashable {
        /// Whether it is held; otherwise somebody waits for it.
        let isHeld: Bool
        /// `FLOCK` or `POSIX`.
        let kind: String
        /// Whether it excludes all others.
        let isExclusive: Bool
        /// The process; 0 or less if it belongs to another container.
        let pid: Int
        /// Major and minor number, as written: `fe:00`.
        let device: String
        /// The file.
        let inode: UInt64
        /// The locked bytes.
        let bytes: ClosedRange<Int64>
    }

    /// The locks in the order of the list.
    let entries: [Entry]

    /// Reads the text of the list; lines of another form are passed over.
    init(parsing text: String) {
        entries = text.split(separator: "\n").compactMap(Entry.init)
    }

    /// Reads the list; nil if this system has none.
    static func current() -> LockTable? {
        (try? String(contentsOfFile: "/proc/locks", encoding: .utf8)).map(LockTable.init(parsing:))
    }
}

extension LockTable.Entry {
    /// Reads a line such as `12: -> POSIX ADVISORY WRITE 4711 fe:00:5498779 120 120`.
    init?(_ line: Substring) {
        var fields = line.split(separator: " ").dropFirst()
        let isHeld = fields.first != "->"
        if !isHeld { fields = fields.dropFirst() }
        let words = fields.map(String.init)
        guard words.count == 7, let pid = Int(words[3]), let start = Int64(words[5]) else { return nil }
        let file = words[4].split(separator: ":")
        guard file.count == 3, let inode = UInt64(file[2]) else { return nil }
        guard let end = words[6] == "EOF" ? .max : Int64(words[6]), end >= start else { return nil }
        self.init(
            isHeld: isHeld,
            kind: words[0],
            isExclusive: words[2] == "WRITE",
            pid: pid,
            device: "\(file[0]):\(file[1])",
            inode: inode,
            bytes: start...end
        )
    }
}
