// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import Testing

@testable import YoloqJobs

/// What a statement costs, in steps of SQLite's virtual machine: the same on every machine.
struct CostTests {
    private func steps(_ sql: String, _ arguments: StatementArguments, on queue: JobQueue) throws -> Int {
        var steps = 0
        do {
            try queue.write("measure", durability: .normal) { database -> (Void, WakeKinds) in
                let statement = try database.makeStatement(sql: sql)
                _ = try Row.fetchAll(statement, arguments: arguments)
                steps = Int(sqlite3_stmt_status(statement.sqliteStatement, SQLITE_STMTSTATUS_VM_STEP, 0))
                // Takes back what the statement changed.
                throw JobsError(.invalidRequest, "measured")
            }
        } catch {
            guard steps > 0 else { throw error }
        }
        return steps
    }

    private func claimSteps(on queue: JobQueue) throws -> Int {
        let models = try queue.allModels().map(String.init).joined(separator: ",")
        return try steps(JobQueue.claimStatement, [1, "w", 1, "[\(models)]", nil, 0, 1], on: queue)
    }

    private func oldestSteps(on queue: JobQueue) throws -> Int {
        try steps(JobQueue.oldestQueuedStatement, [], on: queue)
    }

    /// Adds many jobs in one state, past the counters, which these statements do not read.
    private func add(_ count: Int, state: JobState, to queue: JobQueue, analyze: Bool) throws {
        let columns: String =
            switch state {
            case .running: "1, 'x', 1, 1, NULL, NULL, NULL, NULL"
            case .succeeded, .cancelled: "NULL, 'x', 1, 1, 1, NULL, NULL, NULL"
            case .failed: "NULL, 'x', 1, 1, 1, 'kind', 'message', 0"
            case .queued, .scheduled: "NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL"
            }
        try queue.write("add rows", durability: .normal) { database in
            try database.execute(
                sql: """
                    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(count))
                    INSERT INTO jobs (state, model_id, parameters_id, source, created_at_us, run_at_us, claim_token, worker_id,
                        started_at_us, attempts, finished_at_us, error_kind, error_message, error_retryable)
                    SELECT \(state.rawValue), 1 + i % 2, 1, 's', i, i, \(columns) FROM n
                    """
            )
            if analyze { try database.execute(sql: "ANALYZE") }
            return ((), [])
        }
    }

    @Test(arguments: JobState.allCases, [false, true])
    func `claim and the oldest wait cost the same beside 20,000 jobs of any state`(state: JobState, analyze: Bool)
        throws
    {
        try withQueue { queue throws in
            _ = try queue.submit(requests(3, model: "a") + requests(3, model: "b"), now: noon)
            let before = (try claimSteps(on: queue), try oldestSteps(on: queue))
            try add(20_000, state: state, to: queue, analyze: analyze)
            let after = (try claimSteps(on: queue), try oldestSteps(on: queue))
            #expect(abs(after.0 - before.0) <= 32, "claim: \(before.0) steps before, \(after.0) after")
            #expect(abs(after.1 - before.1) <= 32, "oldest wait: \(before.1) steps before, \(after.1) after")
        }
    }

    @Test(arguments: JobState.allCases)
    func `the latest jobs cost the same beside 20,000 jobs of any state`(state: JobState)
        throws
    {
        try withQueue { queue throws in
            try add(600, state: .succeeded, to: prepared(queue), analyze: false)
            try add(600, state: .failed, to: queue, analyze: false)
            func costs() throws -> [Int] {
                try [JobState.succeeded, .failed].map { try steps(JobQueue.recentStatement(for: $0), [500], on: queue) }
            }
            let before = try costs()
            try add(20_000, state: state, to: queue, analyze: true)
            let after = try costs()
            #expect(zip(before, after).allSatisfy { abs($0 - $1) <= 32 }, "\(before) steps before, \(after) after")
        }
    }

    /// Two models and a set of parameters, for rows that are added past `submit`.
    private func prepared(_ queue: JobQueue) throws -> JobQueue {
        _ = try queue.submit(requests(1, model: "a") + requests(1, model: "b"), now: noon)
        return queue
    }
}

