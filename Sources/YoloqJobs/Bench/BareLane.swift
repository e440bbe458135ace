// SPDX-License-Identifier: Apache-2.0

import GRDBSQLite

/// The queue's statements run by SQLite's C calls in a plain loop: what the queue's own code is measured against.
///
/// The same schema, pragmas, statements and transactions, counters included, but none of our locks, checks and layers;
/// SQLite checkpoints by itself at the same length of the log. It may only use a file that no `JobQueue` has open.
package final class BareLane: BenchLane {
    /// A claimed job.
    package struct Held: Sendable {
        fileprivate let id: Int64
        fileprivate let token: Int64
    }

    private let database: OpaquePointer
    private let durability: Durability
    private var synchronous = Durability.full
    private let begin: OpaquePointer
    private let commit: OpaquePointer
    private let selectModel: OpaquePointer
    private let selectParameters: OpaquePointer
    private let insertJob: OpaquePointer
    private let claimJobs: OpaquePointer
    private let finishJob: OpaquePointer
    private let insertResult: OpaquePointer
    private let addCounts: OpaquePointer
    private let texts = Texts()

    /// Opens a connection.
    ///
    /// - Parameters:
    ///   - path: A queue that `QueueLane.prepare` has made.
    ///   - durability: What commits of submits and results have to survive.
    /// - Throws: `io`, with SQLite's words.
    package init(path: String, durability: Durability) throws(JobsError) {
        var handle: OpaquePointer?
        guard sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil) == SQLITE_OK,
            let database = handle
        else {
            throw JobsError(.io, "cannot open \(path) for a benchmark")
        }
        self.database = database
        self.durability = durability
        sqlite3_busy_timeout(database, 10_000)
        for pragma in ["journal_mode = wal", "foreign_keys = 1", "synchronous = FULL"] {
            sqlite3_exec(database, "PRAGMA \(pragma)", nil, nil, nil)
        }
        sqlite3_wal_autocheckpoint(database, Int32(JobQueue.Options().checkpointFrameCount))
        func prepare(_ sql: String) throws(JobsError) -> OpaquePointer {
            var statement: OpaquePointer?
            sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
            guard let statement else { throw JobsError(.io, String(cString: sqlite3_errmsg(database))) }
            return statement
        }
        begin = try prepare("BEGIN IMMEDIATE TRANSACTION")
        commit = try prepare("COMMIT TRANSACTION")
        selectModel = try prepare(RowLookup.modelStatement)
        selectParameters = try prepare(RowLookup.parametersStatement)
        insertJob = try prepare(JobQueue.insertStatement)
        claimJobs = try prepare(JobQueue.claimStatement)
        finishJob = try prepare(Fenced.succeed)
        insertResult = try prepare(JobQueue.insertResultStatement)
        addCounts = try prepare(CountChanges.modelStatement)
        // What is the same for every job is bound once: state, priority, attempts, backoff and its limit, reuse.
        for (index, value) in [(1, 1), (7, 0), (10, 3), (16, 2_000_000), (17, 600_000_000), (22, 0)] {
            sqlite3_bind_int64(insertJob, Int32(index), Int64(value))
        }
    }

    deinit {
        for statement in [
            begin, commit, selectModel, selectParameters, insertJob, claimJobs, finishJob, insertResult, addCounts,
        ] { sqlite3_finalize(statement) }
        sqlite3_close(database)
    }

    package func submit(_ count: Int) throws {
        var left = count
        while left > 0 {
            try submitChunk(min(left, JobQueue.submitChunkCount))
            left -= JobQueue.submitChunkCount
        }
    }

    private func submitChunk(_ count: Int) throws(JobsError) {
        set(durability)
        let now = Timestamp.now().microseconds
        try run(begin)
        sqlite3_bind_text(selectModel, 1, texts.modelPath, -1, nil)
        sqlite3_bind_text(selectModel, 2, texts.modelHash, -1, nil)
        let model = try readInteger(selectModel)
        sqlite3_bind_text(selectParameters, 1, texts.parameters, -1, nil)
        let parameters = try readInteger(selectParameters)
        for _ in 0..<count {
            sqlite3_bind_int64(insertJob, 2, model)
            sqlite3_bind_int64(insertJob, 4, parameters)
            sqlite3_bind_text(insertJob, 5, texts.source, -1, nil)
            sqlite3_bind_int64(insertJob, 8, now)
            sqlite3_bind_int64(insertJob, 9, now)
            try run(insertJob)
        }
        try move(count, to: .queued, from: nil)
        try run(commit)
    }

    package func claim(_ limit: Int) throws -> [Held] {
        set(.normal)
        let token = Int64.random(in: 1...Int64.max / 2)
        try run(begin)
        sqlite3_bind_int64(claimJobs, 1, token)
        sqlite3_bind_text(claimJobs, 2, texts.worker, -1, nil)
        sqlite3_bind_int64(claimJobs, 3, Timestamp.now().microseconds)
        sqlite3_bind_text(claimJobs, 4, texts.models, -1, nil)
        sqlite3_bind_int64(claimJobs, 5, BenchJob.modelRow)
        sqlite3_bind_int64(claimJobs, 6, JobQueue.loadedModelBonus.wholeMicroseconds)
        sqlite3_bind_int64(claimJobs, 7, Int64(limit))
        var held: [Held] = []
        while try step(claimJobs) {
            let id = sqlite3_column_int64(claimJobs, 0)
            held.append(Held(id: id, token: token + id))
        }
        sqlite3_reset(claimJobs)
        if !held.isEmpty { try move(held.count, to: .running, from: .queued) }
        try run(commit)
        return held
    }

    package func record(_ held: [Held]) throws {
        set(durability)
        let now = Timestamp.now().microseconds
        try run(begin)
        for job in held {
            sqlite3_bind_int64(finishJob, 1, job.id)
            sqlite3_bind_int64(finishJob, 2, job.token)
            sqlite3_bind_int64(finishJob, 3, now)
            _ = try readInteger(finishJob)
            sqlite3_bind_int64(insertResult, 1, job.id)
            sqlite3_bind_text(insertResult, 2, texts.result, -1, nil)
            try run(insertResult)
        }
        try move(held.count, to: .succeeded, from: .running)
        try run(commit)
    }

    // MARK: Calls

    /// Takes effect when it is prepared, so it is not kept.
    private func set(_ durability: Durability) {
        guard durability != synchronous else { return }
        sqlite3_exec(database, "PRAGMA synchronous = \(durability == .full ? "FULL" : "NORMAL")", nil, nil, nil)
        synchronous = durability
    }

    private func move(_ count: Int, to: JobState, from: JobState?) throws(JobsError) {
        for index in 0..<6 { sqlite3_bind_int64(addCounts, Int32(index) + 1, 0) }
        sqlite3_bind_int64(addCounts, Int32(to.rawValue) + 1, Int64(count))
        if let from { sqlite3_bind_int64(addCounts, Int32(from.rawValue) + 1, -Int64(count)) }
        sqlite3_bind_int64(addCounts, 7, BenchJob.modelRow)
        try run(addCounts)
    }

    private func step(_ statement: OpaquePointer) throws(JobsError) -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw JobsError(.io, String(cString: sqlite3_errmsg(database)))
        }
    }

    private func run(_ statement: OpaquePointer) throws(JobsError) {
        _ = try step(statement)
        sqlite3_reset(statement)
    }

    /// Runs a statement to its end and returns the first column of its first row.
    private func readInteger(_ statement: OpaquePointer) throws(JobsError) -> Int64 {
        guard try step(statement) else { throw JobsError(.io, "a benchmark's row is missing") }
        let value = sqlite3_column_int64(statement, 0)
        while try step(statement) {}
        sqlite3_reset(statement)
        return value
    }
}

/// The texts of `BenchJob` as C strings, which statements may refer to for as long as the lane lives.
private final class Texts {
    let source = Texts.makeCString(BenchJob.source)
    let modelPath = Texts.makeCString(BenchJob.model.path)
    let modelHash = Texts.makeCString(BenchJob.model.sha256)
    let parameters = Texts.makeCString(BenchJob.parameters)
    let result = Texts.makeCString(BenchJob.result)
    let worker = Texts.makeCString(BenchJob.worker.id)
    let models = Texts.makeCString("[\(BenchJob.modelRow)]")

    deinit {
        for text in [source, modelPath, modelHash, parameters, result, worker, models] { text.deallocate() }
    }

    private static func makeCString(_ text: String) -> UnsafeMutablePointer<CChar> {
        let bytes = text.utf8CString
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        copy.initialize(from: Array(bytes), count: bytes.count)
        return copy
    }
}
