// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqOpenVINO

#if canImport(Darwin)
    private let plain = "libopenvino_c.dylib", numbered = "libopenvino_c.2641.dylib"
    private let older = "libopenvino_c.2400.dylib"
#else
    private let plain = "libopenvino_c.so", numbered = "libopenvino_c.so.2641", older = "libopenvino_c.so.2400"
#endif

/// The runtime that ops/install-openvino puts into the checkout, or the one of `YOLOQ_OPENVINO`.
private let library = Result { () throws(OpenVINOError) in
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    return try OpenVINOLibrary.load(
        OpenVINOSearch(
            environmentPath: ProcessInfo.processInfo.environment["YOLOQ_OPENVINO"],
            folders: [root + "/.deps/openvino"]
        )
    )
}
private let hasOpenVINO = (try? library.get()) != nil
private let needsOpenVINO: Comment = "needs OpenVINO: run ops/install-openvino"

/// Swift on Linux links with one, so it is there.
private let cCompiler = ["clang", "cc", "gcc"].lazy
    .flatMap { name in
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
    }
    .first { FileManager.default.isExecutableFile(atPath: $0) }
    .map { URL(filePath: $0) }

/// Runs a body with a folder that is gone afterwards.
private func withFolder(_ files: [String], _ body: (String) throws -> Void) throws {
    let folder = NSTemporaryDirectory() + "yoloq-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for file in files {
        let url = URL(filePath: folder).appending(path: file)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data("not a library".utf8).write(to: url)
    }
    try body(folder)
}

private func openVINOError(_ body: () throws -> Void) -> OpenVINOError? {
    do {
        try body()
        return nil
    } catch {
        return error as? OpenVINOError
    }
}

@Suite struct `Library search` {
    @Test func `the explicit path is the only place looked at`() throws {
        try withFolder([plain]) { folder in
            let search = OpenVINOSearch(explicitPath: "/nowhere/x", environmentPath: folder, folders: [folder])
            #expect(search.find() == .missing(tried: ["/nowhere/x (from --openvino)"]))
        }
    }

    @Test func `the environment's path comes before the folders and may be a file`() throws {
        try withFolder(["a/" + plain, "b/" + plain]) { folder in
            let search = OpenVINOSearch(environmentPath: "\(folder)/a/\(plain)", folders: ["\(folder)/b"])
            #expect(search.find() == .found(path: "\(folder)/a/\(plain)"))
        }
    }

    @Test(arguments: ["", "libs/", "openvino/libs/", "lib/", "runtime/lib/intel64/"])
    func `a folder may have the layout of the wheel, the archive or a prefix`(_ layout: String) throws {
        try withFolder([layout + numbered]) { folder in
            let search = OpenVINOSearch(folders: ["/nowhere", folder], systemFolders: [])
            #expect(search.find() == .found(path: "\(folder)/\(layout)\(numbered)".replacing("//", with: "/")))
        }
    }

    @Test func `of several numbers the highest is taken, and the plain name before all`() throws {
        try withFolder([older, numbered]) { folder in
            #expect(OpenVINOSearch.library(in: folder) == "\(folder)/\(numbered)")
        }
        try withFolder([older, numbered, plain]) { folder in
            #expect(OpenVINOSearch.library(in: folder) == "\(folder)/\(plain)")
        }
    }

    @Test func `folders come in order, then the system's`() throws {
        try withFolder(["a/x", "b/" + plain, "c/" + plain]) { folder in
            let search = OpenVINOSearch(folders: ["\(folder)/a", "\(folder)/b"], systemFolders: ["\(folder)/c"])
            #expect(search.find() == .found(path: "\(folder)/b/\(plain)"))
            let other = OpenVINOSearch(folders: ["\(folder)/a"], systemFolders: ["\(folder)/c"])
            #expect(other.find() == .found(path: "\(folder)/c/\(plain)"))
        }
    }

    @Test func `where there is none, every place tried is told`() throws {
        let search = OpenVINOSearch(folders: ["/no/a", "/no/b"], systemFolders: ["/no/c"], asksLoader: false)
        #expect(search.find() == .missing(tried: ["/no/a", "/no/b", "/no/c"]))
    }

    @Test func `the library's own name never leads to a front end or plugin`() throws {
        try withFolder(["libopenvino.so.2641", "libopenvino_intel_cpu_plugin.so", "libopenvino_c.so.2641/x"]) {
            #expect(OpenVINOSearch.library(in: $0)?.hasSuffix("openvino.so.2641") != true)
        }
    }
}

