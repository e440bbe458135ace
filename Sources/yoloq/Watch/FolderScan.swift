// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqJobs

/// What happens in a watched folder.
enum FolderEvent: Sendable, Hashable {
    /// A file that was open for writing was closed.
    case closed(String)
    /// A file was made, or moved to this place: it may be complete or not.
    case appeared(String)
    /// A file was removed, or moved away.
    case disappeared(String)
    /// A folder was made, or moved to this place, and is watched now: what is in it may have come before that.
    case folder(String)
    /// Something happened that nobody can tell: the folder is to be looked through.
    case overflow
    /// The folder itself was removed or moved away.
    case vanished
}

/// Which names a watch passes over.
enum WatchedNames {
    /// Whether a file is to become jobs once it is complete: an image or, if they are taken, a video by its ending, and neither
    /// hidden nor temporary.
    static func isWanted(_ path: String, takesVideos: Bool) -> Bool {
        let name = path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]
        return !name.hasPrefix(".") && !name.hasSuffix("~") && !name.hasSuffix(".part") && !name.hasSuffix(".tmp")
            && (Inputs.hasImageSuffix(path) || takesVideos && VideoRequests.isVideo(path))
    }

    /// Whether the last part of a path is not hidden.
    static func isVisible(_ path: String) -> Bool {
        let start = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        return !path[start...].hasPrefix(".")
    }
}

/// The files of a folder.
struct FolderScan {
    /// Something in a folder.
    struct Entry {
        let path: String
        let isFolder: Bool
        /// When it was last changed: written, made, renamed.
        let changedAt: Timestamp
    }

    let isRecursive: Bool
    let takesVideos: Bool
    /// Older files are passed over.
    let mark: Timestamp

    /// Looks through a folder.
    ///
    /// A folder below that was changed since the mark may have been moved here as a whole, and that changes none of the
    /// files in it: all of them count as changed then.
    ///
    /// - Parameters:
    ///   - folder: An absolute path.
    ///   - isNew: Whether to take all there is.
    /// - Returns: The wanted files that were changed since the mark, by name.
    func files(in folder: String, isNew: Bool = false) -> [String] {
        var files: [String] = []
        for entry in FolderScan.entries(of: folder).sorted(by: { $0.path < $1.path }) {
            let isChanged = isNew || entry.changedAt >= mark
            if entry.isFolder {
                guard isRecursive, WatchedNames.isVisible(entry.path) else { continue }
                files += self.files(in: entry.path, isNew: isChanged)
            } else if isChanged, WatchedNames.isWanted(entry.path, takesVideos: takesVideos) {
                files.append(entry.path)
            }
        }
        return files
    }

    /// What is in a folder, in no order; nothing if it cannot be read, which is said.
    static func entries(of folder: String) -> [Entry] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { name in
                Entry(path: folder + "/" + name)
            }
        } catch {
            // A folder that has gone meanwhile is none.
            if access(folder, F_OK) == 0 {
                Console.complain("cannot look into \(folder): \(error.localizedDescription)")
            }
            return []
        }
    }
}

extension FolderScan.Entry {
    /// Looks a path up; nil if there is nothing.
    fileprivate init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        var changedAt = status.changedAt
        // A link to a file is a file, and as new as the newer of both; a link to a folder is not gone into.
        if status.st_mode & S_IFMT == S_IFLNK {
            var target = stat()
            guard stat(path, &target) == 0, target.st_mode & S_IFMT != S_IFDIR else { return nil }
            changedAt = max(changedAt, target.changedAt)
        }
        self.init(path: path, isFolder: status.st_mode & S_IFMT == S_IFDIR, changedAt: changedAt)
    }
}

/// Tells one content of a file from another without reading it, as far as that goes.
struct FileIdentity: Sendable, Hashable {
    let byteCount: Int64
    let inode: UInt64
    let modifiedAt: Int64
    let changedAt: Timestamp
    let isRegular: Bool
    let isFolder: Bool

    /// Looks a path up, links followed; nil if there is nothing.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// Takes what the system says of a file.
    init(_ status: stat) {
        byteCount = Int64(status.st_size)
        inode = UInt64(status.st_ino)
        modifiedAt = status.modifiedAt
        changedAt = status.changedAt
        isRegular = status.st_mode & S_IFMT == S_IFREG
        isFolder = status.st_mode & S_IFMT == S_IFDIR
    }
}

extension stat {
    /// The time of the last change of the file itself, its name or its place.
    fileprivate var changedAt: Timestamp {
        #if canImport(Darwin)
            let time = st_ctimespec
        #else
            let time = st_ctim
        #endif
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    /// The time of the last write, in nanoseconds.
    fileprivate var modifiedAt: Int64 {
        #if canImport(Darwin)
            let time = st_mtimespec
        #else
            let time = st_mtim
        #endif
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
