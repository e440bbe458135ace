// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqInference
import YoloqJobs

@testable import YoloqWorkers

@Suite(.timeLimit(.minutes(10)))
struct WorkerTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// Runs a worker on a thread of its own; the ending comes from `join`.
    private final class Run: Sendable {
        private let ending = Locked<Result<Worker<FakeEngine>.Ending, JobsError>?>(nil)
        private let done = DispatchSemaphore(value: 0)

        init(_ worker: Worker<FakeEngine>) {
            Thread { [self] in
                let result = Result { () throws(JobsError) in try worker.run() }
                ending.withLock { $0 = result }
                done.signal()
            }.start()
        }

        func join() throws -> Worker<FakeEngine>.Ending {
            done.wait()
            guard let ending = ending.withLock({ $0 }) else { preconditionFailure("the run has ended") }
            return try ending.get()
        }
    }

    @Test func `a worker runs every job once and ends when nothing is left`() throws {
        let ids = try fixture.submit(50)
        #expect(try fixture.worker().run() == .drained)
        let records = try fixture.queue.records(ids)
        #expect(records.allSatisfy { $0.state == .succeeded && $0.attempts == 1 })
        #expect(fixture.gate.entered == 50)
        let document = try ResultDocument(decoding: try #require(records[0].result))
        #expect(document.predictions.map(\.name) == ["dog"])
        #expect(document.image.width == 64 && document.image.height == 48)
        #expect(document.provenance.engine == "fake 1.0")
        #expect(document.timing.queued > 0)
        #expect(try fixture.queue.workers(now: .now()).isEmpty)
    }

    @Test func `each thread makes a predictor of its own and has a name`() throws {
        fixture.gate.close()
        try fixture.submit(8)
        let run = Run(fixture.worker(threads: 4))
        while fixture.gate.entered < 4 { usleep(1000) }
        fixture.gate.open()
        #expect(try run.join() == .drained)
        #expect(fixture.gate.made == 4)
        #expect(fixture.gate.threads == ["yoloq-w0", "yoloq-w1", "yoloq-w2", "yoloq-w3"])
    }

    @Test func `a bad input fails its job alone`() throws {
        let good = try fixture.submit(2)
        let missing = try fixture.submit(1, source: fixture.folder + "/none.jpg")
        let folder = try fixture.submit(1, source: fixture.folder)
        let after = try fixture.submit(2)
        _ = try fixture.worker(threads: 1).run()
        #expect(try fixture.queue.records(good + after).allSatisfy { $0.state == .succeeded })
        #expect(try fixture.queue.records(missing).first?.failure?.kind == "not_found")
        #expect(try fixture.queue.records(folder).first?.failure?.kind == "is_directory")
    }

    @Test func `an engine that fails is a retryable failure and not the end of the worker`() throws {
        fixture.gate.isBroken = true
        let ids = try fixture.submit(3, retry: RetryPolicy(maxAttempts: 1))
        #expect(try fixture.worker().run() == .drained)
        let failures = try fixture.queue.records(ids).map(\.failure)
        #expect(failures.allSatisfy { $0?.kind == "engine" && $0?.isRetryable == true })
    }

    @Test func `a model that cannot be loaded fails its jobs and no others`() throws {
        let bad = try fixture.submit(2, model: "broken", retry: RetryPolicy(maxAttempts: 1))
        let good = try fixture.submit(2, model: "net")
        #expect(try fixture.worker(threads: 1).run() == .drained)
        #expect(try fixture.queue.records(bad).allSatisfy { $0.failure?.kind == "model_missing" })
        #expect(try fixture.queue.records(good).allSatisfy { $0.state == .succeeded })
    }

    @Test func `more models than fit are all served`() throws {
        for index in 0..<7 { try fixture.submit(3, model: "net\(index)") }
        #expect(try fixture.worker(threads: 1).run() == .drained)
        #expect(try fixture.queue.counts()[.succeeded] == 21)
    }

    @Test func `a worker leaves models alone that it does not serve`() throws {
        try fixture.submit(3, model: "a")
        try fixture.submit(3, model: "b")
        _ = try fixture.worker(serves: .only([ModelFilter.Entry(fixture.model("b"), isByPath: false)])).run()
        let counts = try fixture.queue.models().map(\.counts)
        #expect(counts[0][.queued] == 3)
        #expect(counts[1][.succeeded] == 3)
    }

    @Test func `a model named by its path is not mistaken for another of its name`() {
        let mine = ModelReference(name: "best", path: "/runs/a/best.onnx", sha256: "")
        let other = ModelReference(name: "best", path: "/runs/b/best.onnx", sha256: "")
        #expect(ModelFilter.only([ModelFilter.Entry(mine, isByPath: true)]).contains(mine))
        #expect(!ModelFilter.only([ModelFilter.Entry(mine, isByPath: true)]).contains(other))
        #expect(ModelFilter.only([ModelFilter.Entry(mine, isByPath: false)]).contains(other))
    }

    @Test func `a worker that others took for dead gives back what it runs and says so`() throws {
        fixture.gate.close()
        try fixture.submit(4)
        let run = Run(fixture.worker(untilEmpty: false))
        while fixture.gate.entered < 2 { usleep(1000) }
        let locks = fixture.folder + "/queue.db-workers"
        for name in try FileManager.default.contentsOfDirectory(atPath: locks) {
            try FileManager.default.removeItem(atPath: locks + "/" + name)
        }
        let error = #expect(throws: JobsError.self) { try run.join() }
        #expect(error?.message.contains("take it for dead") == true)
        #expect(try fixture.queue.counts()[.queued] == 4)
        fixture.gate.open()
    }

    @Test func `an idle worker whose queue was replaced under it stops and says so`() throws {
        let run = Run(fixture.worker(untilEmpty: false))
        while try fixture.queue.workers(now: .now()).isEmpty { usleep(1000) }
        let path = fixture.queue.path
        try Data().write(to: URL(filePath: path + ".new"))
        #expect(rename(path + ".new", path) == 0)
        let error = #expect(throws: JobsError.self) { try run.join() }
        #expect(error?.code == .fileReplaced)
        #expect(error?.message.contains("replaced by another file while the queue was open") == true)
    }

    @Test func `a busy worker whose queue was removed stops and says so`() throws {
        fixture.gate.close()
        try fixture.submit(4)
        let run = Run(fixture.worker(untilEmpty: false))
        while fixture.gate.entered < 2 { usleep(1000) }
        #expect(unlink(fixture.queue.path) == 0)
        fixture.gate.open()
        let error = #expect(throws: JobsError.self) { try run.join() }
        #expect(error?.code == .fileReplaced)
    }

    @Test func `a sleeping worker wakes up for a submit`() throws {
        let run = Run(fixture.worker(untilEmpty: false))
        while try fixture.queue.workers(now: .now()).isEmpty { usleep(1000) }
        try fixture.submit(5)
        try fixture.wait { $0[.succeeded] == 5 }
        fixture.stop.request()
        #expect(try run.join() == .drained)
    }

    @Test func `a stop signal lets what runs finish and leaves the rest queued`() throws {
        fixture.gate.close()
        try fixture.submit(10)
        let run = Run(fixture.worker(untilEmpty: false))
        while fixture.gate.entered < 2 { usleep(1000) }
        fixture.stop.request()
        fixture.gate.open()
        #expect(try run.join() == .drained)
        let counts = try fixture.queue.counts()
        #expect(counts[.succeeded] == 2)
        #expect(counts[.queued] == 8)
    }

    @Test func `a second stop signal gives back what runs and refuses its late result`() throws {
        fixture.gate.close()
        let ids = try fixture.submit(3)
        let run = Run(fixture.worker(untilEmpty: false))
        while fixture.gate.entered < 2 { usleep(1000) }
        fixture.stop.request()
        fixture.stop.request()
        #expect(try run.join() == .cutShort(jobsGivenBack: 2))
        #expect(try fixture.queue.counts()[.queued] == 3)
        #expect(try fixture.queue.records(ids).allSatisfy { $0.attempts == 0 })
        // The threads end by themselves once the engine lets them go; nothing of theirs is recorded.
        fixture.gate.open()
        while fixture.lost.withLock({ $0 }) < 2 { usleep(1000) }
        #expect(try fixture.queue.counts()[.queued] == 3)
    }

    @Test func `when the grace period is over what runs is given back`() throws {
        fixture.gate.close()
        try fixture.submit(1)
        let run = Run(fixture.worker(untilEmpty: false, grace: .milliseconds(50)))
        while fixture.gate.entered < 1 { usleep(1000) }
        fixture.stop.request()
        #expect(try run.join() == .cutShort(jobsGivenBack: 1))
        fixture.gate.open()
    }

    @Test func `two workers share a queue without doing anything twice`() throws {
        try fixture.submit(200)
        let runs = [Run(fixture.worker()), Run(fixture.worker())]
        for run in runs { #expect(try run.join() == .drained) }
        #expect(fixture.gate.entered == 200)
        #expect(try fixture.queue.counts()[.succeeded] == 200)
    }
}
