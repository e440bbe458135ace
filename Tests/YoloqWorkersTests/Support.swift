// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqImages
import YoloqInference
import YoloqJobs
import YoloqVision

@testable import YoloqWorkers

/// An engine that finds one thing in every image, and can be told to wait or to fail.
struct FakeEngine: Engine, ~Copyable {
    let name = "fake 1.0"
    let precision = "f32"
    let gate: Gate
    private var input: [Float] = []

    init(gate: Gate = Gate()) { self.gate = gate }

    mutating func run<R>(
        _ size: ImageSize,
        fill: (UnsafeMutableBufferPointer<Float>) throws(InferenceError) -> Void,
        read: ([OutputTensor]) throws(VisionError) -> R
    ) throws(InferenceError) -> R {
        input = [Float](repeating: -1, count: 3 * size.height * size.width)
        try input.withUnsafeMutableBufferPointer { (tensor) throws(InferenceError) in try fill(tensor) }
        gate.enter()
        if gate.isBroken { throw InferenceError(code: .engine, message: "the fake engine is told to fail.") }
        // (1, 4 + 2 classes, 1 anchor): a box in the middle, of class 1.
        let head: [Float] = [Float(size.width) / 2, Float(size.height) / 2, 10, 10, 0.1, 0.9]
        var result: R?
        do throws(VisionError) {
            try head.withUnsafeBufferPointer { values throws(VisionError) in
                result = try read([OutputTensor(shape: [1, 6, 1], values: values)])
            }
        } catch {
            throw InferenceError(code: .badOutput, message: error.message)
        }
        guard let result else { preconditionFailure("read was called") }
        return result
    }
}

/// Where engines can be held and counted.
final class Gate: Sendable {
    private struct State {
        var isClosed = false
        var isBroken = false
        var entered = 0
        var made = 0
        var threads: Set<String> = []
    }

    private let state = Locked(State())

    var isBroken: Bool {
        get { state.withLock(\.isBroken) }
        set { state.withLock { $0.isBroken = newValue } }
    }
    var entered: Int { state.withLock(\.entered) }
    /// Predictors made so far.
    var made: Int { state.withLock(\.made) }
    var threads: Set<String> { state.withLock(\.threads) }

    func noteMaking() { state.withLock { $0.made += 1 } }
    func close() { state.withLock { $0.isClosed = true } }
    func open() { state.withLock { $0.isClosed = false } }

    func enter() {
        state.withLock { state in
            state.entered += 1
            state.threads.insert(currentThreadName())
        }
        while state.withLock(\.isClosed) { usleep(500) }
    }
}

/// The running thread's name as profilers see it.
private func currentThreadName() -> String {
    #if os(Linux)
        let name = (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? "?"
        return name.trimmingCharacters(in: .whitespacesAndNewlines)
    #else
        return Thread.current.name ?? "?"
    #endif
}

/// A queue with images in a folder of its own.
final class Fixture: Sendable {
    let folder: String
    let queue: JobQueue
    let image: String
    let gate = Gate()
    let stop = StopSignal()
    /// Results that came too late and were dropped.
    let lost = Locked(0)
    /// Jobs that were stopped in the middle.
    let dropped = Locked<[JobID]>([])
    /// Workers that were given up.
    let rescued = Locked<[String]>([])
    /// What a process of its own makes of a job; the jobs that were run so.
    let alone = Locked<(ending: Outcome.Ending, jobs: [JobID])>((.succeeded(result: "{}"), []))

    init() throws {
        folder = NSTemporaryDirectory() + "yoloq-workers-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        queue = try JobQueue(path: folder + "/queue.db")
        image = folder + "/grey.jpg"
        let picture = RGBImage(width: 64, height: 48, filledWith: RGBColor(red: 90, green: 90, blue: 90))
        try Data(JPEGEncoder.encode(picture)).write(to: URL(filePath: image))
    }

    deinit {
        try? queue.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func model(_ name: String = "net") -> ModelReference {
        ModelReference(name: name, path: "/models/\(name).onnx", sha256: String(repeating: "b", count: 64))
    }

    @discardableResult
    func submit(
        _ count: Int,
        model name: String = "net",
        source: String? = nil,
        retry: RetryPolicy = RetryPolicy(),
        timeLimit: Duration? = nil
    ) throws -> [JobID] {
        var request = JobRequest(model: model(name), source: source ?? image)
        request.retry = retry
        request.timeLimit = timeLimit
        return try queue.submit(Array(repeating: request, count: count), now: .now())
    }

    /// A worker of this queue with the fake engine.
    func worker(
        threads: Int = 2,
        untilEmpty: Bool = true,
        serves: ModelFilter = .all,
        grace: Duration = .seconds(30),
        stuckPatience: Duration = .seconds(30)
    ) -> Worker<FakeEngine> {
        var options = Worker<FakeEngine>.Options()
        options.threads = threads
        options.untilEmpty = untilEmpty
        options.serves = serves
        options.grace = grace
        options.stuckPatience = stuckPatience
        return Worker(
            queue: queue,
            options: options,
            stop: stop,
            report: { [lost, dropped, rescued] event in
                switch event {
                case .lost: lost.withLock { $0 += 1 }
                case .dropped(let claim): dropped.withLock { $0.append(claim.job) }
                case .rescued(let worker, _, _): rescued.withLock { $0.append(worker) }
                default: break
                }
            },
            makePredictor: { [gate] (model) throws(InferenceError) in
                gate.noteMaking()
                guard !model.name.hasPrefix("broken") else {
                    throw InferenceError(code: .modelMissing, message: "there is no \(model.path).")
                }
                return Predictor(
                    engine: FakeEngine(gate: gate),
                    card: ModelCard(classNames: ["cat", "dog"], imageSize: ImageSize(height: 64, width: 64))
                )
            },
            runAlone: { [alone] claim, _, _ in
                alone.withLock { alone in
                    alone.jobs.append(claim.job)
                    return alone.ending
                }
            }
        )
    }

    /// Runs a worker on another thread while the body looks on; then lets it drain.
    func whileWorking<R>(_ worker: Worker<FakeEngine>, _ body: () throws -> R) throws -> R {
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            _ = try? worker.run()
            ended.signal()
        }
        defer {
            gate.open()
            stop.request()
            ended.wait()
        }
        return try body()
    }

    /// Waits until the queue says so.
    func wait(until isReached: (JobCounts) -> Bool) throws {
        while try !isReached(queue.counts()) { usleep(1000) }
    }
}
