// SPDX-License-Identifier: Apache-2.0

import GRDB

/// A row as the file holds it, read column by column.
///
/// The schema admits no impossible row, but a damaged file can hold one, and GRDB's own subscripts end the process then.
struct StoredRow {
    /// A value that the schema does not admit: the file was damaged, or written by something else.
    struct Damage: Error, CustomStringConvertible {
        let description: String
    }

    private let row: Row
    private let table: String

    /// Reads a row of a table.
    init(_ row: Row, of table: String = "jobs") {
        self.row = row
        self.table = table
    }

    /// The value of a column.
    subscript<Value: DatabaseValueConvertible & StatementColumnConvertible>(column: String) -> Value {
        get throws(Damage) {
            do {
                return try row.decode(forColumn: column)
            } catch {
                throw damage(column)
            }
        }
    }

    /// The value of a column by its position, as the hottest statements read it.
    subscript<Value: DatabaseValueConvertible & StatementColumnConvertible>(position: Int) -> Value {
        get throws(Damage) {
            do {
                return try row.decode(atIndex: position)
            } catch {
                throw damage(Array(row.columnNames)[position])
            }
        }
    }

    /// Says that a column's value cannot be.
    func damage(_ column: String) -> Damage {
        let id = ["id", "job_id"].lazy.compactMap { row[$0] as DatabaseValue? }.compactMap(Int64.fromDatabaseValue)
            .first
        let value = (row[column] as DatabaseValue?).map { "\($0)" } ?? "missing"
        let shown = value.count > 60 ? value.prefix(60) + "…" : value[...]
        return Damage(description: "row \(id.map { "\($0) " } ?? "")of \(table) is damaged: \(column) is \(shown)")
    }

    /// Reads all rows that a statement gives.
    static func fetchAll(
        _ statement: Statement,
        arguments: StatementArguments = [],
        of table: String = "jobs"
    ) throws -> [StoredRow] {
        try Row.fetchAll(statement, arguments: arguments).map { StoredRow($0, of: table) }
    }

    /// Reads the first row that a statement gives; nil if it gives none.
    static func fetchOne(
        _ statement: Statement,
        arguments: StatementArguments = [],
        of table: String = "jobs"
    ) throws -> StoredRow? {
        try Row.fetchOne(statement, arguments: arguments).map { StoredRow($0, of: table) }
    }
}
