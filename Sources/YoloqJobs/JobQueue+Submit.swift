// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

extension JobQueue {
    /// How many jobs go into one transaction.
    ///
    /// Between two chunks other writers get their turn.
    public static let submitChunkCount = 500

    /// A chunk ends sooner when its inline contents have so many bytes.
    static let submitChunkByteCount = 16 << 20

    /// Puts jobs into the queue.
    ///
    /// The jobs are written in chunks of 500, each in one transaction. When `acknowledge` is called, its jobs survive what
    /// the durability promises; an error or a kill later on does not take them back.
    ///
    /// - Parameters:
    ///   - requests: The jobs, in the order in which they shall run; may be a lazy sequence of any length.
    ///   - now: The time of submission, one for all.
    ///   - maxQueued: Refuses a chunk after which more jobs than this would wait (queued or scheduled), and the first chunk
    ///     if the whole submit would, as far as `requests` knows its length; nil for no bound. What adds no waiting job,
    ///     such as one that is there already by its key, is never refused.
    ///   - acknowledge: Called with the jobs of each chunk once they are safe, in the order of the requests.
    /// - Throws: `invalidRequest` if a batch's name holds only digits or a text is no JSON where it must be; `full`; `busy`,
    ///   `diskFull`, `io`; what `acknowledge` throws. The chunks that were acknowledged stay.
    public func submit(
        _ requests: some Sequence<JobRequest>,
        now: Timestamp,
        maxQueued: Int? = nil,
        acknowledge: ([Receipt]) throws(JobsError) -> Void
    ) throws(JobsError) {
        var announced = requests.underestimatedCount
        var iterator = requests.makeIterator()
        while true {
            var chunk: [JobRequest] = []
            var byteCount = 0
            while chunk.count < JobQueue.submitChunkCount, byteCount < JobQueue.submitChunkByteCount,
                let request = iterator.next()
            {
                chunk.append(request)
                byteCount += request.content?.bytes.count ?? 0
            }
            guard !chunk.isEmpty else { return }
            let room = maxQueued.map { Room(later: max(announced - chunk.count, 0), limit: $0) }
            try acknowledge(submitChunk(chunk, now: now, room: room))
            announced -= chunk.count
        }
    }

    /// How many jobs want in after a chunk, and how many may wait.
    private struct Room {
        let later: Int
        let limit: Int
    }

    private func submitChunk(_ requests: [JobRequest], now: Timestamp, room: Room?) throws(JobsError) -> [Receipt] {
        try JobQueue.check(requests)
        return try write("submit", durability: options.durability, remembers: true) { database in
            let waiting = room == nil ? 0 : try JobQueue.waiting(in: database)
            var submission = try Submission(now: now, known: memory.rows, in: database)
            let receipts = try requests.map { try submission.add($0, to: database) }
            try submission.supersede(in: self, database)
            try submission.transition.finish(in: database)
            // At the end, when it is known which of them wait: some were there already, have a result or replace others.
            if let room { try JobQueue.check(room, after: waiting, in: database) }
            memory.rows = submission.known
            return (receipts, submission.transition.kinds)
        }
    }

    private static func check(_ room: Room, after before: Int, in database: Database) throws {
        let wanted = try waiting(in: database) + room.later
        guard wanted > room.limit, wanted > before else { return }
        throw JobsError(
            .full,
            "the queue is full: \(before) jobs wait, \(wanted - before) more would be beyond the \(room.limit) that may. "
                + "Try again later, or run more workers"
        )
    }

    private static func waiting(in database: Database) throws -> Int {
        try Int.fetchOne(database.cachedStatement(sql: "SELECT sum(queued + scheduled) FROM model_counts")) ?? 0
    }

    // The schema would refuse these too, but not in words.

    private static func check(_ requests: [JobRequest]) throws(JobsError) {
        var checked = Checked()
        for request in requests { try checked.check(request) }
    }
}

