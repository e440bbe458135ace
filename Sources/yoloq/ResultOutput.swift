// SPDX-License-Identifier: Apache-2.0

/// Where results are written.
enum ResultOutput {
    case console
    case file(OutputFile)
    case labels(LabelFolder)

    /// Opens what a format writes to.
    ///
    /// - Parameters:
    ///   - format: Decides whether `path` is a file or a folder.
    ///   - path: As it was typed; nil for standard output.
    ///   - withConfidence: Whether labels tell it.
    /// - Throws: `CommandFailure` if it cannot be written to.
    init(_ format: ResultFormat, path: String?, withConfidence: Bool = false) throws(CommandFailure) {
        guard let path else {
            self = .console
            return
        }
        self =
            format == .yoloText
            ? .labels(try LabelFolder(path: path, withConfidence: withConfidence)) : .file(try OutputFile(path: path))
    }

    /// Writes a line.
    ///
    /// - Throws: `CommandFailure` with status 74.
    func print(_ line: String) throws(CommandFailure) {
        switch self {
        case .console: Console.print(line)
        case .file(let file): try file.print(line)
        case .labels: break
        }
    }

    /// Writes the labels of an image.
    ///
    /// - Throws: `CommandFailure` with status 74.
    func writeLabels(of record: ResultRecord) throws(CommandFailure) {
        guard case .labels(let folder) = self else { preconditionFailure("labels go into a folder") }
        try folder.write(record)
    }

    /// Lets a reader of standard output have what was written.
    ///
    /// - Throws: `CommandFailure` with status 74.
    func flush() throws(CommandFailure) {
        if case .console = self { try Console.flush() }
    }

    /// Ends the output; a file is there from now on.
    ///
    /// - Throws: `CommandFailure` with status 74.
    func finish() throws(CommandFailure) {
        switch self {
        case .console: break
        case .file(let file): try file.finish()
        case .labels(let folder): Console.note("\(counted(folder.count, "label file")) in \(folder.path)")
        }
    }
}
