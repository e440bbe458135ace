// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

extension JobQueue {
    /// How many jobs go into one transaction.
    ///
    /// Between two chunks other writers get their turn.
    static let submitChunkCount = 500

    /// Puts jobs into the queue.
    ///
    /// The jobs are written in chunks of 500, each in one transaction. When `acknowledge` is called, its jobs survive what
    /// the durability promises; an error or a kill later on does not take them back.
    ///
    /// - Parameters:
    ///   - requests: The jobs, in the order in which they shall run; may be a lazy sequence of any length.
    ///   - now: The time of submission, one for all.
    ///   - acknowledge: Called with the ids of each chunk once it is safe, in the order of the requests.
    /// - Throws: `invalidRequest` if a batch's name holds only digits or a text is no JSON where it must be;
    ///   `busy`, `diskFull`, `io`; what `acknowledge` throws. The chunks that were acknowledged stay.
    public func submit(
        _ requests: some Sequence<JobRequest>,
        now: Timestamp,
        acknowledge: ([JobID]) throws(JobsError) -> Void
    ) throws(JobsError) {
        var iterator = requests.makeIterator()
        while true {
            var chunk: [JobRequest] = []
            while chunk.count < JobQueue.submitChunkCount, let request = iterator.next() { chunk.append(request) }
            guard !chunk.isEmpty else { return }
            try acknowledge(submitChunk(chunk, now: now))
        }
    }

    /// Puts a few jobs into the queue, all or none if there are at most 500.
    ///
    /// - Parameters:
    ///   - requests: The jobs, in the order in which they shall run.
    ///   - now: The time of submission.
    /// - Returns: The ids, in the order of the requests; the jobs are safe.
    /// - Throws: As the other form.
    public func submit(_ requests: [JobRequest], now: Timestamp) throws(JobsError) -> [JobID] {
        var ids: [JobID] = []
        ids.reserveCapacity(requests.count)
        try submit(requests, now: now) { ids += $0 }
        return ids
    }

    private func submitChunk(_ requests: [JobRequest], now: Timestamp) throws(JobsError) -> [JobID] {
        for request in requests where request.source.isEmpty {
            throw JobsError(.invalidRequest, "a job needs a source")
        }
        for batch in Set(requests.compactMap(\.batch)) { try check(batch: batch) }
        for meta in Set(requests.compactMap(\.meta)) { try check("meta", isJSON: meta) }
        for parameters in Set(requests.map(\.parameters)) { try check("parameters", isJSON: parameters) }
        return try write("submit", durability: options.durability) { database in
            var lookup = Lookup(now: now)
            let insert = try database.cachedStatement(
                sql: """
                    INSERT INTO jobs (state, model_id, batch_id, parameters_id, source, meta, priority, created_at_us,
                        run_at_us)
                    VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            )
            var ids: [JobID] = []
            ids.reserveCapacity(requests.count)
            for request in requests {
                let model = try lookup.model(request.model, in: database)
                let batch = try request.batch.map { try lookup.batch($0, in: database) }
                try insert.execute(arguments: [
                    model, batch, lookup.parameters(request.parameters, in: database), request.source, request.meta,
                    request.priority, now.microseconds, now.microseconds,
                ])
                ids.append(JobID(rawValue: database.lastInsertedRowID))
            }
            try lookup.changes.apply(to: database)
            return (ids, .work)
        }
    }

    // The schema would refuse these too, but not in words.

    private func check(batch: String) throws(JobsError) {
        guard batch.allSatisfy(\.isNumber) else { return }
        throw JobsError(
            .invalidRequest,
            "a batch cannot be called \"\(batch)\": a name needs a character that is no digit, since digits are a "
                + "job's number"
        )
    }

    private func check(_ what: String, isJSON text: String) throws(JobsError) {
        guard (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) == nil else {
            return
        }
        throw JobsError(.invalidRequest, "\(what) is not JSON: \(text). Quote it, such as '{\"camera\": 3}'")
    }
}

/// Finds or makes the rows that jobs of one chunk share, each once, and adds up how the counters change.
private struct Lookup {
    let now: Timestamp
    var changes = CountChanges()
    private var models: [ModelReference: Int64] = [:]
    private var batches: [String: Int64] = [:]
    private var parameters: [String: Int64] = [:]

    init(now: Timestamp) { self.now = now }

    /// The model's row; counts one more queued job for it.
    mutating func model(_ model: ModelReference, in database: Database) throws -> Int64 {
        let id = try models[model] ?? insertModel(model, in: database)
        models[model] = id
        changes.models[id, default: [:]][.queued, default: 0] += 1
        return id
    }

    private func insertModel(_ model: ModelReference, in database: Database) throws -> Int64 {
        let select = "SELECT id FROM models WHERE path = ? AND sha256 = ?"
        if let id = try Int64.fetchOne(database, sql: select, arguments: [model.path, model.sha256]) { return id }
        try database.execute(
            sql: "INSERT INTO models (name, path, sha256, created_at_us) VALUES (?, ?, ?, ?)",
            arguments: [model.name, model.path, model.sha256, now.microseconds]
        )
        let id = database.lastInsertedRowID
        try database.execute(sql: "INSERT INTO model_counts (model_id) VALUES (?)", arguments: [id])
        return id
    }

    /// The batch's row; counts one more queued job in it.
    mutating func batch(_ name: String, in database: Database) throws -> Int64 {
        let id = try batches[name] ?? insertBatch(name, in: database)
        batches[name] = id
        changes.batches[id, default: [:]][.queued, default: 0] += 1
        return id
    }

    private func insertBatch(_ name: String, in database: Database) throws -> Int64 {
        let select = "SELECT id FROM batches WHERE name = ?"
        if let id = try Int64.fetchOne(database, sql: select, arguments: [name]) { return id }
        try database.execute(
            sql: "INSERT INTO batches (name, created_at_us) VALUES (?, ?)",
            arguments: [name, now.microseconds]
        )
        let id = database.lastInsertedRowID
        try database.execute(sql: "INSERT INTO batch_counts (batch_id) VALUES (?)", arguments: [id])
        return id
    }

    mutating func parameters(_ json: String, in database: Database) throws -> Int64 {
        if let id = parameters[json] { return id }
        let select = "SELECT id FROM parameters WHERE json = ?"
        var id = try Int64.fetchOne(database, sql: select, arguments: [json])
        if id == nil {
            try database.execute(sql: "INSERT INTO parameters (json) VALUES (?)", arguments: [json])
            id = database.lastInsertedRowID
        }
        parameters[json] = id
        return id ?? 0
    }
}
