// SPDX-License-Identifier: Apache-2.0

import YoloqJobs

/// Files of a watched folder on their way into the queue: which come next, which shall rest a while, which are still written.
struct PendingFiles {
    /// A file to look at.
    struct File: Sendable {
        let path: String
        /// Whether an event said that its writer has closed it.
        var isClosed: Bool
    }

    /// The files in order; the first `head` of them have been taken.
    private var order: [File] = []
    private var head = 0
    /// Where a file that waits is in `order`.
    private var places: [String: Int] = [:]
    private var resting: [String: (until: ContinuousClock.Instant, isClosed: Bool)] = [:]
    /// Files that somebody writes, each since when at least.
    private var beingWritten: [String: Timestamp] = [:]

    /// How many wait to be looked at now.
    var readyCount: Int { places.count }

    /// Whether nothing waits, now or later.
    var isEmpty: Bool { places.isEmpty && resting.isEmpty }

    /// When the next file has rested enough; nil if none rests.
    var nextDue: ContinuousClock.Instant? { resting.values.map(\.until).min() }

    /// The first moment at which something was begun that is not finished; nil if there is none.
    var oldestWrite: Timestamp? { beingWritten.values.min() }

    /// Adds a file, once, behind the others.
    mutating func add(_ path: String, isClosed: Bool) {
        if isClosed { beingWritten[path] = nil }
        resting[path] = nil
        if let place = places[path] {
            order[place].isClosed = order[place].isClosed || isClosed
        } else {
            places[path] = order.count
            order.append(File(path: path, isClosed: isClosed))
        }
    }

    /// Takes the next files.
    ///
    /// - Parameters:
    ///   - count: How many at most.
    ///   - videoCount: How many videos at most among them: each can become thousands of jobs.
    ///   - now: Files that have rested until then are among them.
    /// - Returns: At least one, if one is ready.
    mutating func take(_ count: Int, videoCount: Int = .max, now: ContinuousClock.Instant) -> [File] {
        for (path, rest) in resting where rest.until <= now { add(path, isClosed: rest.isClosed) }
        var taken: [File] = []
        var takenVideoCount = 0
        while taken.count < count, head < order.count {
            let file = order[head]
            // A file that was removed meanwhile has no place any more.
            if places[file.path] == head {
                if VideoRequests.isVideo(file.path) {
                    guard takenVideoCount < videoCount else { break }
                    takenVideoCount += 1
                }
                places[file.path] = nil
                taken.append(file)
            }
            head += 1
        }
        if head == order.count {
            order.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 4096, head > order.count / 2 {
            order.removeFirst(head)
            places = places.mapValues { $0 - head }
            head = 0
        }
        return taken
    }

    /// Puts files back that were taken and could not be submitted.
    mutating func putBack(_ files: [File]) {
        let rest = order[head...].filter { places[$0.path] != nil }
        order = files + rest
        head = 0
        places = Dictionary(order.enumerated().map { ($1.path, $0) }) { first, _ in first }
    }

    /// Lets a file rest before it is looked at again.
    mutating func rest(_ file: File, until moment: ContinuousClock.Instant) {
        resting[file.path] = (moment, file.isClosed)
    }

    /// Notes that somebody writes a file: an event will tell when it is closed.
    mutating func noteWriter(of path: String, since moment: Timestamp) {
        beingWritten[path] = beingWritten[path] ?? moment
    }

    /// Forgets a file that is no longer there.
    mutating func remove(_ path: String) {
        places[path] = nil
        resting[path] = nil
        beingWritten[path] = nil
    }
}