/// What whole operations cost beside any number of rows that are none of their business.
struct OperationCostTests {
    /// Rows that a busy or an old queue has many of.
    enum Crowd: String, CaseIterable, CustomTestStringConvertible {
        case succeeded, failed, cancelled
        case scheduledFarAhead = "scheduled far ahead"
        case followers
        case queuedForAnotherModel = "queued for another model"
        case runningElsewhere = "running elsewhere"
        case keyed = "with keys"
        case newestOnly = "newest only, of other sources"
        case newestOnlyEnded = "newest only, of the same source, ended"
        case deadlinesFarAhead = "deadlines far ahead"
        case sharingOtherContent = "sharing other content"
        case sharingOnOtherModel = "sharing the same content on another model"
        case inOneBatch = "in one batch"
        case withHistory = "with a history"
        case inputs = "with bytes of their own"

        var testDescription: String { rawValue }

        /// The state of these jobs, and what differs from a plain one, by column; `i` counts them from 1.
        var rows: (state: JobState, [String: String]) {
            switch self {
            case .succeeded, .withHistory: (.succeeded, [:])
            case .failed: (.failed, [:])
            case .cancelled: (.cancelled, [:])
            case .scheduledFarAhead: (.scheduled, ["run_at_us": "\(far) + i"])
            case .followers: (.scheduled, ["run_at_us": "\(JobQueue.never)", "leader_id": "i", "reuses": "1"])
            case .queuedForAnotherModel: (.queued, [:])
            case .runningElsewhere: (.running, [:])
            case .keyed: (.succeeded, ["key": "'crowd' || i"])
            case .newestOnly: (.queued, ["latest_key": "'crowd' || i"])
            case .newestOnlyEnded: (.succeeded, ["latest_key": "'camera'"])
            case .deadlinesFarAhead: (.queued, ["expires_at_us": "\(far) + i"])
            case .sharingOtherContent: (.succeeded, ["reuses": "1", "source_sha256": "randomblob(32)"])
            case .sharingOnOtherModel:
                (.succeeded, ["reuses": "1", "source_sha256": "x'\(pin("cat").sha256)'"])
            case .inOneBatch: (.succeeded, ["batch_id": "(SELECT id FROM batches WHERE name = 'crowd')"])
            case .inputs: (.queued, ["input_id": "i + 1000"])
            }
        }

        private var far: Int64 { noon.microseconds * 2 }

