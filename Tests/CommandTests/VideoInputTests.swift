// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Videos out of folders, patterns and lists.
@Suite(.enabled(if: Clip.isPossible, "needs ffmpeg: run ops/install-packages"))
struct VideoInputTests {
    private let site: Site
    private let model = ["--model", Checkout.demo]
    /// Holds `a.jpg`, `b.mp4`, `c.jpg`, `d.MOV` (no video), `notes.txt`, and `below/e.mp4`.
    private let folder: String

    init() throws {
        site = try Site()
        folder = site.folder + "/mixed"
        try FileManager.default.createDirectory(atPath: folder + "/below", withIntermediateDirectories: true)
        let clip = try Clip.mp4(frames: 100)
        let image = try #require(
            FileManager.default.contentsOfDirectory(atPath: Checkout.samples).first { $0.hasSuffix(".jpg") }
        )
        for name in ["a.jpg", "c.jpg"] {
            try FileManager.default.copyItem(atPath: "\(Checkout.samples)/\(image)", toPath: "\(folder)/\(name)")
        }
        for name in ["b.mp4", "below/e.mp4"] {
            try FileManager.default.copyItem(atPath: clip.path, toPath: "\(folder)/\(name)")
        }
        for name in ["d.MOV", "notes.txt"] { try Data("words".utf8).write(to: URL(filePath: "\(folder)/\(name)")) }
    }

    private func submit(_ arguments: String..., environment: [String: String] = [:]) throws -> YoloqProcess.Result {
        try YoloqProcess.run(["submit"] + arguments + model, at: site, environment: environment)
    }

    private func names(_ result: YoloqProcess.Result) -> [String] {
        result.objects.compactMap { $0["source"] as? String }.map { String($0.dropFirst(folder.count + 1)) }
    }

    /// How many jobs the queue holds.
    private func jobCount() throws -> Int {
        try YoloqProcess.run("list", "--json", at: site).objects.count
    }

    @Test func `videos are taken from folders, patterns and lists, in their place among the images`() throws {
        // A hundred frames with a key frame every 30 are two segments; what is no video is a job that will say so.
        let flat = ["a.jpg", "b.mp4", "b.mp4", "c.jpg", "d.MOV"]
        let whole = try submit(folder, "--json")
        #expect(whole.status == ExitCode.ok, "\(whole.errors)")
        #expect(names(whole) == flat)
        let deep = ["a.jpg", "b.mp4", "b.mp4", "below/e.mp4", "below/e.mp4", "c.jpg", "d.MOV"]
        #expect(try names(submit(folder, "--recursive", "--json")) == deep)
        #expect(try names(submit(folder + "/*.*", "--json")) == flat)
        let list = site.folder + "/list"
        try Data("\(folder)/below/e.mp4\n\(folder)/a.jpg\n".utf8).write(to: URL(filePath: list))
        #expect(try names(submit("--from-file", list, "--json")) == ["below/e.mp4", "below/e.mp4", "a.jpg"])
    }

    @Test(arguments: ["--inline", "--latest=camera", "--key=delivery"])
    func `options for images alone refuse videos wherever they come from, before anything is stored`(option: String)
        throws
    {
        let list = site.folder + "/list"
        try Data("\(folder)/a.jpg\n\(folder)/b.mp4\n".utf8).write(to: URL(filePath: list))
        for arguments in [[folder], [folder + "/*.*"], ["--from-file", list], [folder + "/a.jpg", folder + "/b.mp4"]] {
            let refused = try YoloqProcess.run(["submit"] + arguments + model + [option], at: site)
            #expect(refused.status == ExitCode.usage, "\(arguments)")
            #expect(refused.errors.contains(option.prefix { $0 != "=" }))
            #expect(option.hasPrefix("--key") || refused.errors.contains("b.mp4"))
        }
        #expect(try submit(folder + "/a.jpg").status == ExitCode.ok)
        #expect(try jobCount() == 1)
    }
}
