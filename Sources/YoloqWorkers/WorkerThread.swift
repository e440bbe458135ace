// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqImages
public import YoloqInference
public import YoloqJobs
import YoloqVision

/// Makes the predictor for a model, warmed up and checked, on the thread that will use it.
///
/// Throws the reason why jobs of this model must fail.
public typealias PredictorFactory<E: Engine & ~Copyable> =
    @Sendable (ModelReference) throws(InferenceError) -> Predictor<E>

/// Runs a job alone in a process of its own, because a process died over it before.
///
/// Asks the last argument now and then whether the job is still wanted, and ends the process if it is not.
public typealias IsolatedRunner = @Sendable (Claim, ModelReference, () -> Bool) -> Outcome.Ending

/// One lane of a worker: claims a job, runs it to its end with a predictor of its own, hands the outcome over.
///
/// Made and used on one thread; everything it shares with others is in `Shared`.
struct WorkerThread<E: Engine & ~Copyable>: ~Copyable {
    /// What the threads of one worker share.
    struct Shared: Sendable {
        let queue: JobQueue
        let worker: String
        let serves: ModelFilter
        let untilEmpty: Bool
        let limits: ImageLimits
        let urls: URLPolicy
        let makePredictor: PredictorFactory<E>
        let runAlone: IsolatedRunner
        let running = RunningJobs()
        let committer: Committer
        let doorbell: Doorbell
        let stop: StopSignal
        let report: @Sendable (WorkerEvent) -> Void
    }

    /// How many models a thread keeps ready, or as many as it was told to serve; the one that rested longest goes first.
    static var loadedModelLimit: Int { 4 }
    /// How often a busy thread looks whether a model that it has not loaded waits for it.
    static var lookAroundInterval: Duration { .seconds(1) }

    private let name: String
    private let shared: Shared
    private var lanes: [ModelReference: Lane<E>] = [:]
    private var rows: [ServedModel] = []
    private var lastUsed: Int64?
    private var lookedAround: ContinuousClock.Instant?

    init(name: String, shared: Shared) {
        self.name = name
        self.shared = shared
    }

    /// Works until asked to stop, or, with `untilEmpty`, until nothing is queued for the served models.
    ///
    /// - Parameter models: Models to make ready before the first claim.
    /// - Throws: Why the queue cannot be used any more. A job that fails is no error here.
    mutating func run(preparing models: [ModelReference]) throws(JobsError) {
        for model in models { prepare(model) }
        while !shared.stop.isRequested {
            let rings = shared.doorbell.count
            try lookAround(force: false)
            switch try claim() {
            case .job(let claim):
                shared.doorbell.ring()
                try finish(claim)
            case .nothing:
                if try lookAround(force: true) { continue }
                if shared.untilEmpty { return }
                shared.doorbell.waitForWork(since: rings)
            case .unknown:
                // A second at most: the safety poll rings.
                if !shared.stop.isRequested { shared.doorbell.waitForWork(since: rings) }
            }
        }
    }

    /// What asking for a job gave.
    private enum Answer {
        case job(Claim)
        /// No job waits for the models that are ready.
        case nothing
        /// The queue could not be asked this time.
        case unknown
    }

    private func claim() throws(JobsError) -> Answer {
        let models = rows.filter { lanes[$0.reference] != nil }.map(\.id)
        do throws(JobsError) {
            let claims = try shared.queue.claim(
                models: models,
                loaded: lastUsed,
                worker: shared.worker,
                now: .now(),
                giveUp: { shared.stop.isRequested }
            )
            return claims.first.map(Answer.job) ?? .nothing
        } catch {
            guard [.busy, .diskFull, .interrupted].contains(error.code) else { throw error }
            if error.code != .interrupted { shared.report(.trouble(error)) }
            return .unknown
        }
    }

    /// Runs a claimed job to its end and hands the outcome over, unless nobody wants it any more.
    private mutating func finish(_ claim: Claim) throws(JobsError) {
        lastUsed = claim.model
        guard let model = rows.first(where: { $0.id == claim.model })?.reference, let lane = lanes[model] else {
            preconditionFailure("a claim is of a model that was asked for")
        }
        let running = shared.running
        running.begin(claim)
        let ending =
            claim.crashes == 0
            ? lane.run(claim, shared, isWanted: { running.isWanted(claim) })
            : shared.runAlone(claim, model) { running.isWanted(claim) }
        guard running.end(claim) else {
            shared.report(.dropped(claim))
            return
        }
        try shared.committer.submit(Outcome(claim, ending, at: .now()))
    }

    /// Looks which models wait, and makes one of those ready that this thread serves and has not loaded.
    ///
    /// - Parameter force: Look even if the last look was a moment ago.
    /// - Returns: Whether claiming again makes sense.
    /// - Throws: Why the queue cannot be read.
    @discardableResult
    private mutating func lookAround(force: Bool) throws(JobsError) -> Bool {
        let now = ContinuousClock.now
        if !force, let lookedAround, now - lookedAround < Self.lookAroundInterval { return false }
        lanes = lanes.filter { !$0.value.isExpired }
        let known = rows.count
        rows = try shared.queue.models().filter { shared.serves.contains($0.reference) && !$0.isPaused }
        let waiting = rows.first { $0.counts[.queued] > 0 && lanes[$0.reference] == nil }
        if let waiting { prepare(waiting.reference) }
        // From here on, so that a load that takes long is not followed by the next one before any job.
        lookedAround = .now
        return waiting != nil || rows.count > known && rows.contains { $0.counts[.queued] > 0 }
    }

