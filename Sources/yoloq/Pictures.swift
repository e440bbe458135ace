// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqImages
import YoloqInference
import YoloqJobs
import YoloqVision
import YoloqWorkers

/// Makes pictures of results: their images with what was found drawn on them, and what was found cut out.
struct Pictures {
    /// Where the drawn images go, made if it does not exist; nil for none.
    let plotFolder: String?
    /// Where what was found goes, in a folder for each class, made if it does not exist; nil for none.
    let cropFolder: String?
    private var plotNames = UniqueNames()
    private var cropNames = UniqueNames()

    init(plotFolder: String?, cropFolder: String?) {
        self.plotFolder = plotFolder
        self.cropFolder = cropFolder
    }

    /// What was made, for people; nil if nothing was asked for.
    var summary: String? {
        let parts = [
            plotFolder.map { "\(counted(plotNames.count, "picture")) in \($0)" },
            cropFolder.map { "\(counted(cropNames.count, "crop")) in \($0)" },
        ].compactMap(\.self)
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    /// Writes the pictures of a result as JPEG, named after job and image; nothing unless the job succeeded.
    ///
    /// - Parameter record: A result.
    /// - Throws: `CommandFailure` if the image is no longer what it was, or a picture cannot be written.
    mutating func draw(_ record: ResultRecord) throws(CommandFailure) {
        guard let document = record.document, plotFolder != nil || cropFolder != nil else { return }
        guard record.frame == nil else {
            throw CommandFailure(
                .usage,
                "pictures of single frames of a video are not drawn. Leave out --plot and --crop"
            )
        }
        if let plotFolder { try checkPlace(of: record, plotFolder) }
        var decoded = try decodedImage(of: record, document)
        if let cropFolder { try cut(document, out: decoded.image, of: record, to: cropFolder) }
        guard let plotFolder else { return }
        decoded.image.annotate(with: document.predictions, task: document.task)
        try write(decoded.image, to: plotFolder, plotNames.unused(record.pictureStem, ending: ".jpg"))
    }

    /// A picture called as the image beside it would replace it.
    private func checkPlace(of record: ResultRecord, _ folder: String) throws(CommandFailure) {
        let source = URL(filePath: record.source)
        guard record.inlineContent != nil || !isSameFolder(source.deletingLastPathComponent().path, folder) else {
            throw CommandFailure(
                .usage,
                "pictures do not go into the folder of their images (\(record.source)). Give --plot another folder"
            )
        }
    }

    /// Cuts out the box of each prediction, of oriented ones the upright rectangle around it.
    private mutating func cut(
        _ document: ResultDocument,
        out image: borrowing RGBImage,
        of record: ResultRecord,
        to folder: String
    ) throws(CommandFailure) {
        guard document.task != .classify else {
            throw CommandFailure(.usage, "classes of whole images have no boxes to cut out. Leave out --crop")
        }
        for prediction in document.predictions {
            guard let box = prediction.bounds, let columns = pixels(box.x1, box.x2, below: image.width),
                let rows = pixels(box.y1, box.y2, below: image.height)
            else { continue }
            let stem = "\(prediction.name.asFileName)/\(record.pictureStem)"
            try write(image.cropped(columns: columns, rows: rows), to: folder, cropNames.unused(stem, ending: ".jpg"))
        }
    }

    private func write(_ image: borrowing RGBImage, to folder: String, _ name: String) throws(CommandFailure) {
        let path = URL(filePath: folder).appending(path: name)
        do {
            try FileManager.default.createDirectory(
                at: path.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(try JPEGEncoder.encode(image)).write(to: path)
        } catch let error as ImageError {
            throw CommandFailure(.noInput, "cannot draw \(name): \(error)")
        } catch {
            throw CommandFailure(.inputOutput, "cannot write \(folder)/\(name): \(error.localizedDescription)")
        }
    }

    private func decodedImage(
        of record: ResultRecord,
        _ document: ResultDocument
    ) throws(CommandFailure) -> DecodedImage {
        do {
            return try decode(record, expecting: document.image.sha256)
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

    private func isSameFolder(_ left: String, _ right: String) -> Bool {
        var statuses = (stat(), stat())
        guard stat(left, &statuses.0) == 0, stat(right, &statuses.1) == 0 else { return false }
        return statuses.0.st_ino == statuses.1.st_ino && statuses.0.st_dev == statuses.1.st_dev
    }
}

/// The pixels that a box has something of, at least one; nil if it lies outside or is not a number.
private func pixels(_ lower: Double, _ upper: Double, below count: Int) -> Range<Int>? {
    guard lower <= upper, upper >= 0, lower < Double(count) else { return nil }
    let first = Int(max(lower, 0).rounded(.down))
    let end = Int(min(upper, Double(count)).rounded(.up))
    return first..<max(end, first + 1)
}

extension ResultRecord {
    /// The name of the image's file.
    var fileName: String {
        guard source != "-" else { return "stdin" }
        // What follows a question mark in a URL is no name.
        let path = URLSource.isURL(source) ? URL(string: source)?.path ?? source : source
        return URL(filePath: path).lastPathComponent
    }

    /// The name of the image's file without its ending.
    var fileStem: String { URL(filePath: fileName).deletingPathExtension().lastPathComponent }

    /// What its pictures are called: after the job and the file.
    fileprivate var pictureStem: String { [job, fileStem].compactMap(\.self).joined(separator: "-") }
}

extension String {
    /// A class's name as one of a folder.
    fileprivate var asFileName: String {
        let name = replacing(/[\/\\\0]/, with: "_")
        return name.allSatisfy { $0 == "." } ? "_" + name : name
    }
}
