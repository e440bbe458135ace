// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// The built `yoloq`, run as users run it.
final class YoloqProcess: Sendable {
    /// How a run ended.
    struct Result: Sendable {
        let status: Int32
        let output: String
        let errors: String

        /// The lines of standard output.
        var lines: [String] { output.split(separator: "\n").map(String.init) }

        /// The lines of standard output as JSON objects.
        var objects: [[String: Any]] {
            lines.compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
        }
    }

    private let process: Process
    private let output: Drain
    private let errors: Drain
    /// The writing end of standard output, if nobody reads that yet.
    private let plug: Int32?

    /// Starts a run.
    ///
    /// - Parameters:
    ///   - arguments: Behind `yoloq`.
    ///   - site: Where its queue, models and caches are.
    ///   - environment: More variables.
    ///   - input: What it reads from standard input.
    ///   - stallsOutput: Whether nobody reads its standard output before `finish`.
    /// - Throws: Why it could not be started.
    init(
        _ arguments: [String],
        at site: Site,
        environment: [String: String] = [:],
        input: Data? = nil,
        stallsOutput: Bool = false
    ) throws {
        process = Process()
        process.executableURL = Checkout.executable
        process.arguments = arguments
        process.environment = site.environment.merging(environment) { $1 }
        process.currentDirectoryURL = URL(filePath: site.folder)
        process.standardInput = try input.map(site.file) ?? FileHandle.nullDevice
        output = Drain()
        errors = Drain()
        process.standardOutput = output.pipe
        process.standardError = errors.pipe
        plug = stallsOutput ? fcntl(output.pipe.fileHandleForWriting.fileDescriptor, F_DUPFD_CLOEXEC, 0) : nil
        try process.run()
        if !stallsOutput { output.start() }
        errors.start()
    }

    /// Runs to the end.
    @discardableResult
    static func run(_ arguments: String..., at site: Site, environment: [String: String] = [:]) throws -> Result {
        try run(arguments, at: site, environment: environment)
    }

    /// Runs to the end.
    @discardableResult
    static func run(_ arguments: [String], at site: Site, environment: [String: String] = [:]) throws -> Result {
        try YoloqProcess(arguments, at: site, environment: environment).finish()
    }

    #if os(Linux)
        /// Runs a command line on a terminal of its own, as `script` (util-linux) makes one.
        ///
        /// - Parameters:
        ///   - command: Behind `yoloq`, for a shell.
        ///   - site: As for `init`.
        /// - Returns: What the terminal shows, standard error included.
        /// - Throws: Why it could not be started.
        static func onTerminal(_ command: String, at site: Site) throws -> String {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/script")
            process.arguments = ["-qec", "\(Checkout.executable.path) \(command)", "/dev/null"]
            process.environment = site.environment
            process.standardInput = FileHandle.nullDevice
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            return String(decoding: output, as: UTF8.self)
        }
    #endif

    /// The process.
    var pid: Int32 { process.processIdentifier }

    /// What it has printed so far.
    var outputSoFar: String { output.text }

    /// What it has said on standard error so far.
    var errorsSoFar: String { errors.text }

    /// Whether it runs.
    var isRunning: Bool { process.isRunning }

    /// Whether nothing more goes into the pipe that nobody reads.
    var isStalled: Bool {
        guard let plug else { return false }
        var request = pollfd(fd: plug, events: Int16(POLLOUT), revents: 0)
        return poll(&request, 1, 0) == 0
    }

    /// Sends a signal.
    func send(_ signal: Int32) { kill(pid, signal) }

    /// Waits for the end.
    func finish() -> Result {
        if let plug {
            close(plug)
            output.start()
        }
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: output.finish(), errors: errors.finish())
    }

    /// Waits until something has been printed or the process has ended.
    func wait(until isReached: (YoloqProcess) -> Bool) {
        while process.isRunning, !isReached(self) { usleep(2000) }
    }
}

/// Reads a pipe to its end on a thread of its own, so that the writer never waits.
private final class Drain: Sendable {
    let pipe = Pipe()
    private let bytes = Mutex(Data())
    private let isDone = DispatchSemaphore(value: 0)

    func start() {
        Thread { [self] in
            while true {
                // What is there now: `read(upToCount:)` would wait until it has all that was asked for.
                let chunk = pipe.fileHandleForReading.availableData
                guard !chunk.isEmpty else { break }
                bytes.withLock { $0.append(chunk) }
            }
            isDone.signal()
        }.start()
    }

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    func finish() -> String {
        isDone.wait()
        return text
    }
}

/// A queue, a home and a cache of a test's own.
final class Site: Sendable {
    let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "yoloq-site-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var database: String { folder + "/queue.db" }

    /// Bytes as a file to read from.
    func file(_ bytes: Data) throws -> FileHandle {
        let path = folder + "/input-\(UUID().uuidString)"
        try bytes.write(to: URL(filePath: path))
        return try FileHandle(forReadingFrom: URL(filePath: path))
    }

    var environment: [String: String] {
        var environment = ProcessInfo.processInfo.environment
        for name in ["YOLOQ_MODEL", "YOLOQ_WEIGHTS"] { environment[name] = nil }
        environment["YOLOQ_HOME"] = folder
        environment["YOLOQ_DB"] = database
        return environment
    }
}

/// Where things lie.
enum Checkout {
    /// The top of the checkout.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The built program, beside the test bundle.
    static var executable: URL {
        #if canImport(Darwin)
            let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
            return (bundle ?? Bundle.main.bundleURL).deletingLastPathComponent().appending(path: "yoloq")
        #else
            let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
            return URL(filePath: tests).deletingLastPathComponent().appending(path: "yoloq")
        #endif
    }

    /// The demo model.
    static let demo = root.appending(path: "weights/shapes.onnx").path
    /// The pictures that belong to it.
    static let samples = root.appending(path: "weights/samples").path

    /// Test material that is not part of the project.
    static let shared = root.deletingLastPathComponent().appending(path: "shared").path
    /// Whether it is there.
    static let hasShared = FileManager.default.fileExists(atPath: shared + "/golden")

    /// Whether there is a `python3`, to play a foreign program.
    static let hasPython =
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/python3")
        }

    /// Whether the engine was installed, as `ops/test` does.
    ///
    /// That it works is for the tests to show.
    static let hasEngine =
        FileManager.default.fileExists(atPath: root.appending(path: ".deps/openvino").path)
        || ProcessInfo.processInfo.environment["YOLOQ_OPENVINO"] != nil
}

/// The exit statuses that users rely on, written down here once more on purpose.
enum ExitCode {
    static let ok: Int32 = 0
    static let jobFailed: Int32 = 1
    static let usage: Int32 = 64
    static let noInput: Int32 = 66
    static let noEngine: Int32 = 69
    static let inputOutput: Int32 = 74
    static let tryLater: Int32 = 75
    static let timedOut: Int32 = 124
    static let interrupted: Int32 = 130
}