@Suite struct `Library loading` {
    @Test func `a file that is no library is refused with the loader's reason and the remedy`() throws {
        try withFolder([plain]) { folder in
            let path = "\(folder)/\(plain)"
            let error = openVINOError { _ = try OpenVINOLibrary(opening: path) }
            #expect(error?.code == .unloadable)
            #expect(error?.message.contains(path) == true)
            #expect(error?.message.contains("ops/install-openvino") == true)
        }
    }

    #if os(Linux)
        @Test func `a library without OpenVINO's functions is refused by the first one's name`() throws {
            let error = openVINOError { _ = try OpenVINOLibrary(opening: "libc.so.6") }
            #expect(error?.code == .unloadable)
            #expect(error?.message.contains("ov_get_openvino_version") == true)
        }
    #endif

    #if os(Linux)
        @Test(.enabled(if: cCompiler != nil, "needs a C compiler"))
        func `a library that is too old is refused with its version and path`() throws {
            let header = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "Sources/CYoloqOpenVINO/openvino.c")
            let names = try String(contentsOf: header, encoding: .utf8).split(separator: "BIND(").dropFirst(2)
                .compactMap { $0.split(separator: ")").first }
            // Every function that is asked for; only the version's does something.
            let stubs = names.filter { $0 != "get_openvino_version" }.map { "int ov_\($0)(void) { return 0; }\n" }
            let version = """
                typedef struct { const char *build, *description; } version_t;
                int ov_get_openvino_version(version_t *v) { v->build = "2023.3.0-1-old"; v->description = ""; return 0; }
                """
            try withFolder([]) { folder in
                let source = folder + "/old.c", path = folder + "/" + plain
                try Data((stubs.joined() + version).utf8).write(to: URL(filePath: source))
                let compiler = Process()
                compiler.executableURL = cCompiler
                compiler.arguments = ["-shared", "-fPIC", "-w", "-o", path, source]
                try compiler.run()
                compiler.waitUntilExit()
                try #require(compiler.terminationStatus == 0)
                let error = openVINOError { _ = try OpenVINOLibrary(opening: path) }
                #expect(error?.code == .tooOld)
                #expect(error?.message.contains("2023.3.0") == true && error?.message.contains(path) == true)
            }
        }
    #endif

    @Test func `build numbers are read and ordered by number, not by text`() {
        #expect(OpenVINOVersion(buildNumber: "2026.4.1-22060-1ab-releases/2026/4")?.description == "2026.4.1")
        #expect(OpenVINOVersion(buildNumber: "2024.0") == OpenVINOVersion(year: 2024, release: 0))
        #expect(OpenVINOVersion(buildNumber: "custom_master_1ab") == nil)
        #expect(OpenVINOVersion(buildNumber: "") == nil)
        #expect(OpenVINOVersion(year: 2024, release: 10) > OpenVINOVersion(year: 2024, release: 9, patch: 7))
        #expect(OpenVINOVersion(year: 2023, release: 3) < OpenVINOLibrary.oldestVersion)
    }

    @Test(.enabled(if: hasOpenVINO, needsOpenVINO))
    func `a process has one library, whatever is searched later, but never another explicit one`() throws {
        let first = try library.get()
        #expect(try OpenVINOLibrary.load(OpenVINOSearch(folders: ["/nowhere"], systemFolders: [])) === first)
        #expect(try OpenVINOLibrary.load(OpenVINOSearch(explicitPath: first.path)) === first)
        let error = openVINOError { _ = try OpenVINOLibrary.load(OpenVINOSearch(explicitPath: "/nowhere")) }
        #expect(error?.code == .unloadable)
        #expect(error?.message.contains(first.path) == true)
    }
}

@Suite(.enabled(if: hasOpenVINO, needsOpenVINO))
struct `Handles` {
    @Test func `tensors are made, written, read and freed`() throws {
        let library = try library.get()
        for round in 0..<200 {
            let tensor = try Tensor(shape: [1, 2, 3], library: library)
            #expect(try tensor.shape() == [1, 2, 3])
            #expect(try tensor.byteCount() == 24)
            let floats = unsafe try tensor.floats()
            unsafe floats.update(repeating: Float(round))
            #expect(unsafe floats[5] == Float(round))
        }
    }

    @Test func `a call that fails names itself, and the next one works`() throws {
        let library = try library.get()
        for _ in 0..<50 {
            let error = openVINOError {
                unsafe try [UInt8]("nonsense".utf8).withUnsafeBytes { _ = unsafe try library.readModel($0) }
            }
            #expect(error?.code == .call)
            #expect(error?.message.hasPrefix("ov_core_read_model_from_memory_buffer: ") == true)
        }
        #expect(try library.property("FULL_DEVICE_NAME", ofDevice: "CPU").isEmpty == false)
        #expect(openVINOError { _ = try library.property("X", ofDevice: "NONE") }?.code == .call)
    }
}
