// SPDX-License-Identifier: Apache-2.0

import GRDB

/// How one transaction changes the counters: added up first, written once.
struct CountChanges {
    private var models: [Int64: JobCounts] = [:]
    private var batches: [Int64: JobCounts] = [:]

    /// Notes that a job went from one state to another.
    ///
    /// - Parameters:
    ///   - model: The job's model.
    ///   - batch: The job's batch.
    ///   - from: nil for a job that is new.
    ///   - to: nil for a job that is deleted.
    mutating func move(model: Int64, batch: Int64?, from: JobState?, to: JobState?) {
        func shift(_ counts: inout JobCounts) {
            if let from { counts[from] -= 1 }
            if let to { counts[to] += 1 }
        }
        shift(&models[model, default: JobCounts()])
        if let batch { shift(&batches[batch, default: JobCounts()]) }
    }

    /// Writes the sums: one statement for each model and batch.
    func apply(to database: Database) throws {
        try CountChanges.apply(models, with: CountChanges.modelStatement, to: database)
        try CountChanges.apply(batches, with: CountChanges.batchStatement, to: database)
    }

    static let modelStatement = statement(table: "model_counts", key: "model_id")
    static let batchStatement = statement(table: "batch_counts", key: "batch_id")

    private static func statement(table: String, key: String) -> String {
        let columns = JobState.allCases.map { "\($0.name) = \($0.name) + ?" }.joined(separator: ", ")
        return "UPDATE \(table) SET \(columns) WHERE \(key) = ?"
    }

    private static func apply(_ changes: [Int64: JobCounts], with sql: String, to database: Database) throws {
        guard !changes.isEmpty else { return }
        let update = try HotStatement(sql, in: database)
        for (id, change) in changes {
            for state in JobState.allCases { update.bind(change[state], at: Int32(state.rawValue) + 1) }
            update.bind(id, at: Int32(JobState.allCases.count) + 1)
            try update.run()
        }
    }
}
