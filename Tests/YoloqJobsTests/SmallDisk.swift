// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A disk with little space, in memory, which goes away with its owner.
///
/// Only root can have one.
final class SmallDisk: Sendable {
    /// Whether this process may mount: tried once.
    static let isPossible = (try? SmallDisk(byteCount: 1 << 20)) != nil

    private let folder: TemporaryFolder

    var path: String { folder.path }

    /// Mounts a disk.
    ///
    /// - Parameter byteCount: How much it holds.
    /// - Throws: If it cannot be mounted.
    init(byteCount: Int) throws {
        folder = try TemporaryFolder()
        try Self.run("mount", "-t", "tmpfs", "-o", "size=\(byteCount)", "tmpfs", folder.path)
    }

    deinit { try? Self.run("umount", folder.path) }

    /// Mounts it again with another option, such as `ro`.
    func remount(_ option: String) throws { try Self.run("mount", "-o", "remount,\(option)", path) }

    /// Takes up all that is free; remove the file `ballast` to free it.
    func fill() throws {
        let descriptor = open(path + "/ballast", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(descriptor) }
        let page = [UInt8](repeating: 1, count: 4096)
        while write(descriptor, page, page.count) > 0 {}
    }

    private static func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}
