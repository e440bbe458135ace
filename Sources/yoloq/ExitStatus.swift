// SPDX-License-Identifier: Apache-2.0

import YoloqDownloads
import YoloqImages
import YoloqInference
import YoloqJobs
import YoloqVideo
import YoloqVision

/// What the process ends with: the one table of exit statuses.
enum ExitStatus: Int32, CaseIterable {
    case ok = 0
    case jobFailed = 1
    case usage = 64
    case noInput = 66
    case noEngine = 69
    case inputOutput = 74
    case tryLater = 75
    case timedOut = 124
    case interrupted = 130

    /// The table as `--help` prints it.
    static var help: String {
        "EXIT STATUS\n" + allCases.map { "  \($0.rawValue)\t\($0.meaning)" }.joined(separator: "\n")
    }

    private var meaning: String {
        switch self {
        case .ok: "done"
        case .jobFailed: "a job failed"
        case .usage: "the command was not understood"
        case .noInput: "an image, model, job or queue does not exist"
        case .noEngine: "no inference engine, or it does not work"
        case .inputOutput: "the database or a file could not be read, written or downloaded"
        case .tryLater: "the queue is busy or full, or a job has not ended yet"
        case .timedOut: "the time to wait was over"
        case .interrupted: "interrupted"
        }
    }
}

/// Why a command ends early: a status, and a sentence for stderr.
struct CommandFailure: Error {
    let status: ExitStatus
    let message: String

    init(_ status: ExitStatus, _ message: String = "") {
        self.status = status
        self.message = message
    }

    /// Gives any error of our modules its status; nil for what the argument parser handles itself.
    init?(_ error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as JobsError: self.init(error.code.status, error.message)
        case let error as InferenceError: self.init(error.code.status, error.message)
        case let error as VisionError: self.init(error.code.status, error.message)
        case let error as ImageError: self.init(.noInput, error.message)
        case let error as VideoError: self.init(error.code == .ffmpegMissing ? .noEngine : .noInput, error.message)
        case let error as DownloadError: self.init(error.code.status, error.message)
        default: return nil
        }
    }
}

extension JobsError.Code {
    fileprivate var status: ExitStatus {
        switch self {
        case .busy, .full: .tryLater
        case .interrupted: .interrupted
        case .missing: .noInput
        case .stuck: .noEngine
        case .invalidRequest: .usage
        case .invalidFile, .newerSchema, .networkFileSystem, .diskFull, .fileReplaced, .io: .inputOutput
        }
    }
}

extension InferenceError.Code {
    fileprivate var status: ExitStatus {
        switch self {
        case .engineMissing, .engine, .badOutput: .noEngine
        case .modelMissing, .modelChanged, .modelInvalid, .unsupportedModel: .noInput
        case .badParameters: .usage
        }
    }
}

extension DownloadError.Code {
    fileprivate var status: ExitStatus {
        switch self {
        case .badURL, .refused: .usage
        case .busy: .tryLater
        case .timedOut: .timedOut
        case .unreachable, .status, .badAnswer, .tooLarge, .cut, .wrongContent, .io: .inputOutput
        }
    }
}

extension VisionError.Code {
    fileprivate var status: ExitStatus {
        switch self {
        case .modelInvalid, .unsupportedModel: .noInput
        case .badParameters: .usage
        case .badOutput: .noEngine
        }
    }
}
