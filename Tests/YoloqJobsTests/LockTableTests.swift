// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import YoloqJobs

struct LockTableTests {
    @Test func `lines of held and awaited locks are read, others passed over`() {
        let table = LockTable(
            parsing: """
                1: POSIX  ADVISORY  WRITE 2496 fe:00:16293974 120 120
                1: -> POSIX  ADVISORY  READ 7 fe:00:16293974 124 127
                2: FLOCK  ADVISORY  WRITE 2581 08:1a:16220180 0 EOF
                3: OFDLCK ADVISORY  READ -1 00:2f:5 0 0
                nonsense
                4: LEASE  ACTIVE    READ 1
                """
        )
        #expect(table.entries.map(\.pid) == [2496, 7, 2581, -1])
        #expect(table.entries.map(\.isHeld) == [true, false, true, true])
        #expect(table.entries.map(\.isExclusive) == [true, false, true, false])
        #expect(table.entries[1].bytes == 124...127)
        #expect(table.entries[2].bytes == 0...Int64.max)
        #expect(table.entries[2].device == "08:1a" && table.entries[2].inode == 16_220_180)
    }

    @Test func `devices are written as the kernel does`() {
        #expect(QueueUsers.deviceText(0xFE00) == "fe:00")
        #expect(QueueUsers.deviceText(0x81A) == "08:1a")
        #expect(QueueUsers.deviceText(0x10_3405) == "34:105")
    }

    #if os(Linux)
        @Test func `locks on a queue's files name who holds them, other than this process`() throws {
            try withQueue { queue in
                let paths = QueuePaths(database: queue.path)
                #expect(JobQueue.users(ofQueueAt: queue.path) == [], "this process does not count")
                func line(_ kind: String, _ mode: String, _ path: String, _ bytes: String) throws -> String {
                    var status = stat()
                    #expect(stat(path, &status) == 0)
                    let device = QueueUsers.deviceText(UInt64(status.st_dev))
                    return "1: \(kind) ADVISORY \(mode) 1 \(device):\(status.st_ino) \(bytes)\n"
                }
                let shared = queue.path + "-shm"
                let cases: [(String, Set<QueueUser.Act>)] = [
                    (try line("FLOCK", "WRITE", paths.writeLock, "0 EOF"), [.holdsWriteLock]),
                    (try line("FLOCK", "WRITE", paths.turnstile, "0 EOF"), [.isNextInLine]),
                    (try line("POSIX", "WRITE", shared, "120 120"), [.writes]),
                    (try line("POSIX", "READ", shared, "127 128"), [.reads]),
                    (try line("POSIX", "READ", shared, "128 128"), []),
                ]
                for (text, acts) in cases {
                    let users = QueueUsers(paths, locks: LockTable(parsing: text)).users
                    #expect(users.map(\.acts) == [acts], "\(text)")
                    #expect(users.first?.pid == 1 && users.first?.isYoloq == false)
                }
            }
        }
    #endif
}