/// What has been looked at in one chunk: most jobs of a submit share their texts.
///
/// Parameters are looked at when they are stored: equal ones are stored once.
private struct Checked {
    private var batches: Set<String> = []
    private var texts: Set<String> = []
    /// So that no sum of times is more than 64 bits hold.
    private static let longest = Duration.seconds(100 * 366 * 86400)
    private static let moments = Timestamp(microseconds: 1)..<Timestamp(microseconds: 253_402_300_800_000_000)

    mutating func check(_ request: JobRequest) throws(JobsError) {
        guard !request.source.isEmpty else { throw JobsError(.invalidRequest, "a job needs a source") }
        guard request.key != "", request.latestKey != "" else {
            throw JobsError(.invalidRequest, "a key must not be empty")
        }
        guard (1...1000).contains(request.retry.maxAttempts) else {
            throw JobsError(.invalidRequest, "a job has 1 to 1000 attempts, not \(request.retry.maxAttempts)")
        }
        guard request.timeLimit.map({ $0 >= .microseconds(1) && $0 <= Checked.longest }) ?? true else {
            throw JobsError(.invalidRequest, "a time limit is longer than nothing, and at most 100 years")
        }
        for delay in [request.retry.firstDelay, request.retry.longestDelay]
        where delay < .zero || delay > Checked.longest {
            throw JobsError(.invalidRequest, "a delay is 0 or more, and at most 100 years")
        }
        for moment in [request.runAt, request.expiresAt] {
            guard let moment, !Checked.moments.contains(moment) else { continue }
            throw JobsError(.invalidRequest, "a time is after 1970 and before 10000")
        }
        guard !request.reusesResults || request.pin != nil || request.content != nil else {
            throw JobsError(
                .invalidRequest,
                "\(request.source) cannot be read, so no result of the same bytes can be looked for. Submit it without reuse"
            )
        }
        if let batch = request.batch, batches.insert(batch).inserted { try check(batch: batch) }
        if let meta = request.meta, texts.insert(meta).inserted { try Checked.check("meta", isJSON: meta) }
    }

    private func check(batch: String) throws(JobsError) {
        guard batch.allSatisfy(\.isNumber) else { return }
        throw JobsError(
            .invalidRequest,
            "a batch cannot be called \"\(batch)\": a name needs a character that is no digit, since digits are a "
                + "job's number"
        )
    }

    static func check(_ what: String, isJSON text: String) throws(JobsError) {
        guard (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) == nil else {
            return
        }
        throw JobsError(.invalidRequest, "\(what) is not JSON: \(text). Quote it, such as '{\"camera\": 3}'")
    }
}

/// The jobs of one chunk on their way into the tables.
private struct Submission {
    let now: Timestamp
    var transition = Transition()
    private let insert: HotStatement
    private var lookup: RowLookup
    /// The newest job of each source of which only the newest matters.
    private var newest: [String: JobID] = [:]
    private var numbers: JobNumbers

    init(now: Timestamp, known: KnownRows, in database: Database) throws {
        self.now = now
        insert = try HotStatement(JobQueue.insertStatement, in: database)
        lookup = RowLookup(now: now, known: known)
        numbers = JobNumbers(last: known.lastNumber)
    }

    /// What the next transaction may know if this one is committed.
    var known: KnownRows {
        KnownRows(model: lookup.models.last, parameters: lookup.parameters.last, lastNumber: numbers.last)
    }

