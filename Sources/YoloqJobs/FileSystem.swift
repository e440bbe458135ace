// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The kind of disk a queue lies on.
enum FileSystem {
    /// Refuses a network file system.
    ///
    /// SQLite's log needs shared memory between all users of a file ("WAL does not work over a network filesystem",
    /// sqlite.org/wal.html), and the locks of workers must hold between them.
    ///
    /// - Parameters:
    ///   - path: The database, which may be missing; without links.
    ///   - isAllowed: Whether the user has said that it works.
    /// - Throws: `networkFileSystem`.
    static func refuseNetwork(under path: String, unless isAllowed: Bool) throws(JobsError) {
        guard !isAllowed, let kind = kind(of: path), isNetwork(kind) else { return }
        throw JobsError(
            .networkFileSystem,
            "\(path) is on a network file system (\(kind)), where processes of other hosts could spoil it. Put the queue on a "
                + "local disk, or add --allow-network-fs if only this host uses it and its locks work"
        )
    }

    /// Whether a kind of file system reaches beyond this machine, or cannot be told from one that does.
    static func isNetwork(_ kind: String) -> Bool {
        let kinds: Set = [
            "9p", "afs", "ceph", "cifs", "fuse", "gfs2", "glusterfs", "lustre", "nfs", "nfs4", "ocfs2", "smb3", "smbfs",
            "virtiofs", "webdav",
        ]
        return kinds.contains(kind) || kind.hasPrefix("fuse.")
    }

    #if canImport(Darwin)
        static func kind(of path: String) -> String? {
            var status = statfs()
            guard statfs((path as NSString).deletingLastPathComponent, &status) == 0 else { return nil }
            return withUnsafeBytes(of: status.f_fstypename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
    #else
        static func kind(of path: String) -> String? {
            guard let mounts = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) else { return nil }
            return kind(of: path, mounts: mounts)
        }
    #endif

    /// Finds the mount that a path lies on: the longest mount point above it, the last one if several share it.
    ///
    /// - Parameters:
    ///   - path: Absolute, without links.
    ///   - mounts: The text of `/proc/self/mountinfo` (proc(5)): the fifth field is the mount point, the one behind `-` the
    ///     kind.
    /// - Returns: The kind, such as `ext4` or `nfs4`.
    static func kind(of path: String, mounts: String) -> String? {
        var best = (point: "", kind: String?.none)
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 4, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            // Blanks in a mount point are written as \040.
            let point = fields[4].replacingOccurrences(of: "\\040", with: " ")
            let isAbove = point == "/" || path == point || path.hasPrefix(point + "/")
            if isAbove, point.count >= best.point.count { best = (point, String(fields[dash + 1])) }
        }
        return best.kind
    }
}
