// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Videos that `ffmpeg` draws for tests, each in a folder of its own.
final class Clip: Sendable {
    /// Whether there is an `ffmpeg` to draw with; where changes are checked there must be one.
    static let isPossible =
        ProcessInfo.processInfo.environment["CI"] != nil
        || (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/ffmpeg")
        }

    private let folder: String
    /// The video.
    let path: String

    /// Draws a moving test picture.
    ///
    /// - Parameters:
    ///   - name: Its ending says the form.
    ///   - frames: How many, at 25 a second.
    ///   - options: How to encode it.
    /// - Throws: Why it could not be drawn.
    init(_ name: String, frames: Int, _ options: [String]) throws {
        folder = NSTemporaryDirectory() + "yoloq-clip-\(UUID().uuidString)"
        path = folder + "/" + name
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let source = ["-f", "lavfi", "-i", "testsrc2=size=98x66:rate=25", "-frames:v", "\(frames)"]
        _ = try Clip.ffmpeg(source + ["-pix_fmt", "yuv420p"] + options + [path])
    }

    /// Takes bytes for a video.
    init(_ name: String, bytes: Data) throws {
        folder = NSTemporaryDirectory() + "yoloq-clip-\(UUID().uuidString)"
        path = folder + "/" + name
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try bytes.write(to: URL(filePath: path))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// H.264 in an MP4 whose table of contents comes first.
    static func mp4(frames: Int) throws -> Clip {
        try Clip(
            "clip.mp4",
            frames: frames,
            ["-c:v", "libx264", "-g", "30", "-bf", "2", "-movflags", "+faststart"]
        )
    }

    /// The pixels of every frame, decoded from the beginning, red first.
    func allFrames() throws -> [Data] {
        let bytes = try Clip.ffmpeg([
            "-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1",
        ])
        let size = 98 * 66 * 3
        return stride(from: 0, to: bytes.count, by: size).map { Data(bytes[$0..<min($0 + size, bytes.count)]) }
    }

    private static func ffmpeg(_ arguments: [String]) throws -> Data {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["ffmpeg", "-v", "error", "-nostdin", "-y"] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw POSIXError(.EIO) }
        return output
    }
}
