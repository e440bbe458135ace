// SPDX-License-Identifier: Apache-2.0

import GRDB
import Testing
import YoloqSchema

@testable import YoloqJobs

/// Files that an older yoloq has made.
struct MigrationTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/queue.db" }

    init() throws { folder = try TemporaryFolder() }

    /// Makes a file with the first migrations only, and fills it.
    private func makeFile(migrationCount: Int, _ sql: String) throws {
        let file = try DatabaseQueue(path: path)
        try file.inDatabase { database in
            try database.execute(sql: "PRAGMA auto_vacuum = 2; PRAGMA application_id = \(0x796F_6C71)")
            try database.execute(sql: "PRAGMA journal_mode = wal")
        }
        var migrator = DatabaseMigrator()
        for migration in Schema.migrations.prefix(migrationCount) {
            migrator.registerMigration(migration.identifier) { try $0.execute(sql: migration.sql) }
        }
        try migrator.migrate(file)
        try file.write { try $0.execute(sql: sql) }
        try file.close()
    }

    /// A job in each state, with what belongs to it; the newest one has been pruned.
    private static let content = """
        INSERT INTO models (name, path, sha256, created_at_us) VALUES ('net', '/models/net.onnx', '\(model().sha256)', 1);
        INSERT INTO model_counts (model_id, scheduled, queued, running, succeeded, failed, cancelled) VALUES (1, 1, 1, 1, 1, 1, 1);
        INSERT INTO batches (name, created_at_us) VALUES ('night', 1);
        INSERT INTO batch_counts (batch_id, succeeded) VALUES (1, 1);
        INSERT INTO parameters (json) VALUES ('{"conf":0.5}');
        INSERT INTO workers VALUES ('w', 'host', 'boot', 1, 2, NULL, 1, 2);
        INSERT INTO jobs (id, state, model_id, batch_id, parameters_id, source, created_at_us, run_at_us, attempts, claim_token,
            worker_id, started_at_us, finished_at_us, error_kind, error_message, error_retryable, key, meta)
        VALUES (1, 0, 1, NULL, 1, '/0.jpg', 5, 9, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            (2, 1, 1, NULL, 1, '/1.jpg', 5, 6, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'k', NULL),
            (3, 2, 1, NULL, 1, '/2.jpg', 5, 6, 1, 77, 'w', 7, NULL, NULL, NULL, NULL, NULL, NULL),
            (4, 3, 1, 1, 1, '/3.jpg', 5, 6, 2, NULL, 'w', 7, 8, NULL, NULL, NULL, NULL, '{"camera":3}'),
            (5, 4, 1, NULL, 1, '/4.jpg', 5, 6, 1, NULL, 'w', 7, 8, 'truncated', 'it ends early', 0, NULL, NULL),
            (6, 5, 1, NULL, 1, '/5.jpg', 5, 6, 0, NULL, NULL, NULL, 8, NULL, NULL, NULL, NULL, NULL),
            (40, 5, 1, NULL, 1, '/6.jpg', 5, 6, 0, NULL, NULL, NULL, 8, NULL, NULL, NULL, NULL, NULL);
        INSERT INTO results VALUES (4, '{"predictions":[]}');
        INSERT INTO attempts (job_id, number, worker_id, started_at_us, ended_at_us, outcome, error_kind, error_message)
        VALUES (4, 1, 'w', 6, 7, 'error', 'engine', 'no memory');
        DELETE FROM jobs WHERE id = 40;
        """

    @Test func `a file of before 0003 keeps every job and gives no number again`() throws {
        try makeFile(migrationCount: 2, Self.content)
        let queue = try JobQueue(path: path)
        defer { #expect(throws: Never.self) { try queue.close() } }
        #expect(queue.schemaBefore == "0002_control")
        #expect(try queue.check().findings.isEmpty)
        let jobs = try queue.records((1...6).map { JobID(rawValue: $0) })
        #expect(jobs.map(\.state) == [.scheduled, .queued, .running, .succeeded, .failed, .cancelled])
        #expect(jobs.map(\.source) == (0...5).map { "/\($0).jpg" })
        #expect(jobs[1].key == "k")
        #expect(
            jobs[3].batch == "night" && jobs[3].meta == #"{"camera":3}"# && jobs[3].result == #"{"predictions":[]}"#
        )
        #expect(try queue.attempts(of: jobs[3].id).map(\.outcome) == [.error, .succeeded])
        #expect(jobs[4].failure?.kind == "truncated")
        #expect(try queue.submit(requests(1), now: noon) == [JobID(rawValue: 41)])
        // What refers to a job goes with it, as before.
        #expect(try queue.prune(.succeeded, before: noon) == 1)
        #expect(try queue.check().findings.isEmpty)
        let names = try queue.read("look") { database in
            try String.fetchAll(database, sql: "SELECT job || state || source FROM jobs_view WHERE job < 3")
        }
        #expect(names == ["1scheduled/0.jpg", "2queued/1.jpg"])
    }
}
