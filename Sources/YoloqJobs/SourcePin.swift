// SPDX-License-Identifier: Apache-2.0

internal import Crypto

#if canImport(Darwin)
    internal import Darwin
#else
    internal import Glibc
#endif

/// The SHA-256 of some bytes.
public struct ContentHash: Sendable, Hashable, CustomStringConvertible {
    /// 32 bytes.
    let bytes: [UInt8]

    /// Takes the digest of bytes.
    public init(of content: some Sequence<UInt8>) {
        var hash = SHA256()
        if content.withContiguousStorageIfAvailable({ hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }) == nil {
            hash.update(data: Array(content))
        }
        bytes = Array(hash.finalize())
    }

    /// Takes a digest as it is stored; nil unless it has 32 bytes.
    init?(bytes: [UInt8]) {
        guard bytes.count == SHA256.byteCount else { return nil }
        self.bytes = bytes
    }

    /// 64 lower-case hexadecimal digits.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// What a file was when a job was made of it.
public struct SourcePin: Sendable, Hashable {
    /// Its length.
    public let byteCount: Int
    /// When it was last changed; for people, since a touched file is the same file.
    public let modifiedAt: Timestamp
    /// What was in it.
    public let sha256: ContentHash

    /// Larger files are not pinned: no image is that large.
    public static let maxByteCount = 1 << 30

    /// Reads a file; nil if it cannot be read, since the worker that runs the job will say why.
    ///
    /// - Parameter path: A regular file.
    public init?(ofFileAt path: String) {
        // O_NONBLOCK: opening a pipe must not wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= SourcePin.maxByteCount
        else { return nil }
        var hash = SHA256()
        var total = 0
        let isRead = withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 64) { buffer in
            while true {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return count == 0 }
                hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                total += count
            }
        }
        guard isRead, let sha256 = ContentHash(bytes: Array(hash.finalize())) else { return nil }
        self.init(byteCount: total, modifiedAt: status.modifiedAt, sha256: sha256)
    }

    init(byteCount: Int, modifiedAt: Timestamp, sha256: ContentHash) {
        self.byteCount = byteCount
        self.modifiedAt = modifiedAt
        self.sha256 = sha256
    }
}

/// Bytes that travel in the queue instead of being read from a file; equal ones are stored once.
public struct InlineContent: Sendable, Hashable {
    /// The bytes.
    public let bytes: [UInt8]
    /// Their digest.
    public let sha256: ContentHash

    /// Takes bytes and their digest.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        sha256 = ContentHash(of: bytes)
    }
}

extension stat {
    fileprivate var modifiedAt: Timestamp {
        #if canImport(Darwin)
            let time = st_mtimespec
        #else
            let time = st_mtim
        #endif
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
