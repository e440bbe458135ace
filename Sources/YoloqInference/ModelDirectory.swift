// SPDX-License-Identifier: Apache-2.0
internal import YoloqVision

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Finds models by name or path.
public struct ModelDirectory: Sendable {
    /// The model that comes with yoloq to try it out: never chosen where there is another.
    public static let demoName = "shapes"

    /// The folders looked at for names, in order; the first that has a name wins.
    public let searchPaths: [String]
    private let hashes: HashCache

    /// Looks into given folders.
    ///
    /// - Parameters:
    ///   - searchPaths: Folders that hold models, in order; those that do not exist are passed over.
    ///   - hashCache: A JSON file that remembers the hashes of files; nil to read each file whole each time.
    public init(searchPaths: [String], hashCache: String?) {
        self.searchPaths = searchPaths.map(Installation.absolutePath)
        self.hashes = HashCache(path: hashCache)
    }

    /// The usual folders: the one given, else all of yoloq's home and the checkout after it.
    ///
    /// - Parameters:
    ///   - weights: The folder of `--weights`; looked at first.
    ///   - installation: Where yoloq finds things.
    /// - Returns: A directory that remembers hashes in yoloq's cache folder.
    public static func standard(weights: String? = nil, installation: Installation = .current) -> ModelDirectory {
        let folders = [weights, installation.home + "/weights", installation.checkout.map { $0 + "/weights" }]
        return ModelDirectory(
            searchPaths: folders.compactMap { $0 },
            hashCache: installation.cache + "/model-hashes.json"
        )
    }

    /// Finds a model and reads its card.
    ///
    /// A `NAME.card.json` beside the model counts as a part of it.
    ///
    /// - Parameter nameOrPath: A name to look up in the folders, with or without its ending; or a path, which contains
    ///   a "/" or ends in ".onnx", relative ones from the working directory. An OpenVINO model is named by its folder,
    ///   or by the .xml file in it.
    /// - Returns: The model; its path is absolute.
    /// - Throws: `InferenceError` with code `.modelMissing` (with close names), `.unsupportedModel` for a form that
    ///   yoloq does not run (.pt files) or two forms of one name, or `.modelInvalid`.
    public func resolve(_ nameOrPath: String) throws(InferenceError) -> ModelFile {
        let path = try path(of: nameOrPath)
        let model = try LoadedModel(path: path, withWeights: false)
        let card: ModelCard
        do throws(VisionError) {
            card = try model.card()
        } catch {
            throw InferenceError(
                code: InferenceError(error).code,
                message: "cannot load model \"\(nameOrPath)\": \(path): \(error.message)"
            )
        }
        let parts = try model.describeParts(hashes)
        return ModelFile(
            name: ModelPlaces.name(ofModelAt: path),
            path: path,
            sha256: ModelPlaces.hash(of: parts.map { ($0.role, $0.sha256) }),
            card: card,
            format: model.format,
            parts: parts
        )
    }

    /// Every model that a name finds, in the order of the folders and by name within each.
    public func list() -> [ModelListing] {
        var seen: Set<String> = []
        var listings: [ModelListing] = []
        for folder in searchPaths {
            let found = Self.models(in: folder).filter { !seen.contains($0.name) }
            seen.formUnion(found.map(\.name))
            listings += found
        }
        return listings
    }

    /// The model to use where none is named.
    ///
    /// - Parameter environment: Variables as of the process.
    /// - Returns: The one of `$YOLOQ_MODEL`; else the only one that is not the demo.
    /// - Throws: `InferenceError` with code `.modelMissing` if there is none or a choice, with the names; or what
    ///   `resolve` throws.
    public func defaultModel(environment: [String: String]) throws(InferenceError) -> ModelFile {
        if let name = environment["YOLOQ_MODEL"], !name.isEmpty { return try resolve(name) }
        let models = list()
        let choices = models.filter { $0.name != Self.demoName }
        if choices.count == 1 { return try resolve(choices[0].path) }
        guard !models.isEmpty else {
            throw InferenceError(
                code: .modelMissing,
                message:
                    "no model named, and there is none in \(searchPaths.joined(separator: ", ")). Put NAME.onnx or "
                    + "NAME_openvino_model/ there, or give a path with --model."
            )
        }
        let names = models.map(\.name).joined(separator: ", ")
        throw InferenceError(
            code: .modelMissing,
            message: choices.isEmpty
                ? "no model named, and the only one there is, \(names), is a demo for drawn shapes. Name yours with --model "
                    + "or YOLOQ_MODEL, or the demo with --model \(names)."
                : "no model named, and there are several: \(names). Choose one with --model or YOLOQ_MODEL."
        )
    }

    // MARK: Names and paths

