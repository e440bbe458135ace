// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite

/// A statement of the calls that every job goes through: GRDB prepares and keeps it, SQLite's own calls bind and read it.
///
/// GRDB boxes each argument and copies each row, which takes as long as SQLite takes to run these statements. What it
/// does around a statement besides (observers, suspension, its schema cache) these statements do not need: they change
/// rows only, inside transactions that GRDB begins and ends.
struct HotStatement {
    /// Keeps `handle` alive.
    private let statement: Statement
    private let handle: OpaquePointer

    /// Finds the statement among those that the connection keeps, or prepares it.
    init(_ sql: String, in database: Database) throws {
        statement = try database.cachedStatement(sql: sql)
        handle = statement.sqliteStatement
    }

    // MARK: Binding, by position from 1; a parameter keeps its value until it is bound again

    func bind(_ value: Int64?, at index: Int32) {
        guard let value else { return bindNull(at: index) }
        sqlite3_bind_int64(handle, index, value)
    }

    func bind(_ value: Int?, at index: Int32) { bind(value.map(Int64.init), at: index) }

    func bind(_ value: Bool, at index: Int32) { bind(value ? 1 : 0 as Int64, at: index) }

    func bind(_ text: String?, at index: Int32) {
        guard let text else { return bindNull(at: index) }
        sqlite3_bind_text(handle, index, text, Int32(text.utf8.count), HotStatement.copies)
    }

    func bind(_ hash: ContentHash?, at index: Int32) {
        guard let hash else { return bindNull(at: index) }
        _ = hash.bytes.withUnsafeBytes { bytes in
            sqlite3_bind_blob(handle, index, bytes.baseAddress, Int32(bytes.count), HotStatement.copies)
        }
    }

    private func bindNull(at index: Int32) { sqlite3_bind_null(handle, index) }

    /// SQLITE_TRANSIENT, a macro that Swift cannot import: SQLite keeps a copy of its own.
    private static var copies: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    // MARK: Running

    /// Runs the statement to its end, and makes it ready for the next time.
    func run() throws {
        try forEachRow { _ in }
    }

    /// Runs the statement to its end with what it gives, and makes it ready for the next time.
    @inline(__always)
    func forEachRow(_ body: (HotRow) throws -> Void) throws {
        // Also ends the statement if the body throws; what reset returns is what step has told before.
        defer { sqlite3_reset(handle) }
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW: try body(HotRow(handle: handle))
            case SQLITE_DONE: return
            case let code: throw error(code)
            }
        }
    }

    /// Runs the statement to its end and gives the first column of its first row; nil if it gives none.
    func readInteger() throws -> Int64? {
        var value: Int64?
        try forEachRow { row in value = value ?? row.integer(0) }
        return value
    }

    private func error(_ code: Int32) -> DatabaseError {
        let message = sqlite3_db_handle(handle).map { String(cString: sqlite3_errmsg($0)) }
        return DatabaseError(resultCode: ResultCode(rawValue: code), message: message, sql: statement.sql)
    }
}

/// The row that a `HotStatement` is at, read by position from 0.
struct HotRow {
    fileprivate let handle: OpaquePointer

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    func bool(_ column: Int32) -> Bool { integer(column) != 0 }

    /// Text that the schema does not let be NULL.
    func text(_ column: Int32) -> String {
        guard let bytes = sqlite3_column_text(handle, column) else { return "" }
        return String(
            decoding: UnsafeBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column))),
            as: UTF8.self
        )
    }

    func bytes(_ column: Int32) -> [UInt8]? {
        guard !isNull(column), let bytes = sqlite3_column_blob(handle, column) else { return nil }
        return Array(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column))))
    }

    private func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
}
