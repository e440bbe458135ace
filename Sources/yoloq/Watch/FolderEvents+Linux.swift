// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Foundation
    import YoloqJobs

    /// What happens in a folder, as inotify(7) tells it.
    ///
    /// One thread asks for events; any thread may ring.
    final class FolderEvents: @unchecked Sendable {
        // @unchecked because `folders` and `buffer` are used only by the one thread that asks, and the descriptors never
        // change.

        private static let kinds = UInt32(
            IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
        )
        /// A watch of a link to a folder would tell of the folder that it leads to.
        private static let options = UInt32(IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

        private let folder: String
        private let isRecursive: Bool
        private let notifications: Int32
        /// Both ends of a pipe: what `ring` writes ends the wait.
        private let bell: (reader: Int32, writer: Int32)
        private let root: Int32
        /// The watched folders by the number that inotify gave them.
        private var folders: [Int32: String] = [:]
        private var buffer = [UInt8](repeating: 0, count: 1 << 16)

        /// Starts to watch; from here on nothing is missed.
        ///
        /// - Parameters:
        ///   - folder: An absolute path.
        ///   - isRecursive: Whether to watch the folders below too.
        /// - Throws: `CommandFailure` if the folder cannot be watched.
        init(of folder: String, isRecursive: Bool) throws(CommandFailure) {
            self.folder = folder
            self.isRecursive = isRecursive
            notifications = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
            var ends: [Int32] = [-1, -1]
            let isPiped = pipe(&ends) == 0
            bell = (ends[0], ends[1])
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
            }
            // The folder itself may be a link.
            root = inotify_add_watch(notifications, folder, Self.kinds | UInt32(IN_ONLYDIR | IN_EXCL_UNLINK))
            guard notifications >= 0, isPiped, root >= 0 else {
                throw FolderEvents.failure(folder, errno)
            }
            folders[root] = folder
            if isRecursive { try watchFolders(in: folder) }
        }

        deinit {
            for descriptor in [notifications, bell.reader, bell.writer] where descriptor >= 0 { close(descriptor) }
        }

        /// Waits for events.
        ///
        /// - Parameter time: How long to wait at most; the wait ends without reason now and then.
        /// - Returns: What has happened, in its order.
        /// - Throws: `CommandFailure` if a new folder cannot be watched.
        func next(atMost time: Duration) throws(CommandFailure) -> [FolderEvent] {
            var descriptors = [
                pollfd(fd: notifications, events: Int16(POLLIN), revents: 0),
                pollfd(fd: bell.reader, events: Int16(POLLIN), revents: 0),
            ]
            let milliseconds = max(0, (time / .milliseconds(1)).rounded(.up))
            guard poll(&descriptors, 2, Int32(min(milliseconds, 1e6))) > 0 else { return [] }
            var ding: UInt8 = 0
            while read(bell.reader, &ding, 1) > 0 {}
            var events: [FolderEvent] = []
            while true {
                let count = buffer.withUnsafeMutableBytes { read(notifications, $0.baseAddress, $0.count) }
                guard count > 0 else { return events }
                for raw in FolderEvents.parse(buffer[..<count]) { try take(raw, into: &events) }
            }
        }

        /// Ends the wait of whoever waits, now or the next time.
        func ring() {
            var ding: UInt8 = 1
            // A full pipe has rung already.
            _ = write(bell.writer, &ding, 1)
        }

        // MARK: Events

        private struct RawEvent {
            let folder: Int32
            let kinds: UInt32
            let name: String

            func has(_ kind: some BinaryInteger) -> Bool { kinds & UInt32(truncatingIfNeeded: kind) != 0 }
        }

        /// Reads `struct inotify_event`s: four 32-bit numbers, the last of them the length of the name that follows, which is
        /// filled up with NUL bytes.
        private static func parse(_ bytes: ArraySlice<UInt8>) -> [RawEvent] {
            var events: [RawEvent] = []
            var rest = bytes
            let headLength = MemoryLayout<inotify_event>.size
            while rest.count >= headLength {
                let head = rest.withUnsafeBytes { $0.loadUnaligned(as: inotify_event.self) }
                let name = rest.dropFirst(headLength).prefix(Int(head.len)).prefix { $0 != 0 }
                events.append(
                    RawEvent(folder: head.wd, kinds: head.mask, name: String(decoding: name, as: UTF8.self))
                )
                rest = rest.dropFirst(headLength + Int(head.len))
            }
            return events
        }

        private func take(_ event: RawEvent, into events: inout [FolderEvent]) throws(CommandFailure) {
            if event.has(IN_Q_OVERFLOW) {
                // Folders that appeared meanwhile are watched before anybody looks what is in them.
                if isRecursive { try watchFolders(in: folder) }
                return events.append(.overflow)
            }
            if event.folder == root, event.has(IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED) {
                return events.append(.vanished)
            }
            if event.has(IN_IGNORED) {
                folders[event.folder] = nil
                return
            }
            guard let parent = folders[event.folder], !event.name.isEmpty else { return }
            let path = parent + "/" + event.name
            if event.has(IN_ISDIR) {
                try takeFolder(path, event, into: &events)
            } else if event.has(IN_CLOSE_WRITE) {
                events.append(.closed(path))
            } else if event.has(IN_CREATE | IN_MOVED_TO) {
                events.append(.appeared(path))
            } else if event.has(IN_MOVED_FROM | IN_DELETE) {
                events.append(.disappeared(path))
            }
        }

        private func takeFolder(_ path: String, _ event: RawEvent, into events: inout [FolderEvent])
            throws(CommandFailure)
        {
            guard isRecursive, WatchedNames.isVisible(path) else { return }
            if event.has(IN_CREATE | IN_MOVED_TO) {
                try watch(path)
                events.append(.folder(path))
            } else if event.has(IN_MOVED_FROM) {
                // It has another path now, or is outside: what is watched under the old one is let go.
                for (number, watched) in folders where watched == path || watched.hasPrefix(path + "/") {
                    inotify_rm_watch(notifications, number)
                    folders[number] = nil
                }
            }
        }

        // MARK: Folders below

        private func watch(_ path: String) throws(CommandFailure) {
            let number = inotify_add_watch(notifications, path, Self.kinds | Self.options)
            if number >= 0 {
                folders[number] = path
                try watchFolders(in: path)
            } else if ![ENOENT, ENOTDIR].contains(errno) {
                // Gone again is no failure.
                throw FolderEvents.failure(path, errno)
            }
        }

        /// Watches what is in a watched folder: whatever comes later is told by an event.
        private func watchFolders(in path: String) throws(CommandFailure) {
            for entry in FolderScan.entries(of: path) where entry.isFolder && WatchedNames.isVisible(entry.path) {
                try watch(entry.path)
            }
        }

        private static func failure(_ path: String, _ code: Int32) -> CommandFailure {
            let reason = String(cString: strerror(code))
            switch code {
            case ENOENT: return CommandFailure(.noInput, "there is no folder \(path)")
            case ENOTDIR: return CommandFailure(.noInput, "\(path) is not a folder")
            case EACCES: return CommandFailure(.noInput, "cannot watch \(path): \(reason). Let this user read it")
            case ENOSPC:
                return CommandFailure(
                    .inputOutput,
                    "cannot watch \(path): all inotify watches of this user are in use. Raise fs.inotify.max_user_watches: "
                        + "each folder takes one"
                )
            case EMFILE:
                return CommandFailure(
                    .inputOutput,
                    "cannot watch \(path): all inotify instances of this user are in use. Raise "
                        + "fs.inotify.max_user_instances"
                )
            default: return CommandFailure(.inputOutput, "cannot watch \(path): \(reason)")
            }
        }
    }
#endif
