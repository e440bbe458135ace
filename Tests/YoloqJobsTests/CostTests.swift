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
