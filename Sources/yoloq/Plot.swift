// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqImages
import YoloqInference
import YoloqJobs
import YoloqWorkers

/// Draws results onto copies of their images.
struct Plot {
    /// Where the pictures go; made if it does not exist.
    let folder: String
    /// The names of the pictures so far.
    private(set) var names: Set<String> = []

    init(folder: String) { self.folder = folder }

    /// Writes the image of a result with its boxes and labels as JPEG, named after job and image; nothing unless the job
    /// succeeded.
    ///
    /// - Parameter record: A result.
    /// - Throws: `CommandFailure` if the image is no longer what it was, or the picture cannot be written.
    mutating func draw(_ record: ResultRecord) throws(CommandFailure) {
        guard let document = record.document else { return }
        guard record.frame == nil else {
            throw CommandFailure(.usage, "pictures of single frames of a video are not drawn. Leave out --plot")
        }
        let source = URL(filePath: record.source)
        // A picture called as the image beside it would replace it.
        guard record.inlineContent != nil || !isSameFolder(source.deletingLastPathComponent().path, folder) else {
            throw CommandFailure(
                .usage,
                "pictures do not go into the folder of their images (\(record.source)). Give --plot another folder"
            )
        }
        let picture = try drawn(document, onto: record)
        let stem = record.source == "-" ? "stdin" : source.deletingPathExtension().lastPathComponent
        let name = unusedName(for: [record.job, stem])
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(picture).write(to: URL(filePath: folder).appending(path: name))
        } catch {
            throw CommandFailure(.inputOutput, "cannot write \(folder)/\(name): \(error.localizedDescription)")
        }
        names.insert(name)
    }

    private func drawn(_ document: ResultDocument, onto record: ResultRecord) throws(CommandFailure) -> [UInt8] {
        do {
            var decoded = try decode(record, expecting: document.image.sha256)
            decoded.image.annotate(with: document.predictions, task: document.task)
            return try JPEGEncoder.encode(decoded.image)
        } catch let failure as ImageFailure {
            throw CommandFailure(.noInput, "cannot draw: \(failure.message)")
        } catch {
            throw CommandFailure(.noInput, "cannot draw on \(record.source): \(error)")
        }
    }

    private func decode(_ record: ResultRecord, expecting sha256: String) throws -> DecodedImage {
        guard let inline = record.inlineContent, let bytes = try inline.queue.content(of: inline.job) else {
            guard URLSource.isURL(record.source) else { return try ImageFile.decode(record.source, expecting: sha256) }
            return try fetch(record, expecting: sha256)
        }
        return try ImageDecoder.decode(bytes)
    }

    /// Fetches an image again; from where its job was allowed to.
    private func fetch(_ record: ResultRecord, expecting sha256: String) throws -> DecodedImage {
        let bytes = try URLSource.bytes(of: record.source, parameters: record.parameters, policy: URLPolicy())
        guard ContentHash(of: bytes).description == sha256 else {
            throw ImageFailure(
                kind: "source_changed",
                message: "\(record.source) gives another image by now. Submit it again"
            )
        }
        return try ImageDecoder.decode(bytes)
    }

    private func unusedName(for parts: [String?]) -> String {
        let stem = parts.compactMap(\.self).joined(separator: "-")
        var name = stem + ".jpg"
        var number = 2
        while names.contains(name) {
            name = "\(stem)-\(number).jpg"
            number += 1
        }
        return name
    }

    private func isSameFolder(_ left: String, _ right: String) -> Bool {
        var statuses = (stat(), stat())
        guard stat(left, &statuses.0) == 0, stat(right, &statuses.1) == 0 else { return false }
        return statuses.0.st_ino == statuses.1.st_ino && statuses.0.st_dev == statuses.1.st_dev
    }
}
