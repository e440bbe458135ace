// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

/// Something that is not as it must be in a queue's file.
public struct CheckFinding: Sendable, Hashable {
    /// What is wrong, in a sentence.
    public let text: String
    /// What to do about it.
    public let advice: String
}

/// What a check of the whole file found.
public struct CheckReport: Sendable, Hashable {
    /// What is wrong; empty if nothing is.
    public let findings: [CheckFinding]
    /// The size of what was checked.
    public let byteCount: Int
    /// How long writers may have waited for the copy.
    public let lockedTime: Duration
}

extension JobQueue {
    /// Checks every page and row of the file, on a private copy, so that nobody has to wait for more than the copying.
    ///
    /// SQLite's own checks first, then the rules of the queue that the schema cannot express.
    ///
    /// - Parameter progress: Called now and then with the number of copied pages and of all.
    /// - Returns: What was found.
    /// - Throws: `diskFull` if there is no room for the copy beside the database; `invalidFile` if not even a copy can be
    ///   made; `busy`, `io`.
    public func check(progress: (Int, Int) -> Void = { _, _ in }) throws(JobsError) -> CheckReport {
        let name = QueueCopy.temporaryName(beside: path)
        let copy = try QueueCopy(of: self, at: name, isNameless: true, progress: progress)
        defer { copy.close() }
        var findings: [CheckFinding] = []
        try JobsError.wrapping("check the queue", path: path) {
            try copy.queue.inDatabase { database in
                for rule in QueueRule.all { findings += try rule.findings(in: database) }
            }
        }
        return CheckReport(findings: findings, byteCount: copy.byteCount, lockedTime: copy.lockedTime)
    }
}

/// Something that always holds in a sound queue.
struct QueueRule: Sendable {
    /// How many violations of one rule are told.
    private static let findingLimit = 20

    /// What to do if it does not hold.
    let advice: String
    /// Gives a sentence for each violation.
    let violations: @Sendable (Database) throws -> [String]

    private init(advice: String, _ violations: @escaping @Sendable (Database) throws -> [String]) {
        self.advice = advice
        self.violations = violations
    }

    /// A rule whose violations a query words.
    private init(advice: String, _ sql: String) {
        self.init(advice: advice) { try String.fetchAll($0, sql: "\(sql) LIMIT \(QueueRule.findingLimit)") }
    }

