// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// A running program of FFmpeg whose output is read here; ended with the value.
///
/// A program of its own, so that a video that makes a decoder crash or eat the memory harms nobody else. It ends with this
/// process too, since nobody reads its pipe then.
final class ChildProgram {
    /// How often it is asked whether anybody still waits.
    private static let interval: Int32 = 50  // ms
    /// How much of what it complains of is kept.
    private static let logLimit = 4096

    private let child: pid_t
    private let output: Int32
    private let errors: Int32
    private let isWanted: () -> Bool
    private let onLine: (Substring) -> Bool
    private var line: [UInt8] = []
    private var status: Int32?
    /// The lines of standard error that `onLine` did not take, the last ones if there are many.
    private(set) var log = ""
    /// Whether it was ended because nobody wanted it any more.
    private(set) var isStopped = false

    /// Starts a program that is found through `PATH`.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - arguments: Without its name.
    ///   - isWanted: Asked now and then; false ends the program.
    ///   - onLine: Told each line of standard error; true if it has used it.
    /// - Throws: `VideoError` with code `ffmpegMissing` or `unreadable`.
    init(
        _ name: String,
        _ arguments: [String],
        isWanted: @escaping () -> Bool,
        onLine: @escaping (Substring) -> Bool = { _ in false }
    ) throws(VideoError) {
        self.isWanted = isWanted
        self.onLine = onLine
        var outputs: [Int32] = [-1, -1], errors: [Int32] = [-1, -1]
        let isPiped = pipe(&outputs) == 0 && pipe(&errors) == 0
        // What is missing here is missing because no descriptor is left.
        guard isPiped else {
            let reason = String(cString: strerror(errno))
            for end in outputs where end >= 0 { close(end) }
            throw VideoError(.unreadable, "cannot start \(name): \(reason)")
        }
        for end in outputs + errors { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(errors[0], F_SETFL, O_NONBLOCK)
        defer {
            close(outputs[1])
            close(errors[1])
        }
        (output, self.errors) = (outputs[0], errors[0])
        do throws(ProgramStartError) {
            child = try startProgram(name, arguments, input: nil, output: outputs[1], errors: errors[1])
        } catch {
            child = 0
            status = 0
            guard error.code == ENOENT else {
                throw VideoError(.unreadable, "cannot start \(name): \(String(cString: strerror(error.code)))")
            }
            throw VideoError(
                .ffmpegMissing,
                "videos are read by the programs ffmpeg and ffprobe, and \(name) is not there. Install them (apt-get install "
                    + "ffmpeg, or brew install ffmpeg)"
            )
        }
    }

    deinit {
        if status == nil {
            kill(-child, SIGKILL)
            while waitpid(child, nil, 0) < 0, errno == EINTR {}
        }
        close(output)
        close(errors)
    }

    /// Reads its output until the buffer is full or there is no more.
    ///
    /// - Parameter buffer: Where to.
    /// - Returns: How many bytes came; fewer than fit at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        while count < buffer.count {
            var descriptors = [
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&descriptors, 2, ChildProgram.interval)
            if ready > 0 {
                if descriptors[1].revents != 0 { readErrors() }
                if descriptors[0].revents != 0 {
                    #if canImport(Darwin)
                        let step = Darwin.read(output, buffer.baseAddress?.advanced(by: count), buffer.count - count)
                    #else
                        let step = Glibc.read(output, buffer.baseAddress?.advanced(by: count), buffer.count - count)
                    #endif
                    if step < 0, errno == EINTR { continue }
                    guard step > 0 else { break }
                    count += step
                }
            }
            if !isWanted() { stop() }
        }
        return count
    }

    /// Reads all of its output.
    ///
    /// - Parameter limit: No more than about so many bytes.
    /// - Returns: What came.
    func readAll(limit: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < limit {
            let count = buffer.withUnsafeMutableBytes { read(into: $0) }
            bytes += buffer[..<count]
            if count < buffer.count { break }
        }
        return bytes
    }

    /// Reads what it has said on standard error by now.
    func readErrors() {
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            #if canImport(Darwin)
                let count = Darwin.read(errors, &buffer, buffer.count)
            #else
                let count = Glibc.read(errors, &buffer, buffer.count)
            #endif
            guard count > 0 else { return }
            for byte in buffer[..<count] {
                // A line without end is cut.
                if byte == UInt8(ascii: "\n") || line.count > ChildProgram.logLimit { endLine() }
                if byte != UInt8(ascii: "\n") { line.append(byte) }
            }
        }
    }

    private func endLine() {
        let text = String(decoding: line, as: UTF8.self)
        line.removeAll(keepingCapacity: true)
        guard !onLine(text[...]), !text.isEmpty else { return }
        log = String((log + text + "\n").suffix(ChildProgram.logLimit))
    }

    /// Ends it: nobody wants what it does.
    private func stop() {
        isStopped = true
        kill(-child, SIGKILL)
    }

    /// Waits for its end, which must be near: its output has been read to the end.
    ///
    /// - Returns: Its exit status; that of a signal is negative.
    func finish() -> Int32 {
        readErrors()
        var raw: Int32 = 0
        if status == nil {
            while waitpid(child, &raw, 0) < 0, errno == EINTR {}
            readErrors()
            endLine()
            status = raw & 0x7f == 0 ? raw >> 8 & 0xff : -(raw & 0x7f)
        }
        return status ?? 0
    }
}
