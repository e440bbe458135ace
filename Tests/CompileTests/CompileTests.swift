// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The unsafe forms of the guide on thread-safe inference must not compile; one safe form must.
///
/// The programs are compiled against the built modules down to SIL, since type checking alone sees neither what crosses
/// threads nor what is consumed twice.
struct CompileTests {
    private struct Compilation {
        let status: Int32
        let diagnostics: String
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The folder with the modules that this test was built with.
    private static var modules: URL {
        #if canImport(Darwin)
            let bundle =
                Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL ?? Bundle.main.bundleURL
            return bundle.deletingLastPathComponent().appending(path: "Modules")
        #else
            let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
            return URL(filePath: tests).deletingLastPathComponent().appending(path: "Modules")
        #endif
    }

    private func compile(_ body: String) throws -> Compilation {
        let source = FileManager.default.temporaryDirectory.appending(path: "yoloq-\(UUID().uuidString).swift")
        defer { try? FileManager.default.removeItem(at: source) }
        let program = """
            import Foundation
            import YoloqImages
            import YoloqInference
            import YoloqVision

            func use(
                _ makeEngine: @escaping @Sendable () throws(InferenceError) -> OpenVINOEngine, _ card: ModelCard,
                _ image: consuming RGBImage
            ) throws {
                let image = Photo(image)
                \(body)
            }

            final class Photo: Sendable {
                let pixels: RGBImage
                init(_ pixels: consuming RGBImage) { self.pixels = pixels }
            }
            """
        try program.write(to: source, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        var arguments = ["swiftc", "-swift-version", "6", "-emit-sil", "-o", "/dev/null", "-I", Self.modules.path]
        for module in ["CLibJPEG", "CLibTIFF", "CLibYAML", "CSPNG", "CWebP"] {
            arguments += ["-I", Self.root.appending(path: "Sources/\(module)").path]
        }
        for module in ["CYoloqJPEG", "CYoloqTIFF", "CYoloqHEIF", "CYoloqPixels", "CYoloqOpenVINO"] {
            let map = Self.modules.deletingLastPathComponent().appending(path: "\(module).build/module.modulemap")
            arguments += ["-Xcc", "-fmodule-map-file=\(map.path)"]
            arguments += ["-I", Self.root.appending(path: "Sources/\(module)/include").path]
        }
        // Modules name what they import, also for themselves alone: Yams its libyaml.
        let checkouts = Self.modules.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "checkouts")
        arguments += ["-I", checkouts.appending(path: "Yams/Sources/CYaml/include").path]
        process.arguments = arguments + [source.path]
        let pipe = Pipe()
        process.standardError = pipe
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let diagnostics = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Compilation(
            status: process.terminationStatus,
            diagnostics: String(decoding: diagnostics, as: UTF8.self)
        )
    }

    @Test func `a predictor made inside its thread compiles`() throws {
        let result = try compile(
            """
            for _ in 0..<2 {
                Thread {
                    guard let engine = try? makeEngine() else { return }
                    var predictor = Predictor(engine: engine, card: card)
                    _ = try? predictor.predict(image.pixels, parameters: PredictionParameters())
                }.start()
            }
            """
        )
        #expect(result.status == 0, "\(result.diagnostics)")
    }

    @Test func `one model shared by two threads does not compile`() throws {
        let result = try compile(
            """
            var shared = Predictor(engine: try makeEngine(), card: card)
            Thread { _ = try? shared.predict(image.pixels, parameters: PredictionParameters()) }.start()
            Thread { _ = try? shared.predict(image.pixels, parameters: PredictionParameters()) }.start()
            """
        )
        #expect(result.status != 0)
        for diagnostic in [
            "error: capture of 'shared' with non-Sendable type 'Predictor<OpenVINOEngine>' in a '@Sendable' closure",
            "error: mutation of captured var 'shared' in concurrently-executing code",
        ] {
            #expect(result.diagnostics.contains(diagnostic), "\(result.diagnostics)")
        }
    }

    @Test func `a predictor cannot be copied so that each thread gets one`() throws {
        let result = try compile(
            """
            let original = Predictor(engine: try makeEngine(), card: card)
            let first = original
            let second = original
            _ = (first.engineName, second.engineName)
            """
        )
        #expect(result.status != 0)
        #expect(result.diagnostics.contains("error: 'original' consumed more than once"), "\(result.diagnostics)")
    }

    @Test func `two models made outside their threads do not compile`() throws {
        let result = try compile(
            """
            let first = Predictor(engine: try makeEngine(), card: card)
            let second = Predictor(engine: try makeEngine(), card: card)
            Thread {
                var predictor = first
                _ = try? predictor.predict(image.pixels, parameters: PredictionParameters())
            }.start()
            Thread {
                var predictor = second
                _ = try? predictor.predict(image.pixels, parameters: PredictionParameters())
            }.start()
            """
        )
        #expect(result.status != 0)
        for name in ["first", "second"] {
            let diagnostic =
                "error: capture of '\(name)' with non-Sendable type 'Predictor<OpenVINOEngine>' in a '@Sendable' closure"
            #expect(result.diagnostics.contains(diagnostic), "\(result.diagnostics)")
        }
    }
}
