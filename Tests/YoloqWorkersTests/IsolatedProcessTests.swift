// SPDX-License-Identifier: Apache-2.0

import Testing
import YoloqJobs

@testable import YoloqWorkers

/// What the end of a child process means for its job; the children are shells.
struct IsolatedProcessTests {
    private let fixture: Fixture
    private let claim: Claim

    init() throws {
        fixture = try Fixture()
        try fixture.submit(1)
        let lock = try fixture.queue.addWorker(threads: 1, serves: nil, now: .now())
        let models = try fixture.queue.models().map(\.id)
        claim = try #require(try fixture.queue.claim(models: models, worker: lock.worker, now: .now()).first)
    }

    private func run(_ script: String, isWanted: () -> Bool = { true }) -> Outcome.Ending {
        IsolatedProcess(executable: "/bin/sh", arguments: ["-c", script], queue: fixture.queue)
            .run(claim, fixture.model(), isWanted: isWanted)
    }

    private func crash(_ ending: Outcome.Ending) -> JobFailure? {
        guard case .crashed(let failure) = ending else { return nil }
        return failure
    }

    @Test func `an answer is the job's end`() {
        #expect(run(#"printf '{"document":"{}"}'"#) == .succeeded(result: "{}"))
        let failure = JobFailure(kind: "corrupt", message: "no", isRetryable: false)
        #expect(run(#"printf '{"failure":{"kind":"corrupt","message":"no","isRetryable":false}}'"#) == .failed(failure))
    }

    @Test func `a child that dies of a signal is a crash with the signal and the image's hash`() throws {
        let failure = try #require(crash(run("kill -SEGV $$")))
        #expect(failure.kind == "crashed")
        #expect(failure.message.contains("signal 11"))
        let hash = try #require(SourcePin(ofFileAt: fixture.image)?.sha256)
        #expect(failure.message.contains("\(hash)"))
        #expect(!failure.isRetryable)
    }

    @Test func `a child that ends without an answer is a crash`() throws {
        #expect(try #require(crash(run("exit 3"))).message.contains("status 3"))
        #expect(crash(run("exit 0")) != nil)
        #expect(crash(run("printf half")) != nil)
    }

    @Test(arguments: ["TERM", "INT", "HUP"])
    func `a child that somebody stopped is not to blame`(signal: String) {
        #expect(run("kill -\(signal) $$") == .interrupted)
    }

    @Test func `a job that nobody wants any more ends its child`() {
        // It would run for ever; that the call returns shows the end.
        #expect(crash(run("while :; do sleep 60; done", isWanted: { false })) != nil)
    }

    @Test func `a program that is not there is a passing failure`() {
        let runner = IsolatedProcess(executable: "/none", arguments: [], queue: fixture.queue)
        guard case .failed(let failure) = runner.run(claim, fixture.model(), isWanted: { true }) else {
            Issue.record("it should fail")
            return
        }
        #expect(failure.isRetryable)
    }

    @Test func `a request comes out as it went in`() throws {
        let bytes: [UInt8] = [1, 2, 3]
        var sent = IsolatedJob.encode(claim, fixture.model(), bytes: bytes)[...]
        let job = IsolatedJob { count in
            guard sent.count >= count else { return nil }
            defer { sent = sent.dropFirst(count) }
            return Array(sent.prefix(count))
        }
        #expect(job?.model == fixture.model())
        #expect(sent.isEmpty)
        #expect(IsolatedJob { _ in nil } == nil)
    }
}
