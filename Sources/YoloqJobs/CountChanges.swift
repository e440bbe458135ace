// SPDX-License-Identifier: Apache-2.0

import GRDB

/// How one transaction changes the counters: added up first, written once.
struct CountChanges {
    var models: [Int64: [JobState: Int]] = [:]
    var batches: [Int64: [JobState: Int]] = [:]

    /// Notes that a job went from one state to another.
    mutating func move(model: Int64, batch: Int64?, from: JobState, to: JobState) {
        models[model, default: [:]][from, default: 0] -= 1
        models[model, default: [:]][to, default: 0] += 1
        guard let batch else { return }
        batches[batch, default: [:]][from, default: 0] -= 1
        batches[batch, default: [:]][to, default: 0] += 1
    }

    /// Writes the sums: one statement for each model and batch.
    func apply(to database: Database) throws {
        for (table, key, changes) in [("model_counts", "model_id", models), ("batch_counts", "batch_id", batches)] {
            let columns = JobState.allCases.map { "\($0.name) = \($0.name) + ?" }.joined(separator: ", ")
            let update = try database.cachedStatement(sql: "UPDATE \(table) SET \(columns) WHERE \(key) = ?")
            for (id, change) in changes {
                let values = JobState.allCases.map { Int64(change[$0] ?? 0) } + [id]
                try update.execute(arguments: StatementArguments(values))
            }
        }
    }
}
