// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import YoloqJobs

struct QueueFileTests {
    @Test func `a new file has the settings that cannot be changed later`() throws {
        try withQueue { queue in
            let found = try queue.read("look") { database in
                try ["auto_vacuum", "journal_mode", "application_id", "wal_autocheckpoint", "foreign_keys"].map {
                    try String.fetchOne(database, sql: "PRAGMA \($0)") ?? ""
                }
            }
            #expect(found == ["2", "wal", String(0x796F_6C71), "0", "1"])
        }
    }

    @Test func `everything is there after closing and opening again`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/queue.db"
        let first = try JobQueue(path: path)
        let ids = try first.submit(requests(3), now: noon)
        try first.close()
        let second = try JobQueue(path: path)
        defer { #expect(throws: Never.self) { try second.close() } }
        #expect(try second.records(ids).map(\.id) == ids)
    }

    @Test func `a queue that must exist and does not is missing and is not made`() throws {
        let folder = try TemporaryFolder()
        var options = JobQueue.Options()
        options.createsIfMissing = false
        let error = #expect(throws: JobsError.self) {
            try JobQueue(path: folder.path + "/none.db", options: options)
        }
        #expect(error?.code == .missing)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func `a newer schema is refused in words`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/queue.db"
        try JobQueue(path: path).close()
        let foreign = try DatabaseQueue(path: path)
        try foreign.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('9999_future')") }
        try foreign.close()
        let error = #expect(throws: JobsError.self) { try JobQueue(path: path) }
        #expect(error?.code == .newerSchema)
        #expect(error?.message.contains("newer yoloq") == true)
    }

    @Test func `another program's database is refused and left alone`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/photos.db"
        let foreign = try DatabaseQueue(path: path)
        try foreign.write { try $0.execute(sql: "CREATE TABLE photos (id INTEGER)") }
        try foreign.close()
        let before = try Data(contentsOf: URL(filePath: path))
        let error = #expect(throws: JobsError.self) { try JobQueue(path: path) }
        #expect(error?.code == .invalidFile)
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
    }

    @Test func `a file that is no database is refused and left alone`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/notes.txt"
        let text = Data(String(repeating: "not a database\n", count: 100).utf8)
        try text.write(to: URL(filePath: path))
        let error = #expect(throws: JobsError.self) { try JobQueue(path: path) }
        #expect(error?.code == .invalidFile)
        #expect(try Data(contentsOf: URL(filePath: path)) == text)
    }

    @Test func `the log is copied into the database and used again`() throws {
        var options = JobQueue.Options()
        options.checkpointFrameCount = 50
        try withQueue(options: options) { queue in
            for _ in 0..<100 { _ = try queue.submit(requests(20), now: noon) }
            let status = try FileManager.default.attributesOfItem(atPath: queue.path + "-wal")
            let byteCount = try #require(status[.size] as? Int)
            // 100 transactions write over 1,000 frames of 4,120 bytes.
            #expect(byteCount < 200 * 4120)
            #expect(try queue.counts().total == 2000)
        }
    }

    @Test func `impossible rows are refused by the schema`() throws {
        try withQueue { queue in
            let id = try #require(try queue.submit(requests(1), now: noon).first)
            for change in [
                "state = 2", "state = 3", "state = 4, finished_at_us = 1", "state = 7", "claim_token = 1",
                "finished_at_us = 1", "error_kind = 'x'", "source = ''", "attempts = -1", "meta = 'no json'",
            ] {
                #expect(throws: JobsError.self, "\(change)") {
                    try queue.write("spoil a row", durability: .normal) { database in
                        try database.execute(sql: "UPDATE jobs SET \(change) WHERE id = \(id)")
                        return ((), [])
                    }
                }
            }
            #expect(try queue.records([id]).first?.state == .queued)
        }
    }
}
