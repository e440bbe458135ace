// SPDX-License-Identifier: Apache-2.0

import YoloqImages
import YoloqInference
import YoloqJobs
import YoloqVideo

/// Decodes frames of videos anew, for pictures of stored results: a segment at a time, each from its first frame to its last.
final class FrameReader {
    private var job: JobID?
    private var frames: VideoFrames?
    /// A frame behind the one that was asked for last.
    private var ahead: VideoFrames.Frame?
    /// Why no frame of the job can be decoded.
    private var failure: CommandFailure?

    /// Decodes the frame that a result is of.
    ///
    /// - Parameter record: Of a frame; within a job not before one that was asked for already.
    /// - Returns: Its pixels, upright.
    /// - Throws: `CommandFailure` if the video is no longer what it was, the same for all frames of a job.
    func frame(of record: ResultRecord) throws(CommandFailure) -> RGBImage {
        guard let inline = record.inlineContent, let wanted = record.frame else {
            preconditionFailure("the frames of a stored result are of a segment that is stored too")
        }
        if job != inline.job {
            job = inline.job
            frames = nil
            ahead = nil
            failure = nil
            do throws(CommandFailure) { frames = try open(record, inline) } catch { failure = error }
        }
        if let failure { throw failure }
        while let frame = try next() {
            if frame.index < wanted.index { continue }
            guard frame.index == wanted.index else {
                ahead = consume frame
                break
            }
            let hash = frame.image.withUnsafePixels { ContentHash(of: $0) }
            guard hash.description == record.document?.image.sha256 else {
                throw cannotDraw(
                    "the frames of \(record.source) are decoded otherwise than when they were looked at. Submit it again"
                )
            }
            return frame.image.copy()
        }
        throw cannotDraw("not all frames of \(record.source) can be decoded any more. Copy it anew from where it came")
    }

    private func open(
        _ record: ResultRecord,
        _ inline: ResultRecord.InlineSource
    ) throws(CommandFailure) -> VideoFrames {
        let content: [UInt8]?
        do throws(JobsError) {
            content = try inline.queue.content(of: inline.job)
        } catch {
            throw cannotDraw(error.message)
        }
        guard let segment = content.flatMap(VideoSegment.init(decoding:)) else {
            throw cannotDraw("which frames of \(record.source) were looked at is not known")
        }
        do throws(VideoError) {
            return try VideoFrames(of: segment, path: record.source, limits: ImageLimits())
        } catch {
            throw cannotDraw(error.message)
        }
    }

    private func next() throws(CommandFailure) -> VideoFrames.Frame? {
        if let frame = ahead.take() { return frame }
        do throws(VideoError) {
            return try frames?.next()
        } catch {
            throw cannotDraw(error.message)
        }
    }

    private func cannotDraw(_ reason: String) -> CommandFailure {
        CommandFailure(.noInput, "cannot draw: \(reason)")
    }
}
