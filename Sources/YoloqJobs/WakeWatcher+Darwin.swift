// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin

    /// Sleeps until the wake file is written or somebody rings.
    ///
    /// One thread waits; any thread may ring.
    public final class WakeWatcher: Sendable {
        private let queue: Int32
        private let file: Int32

        /// Starts to watch; from here on no change is missed.
        init(_ wake: WakeFile) throws(JobsError) {
            queue = kqueue()
            file = open(wake.path, O_EVTONLY | O_CLOEXEC)
            var changes = [
                kevent(
                    ident: UInt(file),
                    filter: Int16(EVFILT_VNODE),
                    flags: UInt16(EV_ADD | EV_CLEAR),
                    fflags: UInt32(NOTE_WRITE),
                    data: 0,
                    udata: nil
                ),
                kevent(
                    ident: 0,
                    filter: Int16(EVFILT_USER),
                    flags: UInt16(EV_ADD | EV_CLEAR),
                    fflags: 0,
                    data: 0,
                    udata: nil
                ),
            ]
            guard queue >= 0, file >= 0, kevent(queue, &changes, 2, nil, 0, nil) == 0 else {
                throw JobsError(.io, "cannot watch \(wake.path): \(String(cString: strerror(errno)))")
            }
        }

        deinit {
            close(file)
            close(queue)
        }

        /// Sleeps until a change, a ring, or the end of the time; wakes up without reason now and then.
        ///
        /// - Parameter time: How long to sleep at most.
        public func wait(atMost time: Duration) {
            let microseconds = max(0, time.wholeMicroseconds)
            var timeout = timespec(
                tv_sec: Int(microseconds / 1_000_000),
                tv_nsec: Int(microseconds % 1_000_000) * 1000
            )
            var event = kevent()
            kevent(queue, nil, 0, &event, 1, &timeout)
        }

        /// Ends the wait of whoever waits, now or the next time.
        public func ring() {
            var trigger = kevent(
                ident: 0,
                filter: Int16(EVFILT_USER),
                flags: 0,
                fflags: UInt32(NOTE_TRIGGER),
                data: 0,
                udata: nil
            )
            kevent(queue, &trigger, 1, nil, 0, nil)
        }
    }
#endif