    /// Adds a job, or finds the one of its key.
    mutating func add(_ request: JobRequest, to database: Database) throws -> Receipt {
        if let key = request.key {
            let select = try database.cachedStatement(sql: JobQueue.keyStatement)
            if let id = try Int64.fetchOne(select, arguments: [key]) {
                return Receipt(job: JobID(rawValue: id), isNew: false)
            }
        }
        let model = try lookup.model(request.model, in: database)
        let parameters = try lookup.parameters(request.parameters, in: database)
        let twin = request.reusesResults ? try self.twin(of: request, parameters: parameters, in: database) : nil
        let (state, runAt) = JobQueue.start(of: request, twin: twin?.state, now: now)
        let batch = try request.batch.map { try lookup.batch($0, in: database) }
        let id = try insert(
            request,
            Placement(
                state: state,
                model: model,
                batch: batch,
                parameters: parameters,
                input: request.content.map { try lookup.input($0, in: database) },
                runAt: runAt.microseconds,
                leader: twin?.id
            ),
            number: numbers.next(in: database)
        )
        if state == .succeeded, let twin {
            try database.cachedStatement(
                sql: "INSERT INTO results (job_id, document) SELECT ?, document FROM results WHERE job_id = ?"
            ).execute(arguments: [id.rawValue, twin.id])
        }
        transition.move(model: model, batch: batch, from: nil, to: state)
        if let name = request.latestKey { newest[name] = id }
        return Receipt(job: id, isNew: true)
    }

    /// Where a job goes.
    private struct Placement {
        let state: JobState
        let model: Int64
        let batch: Int64?
        let parameters: Int64
        let input: Int64?
        let runAt: Int64
        let leader: Int64?
    }

    private func insert(_ request: JobRequest, _ place: Placement, number: Int64) throws -> JobID {
        insert.bind(place.state.rawValue, at: 1)
        insert.bind(place.model, at: 2)
        insert.bind(place.batch, at: 3)
        insert.bind(place.parameters, at: 4)
        insert.bind(request.source, at: 5)
        insert.bind(request.meta, at: 6)
        insert.bind(request.priority, at: 7)
        insert.bind(now.microseconds, at: 8)
        insert.bind(place.runAt, at: 9)
        insert.bind(request.retry.maxAttempts, at: 10)
        insert.bind(place.state == .succeeded ? now.microseconds : nil, at: 11)
        insert.bind(request.key, at: 12)
        insert.bind(request.latestKey, at: 13)
        insert.bind(request.expiresAt?.microseconds, at: 14)
        insert.bind(request.timeLimit?.wholeMicroseconds, at: 15)
        insert.bind(request.retry.firstDelay.wholeMicroseconds, at: 16)
        insert.bind(request.retry.longestDelay.wholeMicroseconds, at: 17)
        insert.bind(request.pin?.byteCount ?? request.content?.bytes.count, at: 18)
        insert.bind(request.pin?.modifiedAt.microseconds, at: 19)
        insert.bind(request.sha256, at: 20)
        insert.bind(place.input, at: 21)
        insert.bind(request.reusesResults, at: 22)
        insert.bind(place.leader, at: 23)
        insert.bind(number, at: 24)
        try insert.run()
        return JobID(rawValue: number)
    }

    /// A job of the same bytes, model hash and parameters that has a result, or runs, or waits: in this order.
    private func twin(of request: JobRequest, parameters: Int64, in database: Database) throws -> JobRow? {
        guard let sha256 = request.sha256 else { return nil }
        let select = try database.cachedStatement(sql: JobQueue.twinStatement)
        // A job that is not to run yet waits for its time, not for another job, whose end could come before it.
        let isDelayed = request.runAt.map { $0 > now } ?? false
        for state in isDelayed ? [JobState.succeeded] : [.succeeded, .running, .queued] {
            let row = try Row.fetchOne(
                select,
                arguments: [Data(sha256.bytes), parameters, request.model.sha256, state.rawValue]
            )
            if let row { return try JobRow(StoredRow(row)) }
        }
        return nil
    }

    /// Cancels the jobs that waited for the same sources as the new ones.
    mutating func supersede(in queue: JobQueue, _ database: Database) throws {
        for (name, newer) in newest {
            let older = try Int64.fetchAll(
                database.cachedStatement(sql: JobQueue.olderStatement),
                arguments: [name, newer.rawValue]
            )
            for id in older {
                _ = try queue.cancel(JobID(rawValue: id), supersededBy: newer, now: now, &transition, in: database)
            }
        }
    }
}

