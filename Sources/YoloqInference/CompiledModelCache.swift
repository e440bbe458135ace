// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// The folder where the runtime keeps compiled models between runs, which it fills and never empties.
public struct CompiledModelCache: Sendable, Hashable {
    /// Where it is.
    public let folder: String
    /// The most bytes that `trim` leaves.
    ///
    /// A compiled size of a nano model takes about 10 MB, so a gigabyte holds about a hundred.
    public var maxByteCount: Int

    /// Names a folder; it need not exist yet.
    ///
    /// - Parameters:
    ///   - folder: Where it is.
    ///   - maxByteCount: The most bytes that `trim` leaves.
    public init(folder: String, maxByteCount: Int = 1 << 30) {
        self.folder = folder
        self.maxByteCount = maxByteCount
    }

    /// Removes the oldest files until the rest fits.
    ///
    /// A runtime that has a file open keeps it, and one that misses a file compiles again. Nothing here is an error: a
    /// cache that cannot be trimmed is left as it is.
    public func trim() {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        var entries = files.compactMap { name -> (path: String, byteCount: Int, modified: Date)? in
            let path = folder + "/" + name
            guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
                attributes[.type] as? FileAttributeType == .typeRegular,
                let modified = attributes[.modificationDate] as? Date
            else { return nil }
            return (path, (attributes[.size] as? NSNumber)?.intValue ?? 0, modified)
        }
        entries.sort { $0.modified > $1.modified }
        var total = 0
        for entry in entries {
            total += entry.byteCount
            if total > maxByteCount { try? FileManager.default.removeItem(atPath: entry.path) }
        }
    }
}
