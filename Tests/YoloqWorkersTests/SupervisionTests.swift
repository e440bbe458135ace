// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqJobs

@testable import YoloqWorkers

/// What a worker does besides running jobs.
struct SupervisionTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func record(_ ids: [JobID]) throws -> JobRecord {
        try #require(try fixture.queue.records(ids).first)
    }

    @Test func `a job that failed for a passing reason is tried again in time`() throws {
        fixture.gate.isBroken = true
        let ids = try fixture.submit(1, retry: RetryPolicy(maxAttempts: 2, firstDelay: .milliseconds(300)))
        try fixture.whileWorking(fixture.worker(untilEmpty: false)) {
            try fixture.wait { $0[.scheduled] == 1 }
            fixture.gate.isBroken = false
            try fixture.wait { $0[.succeeded] == 1 }
        }
        #expect(try record(ids).attempts == 2)
        let attempts = try fixture.queue.attempts(of: ids[0])
        #expect(attempts.map(\.outcome) == [.error, .succeeded])
        #expect(attempts.first?.failure?.kind == "engine")
    }

    @Test func `a cancelled job is stopped and its result refused, and the thread goes on`() throws {
        fixture.gate.close()
        let first = try fixture.submit(1)
        let second = try fixture.submit(1)
        try fixture.whileWorking(fixture.worker(threads: 1, untilEmpty: false)) {
            try fixture.wait { $0[.running] == 1 }
            #expect(try fixture.queue.cancel(first, now: .now()) == first)
            fixture.gate.open()
            try fixture.wait { $0[.succeeded] == 1 }
        }
        #expect(try record(first).state == .cancelled)
        #expect(try record(first).result == nil)
        #expect(try record(second).state == .succeeded)
        #expect(fixture.dropped.withLock { $0 } + [] == first || fixture.lost.withLock { $0 } == 1)
    }

    @Test func `a job that takes longer than its limit fails while its thread is still inside the engine`() throws {
        fixture.gate.close()
        let ids = try fixture.submit(1, retry: RetryPolicy(maxAttempts: 1), timeLimit: .milliseconds(50))
        try fixture.whileWorking(fixture.worker(untilEmpty: false)) {
            try fixture.wait { $0[.failed] == 1 }
            #expect(fixture.dropped.withLock(\.isEmpty))
        }
        #expect(try record(ids).failure?.kind == "timeout")
        #expect(fixture.dropped.withLock { $0 } == ids)
    }

    @Test func `a worker whose thread does not come back gives itself up`() throws {
        fixture.gate.close()
        try fixture.submit(1, timeLimit: .milliseconds(20))
        defer { fixture.gate.open() }
        let error = #expect(throws: JobsError.self) {
            try fixture.worker(threads: 1, stuckPatience: .milliseconds(20)).run()
        }
        #expect(error?.code == .stuck)
        #expect(try fixture.queue.workers(now: .now()).isEmpty)
    }

    @Test func `the jobs of a dead worker run again, alone`() throws {
        let ids = try fixture.submit(1)
        var lock: WorkerLock? = try fixture.queue.addWorker(threads: 1, serves: nil, now: .now())
        let dead = try #require(lock?.worker)
        let models = try fixture.queue.models().map(\.id)
        #expect(try fixture.queue.claim(models: models, worker: dead, now: .now()).count == 1)
        lock = nil
        try fixture.whileWorking(fixture.worker(untilEmpty: false)) {
            try fixture.wait { $0[.succeeded] == 1 }
        }
        #expect(fixture.rescued.withLock { $0 } == [dead])
        #expect(fixture.alone.withLock(\.jobs) == ids)
        #expect(try record(ids).attempts == 1)
        #expect(try record(ids).crashes == 1)
        #expect(try fixture.queue.attempts(of: ids[0]).map(\.outcome) == [.crash, .succeeded])
    }

    @Test func `a job that kills its own process is not run a third time`() throws {
        let failure = JobFailure(kind: "crashed", message: "signal 11")
        fixture.alone.withLock { $0.ending = .crashed(failure) }
        let ids = try fixture.submit(1)
        var lock: WorkerLock? = try fixture.queue.addWorker(threads: 1, serves: nil, now: .now())
        let models = try fixture.queue.models().map(\.id)
        #expect(try fixture.queue.claim(models: models, worker: lock?.worker ?? "", now: .now()).count == 1)
        lock = nil
        try fixture.whileWorking(fixture.worker(untilEmpty: false)) {
            try fixture.wait { $0[.failed] == 1 }
        }
        #expect(try record(ids).failure == failure)
        #expect(try fixture.queue.attempts(of: ids[0]).map(\.outcome) == [.crash, .crash])
    }

    @Test func `a paused model is left alone until it is resumed`() throws {
        try fixture.submit(2, model: "a")
        try fixture.submit(2, model: "b")
        try fixture.queue.pause(.model("a"), now: .now())
        #expect(try fixture.worker().run() == .drained)
        #expect(try fixture.queue.counts()[.queued] == 2)
        try fixture.queue.resume(.model("a"))
        #expect(try fixture.worker().run() == .drained)
        #expect(try fixture.queue.counts()[.succeeded] == 4)
    }

    @Test func `a file that has changed since it was submitted is not run silently`() throws {
        var request = JobRequest(model: fixture.model(), source: fixture.image)
        request.pin = SourcePin(ofFileAt: fixture.image)
        let same = try fixture.queue.submit([request], now: .now())
        request.pin = SourcePin(ofFileAt: #filePath)
        let changed = try fixture.queue.submit([request], now: .now())
        #expect(try fixture.worker().run() == .drained)
        #expect(try record(same).state == .succeeded)
        #expect(try record(changed).failure?.kind == "source_changed")
    }

    @Test func `bytes that travel in the queue need no file`() throws {
        var request = JobRequest(model: fixture.model(), source: "camera 3")
        request.content = InlineContent([UInt8](try Data(contentsOf: URL(filePath: fixture.image))))
        let ids = try fixture.queue.submit([request], now: .now())
        #expect(try fixture.worker().run() == .drained)
        #expect(try record(ids).state == .succeeded)
    }
}
