// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqJobs
import YoloqVideo
import YoloqVision
import YoloqWorkers

/// Makes jobs of a video: one for each segment of frames.
struct VideoRequests: Sendable {
    /// Endings of videos.
    static let suffixes: Set<String> = [
        "asf", "avi", "flv", "gif", "ivf", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ts", "webm", "wmv",
    ]

    /// Which frames to look at.
    let selection: FrameSelection

    /// Whether a name, or the path of a URL, ends as those of videos do.
    static func isVideo(_ source: String) -> Bool {
        let path = URLSource.isURL(source) ? source.prefix { $0 != "?" && $0 != "#" } : source[...]
        guard let dot = path.lastIndex(of: ".") else { return false }
        return suffixes.contains(path[dot...].dropFirst().lowercased())
    }

    /// A name for the batch of a submit with videos.
    ///
    /// - Parameter key: What the submit is called, if anything.
    /// - Returns: For a key always the same, since the jobs are the same too; else a new one.
    static func batchName(for key: String?) -> String {
        let number = key.map { String("\(ContentHash(of: Array($0.utf8)))".prefix(16)) }
        return "video-" + (number ?? String(UInt64.random(in: .min ... .max), radix: 36))
    }

    /// The jobs of a video.
    ///
    /// - Parameters:
    ///   - path: The video; one that cannot be read becomes a job that fails with the reason.
    ///   - template: A job without a source.
    /// - Returns: At least one job.
    func requests(for path: String, like template: JobRequest) -> [JobRequest] {
        guard let info = try? VideoInfo(path: path) else { return [request(like: template, path, nil)] }
        return VideoSegment.segments(of: info, selection).map { request(like: template, path, $0) }
    }

    private func request(like template: JobRequest, _ path: String, _ segment: VideoSegment?) -> JobRequest {
        var request = template
        request.source = path
        request.content = segment.map { InlineContent($0.encoded) }
        request.reusesResults = template.reusesResults && segment != nil
        if let key = template.key, let segment { request.key = "\(key) \(segment.number)" }
        request.parameters = parameters(template.parameters, for: segment)
        return request
    }

    /// Puts into parameters that they are about a segment of a video.
    ///
    /// - Parameters:
    ///   - parameters: A JSON object that is not empty.
    ///   - segment: nil if the video could not be looked into.
    /// - Returns: The object with a member `video` more.
    func parameters(_ parameters: String, for segment: VideoSegment?) -> String {
        let choice: JSONValue.Member =
            switch selection {
            case .every(let step): .init("every", .int(step))
            case .perSecond(let rate): .init("fps", .double(rate))
            }
        let video = JSONValue.object([
            .init("segment", segment.map { .int($0.number) } ?? .null),
            .init("segments", segment.map { .int($0.count) } ?? .null), choice,
        ])
        return "\(parameters.dropLast()),\"video\":\(video)}"
    }
}

/// A frame of a video in the result of its segment.
struct FrameOfVideo {
    /// Its place in the video, from 0.
    let index: Int
    /// When it is shown, in seconds after the first frame.
    let seconds: Double
}