    private static let onnxEnding = ModelPlaces.onnxEnding
    private static let openvinoEnding = ModelPlaces.openvinoEnding

    private func path(of nameOrPath: String) throws(InferenceError) -> String {
        guard !nameOrPath.isEmpty else {
            throw InferenceError(code: .modelMissing, message: "no model of an empty name. Name one with --model.")
        }
        if nameOrPath.hasSuffix(".pt") { throw Self.needsExport(nameOrPath) }
        if nameOrPath.contains("/") { return try checked(Installation.absolutePath(nameOrPath), as: nameOrPath) }
        // A bare "best.onnx" is a file here or, like any other name, one of the folders'.
        let here = Installation.absolutePath(nameOrPath)
        if nameOrPath.hasSuffix(Self.onnxEnding), exists(here) { return here }
        for folder in searchPaths {
            if let path = try path(ofName: nameOrPath, in: folder) { return path }
        }
        throw missing(nameOrPath)
    }

    private func path(ofName name: String, in folder: String) throws(InferenceError) -> String? {
        let whole = "\(folder)/\(name)"
        if name.hasSuffix(Self.onnxEnding) || name.hasSuffix(Self.openvinoEnding) {
            return exists(whole) ? try checked(whole, as: name) : nil
        }
        let onnx = whole + Self.onnxEnding, openvino = whole + Self.openvinoEnding
        switch (exists(onnx), isFolder(openvino)) {
        case (true, true):
            throw InferenceError(
                code: .unsupportedModel,
                message: "model \"\(name)\" lies in \(folder) in two forms. Ask for \(name)\(Self.onnxEnding) or "
                    + "\(name)\(Self.openvinoEnding)."
            )
        case (true, false): return onnx
        case (false, true): return try checked(openvino, as: name)
        case (false, false): return nil
        }
    }

    /// Passes a path on if it leads to a model that can be run.
    private func checked(_ path: String, as asked: String) throws(InferenceError) -> String {
        // OpenVINO's own name of a model is its .xml file; here it is the folder with all that belongs to it.
        if path.hasSuffix(".xml"), exists(path) { return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]) }
        if isFolder(path) {
            guard path.hasSuffix(Self.openvinoEnding) || Self.holdsNetwork(path) else {
                throw InferenceError(
                    code: .unsupportedModel,
                    message: "cannot load model \"\(asked)\": \(path) is a folder without a model. Name a model file."
                )
            }
            return path
        }
        guard exists(path) else {
            throw InferenceError(
                code: .modelMissing,
                message: "cannot load model \"\(asked)\": there is no file \(path)."
            )
        }
        return path
    }

    private func missing(_ name: String) -> InferenceError {
        for folder in searchPaths where exists("\(folder)/\(name).pt") {
            return Self.needsExport("\(folder)/\(name).pt")
        }
        let names = list().map(\.name)
        let close = closestName(to: name, among: names).map { " Did you mean \($0)?" } ?? ""
        let known = names.isEmpty ? "there are no models" : "the models are \(names.joined(separator: ", "))"
        return InferenceError(
            code: .modelMissing,
            message: "no model \"\(name)\" in \(searchPaths.joined(separator: ", ")): \(known).\(close)"
        )
    }

    private static func needsExport(_ path: String) -> InferenceError {
        InferenceError(
            code: .unsupportedModel,
            message: "cannot load \(path): a PyTorch file needs Python to run. Export it: yolo export model=\(path) "
                + "format=onnx dynamic=True"
        )
    }

    private static func holdsNetwork(_ folder: String) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.contains { $0.hasSuffix(".xml") }
    }

    private static func models(in folder: String) -> [ModelListing] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().filter { !$0.hasPrefix(".") }.compactMap { name in
            let path = "\(folder)/\(name)"
            if name.hasSuffix(onnxEnding), !isFolder(path) {
                return ModelListing(name: String(name.dropLast(onnxEnding.count)), path: path, format: .onnx)
            }
            guard name.hasSuffix(openvinoEnding), isFolder(path) else { return nil }
            return ModelListing(name: String(name.dropLast(openvinoEnding.count)), path: path, format: .openvino)
        }
    }
}

/// The name that a mistyped one probably means.
///
/// - Parameters:
///   - name: As typed.
///   - names: Those that exist.
/// - Returns: The nearest by edits, if at most a third of the name would change.
func closestName(to name: String, among names: [String]) -> String? {
    let nearest = names.map { (name: $0, distance: editDistance(Array(name.lowercased()), Array($0.lowercased()))) }
        .min { $0.distance < $1.distance }
    guard let nearest, nearest.distance * 3 <= max(name.count, 3) else { return nil }
    return nearest.name
}
