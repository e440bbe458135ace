// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference

/// The forms in which results are printed.
enum ResultFormat: String, ExpressibleByArgument, CaseIterable {
    /// For people.
    case text
    /// One array.
    case json
    /// One object a line.
    case jsonl
    /// What Ultralytics' `Results.to_json()` gives: one list a line, in the order of the jobs.
    case ultralytics
    /// COCO's result file: one array with an object for each detection.
    case coco
    /// What Ultralytics' `Results.save_txt()` gives: a file of labels for each image.
    case yoloText = "yolo-txt"
    /// What Roboflow's inference server answers: one object a line.
    case roboflow
    /// One prediction a line, for spreadsheets (RFC 4180).
    case csv

    /// Whether a job that did not succeed has a place in it.
    var showsUnsuccessful: Bool {
        switch self {
        case .text, .json, .jsonl, .ultralytics: true
        case .coco, .yoloText, .roboflow, .csv: false
        }
    }
}

/// What is printed of results, and in which form.
struct FormatOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The form of what is written.",
            discussion: """
                json: one array. jsonl: one object a line. ultralytics: Results.to_json(), one list a line. coco: a COCO \
                result file. yolo-txt: a file of labels for each image, in the folder --output. roboflow: as its server \
                answers, one object a line. csv: one prediction a line.
                """
        )
    )
    var format: ResultFormat?

    @Flag(help: "The same as --format jsonl.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Write into this file instead of standard output, whole or not at all; for yolo-txt the folder.",
            valueName: "path"
        )
    )
    var output: String?

    @Flag(help: "End each line of yolo-txt with the confidence.")
    var saveConf = false

    @Option(
        name: .customLong("class"),
        help: ArgumentHelp("Show only predictions of these classes, by name or number.", valueName: "person,0")
    )
    var classes: String?

    @Option(help: "Show only predictions that are at least this sure, 0 to 1.")
    var minConfidence: Double?

    func validate() throws {
        guard minConfidence.map((0...1).contains) ?? true else {
            throw ValidationError("--min-confidence is from 0 to 1")
        }
        guard !json || format == nil || format == .jsonl else {
            throw ValidationError("--json and --format \(format?.rawValue ?? "") exclude each other")
        }
        guard format != .yoloText || output != nil else {
            throw ValidationError("--format yolo-txt writes a file for each image: say into which folder with --output")
        }
        guard !saveConf || format == .yoloText else {
            throw ValidationError("--save-conf is about --format yolo-txt")
        }
    }

    /// Whether none was given.
    var isEmpty: Bool { format == nil && !json && output == nil && classes == nil && minConfidence == nil }

    /// A printer that does what the options say.
    ///
    /// - Parameter fallback: The format if none was asked for.
    /// - Returns: The printer; its file or folder is there.
    /// - Throws: `CommandFailure` if the file or folder cannot be written to.
    func printer(fallback: ResultFormat) throws(CommandFailure) -> ResultPrinter {
        let format = json ? .jsonl : format ?? fallback
        var printer = ResultPrinter(
            format: format,
            output: try ResultOutput(format, path: output, withConfidence: saveConf)
        )
        printer.filter = PredictionFilter(classes: classes, minConfidence: minConfidence)
        return printer
    }
}

/// How results are printed and drawn.
struct ResultOptions: ParsableArguments {
    @OptionGroup var form: FormatOptions

    @Option(help: ArgumentHelp("Draw the results and write the pictures into this folder.", valueName: "folder"))
    var plot: String?

    @Option(
        help: ArgumentHelp(
            "Cut what was found out of the images and write the pieces into this folder, in one for each class.",
            valueName: "folder"
        )
    )
    var crop: String?

    /// Whether nothing was asked for.
    var isEmpty: Bool { form.isEmpty && plot == nil && crop == nil }

    /// A printer that does what the options say.
    var printer: ResultPrinter {
        get throws(CommandFailure) {
            var printer = try form.printer(fallback: .text)
            printer.plot = Plot(folder: plot, cropFolder: crop)
            return printer
        }
    }
}

/// Which predictions of a stored result are shown; nothing is run again.
struct PredictionFilter {
    private let classes: Set<String>?
    private let minConfidence: Double

    /// Takes names and numbers of classes, separated by commas; nil for all.
    init(classes: String? = nil, minConfidence: Double? = nil) {
        self.classes = classes.map { text in
            Set(text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
        }
        self.minConfidence = minConfidence ?? 0
    }

    /// The record with the predictions that are shown.
    func callAsFunction(_ record: ResultRecord) -> ResultRecord {
        var record = record
        guard let all = record.document?.predictions else { return record }
        let shown = all.indices.filter { index in
            let prediction = all[index]
            guard prediction.confidence >= minConfidence else { return false }
            return classes.map { $0.contains(prediction.name) || $0.contains("\(prediction.class)") } ?? true
        }
        record.document?.predictions = shown.map { all[$0] }
        record.numbers = shown.map { $0 + 1 }
        return record
    }
}
