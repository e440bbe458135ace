// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// Standard output and standard error.
///
/// Results go to the first, everything else to the second.
enum Console {
    /// Whether somebody looks at standard output.
    static let isOutputTerminal = isatty(STDOUT_FILENO) == 1
    /// Whether somebody looks at standard error.
    static let isErrorTerminal = isatty(STDERR_FILENO) == 1

    /// Writes a line to standard output.
    static func print(_ line: String) {
        Swift.print(line)
    }

    /// Writes what was printed so far: a reader of a pipe shall not wait for a full buffer.
    static func flush() {
        fflush(nil)
    }

    /// Writes a line to standard error.
    static func note(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    /// Writes a line about trouble to standard error.
    static func complain(_ message: String) {
        note("yoloq: \(message)")
    }
}
