// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Whether somebody still writes a file.
enum FileCompleteness {
    /// Nobody has it open for writing.
    case complete
    /// Somebody has it open for writing: there will be an event when it is closed.
    case beingWritten
    /// The system does not tell.
    case unknown

    #if canImport(Glibc)
        /// Asks the kernel for a lease, which it gives to a reader only if nobody has the file open for writing (fcntl(2),
        /// F_SETLEASE), and gives it back at once.
        ///
        /// Only a file's owner and the superuser may ask, and not every file system knows leases. Whoever opens the file for
        /// writing in between is made to wait for that moment, and this process gets SIGIO, which must be ignored.
        ///
        /// - Parameter path: A file.
        /// - Returns: The answer; `unknown` if the file cannot be opened.
        static func of(_ path: String) -> FileCompleteness {
            // Linux's numbers (linux/fcntl.h), which glibc declares only with its own extensions switched on.
            let setLease: Int32 = 1024
            let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else { return .unknown }
            defer { close(descriptor) }
            guard fcntl(descriptor, setLease, Int32(F_RDLCK)) == 0 else {
                return errno == EAGAIN ? .beingWritten : .unknown
            }
            _ = fcntl(descriptor, setLease, Int32(F_UNLCK))
            return .complete
        }
    #else
        /// There is no way to ask.
        static func of(_ path: String) -> FileCompleteness { .unknown }
    #endif
}
