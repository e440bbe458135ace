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
    private let plotFolder: String?
    private var count = 0
    private(set) var pictures: [String] = []

    init(format: ResultFormat, plotFolder: String? = nil) {
        self.format = format
        self.plotFolder = plotFolder
    }

    /// Whether the output is for people.
    var isText: Bool { format == .text }

    /// Prints one result, and draws it if asked to.
    mutating func print(_ record: ResultRecord) throws {
        switch format {
        case .text: record.lines.forEach(Console.print)
        case .json: Console.print((count == 0 ? "[" : ",") + record.json.description)
        case .jsonl: Console.print(record.json.description)
        case .ultralytics: Console.print(record.ultralytics.description)
        }
        count += 1
        if let plotFolder, let path = try Plot.write(record, into: plotFolder) { pictures.append(path) }
        Console.flush()
    }

    /// Prints what closes the output.
    func finish() {
        if format == .json { Console.print(count == 0 ? "[]" : "]") }
        if let plotFolder {
            Console.note("\(pictures.count) picture\(pictures.count == 1 ? "" : "s") in \(plotFolder)")
        }
    }
}

/// Draws results onto their images.
enum Plot {
    /// Writes the image of a result with its boxes and labels as JPEG.
    ///
    /// - Parameters:
    ///   - record: A result.
    ///   - folder: Made if it does not exist.
    /// - Returns: The picture's path, named after job and image; nil if the job did not succeed.
    /// - Throws: `CommandFailure` if the image is no longer what it was, or the picture cannot be written.
    static func write(_ record: ResultRecord, into folder: String) throws -> String? {
        guard let document = record.document else { return nil }
        var decoded = try read(record.source)
        guard decoded.image.width == document.image.width, decoded.image.height == document.image.height else {
            throw CommandFailure(.noInput, "\(record.source) is no longer the image it was; it cannot be drawn on")
        }
        let lineWidth = decoded.image.boxLineWidth
        // The surest on top.
        for detection in document.predictions.reversed() {
            let color = RGBColor.palette(forClass: detection.class)
            let box = detection.box
            decoded.image.drawRectangle(
                x1: box.x1,
                y1: box.y1,
                x2: box.x2,
                y2: box.y2,
                lineWidth: lineWidth,
                color: color
            )
            let label = "\(detection.name) \(String(format: "%.2f", detection.confidence))"
            decoded.image.drawLabel(label, x: box.x1, y: box.y1, lineWidth: lineWidth, color: color)
        }
        let stem = URL(filePath: record.source).deletingPathExtension().lastPathComponent
        let name = [record.job, stem].compactMap { $0 }.joined(separator: "-") + ".jpg"
        let path = URL(filePath: folder).appending(path: name)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(JPEGEncoder.encode(decoded.image)).write(to: path)
        } catch {
            throw CommandFailure(.inputOutput, "cannot write \(path.path): \(error)")
        }
        return path.path
    }

    private static func read(_ path: String) throws -> DecodedImage {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else {
            throw CommandFailure(.noInput, "cannot draw on \(path): it cannot be read any more")
        }
        return try ImageDecoder.decode([UInt8](data))
    }
}
