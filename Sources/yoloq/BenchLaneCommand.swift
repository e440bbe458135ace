// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqJobs

/// `yoloq bench lane`: one of the processes that `bench queue` starts; it says `ready`, waits for a line, and prints numbers.
struct BenchLaneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lane",
        abstract: "A process of bench queue.",
        shouldDisplay: false
    )

    @Argument var role: String
    @Argument var database: String
    @Argument(transform: QueueOptions.durability) var durability: Durability
    @Argument var part: String
    @Argument var jobCount: Int
    @Argument var batchCount: Int

    func run() throws {
        switch role {
        case "pickup": return try pickUp()
        case "hold": return try holdJob()
        case "take-over": return try takeOver()
        default: break
        }
        guard let side = BenchSide(rawValue: role), let part = BenchPart(rawValue: part) else {
            throw ValidationError("bench lane is started by bench queue")
        }
        let plan = BenchPlan(
            part: part,
            durability: durability,
            lanes: .processes(1),
            jobCount: jobCount,
            batchCount: batchCount
        )
        let stretch = try BenchLaneWork(database: database, side: side, plan: plan).runAsChild {
            say("ready")
            _ = readLine()
        }
        say("\(stretch.jobCount) \(stretch.start) \(stretch.end)")
    }

    private func openQueue() throws -> JobQueue {
        var options = JobQueue.Options()
        options.durability = durability
        return try JobQueue(path: database, options: options)
    }

    private func holdJob() throws {
        let queue = try openQueue()
        let lock = try queue.holdJob()
        say("ready")
        // Until it is killed; it ends by itself if its parent has gone.
        withExtendedLifetime(lock) { _ = readLine() }
        _ = try queue.removeWorker(lock, now: .now())
        try queue.close()
    }

    private func takeOver() throws {
        let queue = try openQueue()
        say("ready")
        say("\(try queue.takeOver())")
        try queue.close()
    }

    private func pickUp() throws {
        let queue = try openQueue()
        try queue.pickUp(jobCount) {
            say("ready")
        } report: { job, claimedAt in
            say("\(job.rawValue) \(claimedAt)")
        }
        try queue.close()
    }

    private func say(_ line: String) {
        Console.print(line)
        try? Console.flush()
    }
}

/// A process of the benchmark, seen by the one that started it.
final class BenchChild {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var text = Data()

    /// Starts this program once more.
    ///
    /// - Parameter arguments: Those of `bench lane`.
    /// - Throws: Why it could not be started.
    init(_ arguments: [String]) throws {
        #if os(Linux)
            process.executableURL = URL(filePath: "/proc/self/exe")
        #else
            process.executableURL = Bundle.main.executableURL
        #endif
        process.arguments = ["bench", "lane"] + arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// Waits until the process has opened the queue and has done a first job.
    func waitUntilReady() throws {
        while !text.contains(UInt8(ascii: "\n")) {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else {
                throw CommandFailure(.inputOutput, "a process of the benchmark has ended early")
            }
            text += more
        }
    }

    /// Lets it go on.
    func start() throws { try input.fileHandleForWriting.write(contentsOf: Data("go\n".utf8)) }

    /// Kills it, and returns when, by `monotonicNanoseconds`; `waitUntilExit` takes longer to notice than the kernel.
    func kill() -> Int64 {
        let killedAt = monotonicNanoseconds()
        Foundation.kill(process.processIdentifier, SIGKILL)
        return killedAt
    }

    /// Waits for its end.
    func waitUntilExit() { process.waitUntilExit() }

    /// Waits for its end and returns the numbers of each line behind the first.
    func finish() throws -> [[Int64]] {
        text += try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst()
            .map { line in line.split(separator: " ").compactMap { Int64($0) } }
    }
}
