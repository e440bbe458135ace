// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc

    /// Sleeps until the wake file is written or somebody rings.
    ///
    /// One thread waits; any thread may ring.
    public final class WakeWatcher: Sendable {
        private let notifications: Int32
        /// Both ends of a pipe: what `ring` writes ends the wait.
        private let bell: (reader: Int32, writer: Int32)

        /// Starts to watch; from here on no change is missed.
        init(_ file: WakeFile) throws(JobsError) {
            notifications = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
            var ends: [Int32] = [-1, -1]
            let isPiped = pipe(&ends) == 0
            bell = (ends[0], ends[1])
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
            }
            guard notifications >= 0, isPiped,
                inotify_add_watch(notifications, file.path, UInt32(IN_MODIFY)) >= 0
            else {
                let reason = String(cString: strerror(errno))
                throw JobsError(
                    .io,
                    "cannot watch \(file.path): \(reason). If all inotify instances are in use, raise "
                        + "fs.inotify.max_user_instances"
                )
            }
        }

        deinit {
            close(notifications)
            close(bell.reader)
            close(bell.writer)
        }

        /// Sleeps until a change, a ring, or the end of the time; wakes up without reason now and then.
        ///
        /// - Parameter time: How long to sleep at most.
        public func wait(atMost time: Duration) {
            var descriptors = [
                pollfd(fd: notifications, events: Int16(POLLIN), revents: 0),
                pollfd(fd: bell.reader, events: Int16(POLLIN), revents: 0),
            ]
            let milliseconds = max(0, (time.wholeMicroseconds + 999) / 1000)
            guard poll(&descriptors, 2, Int32(clamping: milliseconds)) > 0 else { return }
            // What the events say does not matter: the counters are compared.
            withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
                while read(notifications, buffer.baseAddress, buffer.count) > 0 {}
                while read(bell.reader, buffer.baseAddress, buffer.count) > 0 {}
            }
        }

        /// Ends the wait of whoever waits, now or the next time.
        public func ring() {
            var ding: UInt8 = 1
            // A full pipe has rung already.
            _ = write(bell.writer, &ding, 1)
        }
    }
#endif
