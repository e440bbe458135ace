// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import YoloqJobs

struct FileSystemTests {
    private let mounts = """
        21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
        35 21 0:40 / /mnt/share rw,relatime shared:1 - nfs4 server:/share rw
        36 21 0:41 / /mnt/share/local rw - tmpfs tmpfs rw
        37 21 0:42 / /mnt/my\\040photos rw master:2 - fuse.sshfs host: rw
        """

    @Test(arguments: [
        ("/home/me/queue.db", "ext4"), ("/mnt/share/queue.db", "nfs4"), ("/mnt/share/local/queue.db", "tmpfs"),
        ("/mnt/shared/queue.db", "ext4"), ("/mnt/my photos/queue.db", "fuse.sshfs"),
    ])
    func `a path lies on the nearest mount above it`(path: String, kind: String) {
        #expect(FileSystem.kind(of: path, mounts: mounts) == kind)
    }

    @Test func `network file systems are told from local ones`() {
        for kind in ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "virtiofs"] { #expect(FileSystem.isNetwork(kind)) }
        for kind in ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", "apfs"] {
            #expect(!FileSystem.isNetwork(kind))
        }
    }

    @Test func `two names of one queue have one lock`() throws {
        let folder = try TemporaryFolder()
        let queue = try JobQueue(path: folder.path + "/queue.db")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/link.db",
            withDestinationPath: folder.path + "/queue.db"
        )
        let linked = try JobQueue(path: folder.path + "/link.db")
        #expect(linked.path == queue.path)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/link.db-lock"))
        try linked.close()
        try queue.close()
    }

    @Test func `a folder that is not there is named`() {
        let error = #expect(throws: JobsError.self) { try JobQueue(path: "/nowhere/at/all/queue.db") }
        #expect(error?.message.contains("/nowhere/at/all") == true)
    }
}
