// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference
import YoloqVideo
import YoloqWorkers

/// The images, and perhaps videos, that a command names, as a sequence of absolute paths and URLs.
///
/// It can be gone through again and again. Names from a list are read anew each time, so that a list of millions takes no
/// memory.
struct Inputs: Sequence {
    /// Endings that are taken from folders and patterns, as Ultralytics takes them.
    ///
    /// Forms that yoloq cannot read are among them: each becomes a failed job with its reason, not a file that is
    /// silently passed over.
    static let suffixes: Set<String> = [
        "avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp",
    ]

    private let arguments: [String]
    private let list: PathList?
    private let isRecursive: Bool
    private let takesVideos: Bool

    /// How many images and videos there are; known after `check`.
    private(set) var count = 0
    /// The first video, if videos are wanted and there is one; known after `check`.
    private(set) var firstVideo: String?

    /// Takes what was typed.
    ///
    /// - Parameters:
    ///   - arguments: A file or URL is itself, a folder stands for the images in it, a pattern for what it matches.
    ///   - list: Further files, URLs and folders, taken literally.
    ///   - isRecursive: Whether a folder also stands for the images below it.
    ///   - takesVideos: Whether folders and patterns also stand for videos.
    init(_ arguments: [String], list: PathList? = nil, isRecursive: Bool = false, takesVideos: Bool = false) {
        self.takesVideos = takesVideos
        self.arguments = arguments
        self.list = list
        self.isRecursive = isRecursive
    }

    /// Counts the images, and refuses names that stand for nothing, or passes over them.
    ///
    /// - Parameters:
    ///   - skipMissing: Whether to pass over them with a note.
    ///   - advice: What the user can do; ends the message.
    /// - Throws: `CommandFailure` with status 66; with 64 for a video at a URL; with 69 if there are videos and no programs
    ///   that read them.
    mutating func check(skipMissing: Bool, advice: String) throws {
        var missingCount = 0
        var examples: [String] = []
        for found in expansions {
            count += found.paths.count
            for path in found.paths where takesVideos && VideoRequests.isVideo(path) {
                guard !URLSource.isURL(path) else {
                    throw CommandFailure(
                        .usage,
                        "\(path) is a video, and videos are not fetched. Download it, and name the file"
                    )
                }
                firstVideo = firstVideo ?? path
            }
            guard found.paths.isEmpty else { continue }
            missingCount += 1
            if examples.count < 5 { examples.append(found.name) }
        }
        if missingCount > 0 {
            let names = examples.joined(separator: ", ") + (missingCount > examples.count ? ", …" : "")
            guard skipMissing else {
                throw CommandFailure(
                    .noInput,
                    "no image at \(names) (\(missingCount) of \(missingCount + count)). \(advice)"
                )
            }
            Console.complain("passed over \(missingCount) that do not exist: \(names)")
        }
        guard count > 0 else { throw CommandFailure(.noInput, "there is nothing to run on") }
        if firstVideo != nil { try VideoInfo.checkPrograms() }
    }

    /// Goes through the paths: in the order of the arguments, then of the list; within a folder or pattern by name.
    func makeIterator() -> AnyIterator<String> {
        AnyIterator(expansions.lazy.flatMap(\.paths).makeIterator())
    }

    /// What each name stands for.
    private var expansions: some Sequence<(name: String, paths: [String])> {
        let typed = arguments.lazy.map { (name: $0, paths: expand($0, isPattern: true)) }
        let listed = (list.map { AnySequence($0) } ?? AnySequence([])).lazy
            .map { (name: $0, paths: expand($0, isPattern: false)) }
        return [AnySequence(typed), AnySequence(listed)].lazy.joined()
    }

    private func expand(_ argument: String, isPattern: Bool) -> [String] {
        // Whether something is there is for the worker to find out.
        if URLSource.isURL(argument) { return [argument] }
        let path = Installation.absolutePath(argument)
        var status = stat()
        if stat(path, &status) == 0 {
            return status.st_mode & S_IFMT == S_IFDIR ? images(in: path) : [path]
        }
        guard isPattern, argument.contains(where: { "*?[".contains($0) }) else { return [] }
        return Inputs.matches(of: argument).filter(isTaken).map(Installation.absolutePath)
    }

