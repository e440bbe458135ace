// SPDX-License-Identifier: Apache-2.0

package import YoloqImages
#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Image files as jobs name them.
package enum ImageFile {
    /// Larger files are refused before anything is read: no photo is that large, and the bytes go into memory.
    static let maxByteCount = 1 << 30

    /// Reads a whole file.
    ///
    /// - Parameter path: A regular file; pipes and devices are refused, since they could hang.
    /// - Returns: Its bytes.
    /// - Throws: `not_found`, `is_directory`, `unreadable`, `too_large`.
    package static func bytes(of path: String) throws(ImageFailure) -> [UInt8] {
        // O_NONBLOCK: opening a pipe must not wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(of: path, errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(of: path, errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw failure(of: path, EISDIR)
        default:
            throw ImageFailure(
                kind: "unreadable",
                message: "\(path) is not a regular file. Give the path of an image file"
            )
        }
        let size = Int(status.st_size)
        guard size <= maxByteCount else {
            throw ImageFailure(
                kind: "too_large",
                message: "\(path) has \(size) bytes, more than the \(maxByteCount) that are read"
            )
        }
        return try readAll(descriptor, path: path, expecting: size)
    }

    /// Reads and decodes the image that a result was made from.
    ///
    /// - Parameters:
    ///   - path: Where it was.
    ///   - sha256: What it was.
    /// - Returns: The upright image.
    /// - Throws: As `bytes(of:)` and the decoder; kind `source_changed` if it is another file by now.
    package static func decode(_ path: String, expecting sha256: String) throws(ImageFailure) -> DecodedImage {
        let bytes = try bytes(of: path)
        guard bytes.withUnsafeBytes(sha256Text) == sha256 else {
            throw ImageFailure(
                kind: "source_changed",
                message: "\(path) is no longer the image that the result was made from. Put it back, or run it again"
            )
        }
        do throws(ImageError) {
            return try ImageDecoder.decode(bytes)
        } catch {
            throw ImageFailure(error, source: path)
        }
    }

    private static func readAll(_ descriptor: Int32, path: String, expecting size: Int) throws(ImageFailure) -> [UInt8]
    {
        var readError: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let step = read(descriptor, buffer.baseAddress?.advanced(by: count), size - count)
                if step < 0 && errno == EINTR { continue }
                if step < 0 { readError = errno }
                guard step > 0 else { break }
                count += step
            }
        }
        guard readError == 0 else { throw failure(of: path, readError) }
        return bytes
    }

    private static func failure(of path: String, _ code: Int32) -> ImageFailure {
        switch code {
        case ENOENT, ENOTDIR:
            ImageFailure(
                kind: "not_found",
                message: "\(path) does not exist. It may have been moved since it was submitted"
            )
        case EISDIR:
            ImageFailure(kind: "is_directory", message: "\(path) is a folder, not an image. Submit the images in it")
        default:
            ImageFailure(
                kind: "unreadable",
                message: "cannot read \(path): \(String(cString: strerror(code)))",
                isRetryable: code == EIO || code == EMFILE || code == ENFILE || code == ENOMEM
            )
        }
    }
}
