// SPDX-License-Identifier: Apache-2.0

import YoloqImages
import YoloqJobs
import YoloqVideo

/// Decodes frames of videos anew, for pictures of stored results: a segment at a time, each from its first frame to its last.
final class FrameReader {
    private var job: JobID?
    private var frames: VideoFrames?

    /// Decodes the frame that a result is of.
    ///
    /// - Parameter record: Of a frame; within a job not before one that was asked for already.
    /// - Returns: Its pixels, upright.
    /// - Throws: `VideoError` if the video is no longer what it was; `CommandFailure` if the frame is not in it; `JobsError`.
    func frame(of record: ResultRecord) throws -> RGBImage {
        guard let inline = record.inlineContent, let wanted = record.frame else {
            preconditionFailure("the frames of a stored result are of a segment that is stored too")
        }
        if job != inline.job {
            job = inline.job
            frames = nil
            let segment = try inline.queue.content(of: inline.job).flatMap(VideoSegment.init(decoding:))
            guard let segment else { throw missing(record) }
            frames = try VideoFrames(of: segment, path: record.source, limits: ImageLimits())
        }
        while let frame = try frames?.next() {
            if frame.index == wanted.index { return frame.image.copy() }
        }
        throw missing(record)
    }

    private func missing(_ record: ResultRecord) -> CommandFailure {
        CommandFailure(.noInput, "cannot draw on \(record.source): its frames cannot be decoded any more")
    }
}
