// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference
import YoloqJobs

/// Makes jobs of images: reads each file once, on all cores, to pin it by its hash or to take its bytes along.
///
/// Goes a handful of files ahead, so memory does not grow with their number.
struct RequestStream: Sequence {
    /// How many files are read ahead.
    private static let aheadCount = 64

    let paths: Inputs
    let template: JobRequest
    let isInline: Bool
    /// What becomes of videos.
    let videos: VideoRequests

    /// How many jobs there will be at least: a video becomes one or more.
    var underestimatedCount: Int { paths.count }

    func makeIterator() -> AnyIterator<JobRequest> {
        let paths = paths.makeIterator()
        var ahead: ArraySlice<JobRequest> = []
        var waiting: String?
        return AnyIterator {
            if ahead.isEmpty {
                var names: [String] = []
                while names.count < RequestStream.aheadCount, let path = waiting ?? paths.next() {
                    waiting = nil
                    // By itself, and in its place.
                    if VideoRequests.isVideo(path) {
                        waiting = path
                        break
                    }
                    names.append(path)
                }
                ahead = requests(names)[...]
                if ahead.isEmpty, let path = waiting {
                    waiting = nil
                    ahead = videos.requests(for: path, like: template)[...]
                }
            }
            return ahead.popFirst()
        }
    }

    private func requests(_ paths: [String]) -> [JobRequest] {
        let requests = Locked([JobRequest?](repeating: nil, count: paths.count))
        DispatchQueue.concurrentPerform(iterations: paths.count) { [template, isInline] index in
            var request = template
            request.source = paths[index]
            if isInline {
                request.content = RequestStream.content(ofFileAt: paths[index])
            } else {
                request.pin = SourcePin(ofFileAt: paths[index])
            }
            requests.withLock { $0[index] = request }
        }
        return requests.withLock { $0 }.compactMap(\.self)
    }

    /// The bytes of a file; nil if it cannot be read: then the job names the file, and fails with the reason.
    static func content(ofFileAt path: String) -> InlineContent? {
        guard let bytes = try? ImageFile.bytes(of: path), !bytes.isEmpty else { return nil }
        return InlineContent(bytes)
    }
}
