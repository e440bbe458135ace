// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Foundation
    import YoloqJobs

    /// A folder that is looked through once a second: kqueue tells of no writes to the files in a folder.
    ///
    /// One thread asks for events; any thread may ring.
    final class FolderEvents: Sendable {
        private static let interval = Duration.seconds(1)

        private let bell = DispatchSemaphore(value: 0)

        /// Starts to watch.
        ///
        /// - Parameters:
        ///   - folder: An absolute path.
        ///   - isRecursive: Makes no difference: whoever looks decides how deep.
        /// - Throws: `CommandFailure` if there is no such folder.
        init(of folder: String, isRecursive: Bool) throws(CommandFailure) {
            var status = stat()
            guard stat(folder, &status) == 0 else { throw CommandFailure(.noInput, "there is no folder \(folder)") }
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw CommandFailure(.noInput, "\(folder) is not a folder")
            }
        }

        /// Waits for the next look.
        ///
        /// - Parameter time: How long to wait at most.
        /// - Returns: The wish to look the folder through.
        /// - Throws: Nothing here; the other form may not be able to watch a new folder.
        func next(atMost time: Duration) throws(CommandFailure) -> [FolderEvent] {
            let wait = min(time, Self.interval)
            _ = bell.wait(timeout: .now() + wait / .seconds(1))
            return [.overflow]
        }

        /// Ends the wait of whoever waits, now or the next time.
        func ring() { bell.signal() }
    }
#endif
