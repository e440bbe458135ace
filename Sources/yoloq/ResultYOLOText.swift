// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference
import YoloqVision

extension ResultRecord {
    /// The lines of Ultralytics' `Results.save_txt()`: class, then places as parts of the image's width and height.
    ///
    /// Of a box its centre and sides, of a mask its outline (none of less than 3 points), of a pose the box and the
    /// keypoints, of an oriented box the four corners; for classes of the whole image the probability and the name.
    ///
    /// - Parameter withConfidence: Whether a line ends with how sure the model is.
    /// - Returns: None if nothing was found.
    func yoloLabels(withConfidence: Bool) -> [String] {
        guard let document else { return [] }
        let size = (width: Double(document.image.width), height: Double(document.image.height))
        return document.predictions.compactMap { prediction in
            guard let places = prediction.labelPlaces(in: size) else {
                guard document.task == .classify else { return nil }
                return String(format: "%.2f ", prediction.confidence)
                    + prediction.name.split(whereSeparator: \.isNewline).joined(separator: " ")
            }
            let numbers = [Double(prediction.class)] + places + (withConfidence ? [prediction.confidence] : [])
            return numbers.map { String(format: "%g", $0) }.joined(separator: " ")
        }
    }
}

extension ResultDocument.Detection {
    /// Where it is, in parts of the image's sides; nil if it has no place, or only an outline too short for one.
    fileprivate func labelPlaces(in size: (width: Double, height: Double)) -> [Double]? {
        if let segments {
            guard segments.x.count >= 3 else { return nil }
            return zip(segments.x, segments.y).flatMap { [$0 / size.width, $1 / size.height] }
        }
        guard let box else { return nil }
        if rotated != nil { return box.corners.flatMap { [$0.x / size.width, $0.y / size.height] } }
        let places = box.centerAndSides
        return [
            places[0] / size.width, places[1] / size.height, places[2] / size.width, places[3] / size.height,
        ] + (keypoints?.labelPlaces(in: size) ?? [])
    }
}

extension ResultDocument.Detection.Keypoints {
    /// x and y of each, and how sure the model is that it can be seen, if it says so.
    fileprivate func labelPlaces(in size: (width: Double, height: Double)) -> [Double] {
        zip(x, y).enumerated().flatMap { index, place in
            [place.0 / size.width, place.1 / size.height] + (visible.map { [$0[index]] } ?? [])
        }
    }
}

/// A folder of labels, a file for each image in which something was found.
final class LabelFolder {
    let path: String
    /// How many files were written.
    private(set) var count = 0
    private let withConfidence: Bool

    /// Makes the folder if it does not exist.
    ///
    /// - Parameters:
    ///   - path: A folder without labels: those of another run would be mixed with these, and labels of somebody's hand lost.
    ///   - withConfidence: Whether to write how sure the model is.
    /// - Throws: `CommandFailure` if there are labels, or it cannot be made.
    init(path: String, withConfidence: Bool) throws(CommandFailure) {
        self.path = path
        self.withConfidence = withConfidence
        let present: [String]
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            present = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw CommandFailure(.inputOutput, "cannot write into \(path): \(error.localizedDescription)")
        }
        guard let label = present.first(where: { $0.hasSuffix(".txt") }) else { return }
        throw CommandFailure(
            .usage,
            "\(path) has labels already, \(label) for one. Give --output a new folder, or empty this one"
        )
    }

    /// Writes the labels of an image; no file if nothing was found.
    ///
    /// The file is called as the image is. If another image of that name was before it a number follows, and the user is told.
    ///
    /// - Throws: `CommandFailure` with status 74.
    func write(_ record: ResultRecord) throws(CommandFailure) {
        let lines = record.yoloLabels(withConfidence: withConfidence)
        guard !lines.isEmpty else { return }
        let name = unusedName(for: record.stem)
        do {
            try Data(lines.map { $0 + "\n" }.joined().utf8).write(
                to: URL(filePath: path).appending(path: name),
                options: .atomic
            )
        } catch {
            throw CommandFailure(.inputOutput, "cannot write \(path)/\(name): \(error.localizedDescription)")
        }
        count += 1
        if name != record.stem + ".txt" {
            Console.complain("\(record.stem).txt is another image's: the labels of \(record.source) are in \(name)")
        }
    }

    /// The folder itself is asked: names kept in memory would grow with the jobs.
    private func unusedName(for stem: String) -> String {
        var name = stem + ".txt"
        var number = 2
        while access(path + "/" + name, F_OK) == 0 {
            name = "\(stem)-\(number).txt"
            number += 1
        }
        return name
    }
}
