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
}

/// How results are printed and drawn.
struct ResultOptions: ParsableArguments {
    @Option(help: "text, json (one array), jsonl (one object a line) or ultralytics (one list a line).")
    var format: ResultFormat?

    @Flag(help: "The same as --format jsonl.")
    var json = false

    @Option(help: ArgumentHelp("Draw the results and write the pictures into this folder.", valueName: "folder"))
    var plot: String?

    func validate() throws {
        guard !json || format == nil || format == .jsonl else {
            throw ValidationError("--json and --format \(format?.rawValue ?? "") exclude each other")
        }
    }

    /// A printer that does what the options say.
    var printer: ResultPrinter { ResultPrinter(format: json ? .jsonl : format ?? .text, plotFolder: plot) }
}

/// Prints results one by one as they come.
struct ResultPrinter {
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
    /// - Parameter record: The result.
    /// - Throws: `CommandFailure` if the output cannot be written.
    mutating func print(_ record: ResultRecord) throws(CommandFailure) {
        switch format {
        case .text: record.lines.forEach(Console.print)
        case .json: Console.print((count == 0 ? "[" : ",") + record.json.description)
        case .jsonl: Console.print(record.json.description)
        case .ultralytics: Console.print(record.ultralytics.description)
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
        if let plot { Console.note("\(counted(plot.names.count, "picture")) in \(plot.folder)") }
        guard undrawnCount == 0 else {
            throw CommandFailure(.noInput, "\(counted(undrawnCount, "result")) could not be drawn")
        }
    }
}