        /// Adds the rows past the counters, which nothing here reads of these jobs.
        func add(_ count: Int, to database: Database) throws {
            let (state, own) = rows
            var columns = [
                "state": "\(state.rawValue)", "parameters_id": "1", "source": "'s'", "created_at_us": "i",
                "run_at_us": "i", "priority": "-1",
                "model_id": "(SELECT id FROM models WHERE name = 'crowd')",
            ]
            if state == .running {
                let claimed = ["claim_token": "i", "worker_id": "'crowd'", "started_at_us": "1", "attempts": "1"]
                columns.merge(claimed) { $1 }
            }
            if state.isFinal { columns["finished_at_us"] = "\(far) + i" }
            if state == .failed {
                columns.merge(["error_kind": "'k'", "error_message": "'m'", "error_retryable": "0"]) { $1 }
            }
            columns.merge(own) { $1 }
            let names = columns.keys.sorted()
            let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(count))"
            let values = names.map { columns[$0] ?? "NULL" }.joined(separator: ", ")
            try database.execute(
                sql: "\(numbers) INSERT INTO jobs (\(names.joined(separator: ", "))) SELECT \(values) FROM n"
            )
            if self == .withHistory {
                try database.execute(
                    sql: """
                        INSERT INTO attempts (job_id, number, worker_id, started_at_us, ended_at_us, outcome)
                        SELECT id, 1, 'w', 1, 1, 'error' FROM jobs WHERE state = 3
                        """
                )
            }
            if self == .inputs {
                try database.execute(
                    sql: """
                        \(numbers) INSERT INTO inputs (id, sha256, bytes, job_count)
                        SELECT i + 1000, randomblob(32), x'00', 1 FROM n
                        """
                )
            }
        }
    }

    @Test(arguments: Crowd.allCases)
    func `every operation costs the same beside 100,000 other jobs`(crowd: Crowd) throws {
        var options = JobQueue.Options()
        options.durability = .normal
        let folder = try TemporaryFolder(in: TemporaryFolder.memory)
        try withExtendedLifetime(folder) {
            let queue = try JobQueue(path: folder.path + "/queue.db", options: options)
            let meter = Meter()
            let result = Result {
                try queue.attach(meter)
                // So that the model, the parameters and the batch of the crowd are there, and a head of its queue.
                let crowdModel = ModelReference(
                    name: "crowd",
                    path: "/crowd",
                    sha256: String(repeating: "b", count: 64)
                )
                _ = try queue.add(
                    request { request in
                        request.model = crowdModel
                        request.batch = "crowd"
                        request.priority = -1
                    }
                )
                _ = try costs(on: queue, meter)
                let before = try costs(on: queue, meter)
                try queue.change { try crowd.add(100_000, to: $0) }
                let beside = try costs(on: queue, meter)
                try queue.change { try $0.execute(sql: "ANALYZE") }
                meter.statements = []
                let analyzed = try costs(on: queue, meter)
                for (index, (operation, steps)) in before.enumerated() {
                    let found = [beside[index].steps, analyzed[index].steps]
                    // That one claims twice, and ends what is late in between.
                    let tolerance = operation == "claim beside a late job" ? 64 : 32
                    #expect(
                        found.allSatisfy { abs($0 - steps) <= tolerance },
                        "\(operation): \(steps) steps before, \(found[0]) beside, \(found[1]) with ANALYZE"
                    )
                }
                try expectNoScans(in: meter.statements, on: queue)
            }
            try queue.detachMeter()
            try queue.close()
            try result.get()
        }
    }

    /// Does everything that a queue is for to a few jobs of its own, which are gone at the end.
    private func costs(on queue: JobQueue, _ meter: Meter) throws -> [(operation: String, steps: Int)] {
        var costs: [(operation: String, steps: Int)] = []
        func measure<R>(_ operation: String, _ body: () throws -> R) rethrows -> R {
            let before = meter.steps
            defer { costs.append((operation, meter.steps - before)) }
            return try body()
        }
        let later = noon + .seconds(60)
        try measure("register") { try queue.register(worker("w"), now: noon) }
        let delayed = try measure("submit a delayed job") { try queue.add(request { $0.runAt = noon + .seconds(1) }) }
        let due = try measure("next due") { try queue.nextDue() }
        #expect(due == noon + .seconds(1))
        #expect(try measure("promote") { try queue.promote(now: later) } == 1)
        _ = try queue.add(request { $0.expiresAt = later })
        #expect(try measure("expire") { try queue.expire(now: later) } == 1)
        _ = try queue.add(request { $0.expiresAt = later })
        let keyed = request { $0.key = "k" }
        let job = try measure("submit a new key") { try queue.add(keyed) }
        #expect(try measure("submit a known key") { try queue.add(keyed) } == job)
        let frame = request { $0.latestKey = "camera" }
        _ = try measure("submit a first frame") { try queue.add(frame) }
        let newest = try measure("submit a newer frame") { try queue.add(frame) }
        let claims = try measure("claim beside a late job") { try queue.take(9, at: later) }
        #expect(Set(claims.map(\.job)) == [delayed, job, newest])
        #expect(try measure("tokens") { try queue.tokens(ofWorker: "w") }.count == 3)
        try measure("record a success") { _ = try queue.end(claims[0], .succeeded(result: "{}")) }
        try measure("record an error") { _ = try queue.end(claims[1], .failed(passing)) }
        #expect(try measure("rescue") { try queue.rescue(worker: "w", because: .death, now: noon) } == 1)
        try queue.register(worker("w"), now: noon)
        try measure("renew") { _ = try queue.renewLease(ofWorker: "w", now: noon) }
        #expect(try measure("cancel") { try queue.cancel([claims[2].job], now: noon) }.count == 1)
        #expect(try measure("retry") { try queue.retry([claims[2].job], with: nil, now: noon) }.count == 1)
        #expect(try measure("history") { try queue.attempts(of: claims[2].job) }.count == 1)
        #expect(try measure("record") { try queue.record(of: claims[2].job).state } == .queued)
        _ = try queue.cancel(claims.map(\.job), now: noon)
        let shared = sharing("cat") { $0.batch = "b" }
        let leader = try measure("submit to share") { try queue.add(shared) }
        let follower = try measure("join a job that is queued") { try queue.add(shared) }
        _ = try measure("cancel a leader") { try queue.cancel([leader], now: noon) }
        let claim = try measure("claim") { try queue.takeOne() }
        #expect(claim.job == follower)
        _ = try measure("join a job that runs") { try queue.add(shared) }
        try measure("record a leader") { _ = try queue.end(claim, .succeeded(result: "{}")) }
        _ = try measure("take a stored result") { try queue.add(shared) }
        let inline = try measure("submit bytes") { try queue.add(request { $0.content = InlineContent([1]) }) }
        _ = try measure("read bytes") { try queue.content(of: inline) }
        _ = try queue.cancel([inline], now: noon)
        _ = try measure("counts of a batch") { try queue.counts(ofBatch: "b") }
        _ = try measure("counts") { try queue.models() }
        _ = try measure("oldest wait") { try queue.oldestQueued() }
        _ = try measure("pause") { try queue.pause(.everything, now: noon) }
        _ = try measure("resume") { try queue.resume(.everything) }
        for state in [JobState.succeeded, .failed, .cancelled] {
            _ = try measure("prune \(state)") { try queue.prune(state, before: later + .seconds(1)) }
        }
        _ = try measure("unregister") { try queue.unregister(worker: "w", now: noon) }
        return costs
    }

    /// No statement looks at all rows of a table that grows.
    private func expectNoScans(in statements: Set<String>, on queue: JobQueue) throws {
        #expect(statements.count > 40)
        for sql in statements where ["SELECT", "UPDATE", "DELETE", "INSERT"].contains(where: sql.hasPrefix) {
            let plan = try queue.write("explain", durability: .normal) { database in
                let statement = try database.makeStatement(sql: "EXPLAIN QUERY PLAN " + sql)
                statement.setUncheckedArguments(StatementArguments())
                return (try Row.fetchAll(statement).map { $0["detail"] as String }, [])
            }
            for line in plan where line.hasPrefix("SCAN") && !line.contains(" USING ") {
                let table = line.split(separator: " ")[1]
                #expect(
                    !["jobs", "head", "results", "attempts", "inputs", "batches", "batch_counts"].contains(table),
                    "\(sql)"
                )
            }
        }
    }
}

