// SPDX-License-Identifier: Apache-2.0

package import YoloqImages

/// The frames of a segment, decoded one after the other by `ffmpeg`.
///
/// They are as OpenCV's `VideoCapture` gives them, with red first: ffmpeg turns them upright and converts them to RGB with
/// the same library and the same settings (swscale, bicubic, not `accurate_rnd`).
package struct VideoFrames: ~Copyable {
    /// A decoded frame.
    package struct Frame: ~Copyable {
        /// Its pixels, upright.
        package let image: RGBImage
        /// Its place in the video, from 0.
        package let index: Int
        /// When it is shown, in seconds after the first frame of the video.
        package let seconds: Double
    }

    private let path: String
    private let segment: VideoSegment
    private let limits: ImageLimits
    private let program: ChildProgram
    private let times: Times
    private let places: [Int64: Int]
    private var count = 0

    /// When the frames were to be shown that ffmpeg has written so far.
    private final class Times {
        var values: [Int64] = []
    }

    /// Starts to decode.
    ///
    /// - Parameters:
    ///   - segment: Which frames.
    ///   - path: The video.
    ///   - limits: What a picture may have at most.
    ///   - isWanted: Asked now and then; false ends it.
    /// - Throws: `VideoError`.
    package init(
        of segment: VideoSegment,
        path: String,
        limits: ImageLimits,
        isWanted: @escaping () -> Bool = { true }
    ) throws(VideoError) {
        guard try VideoInfo.Identity(path: path) == segment.identity else {
            throw VideoError(
                .sourceChanged,
                "\(path) has changed since it was submitted. Put the old file back and retry the job, or submit it again"
            )
        }
        guard !segment.isMissing, let last = segment.times.last else {
            throw VideoError(
                .truncated,
                "\(path) ends early: it says that it has more frames than are there. Those that are there are in the other "
                    + "\(segment.count - 1) segments; copy it anew from where it came for the rest"
            )
        }
        let times = Times()
        // One frame behind the last one, should that one be missing: then the rest of the file need not be decoded.
        let choice = VideoFrames.sum(segment.times.map { "eq(pts,\($0))" } + ["gt(pts,\(last))"])
        let seek = segment.seek.map {
            ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", VideoFrames.decimal(segment.seconds($0))]
        }
        let program = try ChildProgram(
            "ffmpeg",
            ["-hide_banner", "-nostats", "-nostdin", "-v", "level+info", "-threads", "1", "-copyts"]
                + ["-max_pixels", "\(limits.maxPixelCount)"] + (seek ?? []) + VideoInfo.source(path)
                + ["-map", "0:v:0", "-vf", "select='\(choice)',showinfo=checksum=0"]
                + [
                    "-frames:v", "\(segment.times.count)", "-fps_mode", "passthrough", "-c:v", "ppm", "-pix_fmt",
                    "rgb24", "-f",
                    "image2pipe",
                ]
                + ["pipe:1"],
            isWanted: isWanted,
            onLine: { line in VideoFrames.note(line, in: times) }
        )
        self.path = path
        self.segment = segment
        self.limits = limits
        self.program = program
        self.times = times
        places = Dictionary(zip(segment.times, segment.frames)) { first, _ in first }
    }

    /// Adds up terms; in groups, since a sum of more than a hundred terms is too deep for ffmpeg.
    private static func sum(_ terms: [String]) -> String {
        stride(from: 0, to: terms.count, by: 16)
            .map { "(\(terms[$0..<min($0 + 16, terms.count)].joined(separator: "+")))" }.joined(separator: "+")
    }

    /// Takes the time out of a line such as `[Parsed_showinfo_1 @ 0x55] [info] n:   0 pts:  10240 pts_time:0.8 …`, and
    /// lets only errors into the log.
    private static func note(_ line: Substring, in times: Times) -> Bool {
        guard line.hasPrefix("[Parsed_showinfo") else {
            return !line.contains("[error]") && !line.contains("[fatal]")
        }
        if let start = line.firstRange(of: " pts:")?.upperBound {
            let text = line[start...].drop { $0 == " " }.prefix { $0 != " " }
            if let time = Int64(text) { times.values.append(time) }
        }
        return true
    }

    /// Six decimals, whatever the locale.
    private static func decimal(_ seconds: Double) -> String {
        let microseconds = Int64((seconds * 1e6).rounded(.down))
        let digits = String(abs(microseconds) % 1_000_000)
        let fraction = String(repeating: "0", count: 6 - digits.count) + digits
        return "\(microseconds < 0 ? "-" : "")\(abs(microseconds) / 1_000_000).\(fraction)"
    }

    /// Decodes the next frame.
    ///
    /// - Returns: nil at the end. Frames that cannot be decoded are not given.
    /// - Throws: `VideoError`: `corrupt` if none could be decoded, `too_large`, `stopped`.
    package mutating func next() throws(VideoError) -> Frame? {
        while let size = try header() {
            guard size.width <= limits.maxPixelCount / size.height else {
                throw VideoError(
                    .tooLarge,
                    "a frame of \(path) has \(size.width)×\(size.height) pixels, more than the \(limits.maxPixelCount) that are "
                        + "allowed (--max-pixels)"
                )
            }
            var image = RGBImage(width: size.width, height: size.height)
            let byteCount = image.byteCount
            let read = image.withUnsafeMutablePixels { program.read(into: UnsafeMutableRawBufferPointer($0)) }
            guard read == byteCount else { return try end() }
            program.readErrors()
            guard count < times.values.count else { return try end() }
            let time = times.values[count]
            count += 1
            // The one behind the last.
            guard let index = places[time] else { continue }
            return Frame(image: image, index: index, seconds: segment.secondsFromStart(time))
        }
        return try end()
    }

    /// Reads `P6`, width, height and 255, each on the end of a line or followed by a blank; nil at the end.
    private func header() throws(VideoError) -> (width: Int, height: Int)? {
        var text: [UInt8] = []
        var byte: UInt8 = 0
        var lineCount = 0
        while lineCount < 3 {
            let count = withUnsafeMutableBytes(of: &byte) { program.read(into: $0) }
            guard count == 1, text.count < 40 else { return nil }
            text.append(byte)
            if byte == UInt8(ascii: "\n") { lineCount += 1 }
        }
        let words = String(decoding: text, as: UTF8.self).split { $0.isWhitespace }
        guard words.count == 4, words[0] == "P6", let width = Int(words[1]), let height = Int(words[2]), width > 0,
            height > 0, words[3] == "255"
        else { throw VideoError(.corrupt, "ffmpeg gave something else than pictures of \(path)") }
        return (width, height)
    }

    private func end() throws(VideoError) -> Frame? {
        let status = program.finish()
        guard !program.isStopped else { throw VideoError(.stopped, "the run was stopped before its end") }
        guard status != 0 || count == 0 else { return nil }
        // What was decoded before ffmpeg gave up counts; that the rest is missing is said with the result.
        guard count == 0 || status < 0 else { return nil }
        let isTooLarge = program.log.contains("exceeds specified max pixel count")
        // The first error is the cause, the last what came of it.
        let lines = program.log.split(separator: "\n").map { $0.replacing(/\[[^\]]*\] */, with: "") }
        let log = [lines.first, lines.count > 1 ? lines.last : nil].compactMap(\.self).joined(separator: "; ")
        throw VideoError(
            isTooLarge ? .tooLarge : .corrupt,
            "\(path) cannot be decoded at \(segment.secondsFromStart(segment.times[0])) s: "
                + (status < 0 ? "ffmpeg was ended by signal \(-status). " : "") + log
        )
    }
}
