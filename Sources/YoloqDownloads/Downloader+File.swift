// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHTTP1

extension Downloader {
    /// Gets a file to a place on disk, going on where an earlier try stopped.
    ///
    /// What has come lies in `PATH.part` until it is whole and checked; then it gets its name, in one step. A part is
    /// gone on with if the server says that the file is still the same one (`PATH.part.origin` keeps its ETag), or if
    /// `sha256` will tell. Two downloads to one place exclude each other, also between processes.
    ///
    /// - Parameters:
    ///   - url: An https or http URL.
    ///   - path: Where to; its folder exists. A file there is replaced.
    ///   - sha256: What the content must have, 64 hexadecimal digits; nil to take what comes.
    ///   - progress: Told the bytes that are there and of how many, on the calling thread.
    /// - Returns: What was got.
    /// - Throws: `DownloadError`. What has come stays for another try, unless it is the wrong file or too large.
    package func file(
        from url: String,
        to path: String,
        sha256: String? = nil,
        progress: (_ byteCount: Int, _ total: Int?) -> Void = { _, _ in }
    ) throws(DownloadError) -> DownloadedFile {
        let url = try WebURL(url)
        let deadline = deadline
        var part = try PartialFile(path)
        var resumesLeft = policy.maxResumes
        var mayResume = true
        while true {
            let start = mayResume ? part.resumable(url: url, hashIsKnown: sha256 != nil) : nil
            let before = part.byteCount
            let ended: (url: String, isResumed: Bool)?
            do throws(DownloadError) {
                ended = try transfer(url, into: &part, from: start, deadline: deadline, progress: progress)
            } catch {
                switch error.code {
                case .tooLarge: part.discard()
                case .cut where resumesLeft > 0 && part.byteCount > before:
                    resumesLeft -= 1
                    continue
                default: break
                }
                throw error
            }
            guard let ended else {
                // The server does not go on from there: from the beginning, once.
                mayResume = false
                continue
            }
            let found = try part.sha256()
            if let sha256, found != sha256.lowercased() {
                let wasResumed = ended.isResumed
                part.discard()
                guard !wasResumed || !mayResume else {
                    // The parts may be of two files.
                    part = try PartialFile(path)
                    mayResume = false
                    continue
                }
                throw DownloadError(
                    .wrongContent,
                    "\(url) is not the file that was asked for: its SHA-256 is \(found), not \(sha256). It was thrown away."
                )
            }
            let byteCount = part.byteCount
            try part.finish()
            return DownloadedFile(byteCount: byteCount, sha256: found, finalURL: ended.url, isResumed: ended.isResumed)
        }
    }

    /// Makes one request and writes its body to the part.
    ///
    /// - Returns: nil if the server does not go on from `start`; then nothing was written.
    private func transfer(
        _ url: WebURL,
        into part: inout PartialFile,
        from start: PartialFile.Resume?,
        deadline: NIODeadline?,
        progress: (Int, Int?) -> Void
    ) throws(DownloadError) -> (url: String, isResumed: Bool)? {
        var headers: HTTPHeaders = [:]
        if let start {
            headers.add(name: "range", value: "bytes=\(start.byteCount)-")
            if let validator = start.validator { headers.add(name: "if-range", value: validator) }
        }
        var response = try open(url, headers: headers, deadline: deadline)
        var total: Int?
        switch (response.head.status, start) {
        case (.ok, _):
            total = response.bodyByteCount
            try checkSize(total ?? 0, of: url)
            try part.startOver(url: url, validator: response.validator)
        case (.partialContent, let start?):
            guard let range = response.contentRange, range.first == start.byteCount else { return nil }
            total = range.total
            try checkSize(total ?? 0, of: url)
        case (.rangeNotSatisfiable, let start?):
            // Nothing is missing, or this is another file.
            guard response.contentRange?.total == start.byteCount else { return nil }
            return (response.url.text, true)
        default: throw response.unexpectedStatus
        }
        progress(part.byteCount, total)
        while let piece = try response.next() {
            try checkSize(part.byteCount + piece.readableBytes, of: url)
            try part.append(piece)
            progress(part.byteCount, total)
        }
        if let total, total != part.byteCount {
            throw DownloadError(.cut, "\(url): \(part.byteCount) of \(total) bytes came. Run it again to go on.")
        }
        return (response.url.text, response.head.status == .partialContent)
    }
}

/// A file on disk, as a server gave it.
package struct DownloadedFile: Sendable, Hashable {
    /// Its size.
    package let byteCount: Int
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    package let sha256: String
    /// Where it came from, after redirects.
    package let finalURL: String
    /// Whether a part was there already.
    package let isResumed: Bool
}

extension WebResponse {
    /// What tells this content from any other at the same URL: a strong ETag, else the date of the last change.
    fileprivate var validator: String? {
        if let tag = head.headers.first(name: "etag"), !tag.hasPrefix("W/") { return tag }
        return head.headers.first(name: "last-modified")
    }

    /// `bytes 100-199/200`, or `bytes */200`; a `*` is nil.
    fileprivate var contentRange: (first: Int?, total: Int?)? {
        guard let text = head.headers.first(name: "content-range"), text.hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst("bytes ".count).split(separator: "/")
        guard parts.count == 2 else { return nil }
        return (parts[0].split(separator: "-").first.flatMap { Int($0) }, Int(parts[1]))
    }
}
