// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Testing

@testable import yoloq

/// A watch as a real process on a real folder.
@Suite(.timeLimit(.minutes(5)))
struct WatchTests {
    private let site: Site
    private let folder: String

    init() throws {
        site = try Site()
        folder = site.folder + "/in"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    // MARK: Helpers

    /// Starts a watch and waits until it watches.
    private func start(_ options: String...) throws -> YoloqProcess {
        let watch = try YoloqProcess(["watch", folder, "--model", Checkout.demo, "--json"] + options, at: site)
        watch.wait { $0.errorsSoFar.contains("yoloq watch: \(folder)") }
        return watch
    }

    private func stop(_ watch: YoloqProcess, with signal: Int32 = SIGTERM) throws {
        watch.send(signal)
        let result = watch.finish()
        #expect(result.status == ExitCode.ok, "\(result.errors)")
    }

    private func write(_ name: String, _ text: String = "pixels") throws {
        try Data(text.utf8).write(to: URL(filePath: folder + "/" + name))
    }

    /// The files that have jobs, each as often as it has one.
    private func sources() throws -> [String] {
        guard FileManager.default.fileExists(atPath: site.database) else { return [] }
        let database = try DatabaseQueue(path: site.database)
        defer { try? database.close() }
        return try database.read { try String.fetchAll($0, sql: "SELECT source FROM jobs ORDER BY id") }
            .map { String($0.dropFirst(folder.count + 1)) }
    }

    /// Waits until a file has a job that was submitted after this call.
    ///
    /// What came before it and has none then will get none: a watch takes files in their order.
    private func waitForSentinel(_ name: String, _ watch: YoloqProcess) throws {
        try write(name, name)
        watch.wait { $0.outputSoFar.contains("/\(name)\"") }
    }

    // MARK: Which files, and when

    @Test func `a file that is being written becomes a job when it is closed, not before`() throws {
        let watch = try start()
        #expect(FileManager.default.createFile(atPath: folder + "/slow.jpg", contents: nil))
        let file = try FileHandle(forWritingTo: URL(filePath: folder + "/slow.jpg"))
        try file.write(contentsOf: Data("first half".utf8))
        try waitForSentinel("a.jpg", watch)
        try file.write(contentsOf: Data(" and second".utf8))
        try waitForSentinel("b.jpg", watch)
        #expect(try sources() == ["a.jpg", "b.jpg"])
        try file.close()
        watch.wait { $0.outputSoFar.contains("/slow.jpg\"") }
        try stop(watch)
        #expect(try sources() == ["a.jpg", "b.jpg", "slow.jpg"])
        let database = try DatabaseQueue(path: site.database)
        defer { try? database.close() }
        let byteCount = try database.read {
            try Int.fetchOne($0, sql: "SELECT source_byte_count FROM jobs WHERE source LIKE '%slow.jpg'")
        }
        #expect(byteCount == 21)
    }

    @Test func `files that are moved in become jobs, hidden and temporary names do not`() throws {
        let watch = try start()
        for name in [".hidden.jpg", "a.jpg.part", "b.jpg.tmp", "c.jpg~", "notes.txt"] { try write(name) }
        try write("empty.jpg", "")
        let outside = site.folder + "/outside.png"
        try Data("x".utf8).write(to: URL(filePath: outside))
        #expect(rename(outside, folder + "/moved.png") == 0)
        #expect(rename(folder + "/a.jpg.part", folder + "/a.jpg") == 0)
        try FileManager.default.createSymbolicLink(
            atPath: folder + "/link.jpg",
            withDestinationPath: Checkout.samples + "/shapes-1.jpg"
        )
        #expect(link(folder + "/moved.png", folder + "/hard.png") == 0)
        try waitForSentinel("z.jpg", watch)
        try stop(watch)
        #expect(try sources() == ["moved.png", "a.jpg", "link.jpg", "hard.png", "z.jpg"])
    }

    @Test func `a file with other content is a new job, one that is only touched or written again is not`() throws {
        let watch = try start()
        try write("a.jpg", "one")
        try waitForSentinel("1.jpg", watch)
        try write("a.jpg", "one")
        #expect(utimes(folder + "/a.jpg", nil) == 0)
        try waitForSentinel("2.jpg", watch)
        try write("a.jpg", "two")
        try waitForSentinel("3.jpg", watch)
        try stop(watch)
        #expect(try sources() == ["a.jpg", "1.jpg", "2.jpg", "a.jpg", "3.jpg"])
    }

    @Test func `1,000 files in folders that are made meanwhile give 1,000 jobs`() throws {
        let watch = try start("--recursive")
        for index in 0..<1000 {
            let below = "\(index / 100)/\(index / 10 % 10)"
            try FileManager.default.createDirectory(
                atPath: "\(folder)/\(below)",
                withIntermediateDirectories: true
            )
            try write("\(below)/\(index).jpg", "\(index)")
        }
        // A whole folder at once, and one that nobody looks into.
        let outside = site.folder + "/outside"
        try FileManager.default.createDirectory(atPath: outside + "/deep", withIntermediateDirectories: true)
        try Data("x".utf8).write(to: URL(filePath: outside + "/deep/moved.jpg"))
        #expect(rename(outside, folder + "/moved") == 0)
        try FileManager.default.createDirectory(atPath: folder + "/.hidden", withIntermediateDirectories: true)
        try write(".hidden/no.jpg")
        try waitForSentinel("z.jpg", watch)
        watch.wait { $0.outputSoFar.split(separator: "\n").count >= 1002 }
        try stop(watch)
        let sources = try sources()
        #expect(sources.count == 1002)
        #expect(Set(sources).count == 1002)
        #expect(sources.contains("moved/deep/moved.jpg"))
    }

    @Test func `without --recursive the folders below are left alone`() throws {
        try FileManager.default.createDirectory(atPath: folder + "/below", withIntermediateDirectories: true)
        let watch = try start()
        try write("below/no.jpg")
        try waitForSentinel("z.jpg", watch)
        try stop(watch)
        #expect(try sources() == ["z.jpg"])
    }

    // MARK: Exactly once

    @Test func `every file has exactly one job although the watch is killed again and again`() throws {
        let writer = Thread { [folder] in
            for index in 0..<1000 {
                let name = "\(folder)/\(index)"
                try? Data("\(index)".utf8).write(to: URL(filePath: name + ".tmp"))
                // Some are moved to their place, some are written there.
                if index.isMultiple(of: 2) {
                    rename(name + ".tmp", name + ".jpg")
                } else {
                    try? Data("\(index)".utf8).write(to: URL(filePath: name + ".jpg"), options: [])
                }
                if index.isMultiple(of: 50) { usleep(20_000) }
            }
        }
        var watch = try start()
        writer.start()
        for kill in 1...5 {
            watch.wait { [folder] _ in
                FileManager.default.fileExists(atPath: "\(folder)/\(kill * 150).jpg")
            }
            watch.send(SIGKILL)
            #expect(watch.finish().status == SIGKILL)
            watch = try start()
        }
        while !writer.isFinished { usleep(2000) }
        try waitForSentinel("z.jpg", watch)
        // The first look and the events together see some files twice.
        while try sources().count < 1001 { usleep(10_000) }
        try stop(watch)
        let sources = try sources()
        #expect(sources.count == 1001)
        #expect(Set(sources).count == 1001)
    }

    @Test func `what came while nobody watched is found, what was there before the first watch is not`() throws {
        try write("before.jpg")
        // The file system's clock ticks every few milliseconds.
        usleep(50_000)
        try stop(start())
        try write("between.jpg")
        let watch = try start()
        try waitForSentinel("z.jpg", watch)
        try stop(watch)
        #expect(try sources() == ["between.jpg", "z.jpg"])
        let greedy = try start("--existing")
        try waitForSentinel("zz.jpg", greedy)
        try stop(greedy)
        #expect(try sources() == ["between.jpg", "z.jpg", "before.jpg", "zz.jpg"])
    }

    @Test func `a folder that was moved in while nobody watched is found although its files are old`() throws {
        let outside = site.folder + "/outside"
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
        try Data("x".utf8).write(to: URL(filePath: outside + "/old.jpg"))
        usleep(50_000)
        try stop(start("--recursive"))
        #expect(rename(outside, folder + "/moved") == 0)
        let watch = try start("--recursive")
        try waitForSentinel("z.jpg", watch)
        try stop(watch)
        #expect(try sources() == ["moved/old.jpg", "z.jpg"])
    }

    @Test func `a file whose job was pruned is not run again by the next start`() throws {
        var watch = try start()
        try waitForSentinel("old.jpg", watch)
        try stop(watch)
        _ = try YoloqProcess.run("cancel", "1", at: site)
        _ = try YoloqProcess.run("prune", "--state", "cancelled", "--older-than", "0s", at: site)
        #expect(try sources().isEmpty)
        // As the watch does by itself a minute later.
        usleep(50_000)
        let now = Int64(Date().timeIntervalSince1970 * 1e6)
        let database = try DatabaseQueue(path: site.database)
        try database.write { try $0.execute(sql: "UPDATE watches SET handled_until_us = ?", arguments: [now]) }
        try database.close()
        usleep(50_000)
        watch = try start()
        try waitForSentinel("new.jpg", watch)
        try stop(watch)
        #expect(try sources() == ["new.jpg"])
    }

    @Test func `two watches of one folder give one job for each file`() throws {
        let watches = try [start(), start()]
        for index in 0..<200 { try write("\(index).jpg") }
        try write("z.jpg")
        for watch in watches { watch.wait { $0.outputSoFar.contains("/z.jpg\"") } }
        for watch in watches { try stop(watch) }
        let sources = try sources()
        #expect(sources.count == 201)
        #expect(Set(sources).count == 201)
        let named = try start("--existing", "--key", "second opinion")
        try waitForSentinel("zz.jpg", named)
        try stop(named)
        #expect(try self.sources().count == 403)
    }

    #if os(Linux)
        @Test func `events that the kernel drops are made good by a look`() throws {
            let limit = try String(contentsOfFile: "/proc/sys/fs/inotify/max_queued_events", encoding: .utf8)
            let count = try #require(Int(limit.trimmingCharacters(in: .whitespacesAndNewlines)))
            let watch = try start()
            watch.send(SIGSTOP)
            try write("a.jpg")
            try write("b.jpg")
            for index in 0...count {
                // In turns, since equal events in a row are one.
                let descriptor = open(folder + (index.isMultiple(of: 2) ? "/a.jpg" : "/b.jpg"), O_WRONLY | O_CLOEXEC)
                close(descriptor)
            }
            try write("dropped.jpg")
            watch.send(SIGCONT)
            watch.wait { $0.outputSoFar.contains("/dropped.jpg\"") }
            try stop(watch)
            #expect(try sources().sorted() == ["a.jpg", "b.jpg", "dropped.jpg"])
        }
    #endif

    // MARK: Its end, and its patience

    @Test(arguments: [SIGTERM, SIGINT])
    func `a signal ends it with 0`(signal: Int32) throws {
        let watch = try start()
        try waitForSentinel("a.jpg", watch)
        try stop(watch, with: signal)
    }

    @Test(arguments: [true, false])
    func `a folder that vanishes ends it with a reason`(isRemoved: Bool) throws {
        let watch = try start()
        if isRemoved {
            try FileManager.default.removeItem(atPath: folder)
        } else {
            // The folder above: the watched one itself stays as it is.
            #expect(rename(site.folder + "/in", site.folder + "/away") == 0)
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        let result = watch.finish()
        #expect(result.status == ExitCode.noInput)
        #expect(result.errors.contains("was removed, moved away or replaced"))
    }

    @Test func `a folder that is not there is refused`() throws {
        let result = try YoloqProcess.run("watch", folder + "/nowhere", "--model", Checkout.demo, at: site)
        #expect(result.status == ExitCode.noInput)
        #expect(result.errors.contains("there is no folder \(folder)/nowhere"))
        try write("file.jpg")
        let file = try YoloqProcess.run("watch", folder + "/file.jpg", "--model", Checkout.demo, at: site)
        #expect(file.status == ExitCode.noInput)
        #expect(file.errors.contains("is not a folder"))
    }

    @Test func `with --max-queued it waits until there is room, and takes every file in the end`() throws {
        let watch = try start("--max-queued", "2")
        for index in 0..<7 { try write("\(index).jpg") }
        watch.wait { $0.errorsSoFar.contains("the queue is full") }
        #expect(try sources() == ["0.jpg", "1.jpg"])
        var next = 1
        while try sources().count < 7 {
            _ = try YoloqProcess.run("cancel", "\(next)", at: site)
            next += 1
            let waiting = try YoloqProcess.run("status", "--json", at: site).objects.first?["queued"] as? Int
            #expect(waiting ?? 0 <= 2)
            while try sources().count < min(7, next + 1) { usleep(10_000) }
        }
        try stop(watch)
        #expect(try sources() == (0..<7).map { "\($0).jpg" })
    }

    // MARK: Videos

    @Test(.enabled(if: Clip.isPossible, "needs ffmpeg: run ops/install-packages"))
    func `a video becomes a batch of jobs, once, and what was lost of it is made good`() throws {
        let clip = try Clip.mp4(frames: 200)
        let watch = try start("--max-queued", "2")
        try FileManager.default.copyItem(atPath: clip.path, toPath: folder + "/clip.part")
        #expect(rename(folder + "/clip.part", folder + "/clip.mp4") == 0)
        watch.wait { $0.outputSoFar.split(separator: "\n").count == 3 }
        try stop(watch)
        #expect(try sources() == ["clip.mp4", "clip.mp4", "clip.mp4"])
        let database = try DatabaseQueue(path: site.database)
        defer { try? database.close() }
        let batches = try database.read { try String.fetchAll($0, sql: "SELECT name FROM batches") }
        #expect(batches.count == 1 && batches[0].hasPrefix("video-"))
        // As after a kill between two segments.
        #expect(try YoloqProcess.run("cancel", "2", at: site).status == ExitCode.ok)
        let pruned = try YoloqProcess.run("prune", "--state", "cancelled", "--older-than", "0s", at: site)
        #expect(pruned.status == ExitCode.ok, "\(pruned.errors)")
        let again = try start("--existing")
        try waitForSentinel("z.jpg", again)
        try stop(again)
        #expect(try sources() == ["clip.mp4", "clip.mp4", "clip.mp4", "z.jpg"])
        #expect(try database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM batches") } == 1)
    }

    @Test(arguments: [["--inline"], ["--latest", "x"]])
    func `videos are passed over, with a word, where they cannot be taken`(options: [String]) throws {
        let watch = try YoloqProcess(["watch", folder, "--model", Checkout.demo, "--json"] + options, at: site)
        watch.wait { $0.errorsSoFar.contains("yoloq watch: \(folder)") }
        #expect(watch.errorsSoFar.contains("videos are passed over"))
        try write("clip.mp4")
        try waitForSentinel("z.jpg", watch)
        try stop(watch)
        #expect(try sources() == ["z.jpg"])
    }

    // MARK: Names

    @Test(arguments: [
        ("/in/a.jpg", true), ("/in/a.JPG", true), ("/in/.a.jpg", false), ("/in/a.jpg~", false),
        ("/in/a.jpg.part", false),
        ("/in/a.tmp", false), ("/in/.git/a.jpg", true), ("/in/a", false), ("a.png", true),
    ])
    func `a name says whether a file is wanted`(path: String, isWanted: Bool) {
        #expect(WatchedNames.isWanted(path, takesVideos: false) == isWanted)
    }

    @Test func `pending files keep their order, once each, and come back in front`() {
        var files = PendingFiles()
        let now = ContinuousClock.now
        for name in ["a", "b", "a", "c"] { files.add(name, isClosed: false) }
        files.add("b", isClosed: true)
        files.remove("a")
        let taken = files.take(2, now: now)
        #expect(taken.map(\.path) == ["b", "c"])
        #expect(taken.map(\.isClosed) == [true, false])
        #expect(files.isEmpty)
        files.add("d", isClosed: false)
        files.putBack(taken)
        files.rest(.init(path: "e", isClosed: false), until: now + .seconds(1))
        #expect(files.readyCount == 3)
        #expect(files.take(9, now: now).map(\.path) == ["b", "c", "d"])
        #expect(!files.isEmpty)
        #expect(files.take(9, now: now + .seconds(1)).map(\.path) == ["e"])
        #expect(files.isEmpty)
    }

    @Test func `only so many videos are taken at a time, and none is lost or overtaken`() {
        var files = PendingFiles()
        let now = ContinuousClock.now
        for name in ["a.jpg", "b.mp4", "c.mp4", "d.mov", "e.jpg"] { files.add(name, isClosed: false) }
        var taken: [[String]] = []
        while !files.isEmpty { taken.append(files.take(9, videoCount: 1, now: now).map(\.path)) }
        #expect(taken == [["a.jpg", "b.mp4"], ["c.mp4"], ["d.mov", "e.jpg"]])
    }
}
