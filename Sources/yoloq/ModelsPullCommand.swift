// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqDownloads
import YoloqInference
import YoloqJobs

/// `yoloq models pull`: downloads a model to where it is found by name.
struct ModelsPullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Download a model to where it is found by name.",
        discussion: """
            A name is looked up in the registry (\(ModelRegistry.builtIn.models.map(\.name).joined(separator: ", "))), which \
            pins the file's SHA-256. The hash of another URL's file is recorded when it is pulled first, and must be the same \
            from then on. A download that was cut goes on where it stopped.
            """
    )

    @Argument(help: ArgumentHelp("A name of the registry, or the https URL of an .onnx file.", valueName: "name|url"))
    var source: String

    @OptionGroup var adding: AddingOptions

    @Option(name: .customLong("sha256"), help: "What the file's SHA-256 must be, 64 hexadecimal digits.")
    var sha256: String?

    @Flag(help: "Allow plain http to other machines too: anybody on the way can change the file.")
    var allowHttp = false

    @Option(help: "Refuse a file of more bytes than this. Default: the registry's size, else 2 GiB.")
    var maxBytes: Int?

    @Option(help: ArgumentHelp("How long the download may take in all (1h).", valueName: "time"))
    var timeout: TimeSpan?

    @OptionGroup var weights: WeightsOptions
    @OptionGroup(title: "Engine") var engine: EngineOptions

    func validate() throws {
        guard sha256.map(\.isSHA256) ?? true else {
            throw ValidationError("--sha256 is 64 hexadecimal digits, not \"\(sha256 ?? "")\"")
        }
        guard maxBytes.map({ $0 > 0 }) ?? true else { throw ValidationError("--max-bytes is a number from 1") }
        guard timeout.map({ $0.duration > .zero }) ?? true else {
            throw ValidationError("--timeout is longer than nothing")
        }
    }

    func run() throws {
        let wanted = try wantedModel()
        let installer = try ModelInstaller()
        let recorded = try ModelLedger(of: installer.folder).models[wanted.name]
        let pin = sha256 ?? wanted.sha256 ?? recorded.flatMap { $0.source == wanted.url ? $0.parts["onnx"] : nil }
        if let present = try presentModel(wanted, installer, pin) {
            Console.note("\(wanted.name) is there already; --force pulls it again")
            Console.print("\(wanted.name)  \(present.card.summary)  \(present.path)")
            return
        }
        try installer.check(wanted.name, adding.existing)
        announce(wanted, isPinned: pin != nil)

        let downloads = installer.folder + "/.downloads"
        let path = "\(downloads)/\(wanted.name).onnx"
        try download(wanted, to: path, pin: pin)
        let card = "\(downloads)/\(wanted.name).card.json"
        if let text = wanted.card {
            try Data(text.utf8).write(to: URL(filePath: card), options: .atomic)
        } else {
            unlink(card)
        }
        let file = try ModelDirectory(searchPaths: [downloads], hashCache: nil).resolve(path)
        let pulled = try installer.install(file, as: wanted.name, adding, origin: wanted.url) { copy in
            try adding.tryOut(copy, engine)
        }
        unlink(path)
        unlink(card)
        Console.print("\(wanted.name)  \(pulled.card.summary)  \(pulled.path)")
    }

    // MARK: What to pull

    private struct Wanted {
        var name: String
        var url: String
        var sha256: String?
        var byteCount: Int?
        /// Licence and origin, for people.
        var about: String?
        /// The text of its card file.
        var card: String?
    }

    private func wantedModel() throws -> Wanted {
        let registries = try ModelRegistry.all(in: weights.directory.searchPaths)
        let isURL = source.contains("://")
        for registry in registries {
            let found = isURL ? registry.models.first { $0.url == source } : registry.entry(source)
            guard let entry = found else { continue }
            return Wanted(
                name: adding.name ?? entry.name,
                url: entry.url,
                sha256: entry.sha256?.lowercased(),
                byteCount: entry.bytes,
                about: [entry.origin, entry.license].compactMap { $0 }.joined(separator: ", licence "),
                card: registry.card(of: entry)
            )
        }
        guard isURL else {
            let names = registries.flatMap { $0.models.map(\.name) }
            throw CommandFailure(
                .noInput,
                "no model \"\(source)\" in the registry; it has \(names.joined(separator: ", ")). Name one, or give an https URL"
            )
        }
        let file = source.prefix { $0 != "?" && $0 != "#" }.split(separator: "/").last.map(String.init) ?? ""
        guard !file.hasSuffix(".pt") else {
            throw CommandFailure(
                .usage,
                "\(file) is a PyTorch file, which needs Python to run. Export it: yolo export model=\(file) format=onnx "
                    + "dynamic=True"
            )
        }
        let stem = file.hasSuffix(".onnx") ? file.dropLast(".onnx".count).removingPercentEncoding : nil
        guard let name = adding.name ?? stem, name.isModelName else {
            throw CommandFailure(.usage, "\(source) does not end in NAME.onnx. Give the model a name: --name NAME")
        }
        return Wanted(name: name, url: source)
    }

    /// The model if it lies there as it should be.
    private func presentModel(_ wanted: Wanted, _ installer: ModelInstaller, _ pin: String?) throws -> ModelFile? {
        let path = "\(installer.folder)/\(wanted.name).onnx"
        guard !adding.force, let pin, FileManager.default.fileExists(atPath: path) else { return nil }
        let file = try ModelDirectory.standard().resolve(path)
        let isSame = file.parts.first { $0.role == .onnx }?.sha256 == pin.lowercased()
        return isSame && (wanted.card == nil || file.parts.contains { $0.role == .card }) ? file : nil
    }

    private func announce(_ wanted: Wanted, isPinned: Bool) {
        let about = wanted.about.map { " (\($0))" } ?? ""
        let size = wanted.byteCount.map { ", \(($0 + 500_000) / 1_000_000) MB" } ?? ""
        Console.note("\(wanted.name)\(about)\(size), from \(wanted.url.prefix { $0 != "?" })")
        if !isPinned { Console.note("Its hash is not known yet; what comes now is recorded") }
    }

    // MARK: Getting it

    private func download(_ wanted: Wanted, to path: String, pin: String?) throws {
        let folder = URL(filePath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw CommandFailure(.inputOutput, "cannot make \(folder.path): \(error.localizedDescription)")
        }
        let policy = DownloadPolicy(
            plainHTTP: allowHttp ? .always : .toLoopback,
            maxByteCount: maxBytes ?? wanted.byteCount ?? 2 << 30,
            totalTimeout: timeout?.duration ?? .seconds(3600)
        )
        let downloader = Downloader(policy: policy, userAgent: "yoloq/\(yoloqVersion)")
        var bar = ProgressBar("\(wanted.name) KiB")
        defer { bar.finish() }
        let got = try downloader.file(from: wanted.url, to: path, sha256: pin) { done, total in
            bar.update(done >> 10, of: total.map { $0 >> 10 })
        }
        bar.finish()
        let way = got.isResumed ? "went on with" : "got"
        Console.note("\(way) \(got.byteCount) bytes, SHA-256 \(got.sha256)\(pin == nil ? "" : " as expected")")
    }
}
