// SPDX-License-Identifier: Apache-2.0

import YoloqImages
import YoloqInference

extension PictureFolder {
    /// Writes a JPEG of each thing that was found, in a folder for each class.
    ///
    /// - Parameters:
    ///   - record: A result; its predictions are in pixels of the image.
    ///   - image: The upright image.
    ///   - name: Comes first in the names of the files; the number of the prediction in the whole result follows.
    /// - Throws: `CommandFailure` if the result has no boxes, or a file cannot be written; `ImageError` if a piece cannot be
    ///   encoded.
    mutating func cut(_ record: ResultRecord, from image: borrowing RGBImage, name: String) throws {
        for (number, prediction) in record.numberedPredictions {
            guard let box = prediction.box else {
                throw CommandFailure(
                    .usage,
                    "\(record.source): \(record.model) classifies whole images, so there is nothing to cut out. "
                        + "Leave out --crop"
                )
            }
            let columns = box.columns(of: image.width)
            let rows = box.rows(of: image.height)
            let piece = image.cropped(columns: columns, rows: rows)
            try write(
                JPEGEncoder.encode(piece),
                name: "\(name)-\(number)",
                in: prediction.folderName,
                of: record
            )
        }
    }
}

extension ResultDocument.Detection {
    /// The class's name as that of a folder.
    ///
    /// One that no folder can have is changed, and the class's number added, so that it is not taken for another.
    var folderName: String {
        var safe = String(name.map { $0 == "/" || $0 == "\0" || $0.isNewline ? "_" : $0 })
        if safe.allSatisfy({ $0 == "." }) { safe = String(repeating: "_", count: max(safe.count, 1)) }
        while safe.utf8.count > 200 { safe.removeLast() }
        return safe == name ? safe : "\(safe)-\(`class`)"
    }
}

extension ResultDocument.Detection.Corners {
    /// The columns of an image that the box touches, of an oriented one those of the upright rectangle around it; one at
    /// least.
    func columns(of width: Int) -> Range<Int> { pixels([x1, x2, x3, x4], of: width) }

    /// The rows of an image that the box touches; one at least.
    func rows(of height: Int) -> Range<Int> { pixels([y1, y2, y3, y4], of: height) }

    private func pixels(_ corners: [Double?], of count: Int) -> Range<Int> {
        let corners = corners.compactMap(\.self).map { min(max($0, 0), Double(count)) }
        let first = min(Int((corners.min() ?? 0).rounded(.down)), count - 1)
        return first..<max(Int((corners.max() ?? 0).rounded(.up)), first + 1)
    }
}