    private func images(in folder: String) -> [String] {
        let manager = FileManager.default
        var names: [String] = []
        if isRecursive {
            let enumerator = manager.enumerator(atPath: folder)
            while let name = enumerator?.nextObject() as? String {
                if !name.split(separator: "/").contains(where: { $0.hasPrefix(".") }) { names.append(name) }
            }
        } else {
            names = ((try? manager.contentsOfDirectory(atPath: folder)) ?? []).filter { !$0.hasPrefix(".") }
        }
        return names.filter(isTaken).sorted().map { folder + "/" + $0 }
    }

    private static func matches(of pattern: String) -> [String] {
        var result = glob_t()
        defer { globfree(&result) }
        guard glob(pattern, 0, nil, &result) == 0 else { return [] }
        return (0..<Int(result.gl_pathc)).compactMap { result.gl_pathv[$0].map { String(cString: $0) } }
    }

    /// Whether a folder or pattern with a file of this name stands for it.
    private func isTaken(_ path: String) -> Bool {
        Inputs.hasImageSuffix(path) || takesVideos && VideoRequests.isVideo(path)
    }

    /// Whether a name ends as those of images do.
    static func hasImageSuffix(_ path: String) -> Bool {
        guard let dot = path.lastIndex(of: ".") else { return false }
        return suffixes.contains(path[dot...].dropFirst().lowercased())
    }
}

/// Names in a file, one a line or ended by NUL bytes; read as they are gone through.
final class PathList: Sequence {
    private let file: FileHandle
    private let separator: UInt8

    /// Opens a list.
    ///
    /// - Parameters:
    ///   - path: A file, or `-` for standard input, which is copied first since it can be read only once.
    ///   - isNullSeparated: Whether NUL bytes end the names, as `find -print0` writes them.
    /// - Throws: `CommandFailure` with status 66 if it cannot be read.
    init(path: String, isNullSeparated: Bool) throws {
        separator = isNullSeparated ? 0 : UInt8(ascii: "\n")
        if path == "-" {
            file = try PathList.copyOfStandardInput()
        } else if let opened = FileHandle(forReadingAtPath: path) {
            file = opened
        } else {
            throw CommandFailure(.noInput, "cannot read the list \(path): \(String(cString: strerror(errno)))")
        }
    }

    private static func copyOfStandardInput() throws -> FileHandle {
        let path = NSTemporaryDirectory() + "yoloq-list-\(UUID().uuidString)"
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let copy = FileHandle(forUpdatingAtPath: path)
        else { throw CommandFailure(.inputOutput, "cannot write \(path), where the list is kept for a while") }
        // The file goes away with the handle.
        unlink(path)
        while let part = try FileHandle.standardInput.read(upToCount: 1 << 16), !part.isEmpty {
            try copy.write(contentsOf: part)
        }
        return copy
    }

    /// Goes through the names from the first on.
    func makeIterator() -> AnyIterator<String> {
        var buffer: [UInt8] = []
        var start = 0
        var offset: UInt64 = 0
        var isAtEnd = false
        return AnyIterator { [file, separator] in
            while true {
                if let end = buffer[start...].firstIndex(of: separator) {
                    let name = String(decoding: buffer[start..<end], as: UTF8.self)
                    start = end + 1
                    if !name.isEmpty { return name }
                    continue
                }
                if isAtEnd {
                    let name = String(decoding: buffer[start...], as: UTF8.self)
                    start = buffer.count
                    return name.isEmpty ? nil : name
                }
                buffer.removeFirst(start)
                start = 0
                try? file.seek(toOffset: offset)
                let part = (try? file.read(upToCount: 1 << 16)) ?? Data()
                offset += UInt64(part.count)
                isAtEnd = part.isEmpty
                buffer += part
            }
        }
    }
}
