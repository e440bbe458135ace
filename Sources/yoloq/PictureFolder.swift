// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A folder for pictures, each with a name of its own and there whole or not at all.
struct PictureFolder {
    /// Made when the first picture is written, if it does not exist.
    let path: String
    /// The option that named it, for messages.
    let option: String
    /// How many pictures were written.
    var count: Int { names.count }
    /// Names so far, below `path`; pictures of earlier runs are replaced.
    private var names: Set<String> = []

    init(path: String, option: String) {
        self.path = path
        self.option = option
    }

    /// Writes a picture.
    ///
    /// - Parameters:
    ///   - bytes: A JPEG file.
    ///   - name: Without suffix; a number follows if the name is taken.
    ///   - subfolder: Which folder in this one; nil for this one.
    ///   - record: Whose image it shows. The picture does not go into the folder of that image: it could replace it.
    /// - Throws: `CommandFailure` with status 64 if the image lies there, with 74 if it cannot be written.
    mutating func write(
        _ bytes: [UInt8],
        name: String,
        in subfolder: String? = nil,
        of record: ResultRecord
    ) throws(CommandFailure) {
        let folder = subfolder.map { path + "/" + $0 } ?? path
        try checkIsElsewhere(folder, record)
        let prefix = subfolder.map { $0 + "/" } ?? ""
        let name = unusedName(for: prefix + name)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(bytes).write(to: URL(filePath: path).appending(path: name), options: .atomic)
        } catch {
            throw CommandFailure(.inputOutput, "cannot write \(path)/\(name): \(error.localizedDescription)")
        }
        names.insert(name)
    }

    private func checkIsElsewhere(_ folder: String, _ record: ResultRecord) throws(CommandFailure) {
        // What is kept of a video in the queue is which of its frames to look at.
        guard record.inlineContent == nil || record.frame != nil else { return }
        let source = URL(filePath: record.source).deletingLastPathComponent().path
        guard isSameFolder(source, folder) else { return }
        throw CommandFailure(
            .usage,
            "pictures do not go into the folder of their images (\(record.source)). Give \(option) another folder"
        )
    }

    private func unusedName(for stem: String) -> String {
        var name = stem + ".jpg"
        var number = 2
        while names.contains(name) {
            name = "\(stem)-\(number).jpg"
            number += 1
        }
        return name
    }

    private func isSameFolder(_ left: String, _ right: String) -> Bool {
        var statuses = (stat(), stat())
        guard stat(left, &statuses.0) == 0, stat(right, &statuses.1) == 0 else { return false }
        return statuses.0.st_ino == statuses.1.st_ino && statuses.0.st_dev == statuses.1.st_dev
    }
}
