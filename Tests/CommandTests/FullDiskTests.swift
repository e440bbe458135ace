// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The commands on a disk without space: a small one, which only root can mount.
@Suite(.enabled(if: SmallMount.isPossible, "needs root, to mount a small tmpfs"))
struct FullDiskTests {
    @Test func `a submit on a full disk says what to do, loses nothing and works with space again`() throws {
        let site = try Site()
        let disk = try SmallMount(at: site)
        let environment = ["YOLOQ_DB": disk.path + "/queue.db"]
        func yoloq(_ arguments: String...) throws -> YoloqProcess.Result {
            try YoloqProcess.run(arguments, at: site, environment: environment)
        }
        let submit = ["submit", Checkout.samples, "--model", Checkout.demo, "--meta", "\"" + filler + "\""]
        var acknowledged = 0
        var last: YoloqProcess.Result
        repeat {
            last = try YoloqProcess.run(submit, at: site, environment: environment)
            acknowledged += last.lines.count
        } while last.status == ExitCode.ok
        #expect(last.status == ExitCode.inputOutput)
        #expect(last.errors.contains("Free some space"), "\(last.errors)")
        #expect(acknowledged > 0)

        // What a user would do.
        try disk.grow()
        #expect(try yoloq("status", "--json").objects.first?["queued"] as? Int == acknowledged)
        #expect(try YoloqProcess.run(submit, at: site, environment: environment).status == ExitCode.ok)
    }

    private let filler = String(repeating: "x", count: 4000)
}

/// A mount that ends with its owner.
private final class SmallMount: Sendable {
    /// Whether this process may mount: tried once.
    static let isPossible = (try? SmallMount(at: Site())) != nil

    let path: String
    private let site: Site

    init(at site: Site) throws {
        self.site = site
        path = site.folder + "/disk"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Self.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path)
    }

    deinit { try? Self.run("umount", path) }

    /// Gives it more space.
    func grow() throws { try Self.run("mount", "-o", "remount,size=8m", path) }

    private static func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}
