// SPDX-License-Identifier: Apache-2.0

public import YoloqJobs
internal import YoloqVideo

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Runs single jobs in child processes, so that one that kills its process kills nobody else's work, and is found out.
public struct IsolatedProcess: Sendable {
    /// How often it is asked whether the job is still wanted.
    private static let interval: Int32 = 50  // ms

    private let executable: String
    private let arguments: [String]
    private let queue: JobQueue

    /// Sets up the runner.
    ///
    /// - Parameters:
    ///   - executable: A program that reads an `IsolatedJob` from its standard input and writes the answer to its standard
    ///     output.
    ///   - arguments: Its arguments, without its name.
    ///   - queue: Where inline images are.
    public init(executable: String, arguments: [String], queue: JobQueue) {
        self.executable = executable
        self.arguments = arguments
        self.queue = queue
    }

    /// Runs a job.
    ///
    /// - Parameters:
    ///   - claim: The job.
    ///   - model: Its model.
    ///   - isWanted: Asked now and then; false ends the child.
    /// - Returns: What the child answered, `crashed` with the signal and the image's hash if it died over the job, or
    ///   `interrupted` if somebody else ended it.
    public func run(_ claim: Claim, _ model: ModelReference, isWanted: () -> Bool) -> Outcome.Ending {
        let bytes: [UInt8]?
        do throws(JobsError) {
            bytes = claim.isInline ? try queue.content(of: claim.job) : nil
        } catch {
            return .failed(JobFailure(kind: "unreadable", message: error.message, isRetryable: true))
        }
        var ends: [Int32] = [-1, -1]
        guard makeSocketPair(&ends) else { return cannotStart(errno) }
        defer { close(ends[0]) }
        let child: pid_t
        do throws(ProgramStartError) {
            defer { close(ends[1]) }
            child = try startProgram(executable, arguments, input: ends[1], output: ends[1], errors: nil)
        } catch {
            return cannotStart(error.code)
        }
        deliver(IsolatedJob.encode(claim, model, bytes: bytes), to: ends[0])
        let answer = readAll(from: ends[0], child: child, isWanted: isWanted)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return ending(status, answer, claim, bytes: bytes)
    }

    private func deliver(_ bytes: [UInt8], to socket: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { sendQuietly(socket, $0) }
            if count < 0, errno == EINTR { continue }
            // The child has died; its status tells.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private func readAll(from socket: Int32, child: pid_t, isWanted: () -> Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            if poll(&descriptor, 1, IsolatedProcess.interval) > 0 {
                let count = read(socket, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return bytes }
                bytes += buffer[..<count]
            }
            if !isWanted() { kill(-child, SIGKILL) }  // its whole group
        }
    }

    /// What the child's end means for the job.
    private func ending(_ status: Int32, _ answer: [UInt8], _ claim: Claim, bytes: [UInt8]?) -> Outcome.Ending {
        let signal = status & 0x7f
        if signal == 0, status >> 8 & 0xff == 0, let ending = IsolatedJob.ending(decoding: answer) { return ending }
        // Somebody stopped the child, as somebody stops a worker.
        if [SIGTERM, SIGINT, SIGHUP].contains(signal) { return .interrupted }
        let how =
            signal == 0
            ? "ended with status \(status >> 8 & 0xff) without an answer"
            : "was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
        let hash = claim.sha256 ?? bytes.map { ContentHash(of: $0) } ?? SourcePin(ofFileAt: claim.source)?.sha256
        return .crashed(
            JobFailure(
                kind: "crashed",
                message:
                    "the process that ran it alone \(how), and one before it had died over it; the image's SHA-256 is "
                    + "\(hash?.description ?? "unknown"). It is not run again by itself: yoloq retry \(claim.job)"
            )
        )
    }

    private func cannotStart(_ code: Int32) -> Outcome.Ending {
        .failed(
            JobFailure(
                kind: "engine",
                message:
                    "cannot start a process of its own for the job: \(executable): \(String(cString: strerror(code)))",
                isRetryable: true
            )
        )
    }
}

/// Makes two connected sockets that no other child inherits.
private func makeSocketPair(_ ends: inout [Int32]) -> Bool {
    #if canImport(Darwin)
        guard socketpair(AF_UNIX, SOCK_STREAM, 0, &ends) == 0 else { return false }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            var yes: Int32 = 1
            setsockopt(end, SOL_SOCKET, SO_NOSIGPIPE, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        return true
    #else
        return socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0
    #endif
}

/// Sends without raising a signal if the other end is closed.
private func sendQuietly(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Darwin)
        write(socket, bytes.baseAddress, bytes.count)
    #else
        send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    #endif
}