/// Adds up what the statements of a queue's connections cost.
private final class Meter: @unchecked Sendable {
    // @unchecked because a test uses its queue from one thread, and the connections call back on that one.

    var steps = 0
    var statements: Set<String> = []
}

extension JobQueue {
    /// Lets every statement that ends report to a meter, which must outlive the connections or be detached.
    fileprivate func attach(_ meter: Meter) throws {
        let context = Unmanaged.passUnretained(meter).toOpaque()
        try onEachConnection { database in
            sqlite3_trace_v2(
                database.sqliteConnection,
                UInt32(SQLITE_TRACE_PROFILE),
                { _, context, statement, _ in
                    guard let context, let statement = statement.map(OpaquePointer.init) else { return 0 }
                    let meter = Unmanaged<Meter>.fromOpaque(context).takeUnretainedValue()
                    meter.steps += Int(sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1))
                    if let sql = sqlite3_sql(statement) { meter.statements.insert(String(cString: sql)) }
                    return 0
                },
                context
            )
        }
    }

    fileprivate func change(_ body: (Database) throws -> Void) throws {
        try write("change rows", durability: .normal) { database in
            try body(database)
            return ((), [])
        }
    }

    fileprivate func detachMeter() throws {
        try onEachConnection { sqlite3_trace_v2($0.sqliteConnection, 0, nil, nil) }
    }

    private func onEachConnection(_ body: (Database) -> Int32) throws {
        let codes = [
            try write("trace", durability: .normal) { (body($0), []) }, try read("trace") { body($0) },
        ]
        guard codes == [SQLITE_OK, SQLITE_OK] else { throw JobsError(.io, "cannot trace") }
    }
}
