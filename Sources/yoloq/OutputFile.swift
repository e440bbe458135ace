// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A text file that is there when it is finished, and until then what was there before.
final class OutputFile {
    private let target: String
    /// Beside it, so that renaming does not leave the disk.
    private let partial: String
    private let descriptor: Int32
    private var bytes: [UInt8] = []
    private var isFinished = false

    /// Begins a file.
    ///
    /// - Parameter path: Where it will be; its folder must exist. A symbolic link is followed.
    /// - Throws: `CommandFailure` if nothing can be written there.
    init(path: String) throws(CommandFailure) {
        target = URL(filePath: path).resolvingSymlinksInPath().path
        var status = stat()
        if stat(target, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw CommandFailure(
                .usage,
                "cannot write \(path): it is \(isFolder ? "a folder" : "no regular file"). Give --output the path of a file, "
                    + "or leave it out to write to standard output"
            )
        }
        let folder = URL(filePath: target).deletingLastPathComponent()
        partial = folder.appending(path: ".yoloq-\(UUID().uuidString.prefix(8)).part").path
        descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw CommandFailure(.inputOutput, "cannot write \(path): \(OutputFile.reason). Does its folder exist?")
        }
    }

    deinit {
        close(descriptor)
        if !isFinished { unlink(partial) }
    }

    /// Writes a line, soon.
    ///
    /// - Throws: `CommandFailure` with status 74.
    func print(_ line: String) throws(CommandFailure) {
        bytes += line.utf8
        bytes.append(UInt8(ascii: "\n"))
        if bytes.count > 1 << 16 { try drain() }
    }

    /// Puts the file in its place, on the disk.
    ///
    /// - Throws: `CommandFailure` with status 74; then all is as before.
    func finish() throws(CommandFailure) {
        try drain()
        guard fsync(descriptor) == 0, rename(partial, target) == 0 else { throw failure }
        isFinished = true
        let folder = open(URL(filePath: target).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    private func drain() throws(CommandFailure) {
        var start = 0
        while start < bytes.count {
            let written = bytes[start...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw failure }
            start += written
        }
        bytes.removeAll(keepingCapacity: true)
    }

    private var failure: CommandFailure {
        CommandFailure(.inputOutput, "cannot write \(target): \(OutputFile.reason). What is stored is safe")
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
