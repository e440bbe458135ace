// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation
internal import NIOCore

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What has come of a file: `PATH.part`, locked while it is open, beside `PATH.part.origin`, which says of what it is.
struct PartialFile: ~Copyable {
    /// Where a download may go on.
    struct Resume {
        /// How many bytes are there.
        let byteCount: Int
        /// The server's name for the content they are of; nil if only a hash can tell.
        let validator: String?
    }

    private struct Origin: Codable {
        var url: String
        var validator: String
    }

    /// How many bytes are there.
    private(set) var byteCount: Int
    private let target: String
    private let descriptor: Int32

    private var path: String { target + ".part" }
    private var originPath: String { target + ".part.origin" }

    /// Opens and locks the part of a file.
    ///
    /// - Parameter target: Where the whole file is to be.
    /// - Throws: `DownloadError` with code `busy` if another process has it, or `io`.
    init(_ target: String) throws(DownloadError) {
        let path = target + ".part"
        while true {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
            guard descriptor >= 0 else { throw .cannot("write", path) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let isLocked = errno == EWOULDBLOCK
                close(descriptor)
                guard isLocked else { throw .cannot("lock", path) }
                throw DownloadError(
                    .busy,
                    "another process is downloading \(target) just now. Wait until it is done, or end it."
                )
            }
            // Whoever had it locked may have finished it since it was opened: then it has its name, and is not ours.
            var opened = stat(), current = stat()
            guard fstat(descriptor, &opened) == 0 else {
                close(descriptor)
                throw .cannot("read", path)
            }
            guard stat(path, &current) == 0, current.st_ino == opened.st_ino, current.st_dev == opened.st_dev else {
                close(descriptor)
                continue
            }
            self.target = target
            self.descriptor = descriptor
            self.byteCount = Int(opened.st_size)
            return
        }
    }

    deinit { close(descriptor) }

    /// Whether and how a download from a URL may go on.
    ///
    /// - Parameters:
    ///   - url: As asked for, before redirects.
    ///   - hashIsKnown: Whether a mixture of two files would be noticed at the end.
    /// - Returns: nil to start over.
    func resumable(url: WebURL, hashIsKnown: Bool) -> Resume? {
        guard byteCount > 0 else { return nil }
        let data = try? Data(contentsOf: URL(filePath: originPath))
        let origin = data.flatMap { try? JSONDecoder().decode(Origin.self, from: $0) }
        if let origin, origin.url == url.text { return Resume(byteCount: byteCount, validator: origin.validator) }
        return hashIsKnown ? Resume(byteCount: byteCount, validator: nil) : nil
    }

    /// Empties the part and notes of what it will be.
    mutating func startOver(url: WebURL, validator: String?) throws(DownloadError) {
        unlink(originPath)
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else { throw .cannot("write", path) }
        byteCount = 0
        guard let validator else { return }
        do {
            let data = try JSONEncoder().encode(Origin(url: url.text, validator: validator))
            try data.write(to: URL(filePath: originPath), options: .atomic)
        } catch {
            throw DownloadError(.io, "cannot write \(originPath): \(error.localizedDescription).")
        }
    }

    /// Adds bytes at the end.
    mutating func append(_ piece: ByteBuffer) throws(DownloadError) {
        let (written, error) = piece.withUnsafeReadableBytes { bytes in
            var count = 0
            while count < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[count...])
                let step = pwrite(descriptor, rest.baseAddress, rest.count, off_t(byteCount + count))
                if step < 0 && errno == EINTR { continue }
                guard step > 0 else { return (count, errno) }
                count += step
            }
            return (count, 0)
        }
        byteCount += written
        if error != 0 {
            throw DownloadError(
                .io,
                "cannot write \(path): \(String(cString: strerror(error))). What came is kept: run it again to go on."
            )
        }
    }

    /// SHA-256 of what is there, read from the open file.
    func sha256() throws(DownloadError) -> String {
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while offset < byteCount {
            let count = pread(descriptor, &buffer, min(buffer.count, byteCount - offset), off_t(offset))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .cannot("read", path) }
            buffer.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += count
        }
        return hash.finalize().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// Gives the file its name, for good: what was written is on the disk before.
    consuming func finish() throws(DownloadError) {
        guard fsync(descriptor) == 0, rename(path, target) == 0 else { throw .cannot("finish", path) }
        unlink(originPath)
        let folder = open(URL(filePath: target).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    /// Throws away what is there.
    mutating func discard() {
        unlink(originPath)
        unlink(path)
        ftruncate(descriptor, 0)
        byteCount = 0
    }
}

extension DownloadError {
    /// Says what the system refused, and why.
    fileprivate static func cannot(_ verb: String, _ path: String) -> DownloadError {
        DownloadError(.io, "cannot \(verb) \(path): \(String(cString: strerror(errno))).")
    }
}
