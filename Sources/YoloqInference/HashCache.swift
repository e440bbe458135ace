// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Remembers the hashes of model files by what `stat` says of them, so that submitting needs not read a whole model.
///
/// A small JSON file, replaced whole: of two processes that write at once one entry is lost and found again. A broken
/// file counts as empty.
struct HashCache {
    private struct Entry: Codable {
        var path: String
        var identity: LoadedFile.Identity
        var sha256: String
    }

    /// The most files remembered; the oldest are forgotten.
    static let capacity = 256

    /// The JSON file; nil remembers nothing.
    let path: String?

    private var entries: [Entry] {
        path.flatMap(contents(ofFileAt:)).flatMap { try? JSONDecoder().decode([Entry].self, from: $0) } ?? []
    }

    /// The hash and size of a file, which is read only if it is new or has changed.
    ///
    /// - Parameter filePath: Its absolute path.
    /// - Returns: SHA-256, 64 hexadecimal digits, and the size in bytes.
    /// - Throws: `InferenceError` if it cannot be read.
    func sha256(ofFileAt filePath: String) throws(InferenceError) -> (sha256: String, byteCount: Int64) {
        if let identity = LoadedFile.identity(ofFileAt: filePath),
            let known = entries.last(where: { $0.path == filePath && $0.identity == identity })
        {
            return (known.sha256, identity.byteCount)
        }
        let file = try LoadedFile(path: filePath)
        return (sha256(of: file, at: filePath), file.identity.byteCount)
    }

    /// The hash of a file's content.
    ///
    /// - Parameters:
    ///   - file: The file, open.
    ///   - filePath: Its absolute path.
    /// - Returns: SHA-256, 64 hexadecimal digits; computed if the file is new or has changed.
    func sha256(of file: borrowing LoadedFile, at filePath: String) -> String {
        var entries = entries
        if let known = entries.last(where: { $0.path == filePath && $0.identity == file.identity }) {
            return known.sha256
        }
        let sha256 = file.sha256()
        guard let path else { return sha256 }
        entries.removeAll { $0.path == filePath }
        entries.append(Entry(path: filePath, identity: file.identity, sha256: sha256))
        if let data = try? JSONEncoder().encode(entries.suffix(Self.capacity)) { replaceFile(data, at: path) }
        return sha256
    }
}