extension JobQueue {
    /// Where a new job starts: with the result of its twin, behind it, at a time, or at once.
    fileprivate static func start(of request: JobRequest, twin: JobState?, now: Timestamp) -> (
        JobState, runAt: Timestamp
    ) {
        switch twin {
        case .succeeded: return (.succeeded, now)
        case nil:
            let runAt = request.runAt ?? now
            return (runAt > now ? .scheduled : .queued, runAt)
        default: return (.scheduled, Timestamp(microseconds: never))
        }
    }

    static let insertStatement = """
        INSERT INTO jobs (state, model_id, batch_id, parameters_id, source, meta, priority, created_at_us, run_at_us,
            max_attempts, finished_at_us, key, latest_key, expires_at_us, time_limit_us, backoff_us, backoff_limit_us,
            source_byte_count, source_modified_at_us, source_sha256, input_id, reuses, leader_id, id)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """

    static let keyStatement = "SELECT id FROM jobs INDEXED BY jobs_key WHERE key = ?"

    static let olderStatement = """
        SELECT id FROM jobs INDEXED BY jobs_latest WHERE latest_key = ? AND latest_key IS NOT NULL AND state < 2 AND id <> ?
        """

    static let twinStatement = """
        SELECT \(JobRow.columns) FROM jobs INDEXED BY jobs_reusable
        WHERE reuses = 1 AND state BETWEEN 1 AND 3 AND source_sha256 = ? AND parameters_id = ?
            AND model_id IN (SELECT models.id FROM models WHERE models.sha256 = ?) AND state = ?
        LIMIT 1
        """
}

extension JobRequest {
    /// The digest of what it runs on, if it is known.
    fileprivate var sha256: ContentHash? { content?.sha256 ?? pin?.sha256 }
}

/// The numbers of the jobs that one transaction adds: each is given out once, pruned or not.
///
/// AUTOINCREMENT keeps the last number in a table of its own, and would write one page more for each submit.
struct JobNumbers {
    /// The last number; nil if it is not known yet.
    private(set) var last: Int64?

    init(last: Int64?) { self.last = last }

    static let lastStatement = """
        SELECT max(coalesce((SELECT max(last_pruned) FROM job_numbers), 0), coalesce((SELECT max(id) FROM jobs), 0))
        """

    /// The next number.
    mutating func next(in database: Database) throws -> Int64 {
        let last = try last ?? HotStatement(JobNumbers.lastStatement, in: database).readInteger() ?? 0
        self.last = last + 1
        return last + 1
    }

    static let pruneStatement = "UPDATE job_numbers SET last_pruned = ?1 WHERE last_pruned < ?1"

    /// Remembers the highest of the numbers whose jobs a transaction deletes.
    static func remember(pruned numbers: [Int64], in database: Database) throws {
        guard let highest = numbers.max() else { return }
        try database.cachedStatement(sql: pruneStatement).execute(arguments: [highest])
    }
}

/// What a submit left for the next one, which mostly asks for the same.
struct KnownRows {
    fileprivate var model: (key: ModelReference, row: Int64)?
    fileprivate var parameters: (key: String, row: Int64)?
    fileprivate var lastNumber: Int64?
}

/// What is known of the file while nobody else writes to it.
///
/// Touched only under the write lock, and empty after an error, after any write but a submit, and after somebody else has
/// held the lock.
final class WriterMemory: @unchecked Sendable {
    // @unchecked because of the rule above.

    var rows = KnownRows()
}

/// Finds or makes the rows that jobs of one transaction share, each once.
struct RowLookup {
    let now: Timestamp
    fileprivate var models: Memory<ModelReference>
    private var batches = Memory<String>()
    fileprivate var parameters: Memory<String>

