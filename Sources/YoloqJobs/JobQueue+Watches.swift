// SPDX-License-Identifier: Apache-2.0

import GRDB

extension JobQueue {
    /// How far somebody has come who makes jobs of what appears somewhere.
    ///
    /// - Parameter name: Names the place and what is done with it.
    /// - Returns: Everything that changed there before is dealt with; nil if nobody has begun.
    /// - Throws: `io`.
    public func watchMark(of name: String) throws(JobsError) -> Timestamp? {
        try read("look up a watch") { database in
            try Int64.fetchOne(database, sql: "SELECT handled_until_us FROM watches WHERE name = ?", arguments: [name])
        }.map(Timestamp.init(microseconds:))
    }

    /// Remembers how far somebody has come.
    ///
    /// Not flushed to the disk for its own sake: whoever starts from an older mark meets the same keys again.
    ///
    /// - Parameters:
    ///   - mark: Everything that changed before is dealt with; an older mark than the stored one changes nothing.
    ///   - name: As for `watchMark(of:)`.
    /// - Throws: `busy`, `diskFull`, `io`.
    public func setWatchMark(_ mark: Timestamp, of name: String) throws(JobsError) {
        try write("remember a watch", durability: .normal) { database in
            try database.execute(
                sql: """
                    INSERT INTO watches (name, handled_until_us) VALUES (?, ?)
                    ON CONFLICT (name) DO UPDATE SET handled_until_us = max(handled_until_us, excluded.handled_until_us)
                    """,
                arguments: [name, mark.microseconds]
            )
            return ((), [])
        }
    }
}
