// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqImages
import YoloqVideo

@Suite(.enabled(if: Clip.isPossible, "needs ffmpeg: run ops/install-packages"))
struct VideoTests {
    /// The code of the error that a call ends with; nil if it works.
    private func code(_ body: () throws(VideoError) -> Void) -> VideoError.Code? {
        do throws(VideoError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }

    private func decode(
        _ segment: VideoSegment,
        _ path: String,
        limits: ImageLimits = ImageLimits()
    ) throws(VideoError) -> [(index: Int, seconds: Double, pixels: Data)] {
        var frames = try VideoFrames(of: segment, path: path, limits: limits)
        var found: [(Int, Double, Data)] = []
        while let frame = try frames.next() {
            found.append((frame.index, frame.seconds, frame.image.withUnsafePixels { Data(buffer: $0) }))
        }
        return found
    }

    @Test(arguments: [
        ("a.mp4", ["-c:v", "libx264", "-g", "30", "-bf", "2"]), ("a.mkv", ["-c:v", "libx264", "-g", "500"]),
        ("a.mov", ["-c:v", "libx264", "-x264-params", "open-gop=1:keyint=40:bframes=3"]),
        ("a.ts", ["-c:v", "libx264", "-g", "25", "-bf", "2"]),
        ("a.avi", ["-c:v", "mjpeg"]), ("a.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-g", "60"]),
        ("a.webm", ["-c:v", "libvpx", "-g", "50", "-deadline", "realtime"]),
        ("a.mp4", ["-c:v", "libx264", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]),
    ])
    func `segments give the frames of a decode from the beginning, each once`(name: String, options: [String]) throws {
        let clip = try Clip(name, frames: 450, options)
        let expected = try clip.allFrames()
        let info = try VideoInfo(path: clip.path)
        #expect(expected.count == 450)
        #expect(info.frames.count == 450)
        #expect(!info.isTruncated)
        let segments = VideoSegment.segments(of: info, .every(2))
        // Where decoding can begin only at the beginning there is one.
        #expect(segments.count > 1 || name == "a.mkv")
        let found = try segments.flatMap { try decode($0, clip.path) }
        #expect(found.map(\.index) == Array(stride(from: 0, to: 450, by: 2)))
        #expect(found.allSatisfy { abs($0.seconds - Double($0.index) / 25) < 0.002 })
        #expect(found.allSatisfy { $0.pixels == expected[$0.index] })
    }

    @Test func `a segment goes through JSON unchanged`() throws {
        let clip = try Clip.mp4(frames: 200)
        let segments = VideoSegment.segments(of: try VideoInfo(path: clip.path), .every(1))
        #expect(segments.map(\.number) == Array(segments.indices))
        #expect(segments.allSatisfy { $0.count == segments.count && VideoSegment(decoding: $0.encoded) == $0 })
        // They end where decoding can begin, so that nothing is decoded twice.
        #expect(segments.map(\.frames.first) == [0, 90, 180])
        #expect(VideoSegment(decoding: Array("{}".utf8)) == nil)
    }

    @Test func `a rate takes the first frame of each span of time`() throws {
        let clip = try Clip.mp4(frames: 101)
        let info = try VideoInfo(path: clip.path)
        #expect(FrameSelection.perSecond(2).indices(in: info) == [0, 13, 25, 38, 50, 63, 75, 88, 100])
        #expect(FrameSelection.perSecond(25).indices(in: info) == Array(0...100))
        #expect(FrameSelection.perSecond(100).indices(in: info) == Array(0...100))
        #expect(FrameSelection.every(40).indices(in: info) == [0, 40, 80])
    }

    @Test func `a video that ends early gives what is there, and a segment that fails`() throws {
        let whole = try Clip.mp4(frames: 300)
        let bytes = try Data(contentsOf: URL(filePath: whole.path))
        let clip = try Clip("cut.mp4", bytes: bytes.prefix(bytes.count * 2 / 3))
        let info = try VideoInfo(path: clip.path)
        #expect(info.isTruncated)
        let segments = VideoSegment.segments(of: info, .every(1))
        let expected = try whole.allFrames()
        let found = try segments.dropLast().flatMap { try decode($0, clip.path) }
        #expect(found.count > 100 && found.count < 300)
        // The last frame may be half there.
        #expect(found.dropLast().allSatisfy { $0.pixels == expected[$0.index] })
        #expect(code { () throws(VideoError) in _ = try decode(segments[segments.count - 1], clip.path) } == .truncated)
    }

    @Test func `what is no video is refused with its reason`() throws {
        let noise = try Clip("noise.mp4", bytes: Data((0..<4000).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 3) }))
        let tailed = try Clip("a.mp4", frames: 50, ["-c:v", "libx264"])
        let headless = try Clip(
            "headless.mp4",
            bytes: Data(contentsOf: URL(filePath: tailed.path)).prefix(5000)
        )
        let untimed = try Clip("a.mpg", frames: 50, ["-c:v", "mpeg2video", "-bf", "2"])
        let secret = try Clip.mp4(frames: 10)
        let playlist = try Clip(
            "playlist.mp4",
            bytes: Data("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://\(secret.path)\n#EXT-X-ENDLIST\n".utf8)
        )
        let script = try Clip("script.mp4", bytes: Data("ffconcat version 1.0\nfile '\(secret.path)'\n".utf8))
        let sound = try Clip("sound.mp4", bytes: Data())
        func code(_ path: String) -> VideoError.Code? {
            self.code { () throws(VideoError) in _ = try VideoInfo(path: path) }
        }
        #expect(code(noise.path) == .unsupportedFormat)
        #expect(code(headless.path) == .truncated)
        #expect(code(playlist.path) == .unsupportedFormat)
        #expect(code(script.path) == .unsupportedFormat)
        #expect(code(sound.path) == .unsupportedFormat)
        #expect(code(untimed.path) == .unsupportedFormat)
        #expect(code("/nowhere/clip.mp4") == .notFound)
        #expect(code("/dev/null") == .unreadable)
    }

    @Test func `damage costs frames, not the rest`() throws {
        let whole = try Clip.mp4(frames: 200)
        var bytes = try Data(contentsOf: URL(filePath: whole.path))
        // The pictures lie behind the table of contents.
        for index in stride(from: bytes.count / 2, to: bytes.count / 2 + 4000, by: 3) { bytes[index] = 0xA5 }
        let clip = try Clip("damaged.mp4", bytes: bytes)
        let segments = VideoSegment.segments(of: try VideoInfo(path: clip.path), .every(1))
        let found = try segments.flatMap { try decode($0, clip.path) }
        #expect(found.count > 100)
        #expect(found.map(\.index) == found.map(\.index).sorted())
        #expect(Set(found.map(\.index)).count == found.count)
    }

    @Test func `a changed file, a picture too large and a call that nobody wants end with their reasons`() throws {
        let clip = try Clip.mp4(frames: 50)
        let segment = VideoSegment.segments(of: try VideoInfo(path: clip.path), .every(1))[0]
        #expect(
            code { () throws(VideoError) in
                _ = try decode(segment, clip.path, limits: ImageLimits(maxPixelCount: 6000))
            } == .tooLarge
        )
        #expect(
            code { () throws(VideoError) in
                var frames = try VideoFrames(of: segment, path: clip.path, limits: ImageLimits(), isWanted: { false })
                while try frames.next() != nil {}
            } == .stopped
        )
        let handle = try FileHandle(forWritingTo: URL(filePath: clip.path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([0]))
        try handle.close()
        #expect(code { () throws(VideoError) in _ = try decode(segment, clip.path) } == .sourceChanged)
    }
}
