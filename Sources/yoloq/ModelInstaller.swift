// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqInference
import YoloqJobs
import YoloqVision

/// Puts models where they are found by name: whole, checked, or not at all.
///
/// A model is copied under a name that no look-up sees, looked at there, and then renamed. One process at a time does so in
/// a folder.
struct ModelInstaller {
    /// `$YOLOQ_HOME/weights`.
    let folder: String

    /// Uses yoloq's own folder, and makes it.
    init() throws {
        folder = Installation.current.home + "/weights"
        try Self.makeFolder(folder)
    }

    /// What to do with a model of the same name.
    enum Existing {
        case refuse
        case replace
    }

    /// Refuses a name that is taken.
    ///
    /// - Parameters:
    ///   - name: The model's name.
    ///   - existing: Whether it may be replaced.
    /// - Throws: `CommandFailure` with status 64.
    func check(_ name: String, _ existing: Existing) throws {
        guard existing == .refuse else { return }
        for taken in Self.forms(of: name).map({ "\(folder)/\($0)" }) where FileManager.default.fileExists(atPath: taken)
        {
            throw CommandFailure(.usage, "there is a model \"\(name)\" at \(taken). Give another --name, or --force")
        }
    }

    /// Puts a model into the folder.
    ///
    /// - Parameters:
    ///   - source: The model as it lies elsewhere.
    ///   - name: The name it gets.
    ///   - adding: What to do with a model of that name, and what family it is of.
    ///   - origin: Where it is from, for the ledger.
    ///   - trial: Looks at the copy before it gets its name; its error leaves everything as it was.
    /// - Returns: The model in its place.
    /// - Throws: `CommandFailure`, `InferenceError`, or what `trial` throws.
    func install(
        _ source: ModelFile,
        as name: String,
        _ adding: AddingOptions,
        origin: String,
        trial: (ModelFile) throws -> Void
    ) throws -> ModelFile {
        _ = try source.card.read(as: adding.family)
        try check(name, adding.existing)
        let staging = "\(folder)/.adding-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Self.makeFolder(staging)
        defer { try? FileManager.default.removeItem(atPath: staging) }
        let main = name + source.ending
        try copy(source, to: staging, main: main)
        let staged = ModelDirectory(searchPaths: [staging], hashCache: nil)
        var copied = try staged.resolve("\(staging)/\(main)")
        guard copied.sha256 == source.sha256 else {
            throw CommandFailure(.inputOutput, "\(source.path) was changed while it was copied. Try again")
        }
        if let family = adding.family {
            try write(family, intoCardOf: name, in: staging)
            copied = try staged.resolve("\(staging)/\(main)")
        }
        try trial(copied)
        try withLock {
            try check(name, adding.existing)
            try moveIntoPlace(copied, named: name, from: staging)
            var ledger = try ModelLedger(of: folder)
            ledger.models[name] = ModelLedger.Entry(copied, source: origin)
            try ledger.write(to: folder)
        }
        return try ModelDirectory.standard().resolve("\(folder)/\(main)")
    }

    /// Runs a body while no other process changes the folder.
    func withLock<R>(_ body: () throws -> R) throws -> R {
        let path = folder + "/.lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else {
            let reason = String(cString: strerror(errno))
            if descriptor >= 0 { close(descriptor) }
            throw CommandFailure(.inputOutput, "cannot lock \(path): \(reason)")
        }
        defer { close(descriptor) }
        return try body()
    }

    // MARK: Files

    /// The names that a model may have in its folder, its main file or folder only.
    private static func forms(of name: String) -> [String] { [name + ".onnx", name + "_openvino_model"] }

    private func copy(_ source: ModelFile, to staging: String, main: String) throws {
        let inside = source.format == .openvino ? "\(staging)/\(main)" : staging
        try Self.makeFolder(inside)
        for part in source.parts {
            let target =
                switch part.role {
                case .onnx: "\(staging)/\(main)"
                case .xml, .bin, .metadata: "\(inside)/\(URL(filePath: part.path).lastPathComponent)"
                case .card: "\(staging)/\(main.dropLast(source.ending.count)).card.json"
                }
            try Self.naming("copy \(part.path) to", target) {
                // Through links: the model itself goes where it will be found.
                let real = URL(filePath: part.path).resolvingSymlinksInPath()
                try FileManager.default.copyItem(at: real, to: URL(filePath: target))
            }
        }
    }

    /// Says in a model's card, which is made if there is none, what family it is of.
    private func write(_ family: String, intoCardOf name: String, in staging: String) throws {
        let path = "\(staging)/\(name).card.json"
        var members: [String: JSONContent] = [:]
        if let text = FileManager.default.contents(atPath: path),
            case .object(let said) = try JSONDecoder().decode(JSONContent.self, from: text)
        {
            members = said
        }
        members["family"] = .string(family)
        try Self.naming("write", path) {
            try Data((JSONContent.object(members).json.description + "\n").utf8).write(to: URL(filePath: path))
        }
    }

    /// Gives the copy its name: the card first, so that no look-up sees the model without it.
    private func moveIntoPlace(_ copied: ModelFile, named name: String, from staging: String) throws {
        let card = "\(name).card.json", main = name + copied.ending
        if copied.parts.contains(where: { $0.role == .card }) {
            try move("\(staging)/\(card)", to: "\(folder)/\(card)")
        } else {
            unlink("\(folder)/\(card)")
        }
        let target = "\(folder)/\(main)"
        if copied.format == .openvino, FileManager.default.fileExists(atPath: target) {
            // A folder cannot be renamed over another: the old one steps aside, and goes with the staging folder.
            try move(target, to: "\(staging)/old")
        }
        try move("\(staging)/\(main)", to: target)
        // The other form of the name would make it ambiguous.
        for other in Self.forms(of: name) where other != main {
            let path = "\(folder)/\(other)"
            if FileManager.default.fileExists(atPath: path) { try move(path, to: "\(staging)/other") }
        }
    }

    private func move(_ path: String, to target: String) throws {
        guard rename(path, target) == 0 else {
            throw CommandFailure(.inputOutput, "cannot move \(path) to \(target): \(String(cString: strerror(errno)))")
        }
    }

    private static func makeFolder(_ path: String) throws {
        try naming("make", path) {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
    }

    private static func naming(_ verb: String, _ path: String, _ body: () throws -> Void) throws {
        do { try body() } catch {
            throw CommandFailure(.inputOutput, "cannot \(verb) \(path): \(error.localizedDescription)")
        }
    }
}

extension ModelFile {
    /// What its form puts behind the name.
    var ending: String { format == .onnx ? ".onnx" : "_openvino_model" }
}
