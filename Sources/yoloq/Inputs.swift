// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqInference

/// The images that a command's arguments name.
struct Inputs {
    /// Absolute paths, in the order of the arguments; within a folder or a pattern sorted by name.
    private(set) var paths: [String] = []
    /// Arguments that name nothing.
    private(set) var missing: [String] = []

    /// Endings that are taken from folders and patterns, as Ultralytics takes them.
    ///
    /// Forms that yoloq cannot read are among them: each becomes a failed job with its reason, not a file that is
    /// silently passed over.
    static let suffixes: Set<String> = [
        "avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp",
    ]

    /// Expands arguments: a file is itself, a folder stands for the images in it (not below it), a pattern for what it
    /// matches.
    ///
    /// - Parameter arguments: As typed.
    init(_ arguments: [String]) {
        for argument in arguments {
            let found = Inputs.expand(argument)
            if found.isEmpty { missing.append(argument) }
            paths += found
        }
    }

    /// Refuses arguments that name nothing, or passes over them.
    ///
    /// - Parameters:
    ///   - skipMissing: Whether to pass over them with a note.
    ///   - advice: What the user can do; ends the message.
    /// - Throws: `CommandFailure` with status 66.
    func check(skipMissing: Bool, advice: String) throws {
        if !missing.isEmpty {
            let list = missing.prefix(5).joined(separator: ", ") + (missing.count > 5 ? ", …" : "")
            guard skipMissing else {
                throw CommandFailure(
                    .noInput,
                    "no image at \(list) (\(missing.count) of \(missing.count + paths.count)). \(advice)"
                )
            }
            Console.complain("passed over \(missing.count) that do not exist: \(list)")
        }
        guard !paths.isEmpty else { throw CommandFailure(.noInput, "there is nothing to run on") }
    }

    private static func expand(_ argument: String) -> [String] {
        let path = Installation.absolutePath(argument)
        var status = stat()
        if stat(path, &status) == 0 {
            return status.st_mode & S_IFMT == S_IFDIR ? images(in: path) : [path]
        }
        guard argument.contains(where: { "*?[".contains($0) }) else { return [] }
        return matches(of: argument).filter(hasImageSuffix).map(Installation.absolutePath)
    }

    private static func images(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { !$0.hasPrefix(".") && hasImageSuffix($0) }.sorted().map { folder + "/" + $0 }
    }

    private static func matches(of pattern: String) -> [String] {
        var result = glob_t()
        defer { globfree(&result) }
        guard glob(pattern, 0, nil, &result) == 0 else { return [] }
        return (0..<Int(result.gl_pathc)).compactMap { result.gl_pathv[$0].map { String(cString: $0) } }
    }

    private static func hasImageSuffix(_ path: String) -> Bool {
        guard let dot = path.lastIndex(of: ".") else { return false }
        return suffixes.contains(path[dot...].dropFirst().lowercased())
    }
}
