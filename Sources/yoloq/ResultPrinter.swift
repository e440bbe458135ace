// SPDX-License-Identifier: Apache-2.0

import YoloqImages
import YoloqJobs
import YoloqVision

/// Prints results one by one as they come.
struct ResultPrinter {
    /// What is shown of each result.
    var filter = PredictionFilter()
    /// Draws on the images and cuts them up, if asked to.
    var plot: Plot?
    /// Whether results alone are printed: what did not succeed is left out in every format.
    var leavesOutUnsuccessful = false
    private let format: ResultFormat
    private let output: ResultOutput
    /// How many results, or entries of them, were printed.
    private var count = 0
    private var undrawnCount = 0
    /// The last one about a picture.
    private var complaint: String?
    private var imageIDs = CocoImageIDs()
    /// How many jobs were left out, by state.
    private var leftOut: [String: Int] = [:]

    init(format: ResultFormat, output: ResultOutput = .console) {
        self.format = format
        self.output = output
    }

    /// Prints one result, and draws it if asked to; a picture that cannot be drawn is complained of and passed over.
    ///
    /// - Parameter whole: The result.
    /// - Throws: `CommandFailure` if the output cannot be written, or the format has no place for the result.
    mutating func print(_ whole: ResultRecord) throws(CommandFailure) {
        try print(whole) { plot, record throws(CommandFailure) in try plot?.draw(record) }
    }

    /// Prints the result of a picture that is at hand.
    ///
    /// - Parameters:
    ///   - whole: The result.
    ///   - picture: What it is of.
    /// - Throws: As for any result.
    mutating func print(_ whole: ResultRecord, picture: borrowing RGBImage) throws(CommandFailure) {
        try print(whole) { plot, record throws(CommandFailure) in try plot?.draw(record, on: picture) }
    }

    private mutating func print(
        _ whole: ResultRecord,
        draw: (inout Plot?, ResultRecord) throws(CommandFailure) -> Void
    ) throws(CommandFailure) {
        guard whole.document != nil || (format.showsUnsuccessful && !leavesOutUnsuccessful) else {
            leftOut[whole.state, default: 0] += 1
            return
        }
        let record = filter(whole)
        try write(record)
        do throws(CommandFailure) {
            try draw(&plot, record)
        } catch {
            undrawnCount += 1
            // Once for all the frames of a video.
            if error.message != complaint { Console.complain(error.message) }
            complaint = error.message
        }
        try output.flush()
    }

    private mutating func write(_ record: ResultRecord) throws(CommandFailure) {
        switch format {
        case .text: for line in record.lines { try output.print(line) }
        case .json: try writeElements([record.json.description])
        case .jsonl: try output.print(record.json.description)
        case .ultralytics: try output.print(record.ultralytics.description)
        case .coco:
            let entries = try record.coco()
            imageIDs.add(record, count: entries.count)
            try writeElements(entries.map(\.description))
        case .yoloText: try output.writeLabels(of: record)
        case .roboflow: try output.print(record.roboflow.description)
        case .csv:
            if count == 0 { try output.print(ResultRecord.csvHeader) }
            for line in record.csv { try output.print(line) }
        }
        if format != .json, format != .coco { count += 1 }
    }

    /// Goes on with an array.
    private mutating func writeElements(_ elements: [String]) throws(CommandFailure) {
        for element in elements {
            try output.print((count == 0 ? "[" : ",") + element)
            count += 1
        }
    }

    /// Prints what closes the output.
    ///
    /// - Throws: `CommandFailure` with status 66 if a picture could not be drawn, with 74 if the output cannot be written.
    mutating func finish() throws(CommandFailure) {
        switch format {
        case .json, .coco: try output.print(count == 0 ? "[]" : "]")
        case .csv: if count == 0 { try output.print(ResultRecord.csvHeader) }
        case .text, .jsonl, .ultralytics, .yoloText, .roboflow: break
        }
        try output.finish()
        if let note = imageIDs.note { Console.note(note) }
        if !leftOut.isEmpty {
            let parts = JobState.allCases.compactMap { state in leftOut[state.name].map { "\($0) \(state.name)" } }
            Console.note("left out, having no result: \(parts.joined(separator: ", "))")
        }
        plot?.notes.forEach(Console.note)
        guard undrawnCount == 0 else {
            throw CommandFailure(.noInput, "\(counted(undrawnCount, "result")) could not be drawn")
        }
    }
}
