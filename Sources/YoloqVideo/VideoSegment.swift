// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Which frames of a video are looked at.
package enum FrameSelection: Sendable, Hashable {
    /// Every n-th, from the first on.
    case every(Int)
    /// So many a second: the first one in each of the equal spans of time.
    case perSecond(Double)

    /// Chooses frames.
    ///
    /// - Parameter info: The video.
    /// - Returns: Their places, from 0.
    package func indices(in info: VideoInfo) -> [Int] {
        switch self {
        case .every(let step): return Array(stride(from: 0, to: info.frames.count, by: step))
        case .perSecond(let rate):
            guard let start = info.frames.first?.time else { return [] }
            let factor = rate * Double(info.timeBase.numerator) / Double(info.timeBase.denominator)
            var last = -1.0
            return info.frames.indices.filter { index in
                // A hair more, so that a frame on the edge of two spans belongs to the second.
                let span = (Double(info.frames[index].time - start) * factor + 1e-6).rounded(.down)
                defer { last = max(last, span) }
                return span > last
            }
        }
    }
}

/// A part of a video that one job looks at: some frames in a row.
///
/// Everything that the job needs, so that it is the same whoever runs it, and again after a kill.
package struct VideoSegment: Sendable, Hashable, Codable {
    /// How many frames a segment has at least, if the video goes on: it ends before the next frame with which decoding can
    /// begin.
    static let frameCount = 64
    /// How many it has at most.
    static let maxFrameCount = 256

    /// Its place in the video, from 0.
    package var number: Int
    /// How many segments the video has.
    package var count: Int
    /// The file as it was when it was submitted.
    package var identity: VideoInfo.Identity
    /// Numerator and denominator of the unit of time, in seconds.
    package var timeBase: [Int64]
    /// When the video's first frame is shown.
    package var start: Int64
    /// Where to begin to decode; nil for the beginning of the file.
    package var seek: Int64?
    /// The places of the frames in the video, from 0.
    package var frames: [Int]
    /// When each is shown.
    package var times: [Int64]
    /// Whether this stands for the rest of a video that ends early.
    package var isMissing: Bool

    /// Cuts a video into segments.
    ///
    /// - Parameters:
    ///   - info: The video.
    ///   - selection: Which frames to look at.
    /// - Returns: At least one segment.
    package static func segments(of info: VideoInfo, _ selection: FrameSelection) -> [VideoSegment] {
        // For each frame the last one before it, or itself, with which decoding can begin; and the one before that.
        var keys: [(last: Int, earlier: Int)] = []
        keys.reserveCapacity(info.frames.count)
        for (index, frame) in info.frames.enumerated() {
            let before = keys.last ?? (0, 0)
            keys.append(frame.isKey && index > 0 ? (index, before.last) : before)
        }
        var groups: [[Int]] = [[]]
        var key = -1
        for index in selection.indices(in: info) {
            let lastKey = keys[index].last
            let size = groups[groups.count - 1].count
            if size >= maxFrameCount || (size >= frameCount && lastKey > key) { groups.append([]) }
            groups[groups.count - 1].append(index)
            key = lastKey
        }
        if info.isTruncated { groups.append([]) }
        return groups.enumerated().map { number, group in
            VideoSegment(
                number: number,
                count: groups.count,
                identity: info.identity,
                timeBase: [info.timeBase.numerator, info.timeBase.denominator],
                start: info.frames.first?.time ?? 0,
                seek: group.first.flatMap { seek(from: keys[$0], in: info) },
                frames: group,
                times: group.map { info.frames[$0].time },
                isMissing: info.isTruncated && number == groups.count - 1
            )
        }
    }

    /// When the frame is shown with which to begin; nil for the beginning of the file.
    private static func seek(from keys: (last: Int, earlier: Int), in info: VideoInfo) -> Int64? {
        // Formats without an index are searched, and what is found may lie a little behind.
        let isIndexed = ["mov", "matroska", "avi"].contains { info.format.contains($0) }
        let key = isIndexed ? keys.last : keys.earlier
        return key == 0 ? nil : info.frames[key].time
    }

    /// A time in seconds.
    func seconds(_ time: Int64) -> Double {
        Double(time) * Double(timeBase[0]) / Double(timeBase[1])
    }

    /// When a frame is shown, in seconds after the first frame of the video.
    package func secondsFromStart(_ time: Int64) -> Double { seconds(time - start) }

    /// The JSON that travels with the job.
    package var encoded: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        guard let data = try? encoder.encode(self) else { preconditionFailure("a segment is JSON") }
        return [UInt8](data)
    }

    /// Reads what `encoded` wrote; nil if it is something else.
    package init?(decoding bytes: [UInt8]) {
        guard let segment = try? JSONDecoder().decode(VideoSegment.self, from: Data(bytes)),
            segment.timeBase.count == 2, segment.timeBase.allSatisfy({ $0 > 0 }),
            segment.times.count == segment.frames.count, segment.times == segment.times.sorted()
        else { return nil }
        self = segment
    }

    private init(
        number: Int,
        count: Int,
        identity: VideoInfo.Identity,
        timeBase: [Int64],
        start: Int64,
        seek: Int64?,
        frames: [Int],
        times: [Int64],
        isMissing: Bool
    ) {
        self.number = number
        self.count = count
        self.identity = identity
        self.timeBase = timeBase
        self.start = start
        self.seek = seek
        self.frames = frames
        self.times = times
        self.isMissing = isMissing
    }
}
