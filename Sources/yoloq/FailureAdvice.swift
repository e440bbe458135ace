// SPDX-License-Identifier: Apache-2.0

import YoloqJobs

/// What to do about a job that failed: one entry for each kind of error.
struct FailureAdvice {
    /// What helps.
    let text: String
    /// What to type for it.
    let command: @Sendable (JobRecord) -> String

    private init(_ text: String, _ command: @escaping @Sendable (JobRecord) -> String) {
        self.text = text
        self.command = command
    }

    /// The advice for a kind of error; for one that is not known, to run the job again.
    static func advice(for kind: String) -> FailureAdvice {
        table[kind] ?? FailureAdvice("Do what the message says, then run it again", retry)
    }

    /// Every kind there is.
    static var kinds: Set<String> { Set(table.keys) }

    private static let retry: @Sendable (JobRecord) -> String = { "yoloq retry \($0.id)" }

    private static func retryKind(_ kind: String, _ flags: String = "") -> @Sendable (JobRecord) -> String {
        { _ in "yoloq retry --kind \(kind)\(flags)" }
    }

    private static func submit(_ flags: String = "") -> @Sendable (JobRecord) -> String {
        { "yoloq submit \($0.source.shellQuoted) --model \($0.model.argument.shellQuoted)\(flags)" }
    }

    private static let inspect: @Sendable (JobRecord) -> String = {
        "yoloq models inspect \($0.model.argument.shellQuoted)"
    }

    private static let doctor: @Sendable (JobRecord) -> String = { _ in "yoloq doctor" }

    private static let table: [String: FailureAdvice] = [
        // The image.
        "not_found": .init("Put the file back, then run the job again", retry),
        "is_directory": .init("Submit the folder: each image in it becomes a job", submit()),
        "unreadable": .init("Let the worker's user read the file, then run the job again", retry),
        "empty": .init("The file holds nothing: write it anew and submit it again", submit()),
        "unsupported_format": .init("Turn it into a JPEG or PNG and submit that", submit()),
        "truncated": .init("The file ends early: copy it anew from where it came and submit it again", submit()),
        "corrupt": .init("The file is damaged: copy it anew from where it came and submit it again", submit()),
        "too_large": .init(
            "Start a worker with a greater --max-pixels or make the image smaller, then run it again",
            retry
        ),
        "source_changed": .init("The file is not the one that was submitted: submit what is there now", submit()),
        // The network.
        "url_refused": .init(
            "If the address is one you trust, submit it so that it may be private, and run a worker that allows it (--urls any)",
            submit(" --allow-private-urls")
        ),
        "url_not_found": .init("The server does not have it: correct the URL and submit it again", submit()),
        "url_timeout": .init(
            "Run it again when the server is faster, or start a worker with a longer --url-timeout",
            retry
        ),
        "url_too_large": .init("Start a worker with a greater --url-max-bytes, then run it again", retry),
        "url_failed": .init("Look whether the server answers from here, then run it again", retry),
        // The model.
        "model_missing": .init(
            "Put the model back where it was, then run all of its jobs again",
            retryKind("model_missing")
        ),
        "model_changed": .init(
            "The model's file is another one now: put the old one back and run the job again, or run all such jobs on the new "
                + "one",
            retryKind("model_changed", " --use-current")
        ),
        "model_invalid": .init("Look at the model, export it anew, and submit again", inspect),
        "unsupported_model": .init("Look at the model, and submit with one that yoloq runs", inspect),
        "bad_parameters": .init("Submit it again with parameters that fit the model", submit()),
        "bad_output": .init("The model does not give what its metadata says: look at it, and export it anew", inspect),
        // The machine.
        "engine": .init("Look whether the engine works here, then run the job again (yoloq retry)", doctor),
        "ffmpeg_missing": .init(
            "Install the package ffmpeg where the worker runs, then run such jobs again",
            retryKind("ffmpeg_missing")
        ),
        "engine_missing": .init(
            "Install the engine (ops/install-openvino), then run such jobs again",
            retryKind("engine_missing")
        ),
        // The queue.
        "expired": .init(
            "Run more workers, and submit with a later deadline; running it again knows no deadline",
            retry
        ),
        "timeout": .init(
            "Submit it again with more time for an attempt, or look for what slows the worker",
            submit(" --time-limit 10m")
        ),
        "crashed": .init(
            "Two processes died over it: look at the image by itself before running it again",
            {
                "yoloq predict \($0.source.shellQuoted) --model \($0.model.argument.shellQuoted)"
            }
        ),
    ]
}

extension ModelReference {
    /// What to give as `--model` for it: names may mean another file by now.
    fileprivate var argument: String { path }
}