    init(now: Timestamp, known: KnownRows = KnownRows()) {
        self.now = now
        models = Memory(last: known.model)
        parameters = Memory(last: known.parameters)
    }

    static let modelStatement = "SELECT id FROM models WHERE path = ? AND sha256 = ?"
    static let parametersStatement = "SELECT id FROM parameters WHERE json = ?"

    /// The model's row.
    mutating func model(_ model: ModelReference, in database: Database) throws -> Int64 {
        if let id = models[model] { return id }
        let select = try HotStatement(RowLookup.modelStatement, in: database)
        select.bind(model.path, at: 1)
        select.bind(model.sha256, at: 2)
        let id = try select.readInteger() ?? insertModel(model, in: database)
        models[model] = id
        return id
    }

    private func insertModel(_ model: ModelReference, in database: Database) throws -> Int64 {
        try database.execute(
            sql: "INSERT INTO models (name, path, sha256, created_at_us) VALUES (?, ?, ?, ?)",
            arguments: [model.name, model.path, model.sha256, now.microseconds]
        )
        let id = database.lastInsertedRowID
        try database.execute(sql: "INSERT INTO model_counts (model_id) VALUES (?)", arguments: [id])
        try JobQueue.applyPauses(in: database)
        return id
    }

    /// The batch's row.
    mutating func batch(_ name: String, in database: Database) throws -> Int64 {
        if let id = batches[name] { return id }
        let select = try database.cachedStatement(sql: "SELECT id FROM batches WHERE name = ?")
        let id = try Int64.fetchOne(select, arguments: [name]) ?? insertBatch(name, in: database)
        batches[name] = id
        return id
    }

    private func insertBatch(_ name: String, in database: Database) throws -> Int64 {
        try database.execute(
            sql: "INSERT INTO batches (name, created_at_us) VALUES (?, ?)",
            arguments: [name, now.microseconds]
        )
        let id = database.lastInsertedRowID
        try database.execute(sql: "INSERT INTO batch_counts (batch_id) VALUES (?)", arguments: [id])
        return id
    }

    /// The row of parameters.
    mutating func parameters(_ json: String, in database: Database) throws -> Int64 {
        if let id = parameters[json] { return id }
        let select = try HotStatement(RowLookup.parametersStatement, in: database)
        select.bind(json, at: 1)
        let id = try select.readInteger() ?? insertParameters(json, in: database)
        parameters[json] = id
        return id
    }

    private func insertParameters(_ json: String, in database: Database) throws -> Int64 {
        try Checked.check("parameters", isJSON: json)
        try database.execute(sql: "INSERT INTO parameters (json) VALUES (?)", arguments: [json])
        return database.lastInsertedRowID
    }

    /// The row of bytes, for one more job.
    func input(_ content: InlineContent, in database: Database) throws -> Int64 {
        let hash = Data(content.sha256.bytes)
        let update = try database.cachedStatement(
            sql: "UPDATE inputs SET job_count = job_count + 1 WHERE sha256 = ? RETURNING id"
        )
        if let id = try Int64.fetchAll(update, arguments: [hash]).first { return id }
        try database.cachedStatement(sql: "INSERT INTO inputs (sha256, bytes, job_count) VALUES (?, ?, 1)")
            .execute(arguments: [hash, Data(content.bytes)])
        return database.lastInsertedRowID
    }
}

/// Rows that were found before; remembers the last one apart, since most jobs of a submit share it and comparing a text
/// with itself costs less than hashing it.
private struct Memory<Key: Hashable> {
    private(set) var last: (key: Key, row: Int64)?
    private var rows: [Key: Int64] = [:]

    init(last: (key: Key, row: Int64)? = nil) { self.last = last }

    subscript(key: Key) -> Int64? {
        mutating get {
            if let last, last.key == key { return last.row }
            guard let row = rows[key] else { return nil }
            last = (key, row)
            return row
        }
        set {
            rows[key] = newValue
            last = newValue.map { (key, $0) }
        }
    }
}
