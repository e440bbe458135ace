// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Where results are printed to: standard output or a file.
///
/// A file appears whole or not at all: it is written under another name beside its place and put there at the end.
final class ResultOutput {
    private struct Target {
        let path: String
        let temporary: String
        let handle: FileHandle
    }

    private let target: Target?
    private var bytes: [UInt8] = []
    private var isFinished = false

    /// Opens the output.
    ///
    /// - Parameter path: A file, replaced if it exists; nil for standard output.
    /// - Throws: `CommandFailure` with status 74 if the file cannot be written.
    init(path: String?) throws(CommandFailure) {
        target = if let path { try Self.open(path) } else { nil }
    }

    deinit {
        guard let target, !isFinished else { return }
        try? FileManager.default.removeItem(atPath: target.temporary)
    }

    private static func open(_ path: String) throws(CommandFailure) -> Target {
        let temporary = "\(path).\(getpid()).part"
        guard FileManager.default.createFile(atPath: temporary, contents: nil),
            let handle = FileHandle(forWritingAtPath: temporary)
        else {
            throw CommandFailure(
                .inputOutput,
                "cannot write \(path): its folder does not exist or cannot be written to"
            )
        }
        return Target(path: path, temporary: temporary, handle: handle)
    }

    /// Writes a line, soon.
    ///
    /// - Throws: `CommandFailure` with status 74 if the file cannot be written.
    func print(_ line: String) throws(CommandFailure) {
        guard let target else { return Console.print(line) }
        bytes += line.utf8
        bytes.append(UInt8(ascii: "\n"))
        if bytes.count > 1 << 16 { try drain(target) }
    }

    /// Lets a reader of standard output see what was printed so far.
    func flush() throws(CommandFailure) {
        if target == nil { try Console.flush() }
    }

    /// Puts a file in its place, on the disk.
    ///
    /// - Throws: `CommandFailure` with status 74 if that fails; what was there before stays.
    func finish() throws(CommandFailure) {
        guard let target else { return }
        try drain(target)
        do {
            try target.handle.synchronize()
            try target.handle.close()
        } catch {
            throw CommandFailure(.inputOutput, "cannot write \(target.path): \(error.localizedDescription)")
        }
        guard rename(target.temporary, target.path) == 0 else {
            throw CommandFailure(.inputOutput, "cannot write \(target.path): \(String(cString: strerror(errno)))")
        }
        isFinished = true
    }

    private func drain(_ target: Target) throws(CommandFailure) {
        defer { bytes.removeAll(keepingCapacity: true) }
        do {
            try target.handle.write(contentsOf: bytes)
        } catch {
            throw CommandFailure(.inputOutput, "cannot write \(target.path): \(error.localizedDescription)")
        }
    }
}
