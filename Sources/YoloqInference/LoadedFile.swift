// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file's content in memory, and what the file was when it was read.
///
/// Read, not mapped: a model that is replaced in place while it is looked at would end the process.
struct LoadedFile: ~Copyable {
    /// Tells one content of a file from another without reading it.
    struct Identity: Sendable, Hashable, Codable {
        var byteCount: Int64
        /// Nanoseconds since 1970 UTC.
        var modified: Int64
        var inode: UInt64
    }

    let identity: Identity
    private let memory: UnsafeMutableRawBufferPointer

    /// Reads a file.
    ///
    /// - Parameter path: An absolute path.
    /// - Throws: `InferenceError` with code `.modelMissing` and the system's reason, or `.modelInvalid` if it is empty
    ///   or no file.
    init(path: String) throws(InferenceError) {
        // O_NONBLOCK: opening a pipe must not wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw InferenceError(code: .modelMissing, message: "cannot read model \(path): \(reason).")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
            throw InferenceError(code: .modelInvalid, message: "cannot read model \(path): empty or not a file.")
        }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(status.st_size), alignment: 64)
        var count = 0
        while count < memory.count {
            let step = read(descriptor, memory.baseAddress?.advanced(by: count), memory.count - count)
            if step < 0, errno == EINTR { continue }
            guard step > 0 else { break }
            count += step
        }
        guard count == memory.count else {
            memory.deallocate()
            throw InferenceError(
                code: .modelMissing,
                message: "cannot read model \(path): it was being changed, or the disk failed. Try again."
            )
        }
        self.memory = memory
        self.identity = Identity(status)
    }

    deinit { memory.deallocate() }

    /// Shows the content, which is valid during the call.
    borrowing func withBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeRawBufferPointer(memory))
    }

    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    borrowing func sha256() -> String { withBytes(sha256Text) }

    /// What a file is now, without opening it.
    ///
    /// - Parameter path: An absolute path.
    /// - Returns: nil if it is not there or no file.
    static func identity(ofFileAt path: String) -> Identity? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Identity(status)
    }
}

extension LoadedFile.Identity {
    fileprivate init(_ status: stat) {
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        self.init(
            byteCount: Int64(status.st_size),
            modified: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec),
            inode: UInt64(status.st_ino)
        )
    }
}

/// Whether something is at a path, links followed.
func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// Whether a folder is at a path, links followed.
func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Makes a folder and those above it.
///
/// - Parameter path: An absolute path.
/// - Returns: Whether it is there now and can be written to.
func makeFolder(_ path: String) -> Bool {
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return access(path, W_OK) == 0
}

/// Writes a file so that readers see the old content or the new, never half.
///
/// - Parameters:
///   - data: The new content.
///   - path: An absolute path; its folder is made if need be.
/// - Returns: Whether it was written; a cache that cannot be written is not worth an error.
@discardableResult
func replaceFile(_ data: Data, at path: String) -> Bool {
    guard makeFolder(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])) else { return false }
    let temporary = "\(path).\(getpid()).\(UInt64.random(in: 0...UInt64.max))"
    guard (try? data.write(to: URL(filePath: temporary))) != nil, rename(temporary, path) == 0 else {
        unlink(temporary)
        return false
    }
    return true
}

/// The content of a small file; nil if it cannot be read.
func contents(ofFileAt path: String) -> Data? { try? Data(contentsOf: URL(filePath: path)) }
