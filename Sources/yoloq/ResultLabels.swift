// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference
import YoloqVision

/// Writes results as YOLO's label files, a text file for each image in which something was found.
struct ResultLabels {
    /// Where the files go; made if it does not exist.
    let folder: String
    /// Whether each line ends with the confidence.
    let withConfidence: Bool
    private var names = UniqueNames()

    init(folder: String, withConfidence: Bool) {
        self.folder = folder
        self.withConfidence = withConfidence
    }

    /// How many files were written.
    var count: Int { names.count }

    /// Writes the file of one result; none if nothing was found.
    ///
    /// - Parameter record: A result.
    /// - Throws: `CommandFailure` if a file of that name is there already, or it cannot be written.
    mutating func write(_ record: ResultRecord) throws(CommandFailure) {
        let lines = record.labels(withConfidence: withConfidence)
        guard !lines.isEmpty else { return }
        let stem = record.frame.map { "\(record.fileStem)_\($0.index)" } ?? record.fileStem
        let name = names.unused(stem, ending: ".txt")
        if name != stem + ".txt" {
            Console.complain("several images are called \(stem): the labels of \(record.source) are in \(name)")
        }
        let path = "\(folder)/\(name)"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw CommandFailure(.inputOutput, "cannot make the folder \(folder): \(error.localizedDescription)")
        }
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure(.usage, "\(path) is there already, and labels replace none. Give an empty folder")
        }
        let output = try ResultOutput(path: path)
        for line in lines { try output.print(line) }
        try output.finish()
    }
}

extension ResultRecord {
    /// The lines of a label file, as Ultralytics' `save_txt` writes them: the class and places from 0 to 1 of the image's
    /// width and height.
    ///
    /// A box by its centre and sides, an oriented box by its corners, a mask by its outline (left out if that has fewer than
    /// three points), a person by box and keypoints; classes of the whole image by confidence and name.
    ///
    /// - Parameter withConfidence: Whether each line ends with the confidence.
    /// - Returns: None for a job that did not succeed.
    func labels(withConfidence: Bool) -> [String] {
        guard let document else { return [] }
        let size = (x: Double(document.image.width), y: Double(document.image.height))
        return document.predictions.compactMap { prediction in
            guard document.task != .classify else {
                return String(format: "%.2f ", prediction.confidence) + prediction.name
            }
            guard var numbers = prediction.labelNumbers(size) else { return nil }
            if withConfidence { numbers.append(prediction.confidence) }
            // Python's %g is C's.
            return (["\(prediction.class)"] + numbers.map { String(format: "%g", $0) }).joined(separator: " ")
        }
    }
}

extension ResultDocument.Detection {
    fileprivate func labelNumbers(_ size: (x: Double, y: Double)) -> [Double]? {
        if let segments {
            guard segments.x.count >= 3 else { return nil }
            return zip(segments.x, segments.y).flatMap { [$0 / size.x, $1 / size.y] }
        }
        if let corners = box?.orientedCorners { return corners.flatMap { [$0.x / size.x, $0.y / size.y] } }
        guard let box else { return nil }
        let numbers = [
            (box.x1 + box.x2) / 2 / size.x, (box.y1 + box.y2) / 2 / size.y, (box.x2 - box.x1) / size.x,
            (box.y2 - box.y1) / size.y,
        ]
        guard let keypoints else { return numbers }
        return numbers
            + keypoints.x.indices.flatMap { index in
                [keypoints.x[index] / size.x, keypoints.y[index] / size.y]
                    + (keypoints.visible.map { [$0[index]] } ?? [])
            }
    }
}

/// Names for files of one folder, none of them twice.
struct UniqueNames {
    private var names: Set<String> = []

    /// How many were given.
    var count: Int { names.count }

    /// A name that was not given before.
    ///
    /// - Parameters:
    ///   - stem: What it begins with.
    ///   - ending: What it ends with, the dot included.
    /// - Returns: Both, with a number between them if need be.
    mutating func unused(_ stem: String, ending: String) -> String {
        var name = stem + ending
        var number = 2
        while !names.insert(name).inserted {
            name = "\(stem)-\(number)\(ending)"
            number += 1
        }
        return name
    }
}
