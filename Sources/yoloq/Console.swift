// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqJobs

/// Standard output and standard error.
///
/// Results go to the first, everything else to the second.
enum Console {
    /// Whether somebody looks at standard output.
    static let isOutputTerminal = isatty(STDOUT_FILENO) == 1
    /// Whether somebody looks at standard error.
    static let isErrorTerminal = isatty(STDERR_FILENO) == 1

    private struct Output {
        var bytes: [UInt8] = []
        var failure: CommandFailure?

        /// Writes what has gathered; remembers a failure, since results must not vanish silently.
        mutating func drain() {
            defer { bytes.removeAll(keepingCapacity: true) }
            guard failure == nil, !bytes.isEmpty else { return }
            do {
                try FileHandle.standardOutput.write(contentsOf: bytes)
            } catch {
                failure = CommandFailure(
                    .inputOutput,
                    "cannot write the output: \(error.localizedDescription). What was submitted or stored is safe"
                )
            }
        }
    }

    private static let output = Locked(Output())

    /// Writes a line to standard output, soon.
    static func print(_ line: String) {
        output.withLock { output in
            output.bytes += line.utf8
            output.bytes.append(UInt8(ascii: "\n"))
            if output.bytes.count > 1 << 16 { output.drain() }
        }
    }

    /// Writes what was printed so far: a reader of a pipe shall not wait for a full buffer.
    ///
    /// - Throws: `CommandFailure` with status 74 if this or an earlier write failed.
    static func flush() throws(CommandFailure) {
        let failure = output.withLock { output in
            output.drain()
            return output.failure
        }
        if let failure { throw failure }
    }

    /// Writes a line to standard error.
    static func note(_ line: String) {
        writeToError(line + "\n")
    }

    /// Writes a line about trouble to standard error.
    static func complain(_ message: String) {
        note("yoloq: \(message)")
    }

    /// Writes to standard error as it is; that nobody can read it must not stop a worker.
    static func writeToError(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}
