// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference
import YoloqVision

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
    /// One prediction a line, for spreadsheets (RFC 4180).
    case csv
    /// One array of predictions, as COCO's evaluation reads them.
    case coco
    /// A label file for each image, as Ultralytics' `save_txt` writes them.
    case yoloText = "yolo-txt"
    /// What Roboflow's inference server gives, one object a line.
    case roboflow
}

/// How results are printed and drawn.
struct ResultOptions: ParsableArguments {
    @OptionGroup var export: ExportOptions

    @Flag(help: "The same as --format jsonl.")
    var json = false

    @Option(help: ArgumentHelp("Draw the results and write the pictures into this folder.", valueName: "folder"))
    var plot: String?

    @Option(
        help: ArgumentHelp("Cut out what was found, into a folder for each class in this one.", valueName: "folder")
    )
    var crop: String?

    func validate() throws {
        guard !json || export.format == nil || export.format == .jsonl else {
            throw ValidationError("--json and --format \(export.format?.rawValue ?? "") exclude each other")
        }
    }

    /// Makes a printer that does what the options say.
    ///
    /// - Returns: The printer.
    /// - Throws: `CommandFailure` if the output cannot be written.
    func printer() throws(CommandFailure) -> ResultPrinter {
        try export.printer(
            defaultFormat: json ? .jsonl : .text,
            pictures: Pictures(plotFolder: plot, cropFolder: crop)
        )
    }
}

/// In which form results are written, and where to.
struct ExportOptions: ParsableArguments {
    @Option(
        help: """
            text, json (one array), jsonl (one object a line), ultralytics (one list a line), csv (one prediction a line), coco \
            (one array of predictions), yolo-txt (a label file for each image) or roboflow (one object a line).
            """
    )
    var format: ResultFormat?

    @Option(
        help: ArgumentHelp(
            "Write into this file instead of to standard output; the folder for the files of yolo-txt.",
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
        guard format != .yoloText || output != nil else {
            throw ValidationError("--format yolo-txt writes files. Give their folder: --output FOLDER")
        }
        guard !saveConf || format == .yoloText else { throw ValidationError("--save-conf is about --format yolo-txt") }
    }

    /// Makes a printer that does what the options say.
    ///
    /// - Parameters:
    ///   - defaultFormat: If none was named.
    ///   - pictures: What to draw besides.
    /// - Returns: The printer.
    /// - Throws: `CommandFailure` if the output cannot be written.
    func printer(
        defaultFormat: ResultFormat,
        pictures: Pictures = Pictures(plotFolder: nil, cropFolder: nil)
    ) throws(CommandFailure) -> ResultPrinter {
        let format = format ?? defaultFormat
        var printer = ResultPrinter(
            format: format,
            output: try ResultOutput(path: format == .yoloText ? nil : output),
            pictures: pictures
        )
        if format == .yoloText, let output {
            printer.labels = ResultLabels(folder: output, withConfidence: saveConf)
        }
        printer.filter = PredictionFilter(classes: classes, minConfidence: minConfidence)
        return printer
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
        record.document?.predictions.removeAll { prediction in
            guard prediction.confidence >= minConfidence else { return true }
            return classes.map { !$0.contains(prediction.name) && !$0.contains("\(prediction.class)") } ?? false
        }
        return record
    }
}

/// Prints results one by one as they come.
struct ResultPrinter {
    /// What is shown of each result.
    var filter = PredictionFilter()
    /// Where label files go.
    var labels: ResultLabels?
    private let format: ResultFormat
    private let output: ResultOutput
    private var pictures: Pictures
    private var itemCount = 0
    private var undrawnCount = 0

    init(format: ResultFormat, output: ResultOutput, pictures: Pictures) {
        self.format = format
        self.output = output
        self.pictures = pictures
    }

    /// Prints to standard output, and draws nothing.
    static func console(_ format: ResultFormat) throws(CommandFailure) -> ResultPrinter {
        ResultPrinter(
            format: format,
            output: try ResultOutput(path: nil),
            pictures: Pictures(plotFolder: nil, cropFolder: nil)
        )
    }

    /// Prints one result, and draws it if asked to; a picture that cannot be drawn is complained of and passed over.
    ///
    /// - Parameter whole: The result.
    /// - Throws: `CommandFailure` if the output cannot be written, or the result does not have the form.
    mutating func print(_ whole: ResultRecord) throws(CommandFailure) {
        let record = filter(whole)
        switch format {
        case .text: for line in record.lines { try output.print(line) }
        case .json: try printItem(record.json)
        case .jsonl: try output.print(record.json.description)
        case .ultralytics: try output.print(record.ultralytics.description)
        case .csv:
            try printHeader()
            for line in record.csv { try output.print(line) }
        case .coco: for entry in try record.coco() { try printItem(entry) }
        case .yoloText: try labels?.write(record)
        case .roboflow: try output.print(record.roboflow.description)
        }
        do throws(CommandFailure) {
            try pictures.draw(record)
        } catch {
            undrawnCount += 1
            Console.complain(error.message)
        }
        try output.flush()
    }

    /// Prints what closes the output, and puts a file in its place.
    ///
    /// - Throws: `CommandFailure` with status 74 if the output cannot be written, 66 if a picture could not be drawn.
    mutating func finish() throws(CommandFailure) {
        switch format {
        case .json, .coco: try output.print(itemCount == 0 ? "[]" : "]")
        case .csv: try printHeader()
        case .yoloText: if let labels { Console.note("\(counted(labels.count, "file")) in \(labels.folder)") }
        case .text, .jsonl, .ultralytics, .roboflow: break
        }
        try output.finish()
        if let summary = pictures.summary { Console.note(summary) }
        guard undrawnCount == 0 else {
            throw CommandFailure(.noInput, "\(counted(undrawnCount, "result")) could not be drawn")
        }
    }

    /// Prints one item of an array.
    private mutating func printItem(_ item: JSONValue) throws(CommandFailure) {
        try output.print((itemCount == 0 ? "[" : ",") + item.description)
        itemCount += 1
    }

    private mutating func printHeader() throws(CommandFailure) {
        if itemCount == 0 { try output.print(ResultRecord.csvHeader) }
        itemCount += 1
    }
}
