// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Testing

@testable import YoloqJobs

struct WriteLockTests {
    @Test func `two holders never overlap`() throws {
        let folder = try TemporaryFolder()
        let paths = QueuePaths(database: folder.path + "/queue.db")
        // Two locks stand for two processes; each is used by two threads.
        let locks = [try WriteLock(paths), try WriteLock(paths)]
        let inside = Atomic(0)
        let overlaps = Atomic(0)
        let sum = Locked(0)
        DispatchQueue.concurrentPerform(iterations: 4) { index in
            for _ in 0..<500 {
                try? locks[index % 2].withLock(patience: .seconds(30), giveUp: { false }) { () throws(JobsError) in
                    if inside.add(1, ordering: .relaxed).newValue != 1 { overlaps.add(1, ordering: .relaxed) }
                    sum.withLock { $0 += 1 }
                    inside.subtract(1, ordering: .relaxed)
                }
            }
        }
        #expect(overlaps.load(ordering: .relaxed) == 0)
        #expect(sum.withLock { $0 } == 2000)
    }

    @Test func `who takes the lock in a loop lets other threads and processes in`() throws {
        let folder = try TemporaryFolder()
        let paths = QueuePaths(database: folder.path + "/queue.db")
        let locks = [try WriteLock(paths), try WriteLock(paths)]
        let isDone = Atomic(false)
        let looping = DispatchGroup()
        DispatchQueue.global().async(group: looping) {
            while !isDone.load(ordering: .relaxed) {
                _ = try? locks[0].withLock(patience: .seconds(30), giveUp: { false }) { () throws(JobsError) in
                    usleep(50)
                }
            }
        }
        for lock in locks {
            for _ in 0..<20 {
                try lock.withLock(patience: .seconds(10), giveUp: { false }) { () throws(JobsError) in }
            }
        }
        isDone.store(true, ordering: .relaxed)
        looping.wait()
    }

    @Test func `whoever waits too long learns who holds the lock`() throws {
        let folder = try TemporaryFolder()
        let paths = QueuePaths(database: folder.path + "/queue.db")
        let holder = try WriteLock(paths)
        let waiter = try WriteLock(paths)
        try holder.withLock(patience: .seconds(1), giveUp: { false }) { () throws(JobsError) in
            let error = #expect(throws: JobsError.self) {
                try waiter.withLock(patience: .milliseconds(20), giveUp: { false }) { () throws(JobsError) in }
            }
            #expect(error?.code == .busy)
            #expect(error?.message.contains("process \(ProcessInfo.processInfo.processIdentifier)") == true)
        }
        try waiter.withLock(patience: .seconds(1), giveUp: { false }) { () throws(JobsError) in }
    }

    @Test func `a wait ends when its owner wants to stop`() throws {
        let folder = try TemporaryFolder()
        let paths = QueuePaths(database: folder.path + "/queue.db")
        let holder = try WriteLock(paths)
        let waiter = try WriteLock(paths)
        try holder.withLock(patience: .seconds(1), giveUp: { false }) { () throws(JobsError) in
            let error = #expect(throws: JobsError.self) {
                try waiter.withLock(patience: .seconds(60), giveUp: { true }) { () throws(JobsError) in }
            }
            #expect(error?.code == .interrupted)
        }
    }
}
