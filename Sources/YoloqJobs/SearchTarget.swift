// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What a filter comes down to: rows, states, and how many jobs there can be.
struct SearchTarget {
    /// The states to look at; nil if their number makes no difference.
    private let states: [JobState]?
    private let models: [Int64]?
    private let batch: Int64?
    private let errorKind: String?
    /// How many jobs match at most.
    let expected: Int
    /// How many jobs the indexes of the states hold; nil if every state is looked at.
    let indexedCount: Int?

    /// Resolves the names of a filter.
    init(_ filter: JobFilter, in database: Database) throws {
        errorKind = filter.errorKind
        models = try filter.model.map {
            try Int64.fetchAll(
                database,
                sql: "SELECT id FROM models WHERE name = ?1 OR path = ?1",
                arguments: [$0]
            )
        }
        batch = try filter.batch.map {
            try Int64.fetchOne(database, sql: "SELECT id FROM batches WHERE name = ?", arguments: [$0]) ?? -1
        }
        let everywhere = try JobCounts(sumOf: "model_counts", in: database)
        var matching = everywhere
        let counters = [
            models.map { ("model_counts", "model_id", $0) }, batch.map { ("batch_counts", "batch_id", [$0]) },
        ]
        for (table, key, ids) in counters.compactMap(\.self) {
            let counts = try JobCounts(sumOf: table, where: (key, ids), in: database)
            for state in JobState.allCases { matching[state] = min(matching[state], counts[state]) }
        }
        let wanted = (filter.states ?? Set(JobState.allCases)).filter { state in
            matching[state] > 0 && (filter.errorKind == nil || state == .failed)
        }
        expected = wanted.reduce(0) { $0 + matching[$1] }
        let isEveryState = JobState.allCases.allSatisfy { matching[$0] == 0 || wanted.contains($0) }
        states = isEveryState ? nil : wanted.sorted { $0.rawValue < $1.rawValue }
        indexedCount = isEveryState ? nil : wanted.reduce(0) { $0 + everywhere[$1] }
    }

    /// The conditions on a row beyond its state and batch; no index is to be chosen for them.
    private var condition: (sql: String, arguments: StatementArguments) {
        var parts: [String] = []
        if let models { parts.append("+model_id IN (\(SearchTarget.list(models)))") }
        if errorKind != nil { parts.append("error_kind = ?") }
        return (parts.map { " AND \($0)" }.joined(), errorKind.map { [$0] } ?? [])
    }

    fileprivate static func list(_ numbers: [Int64]) -> String { numbers.map { "\($0)" }.joined(separator: ",") }

    // MARK: Down the ids

    /// Looks at the next rows below an id: of the batch through `jobs_batch`, of all by the primary key.
    ///
    /// - Returns: The ids that match, falling, and the bound to go on from; nil at the end.
    func walk(down bound: Int64, limit: Int, stepCount: Int, in database: Database) throws
        -> (ids: [Int64], next: Int64?)
    {
        let source = batch.map { "jobs INDEXED BY jobs_batch WHERE batch_id = \($0)" } ?? "jobs NOT INDEXED WHERE 1"
        // Over the gaps that pruning leaves.
        let top = try Int64.fetchOne(
            database.cachedStatement(
                sql: "SELECT jobs.id FROM \(source) AND jobs.id < ? ORDER BY jobs.id DESC LIMIT 1"
            ),
            arguments: [bound]
        )
        guard let top else { return ([], nil) }
        let floor = try floor(from: top, source: source, stepCount: stepCount, in: database)
        let (condition, arguments) = condition
        let inState = states.map { " AND +state IN (\(SearchTarget.list($0.map { Int64($0.rawValue) })))" } ?? ""
        let ids = try Int64.fetchAll(
            database.cachedStatement(
                sql: """
                    SELECT jobs.id FROM \(source) AND jobs.id <= ? AND jobs.id >= ?\(inState)\(condition)
                    ORDER BY jobs.id DESC LIMIT ?
                    """
            ),
            arguments: [top, floor] + arguments + [limit]
        )
        return (ids, ids.count == limit ? ids.last : floor)
    }

    /// The lowest id of a step.
    private func floor(from top: Int64, source: String, stepCount: Int, in database: Database) throws -> Int64 {
        guard batch != nil else { return max(top - Int64(stepCount), 0) }
        return try Int64.fetchOne(
            database.cachedStatement(
                sql: "SELECT jobs.id FROM \(source) AND jobs.id <= ? ORDER BY jobs.id DESC LIMIT 1 OFFSET ?"
            ),
            arguments: [top, stepCount]
        ) ?? 0
    }

    // MARK: Through the indexes of the states

    /// A range of a partial index, in which jobs are ordered by a column and then by id; those of a state hold all its jobs.
    struct Index {
        let name: String
        /// The condition that tells the range.
        let range: String
        let column: String