    /// Looks whether the rule holds; that it cannot be looked is a finding too.
    func findings(in database: Database) throws -> [CheckFinding] {
        do {
            return try violations(database).map { CheckFinding(text: $0, advice: advice) }
        } catch let error as DatabaseError where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
            return [CheckFinding(text: "cannot be read: \(error.message ?? "damaged")", advice: QueueRule.restore)]
        }
    }

    private static let restore =
        "Stop all workers, keep a copy of every file of the queue, and restore the newest backup (README, Operate)"
    private static let report = "Nothing is lost by it; please report it"
    private static let again = "Cancel it and queue it anew: yoloq cancel JOB && yoloq retry JOB"

    /// All rules.
    static let all: [QueueRule] = [
        QueueRule(advice: restore) { database in
            try String.fetchAll(database, sql: "PRAGMA integrity_check(\(findingLimit))").filter { $0 != "ok" }
        },
        QueueRule(
            advice: restore,
            """
            SELECT 'row ' || coalesce(rowid, '?') || ' of ' || "table" || ' refers to a row of ' || parent || ' that is not there'
            FROM pragma_foreign_key_check
            """
        ),
        counters(of: "model", key: "model_id"),
        counters(of: "batch", key: "batch_id"),
        QueueRule(
            advice: "The job's state counts; please report it",
            """
            SELECT 'job ' || job_id || ' has a result and has not succeeded'
            FROM results LEFT JOIN jobs ON jobs.id = results.job_id WHERE jobs.state IS NOT 3
            """
        ),
        QueueRule(
            advice: "Its result is lost: submit the same again",
            """
            SELECT 'job ' || id || ' has succeeded and has no result' FROM jobs INDEXED BY jobs_succeeded
            LEFT JOIN results ON results.job_id = jobs.id WHERE state = 3 AND results.job_id IS NULL
            """
        ),
        QueueRule(
            advice: again,
            """
            SELECT 'job ' || jobs.id || ' runs on ' || worker_id || ', which is not on the list of workers'
            FROM jobs INDEXED BY jobs_running LEFT JOIN workers ON workers.id = worker_id
            WHERE state = 2 AND workers.id IS NULL
            """
        ),
        QueueRule(
            advice: again,
            """
            SELECT 'job ' || jobs.id || ' waits for the result of job ' || jobs.leader_id || ', which will give none'
            FROM jobs INDEXED BY jobs_followers LEFT JOIN jobs AS leaders ON leaders.id = jobs.leader_id
            WHERE jobs.leader_id IS NOT NULL AND jobs.state = 0 AND coalesce(leaders.state, 3) > 2
            """
        ),
        QueueRule(
            advice: again,
            """
            SELECT 'job ' || id || ' is scheduled for no time and waits for no job' FROM jobs INDEXED BY jobs_scheduled
            WHERE state = 0 AND run_at_us = \(JobQueue.never) AND leader_id IS NULL
            """
        ),
        QueueRule(
            advice: report,
            """
            SELECT 'job ' || id || ' was replaced by job ' || superseded_by || ' and is not cancelled' FROM jobs
            WHERE superseded_by IS NOT NULL AND state <> 5
            """
        ),
        QueueRule(
            advice: "Its bytes are lost: submit the same again",
            """
            SELECT 'job ' || jobs.id || ' needs the bytes of input ' || input_id || ', which are not there'
            FROM jobs LEFT JOIN inputs ON inputs.id = input_id WHERE input_id IS NOT NULL AND inputs.id IS NULL
            """
        ),
        QueueRule(
            advice: "Its bytes may stay longer than their jobs, or go before them; please report it",
            """
            SELECT 'input ' || inputs.id || ' belongs to ' || coalesce(used.n, 0) || ' jobs, its counter says ' || job_count
            FROM inputs LEFT JOIN (
                SELECT input_id, count(*) AS n FROM jobs WHERE input_id IS NOT NULL GROUP BY input_id
            ) AS used ON used.input_id = inputs.id
            WHERE job_count <> coalesce(used.n, 0)
            """
        ),
        QueueRule(
            advice: "Pause and resume it: yoloq pause MODEL && yoloq resume MODEL",
            """
            SELECT 'model ' || name || ' is ' || iif(is_paused, '', 'not ') || 'marked as paused, against the list of pauses'
            FROM models
            WHERE is_paused <> EXISTS (SELECT 1 FROM pauses WHERE pauses.model IN ('*', models.name, models.path))
            """
        ),
    ]

    /// The counters of models or batches equal the counted rows.
    private static func counters(of group: String, key: String) -> QueueRule {
        let advice =
            "Jobs are not touched by it, but the numbers that status shows are wrong: restore a backup, or report it"
        let groups = group == "batch" ? "batches" : "models"
        let states = JobState.allCases
        let counted = states.map { "sum(state = \($0.rawValue)) AS \($0.name)" }.joined(separator: ", ")
        let columns = ["counted", "kept"].flatMap { table in states.map { "coalesce(\(table).\($0.name), 0)" } }
        let sql = """
            SELECT \(groups).name, \(columns.joined(separator: ", ")) FROM \(groups)
            LEFT JOIN (SELECT \(key), \(counted) FROM jobs WHERE \(key) IS NOT NULL GROUP BY \(key)) AS counted
                ON counted.\(key) = \(groups).id
            LEFT JOIN \(group)_counts AS kept ON kept.\(key) = \(groups).id
            """
        return QueueRule(advice: advice) { database in
            var violations: [String] = []
            let rows = try Row.fetchCursor(database, sql: sql)
            while violations.count < findingLimit, let row = try rows.next() {
                let name = (row[0] as DatabaseValue).description
                for (index, state) in states.enumerated() {
                    // Never taken for numbers: what is looked for is what cannot be.
                    let (count, counter): (DatabaseValue, DatabaseValue) =
                        (row[1 + index], row[1 + states.count + index])
                    guard count != counter else { continue }
                    violations.append(
                        "\(count) jobs of \(group) \(name) are \(state.name), their counter says \(counter)"
                    )
                }
            }
            return violations
        }
    }
}
