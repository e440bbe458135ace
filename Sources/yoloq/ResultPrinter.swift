// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqImages
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
}

/// How results are printed and drawn.
struct ResultOptions: ParsableArguments {
    @Option(
        help:
            "text, json (one array), jsonl (one object a line), ultralytics (one list a line) or csv (one prediction a line)."
    )
    var format: ResultFormat?

    @Flag(help: "The same as --format jsonl.")
    var json = false

    @Option(help: ArgumentHelp("Draw the results and write the pictures into this folder.", valueName: "folder"))
    var plot: String?

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
    }

    /// A printer that does what the options say.
    var printer: ResultPrinter {
        var printer = ResultPrinter(format: json ? .jsonl : format ?? .text, plotFolder: plot)
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
    private let format: ResultFormat
    private var plot: Plot?
    private var count = 0
    private var undrawnCount = 0

    init(format: ResultFormat, plotFolder: String? = nil) {
        self.format = format
        plot = plotFolder.map(Plot.init(folder:))
    }

    /// Prints one result, and draws it if asked to; a picture that cannot be drawn is complained of and passed over.
    ///
    /// - Parameter whole: The result.
    /// - Throws: `CommandFailure` if the output cannot be written.
    mutating func print(_ whole: ResultRecord) throws(CommandFailure) {
        let record = filter(whole)
        if count == 0, format == .csv { Console.print(ResultRecord.csvHeader) }
        switch format {
        case .text: record.lines.forEach(Console.print)
        case .json: Console.print((count == 0 ? "[" : ",") + record.json.description)
        case .jsonl: Console.print(record.json.description)
        case .ultralytics: Console.print(record.ultralytics.description)
        case .csv: record.csv.forEach(Console.print)
        }
        count += 1
        do throws(CommandFailure) {
            try plot?.draw(record)
        } catch {
            undrawnCount += 1
            Console.complain(error.message)
        }
        try Console.flush()
    }

    /// Prints what closes the output.
    ///
    /// - Throws: `CommandFailure` with status 66 if a picture could not be drawn.
    func finish() throws(CommandFailure) {
        if format == .json { Console.print(count == 0 ? "[]" : "]") }
        if format == .csv, count == 0 { Console.print(ResultRecord.csvHeader) }
        if let plot { Console.note("\(counted(plot.names.count, "picture")) in \(plot.folder)") }
        guard undrawnCount == 0 else {
            throw CommandFailure(.noInput, "\(counted(undrawnCount, "result")) could not be drawn")
        }
    }
}