        fileprivate init(_ name: String, _ state: JobState, _ more: String = "", orderedBy column: String) {
            self.name = name
            range = "state = \(state.rawValue)\(more)"
            self.column = column
        }
    }

    /// How many rows of the walk go before one entry of an index, for which the row may be needed too: they cost,
    /// measured, 0.2 µs, 0.4 and 1.2.
    var entryCost: Int { condition.sql.isEmpty && batch == nil ? 1 : 4 }

    /// The indexes of the states that are looked at.
    func indexes(in database: Database) throws -> [Index] {
        try (states ?? []).flatMap { state in
            switch state {
            case .scheduled: [Index("jobs_scheduled", state, orderedBy: "run_at_us")]
            case .queued: try queuedIndexes(in: database)
            case .running: [Index("jobs_running", state, orderedBy: "worker_id")]
            case .succeeded, .failed, .cancelled: [Index("jobs_\(state.name)", state, orderedBy: "finished_at_us")]
            }
        }
    }

    /// The ranges of `jobs_queued`: one for each model and priority.
    private func queuedIndexes(in database: Database) throws -> [Index] {
        try StoredRow.fetchAll(
            database.cachedStatement(sql: "\(QueuedHeads.table) SELECT model_id, priority FROM heads")
        ).map { row in
            let (model, priority): (Int64, Int64) = try (row[0], row[1])
            return Index(
                "jobs_queued",
                .queued,
                " AND model_id = \(model) AND priority = \(priority)",
                orderedBy: "run_at_us"
            )
        }
    }

    /// Where a page of an index ended.
    struct Cursor {
        let value: DatabaseValue
        /// The last id of that value; 0 if all of that value were seen.
        let id: Int64
    }

    /// The newest matching jobs among the next entries of an index, from its end to its start.
    ///
    /// Looks at `stepCount` entries behind the cursor, where the page before ended, and passes over ids from `bound` on;
    /// returns at most `limit` ids in falling order, and where the page ended: nil at the start of the index.
    func page(
        of index: Index,
        after cursor: Cursor?,
        below bound: Int64,
        limit: Int,
        stepCount: Int,
        in database: Database
    ) throws -> (ids: [Int64], end: Cursor?) {
        // Those of the cursor's value first, then those of smaller ones: SQLite does not seek by (column, id) pairs.
        let position: (sql: String, arguments: StatementArguments) =
            switch cursor {
            case nil: ("1", [])
            case .some(let cursor) where cursor.id == 0: ("\(index.column) < ?", [cursor.value])
            case .some(let cursor): ("\(index.column) = ? AND id < ?", [cursor.value, cursor.id])
            }
        let entries = """
            FROM jobs INDEXED BY \(index.name) WHERE \(index.range) AND \(position.sql)
            ORDER BY \(index.column) DESC, id DESC LIMIT
            """
        let last = try Row.fetchOne(
            database.cachedStatement(sql: "SELECT \(index.column), id \(entries) 1 OFFSET ?"),
            arguments: position.arguments + [stepCount - 1]
        ).map { Cursor(value: $0[0], id: $0[1]) }
        let (condition, arguments) = condition
        let inBatch = batch.map { " AND +batch_id IS \($0)" } ?? ""
        let matches = condition.isEmpty && inBatch.isEmpty ? "" : ", (1\(inBatch)\(condition)) AS matches"
        // Sorted in SQLite: rows that do not count never come here.
        let ids = try Int64.fetchAll(
            database.cachedStatement(
                sql: """
                    SELECT id FROM (SELECT id\(matches) \(entries) ?)
                    WHERE id < ?\(matches.isEmpty ? "" : " AND matches") ORDER BY id DESC LIMIT ?
                    """
            ),
            arguments: arguments + position.arguments + [stepCount, bound, limit]
        )
        let rest = cursor.flatMap { $0.id == 0 ? nil : Cursor(value: $0.value, id: 0) }
        return (ids, last ?? rest)
    }
}

extension JobCounts {
    /// Adds up counters.
    ///
    /// - Parameters:
    ///   - table: `model_counts` or `batch_counts`.
    ///   - rows: The rows whose key is among some; nil for all.
    ///   - database: Where.
    /// - Throws: SQLite's error.
    init(sumOf table: String, where rows: (key: String, ids: [Int64])? = nil, in database: Database) throws {
        let sums = JobState.allCases.map { "coalesce(sum(\($0.name)), 0)" }.joined(separator: ", ")
        let condition = rows.map { " WHERE \($0.key) IN (\(SearchTarget.list($0.ids)))" } ?? ""
        let statement = try database.makeStatement(sql: "SELECT \(sums) FROM \(table)\(condition)")
        let row = try StoredRow.fetchOne(statement, of: table)
        self.init()
        for (position, state) in JobState.allCases.enumerated() { self[state] = try row?[position] ?? 0 }
    }
}
