// SPDX-License-Identifier: Apache-2.0

import YoloqInference
import YoloqWorkers

/// What files that are made from a result are called.
extension ResultRecord {
    /// The last part of the source: `bus.jpg`; `stdin` for standard input.
    var fileName: String {
        guard source != "-" else { return "stdin" }
        let path = URLSource.isURL(source) ? source.prefix { $0 != "?" && $0 != "#" } : source[...]
        return path.split(separator: "/").last.map(String.init) ?? "image"
    }

    /// The file's name without suffix, of a frame of a video with its number: `bus`, `clip_12`.
    var stem: String {
        let name = fileName
        // As Python's pathlib: a dot at either end begins no suffix.
        let dot = name.lastIndex(of: ".").flatMap {
            $0 > name.startIndex && name.index(after: $0) < name.endIndex ? $0 : nil
        }
        let stem = String(name[..<(dot ?? name.endIndex)])
        return frame.map { "\(stem)_\($0.index)" } ?? stem
    }

    /// The predictions, each with its number in the whole result, from 1: it does not depend on what is shown.
    var numberedPredictions: [(number: Int, prediction: ResultDocument.Detection)] {
        let predictions = document?.predictions ?? []
        return Array(zip(numbers ?? Array(1..<predictions.count + 1), predictions))
    }
}
