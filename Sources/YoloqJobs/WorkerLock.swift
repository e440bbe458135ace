// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The proof that a worker process lives: a file that it keeps locked.
///
/// The kernel lets the lock go when the process ends, in whatever way, so nobody has to wait for a time-out to learn of
/// it.
///
/// The file's name is random and never used again. The descriptor is closed on `exec`, so no child inherits the lock.
public final class WorkerLock: Sendable {
    /// The worker's id.
    public let worker: String
    private let path: String
    private let descriptor: Int32

    /// Makes and locks the file of a new worker.
    init(worker: String, in paths: QueuePaths) throws(JobsError) {
        self.worker = worker
        mkdir(paths.workers, 0o755)
        path = WorkerLock.path(ofWorker: worker, in: paths)
        descriptor = try openSidecar(path)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw JobsError(.io, "cannot lock \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Removes the file.
    ///
    /// Call it when the worker's row is gone.
    func remove() { unlink(path) }

    /// Whether the file is still where it was: if somebody removed it, others take this worker for dead.
    public var isInPlace: Bool { access(path, F_OK) == 0 }

    /// Removes the file of a worker that was given up.
    static func removeFile(ofWorker worker: String, in paths: QueuePaths) {
        unlink(path(ofWorker: worker, in: paths))
    }

    private static func path(ofWorker worker: String, in paths: QueuePaths) -> String {
        "\(paths.workers)/\(worker).lock"
    }

    /// Looks whether a worker of this host lives, without disturbing it.
    static func probe(worker: String, in paths: QueuePaths) -> WorkerLockState {
        let descriptor = open(path(ofWorker: worker, in: paths), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .unknown }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) == 0 ? .free : .held
    }
}

/// What a worker's lock file tells.
public enum WorkerLockState: Sendable, Hashable {
    /// Its process lives.
    case held
    /// Its process is dead.
    case free
    /// The file is missing, or belongs to another machine or to a time before this one was started: only the lease tells.
    case unknown
}
