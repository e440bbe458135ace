// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqImages
import YoloqInference
import YoloqJobs
import YoloqWorkers

/// Draws results onto copies of their images, and cuts what was found out of them.
struct Plot {
    private var pictures: PictureFolder?
    private var crops: PictureFolder?
    private let frames = FrameReader()

    /// - Parameters:
    ///   - folder: Where the drawn images go; nil to draw none.
    ///   - cropFolder: Where the pieces go; nil to cut out none.
    init?(folder: String?, cropFolder: String? = nil) {
        guard folder != nil || cropFolder != nil else { return nil }
        pictures = folder.map { PictureFolder(path: $0, option: "--plot") }
        crops = cropFolder.map { PictureFolder(path: $0, option: "--crop") }
    }

    /// What was written, for people.
    var notes: [String] {
        [
            pictures.map { "\(counted($0.count, "picture")) in \($0.path)" },
            crops.map { "\(counted($0.count, "crop")) in \($0.path)" },
        ]
        .compactMap(\.self)
    }

    /// Writes the image of a result with its boxes and labels as JPEG, named after job and image, and a JPEG of each thing
    /// that was found; nothing unless the job succeeded.
    ///
    /// - Parameter record: A result.
    /// - Throws: `CommandFailure` if the image is no longer what it was, or a picture cannot be written.
    mutating func draw(_ record: ResultRecord) throws(CommandFailure) {
        guard let document = record.document else { return }
        do {
            if record.frame != nil {
                // Nothing to cut out: what lies between two frames is decoded only for others.
                guard pictures != nil || !document.predictions.isEmpty else { return }
                let frame = try frames.frame(of: record)
                try draw(record, on: frame)
            } else {
                let decoded = try decode(record, expecting: document.image.sha256)
                try draw(record, on: decoded.image)
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch let failure as ImageFailure {
            throw CommandFailure(.noInput, "cannot draw: \(failure.message)")
        } catch {
            throw CommandFailure(.noInput, "cannot draw on \(record.source): \(error)")
        }
    }

    /// Writes the pictures of a result whose image is at hand.
    ///
    /// - Parameters:
    ///   - record: A result.
    ///   - picture: The upright image.
    /// - Throws: `CommandFailure` if a picture cannot be written.
    mutating func draw(_ record: ResultRecord, on picture: borrowing RGBImage) throws(CommandFailure) {
        guard let document = record.document else { return }
        let name = [record.job, record.stem].compactMap(\.self).joined(separator: "-")
        do {
            // What was found is cut out before anything is drawn over it.
            try crops?.cut(record, from: picture, name: name)
            guard pictures != nil else { return }
            var copy = picture.copy()
            copy.annotate(with: document.predictions, task: document.task)
            try pictures?.write(JPEGEncoder.encode(copy), name: name, of: record)
        } catch let failure as CommandFailure {
            throw failure
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
}
