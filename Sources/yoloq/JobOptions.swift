// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqJobs

/// When, how often and how long a job runs, and what it stands for.
struct JobOptions: ParsableArguments {
    @Option(help: "Higher runs first among the jobs that wait.")
    var priority = 0

    @Option(
        help: ArgumentHelp("Not before this much time has passed, such as 500ms, 30s, 5m, 2h or 1d.", valueName: "time")
    )
    var delay: TimeSpan?

    @Option(
        help: ArgumentHelp(
            "Not before this moment: 2026-11-22T18:00:00Z, or local \"2026-11-22 18:00\" or 18:00.",
            valueName: "moment"
        )
    )
    var at: Moment?

    @Option(
        help: ArgumentHelp("A job that has not started by then fails with kind expired.", valueName: "time")
    )
    var expiresIn: TimeSpan?

    @Option(help: "How often a job may end with an error that may pass before it fails.")
    var maxAttempts = RetryPolicy().maxAttempts

    @Option(
        help: ArgumentHelp(
            "The wait before the second attempt, doubled before each further one (2s).",
            valueName: "time"
        )
    )
    var backoff: TimeSpan?

    @Option(help: ArgumentHelp("No wait between attempts is longer (10m).", valueName: "time"))
    var backoffLimit: TimeSpan?

    @Option(help: ArgumentHelp("How long one attempt may take.", valueName: "time"))
    var timeLimit: TimeSpan?

    @Option(help: ArgumentHelp("The group the jobs belong to; made if it does not exist.", valueName: "name"))
    var batch: String?

    @Option(help: ArgumentHelp("JSON of your own that travels with the jobs to their results.", valueName: "json"))
    var meta: String?

    @Option(
        help: ArgumentHelp(
            "Names this submit, for a single image: while a job of the same key is stored, that one is given. Names a watch, if a "
                + "folder and model have several.",
            valueName: "text"
        )
    )
    var key: String?

    @Option(
        help: ArgumentHelp(
            "Names a source of which only the newest image matters: jobs of the same name that wait are cancelled.",
            valueName: "text"
        )
    )
    var latest: String?

    @Flag(
        help: ArgumentHelp(
            "Share results by content.",
            discussion: """
                A stored result of the same bytes, model hash and parameters is taken over at once, and a job under way is \
                joined; among jobs submitted with --reuse.
                """
        )
    )
    var reuse = false

    func validate() throws {
        if let batch, batch.allSatisfy(\.isNumber) {
            throw ValidationError(
                "a batch needs a name, not the number \"\(batch)\" (did you mean worker --batch-size?)"
            )
        }
        guard delay == nil || at == nil else { throw ValidationError("--delay and --at exclude each other") }
        guard (1...1000).contains(maxAttempts) else {
            throw ValidationError("--max-attempts is a number from 1 to 1000, not \(maxAttempts)")
        }
        guard timeLimit.map({ $0.duration > .zero }) ?? true else {
            throw ValidationError("--time-limit is longer than nothing")
        }
    }

    /// A job without a source.
    ///
    /// - Parameters:
    ///   - model: What to run.
    ///   - parameters: As JSON.
    ///   - now: When delays and deadlines begin.
    /// - Returns: The request that all images of one submit share.
    func request(_ model: ModelReference, parameters: String, now: Timestamp) -> JobRequest {
        var request = JobRequest(model: model, source: "", parameters: parameters, meta: meta, batch: batch)
        request.priority = priority
        request.runAt = at?.timestamp ?? delay.map { now + $0.duration }
        request.expiresAt = expiresIn.map { now + $0.duration }
        request.timeLimit = timeLimit?.duration
        request.retry.maxAttempts = maxAttempts
        if let backoff { request.retry.firstDelay = backoff.duration }
        if let backoffLimit { request.retry.longestDelay = backoffLimit.duration }
        request.key = key
        request.latestKey = latest
        request.reusesResults = reuse
        return request
    }
}
