// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// What a disk costs without any database.
package enum DiskProbe {
    /// Appends pages of 4 KiB to a new file and waits for the disk after each.
    ///
    /// - Parameters:
    ///   - path: A file that does not exist; it is removed again.
    ///   - count: How many pages.
    /// - Returns: How long each wait took, in nanoseconds.
    /// - Throws: `io`.
    package static func syncTimes(path: String, count: Int) throws(JobsError) -> [Int64] {
        let descriptor = try openSidecar(path)
        defer {
            close(descriptor)
            unlink(path)
        }
        let page = [UInt8](repeating: 1, count: 4096)
        var times: [Int64] = []
        for _ in 0..<count {
            guard write(descriptor, page, page.count) == page.count else {
                throw JobsError(.io, "cannot write \(path): \(String(cString: strerror(errno)))")
            }
            let start = monotonicNanoseconds()
            #if canImport(Darwin)
                _ = fcntl(descriptor, F_FULLFSYNC)
            #else
                fdatasync(descriptor)
            #endif
            times.append(monotonicNanoseconds() - start)
        }
        return times
    }
}
