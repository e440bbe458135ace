// SPDX-License-Identifier: Apache-2.0

/// The text of every file in `migrations/`, in order, embedded when the package is built.
///
/// `migrations/` at the top of the checkout is the schema's only home; this target reaches it through a symbolic link.
public enum Schema {
    /// One numbered step of the schema.
    public struct Migration: Sendable, Hashable {
        /// The file's name without its suffix, such as `0001_queue`; recorded in the database once applied.
        public let identifier: String
        /// SQL statements, run in one transaction.
        public let sql: String
    }

    /// All migrations, oldest first.
    ///
    /// A test compares this list with the folder.
    public static let migrations = [
        Migration("0001_queue", PackageResources._001_queue_sql),
        Migration("0002_control", PackageResources._002_control_sql),
        Migration("0003_fewer_pages", PackageResources._003_fewer_pages_sql),
        Migration("0004_inputs", PackageResources._004_inputs_sql),
    ]
}

extension Schema.Migration {
    fileprivate init(_ identifier: String, _ utf8: [UInt8]) {
        self.init(identifier: identifier, sql: String(decoding: utf8, as: UTF8.self))
    }
}