    private mutating func prepare(_ model: ModelReference) {
        do throws(InferenceError) {
            let lane = Lane(predictor: try shared.makePredictor(model), modelSHA256: model.sha256)
            shared.report(.ready(thread: name, model: model.name, detail: lane.provenance))
            keep(lane, for: model)
        } catch {
            let failure = JobFailure(ImageFailure(error))
            shared.report(.unusable(thread: name, model: model.name, failure))
            keep(Lane(failure: failure), for: model)
        }
    }

    private mutating func keep(_ lane: Lane<E>, for model: ModelReference) {
        let limit = max(Self.loadedModelLimit, shared.serves.preloaded.count)
        if lanes.count >= limit, let idlest = lanes.min(by: { $0.value.lastUsed < $1.value.lastUsed }) {
            lanes[idlest.key] = nil
        }
        lanes[model] = lane
    }
}

/// What one thread has for one model: a predictor, or the reason why there is none.
///
/// Never leaves its thread.
private final class Lane<E: Engine & ~Copyable> {
    private var predictor: Predictor<E>?
    private let failure: JobFailure?
    private let modelSHA256: String
    let provenance: String
    private let made = ContinuousClock.now
    private(set) var lastUsed = ContinuousClock.now

    init(predictor: consuming Predictor<E>, modelSHA256: String) {
        self.modelSHA256 = modelSHA256
        provenance = "\(predictor.engineName), \(predictor.precision)"
        self.predictor = consume predictor
        failure = nil
    }

    init(failure: JobFailure) {
        modelSHA256 = ""
        provenance = ""
        predictor = nil
        self.failure = failure
    }

    /// How long a reason holds: the file may be put back, memory may be freed.
    private static var patience: Duration { .seconds(5) }

    /// Whether it is worth trying to load the model anew.
    var isExpired: Bool {
        failure != nil && .now - made >= Self.patience
    }

    /// Runs one job; whatever happens becomes an ending.
    func run(_ claim: Claim, _ shared: WorkerThread<E>.Shared, isWanted: () -> Bool) -> Outcome.Ending {
        lastUsed = .now
        if let failure { return .failed(failure) }
        do throws(ImageFailure) {
            if VideoJob.isVideo(parameters: claim.parameters) { return try runVideo(claim, shared, isWanted: isWanted) }
            let document = try predictor?.process(
                claim.input(from: shared.queue, urls: shared.urls),
                parameters: PredictionParameters(jobText: claim.parameters),
                modelSHA256: modelSHA256,
                limits: shared.limits,
                isWanted: isWanted
            )
            guard let document else { preconditionFailure("a lane has a predictor or a failure") }
            return .succeeded(result: document.encoded(queued: claim.startedAt - claim.queuedAt))
        } catch {
            return .failed(JobFailure(error))
        }
    }

    private func runVideo(
        _ claim: Claim,
        _ shared: WorkerThread<E>.Shared,
        isWanted: () -> Bool
    ) throws(ImageFailure) -> Outcome.Ending {
        let job = VideoJob(
            source: claim.source,
            content: claim.isInline ? try claim.inlineBytes(in: shared.queue) : nil
        )
        let result = try predictor?.run(
            job,
            parameters: PredictionParameters(jobText: claim.parameters),
            modelSHA256: modelSHA256,
            limits: shared.limits,
            queued: claim.startedAt - claim.queuedAt,
            isWanted: isWanted
        )
        guard let result else { preconditionFailure("a lane has a predictor or a failure") }
        return .succeeded(result: result)
    }
}

extension Claim {
    /// Gets the bytes to run on, from the file, the network or the queue.
    func input(from queue: JobQueue, urls: URLPolicy) throws(ImageFailure) -> ImageInput {
        let start = ContinuousClock.now
        let bytes =
            isInline
            ? try inlineBytes(in: queue) : try URLSource.bytes(of: source, parameters: parameters, policy: urls)
        return ImageInput(bytes, source: source, expectedSHA256: sha256?.description, loading: .now - start)
    }

    fileprivate func inlineBytes(in queue: JobQueue) throws(ImageFailure) -> [UInt8] {
        do throws(JobsError) {
            if let bytes = try queue.content(of: job) { return bytes }
        } catch {
            throw ImageFailure(kind: "unreadable", message: error.message, isRetryable: true)
        }
        throw ImageFailure(
            kind: "not_found",
            message: "the queue does not hold the bytes of job \(job). Submit it again"
        )
    }
}

extension PredictionParameters {
    /// Reads the parameters of a job.
    init(jobText text: String) throws(ImageFailure) {
        do {
            self = try JSONDecoder().decode(PredictionParameters.self, from: Data(text.utf8))
        } catch {
            throw ImageFailure(
                InferenceError(
                    code: .badParameters,
                    message: "the job's parameters cannot be read: \(text). Submit it again."
                )
            )
        }
    }
}

extension JobFailure {
    /// Words of the vision column as the queue keeps them.
    package init(_ failure: ImageFailure) {
        self.init(kind: failure.kind, message: failure.message, isRetryable: failure.isRetryable)
    }
}
