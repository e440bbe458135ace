// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import LoopbackServer
import Testing

/// `yoloq models`: adding, pulling, verifying and inspecting.
struct ModelsCommandTests {
    private let site: Site
    /// The demo's file, as a server would have it.
    private static let demo = (try? Data(contentsOf: URL(filePath: Checkout.demo))).map(Array.init) ?? []
    private static let demoHash = hash(demo)

    init() throws { site = try Site() }

    private static func hash(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
    }

    private func yoloq(_ arguments: String...) throws -> YoloqProcess.Result {
        try YoloqProcess.run(arguments, at: site)
    }

    private var weights: String { site.folder + "/weights" }

    private func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }.sorted()
    }

    /// Writes a registry into a folder for `--weights`.
    private func registry(_ url: String, sha256: String?) throws -> String {
        let folder = site.folder + "/registry"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let names = (0..<8).map { "\"shape \($0)\"" }.joined(separator: ", ")
        let text = """
            {"schema": 1, "cards": {"c": {"family": "yolov8", "names": [\(names)]}},
             "models": [{"name": "drawn", "url": "\(url)", \(sha256.map { "\"sha256\": \"\($0)\", " } ?? "")
             "bytes": \(Self.demo.count), "license": "Apache-2.0", "card": "c"}]}
            """
        try Data(text.utf8).write(to: URL(filePath: folder + "/registry.json"))
        return folder
    }

    @Test func `a pulled model is checked, carded, recorded and found by name`() throws {
        let server = try LoopbackServer { request, _ in .file(Self.demo, tag: "\"a\"", for: request) }
        let registry = try registry(server.url("/shapes.onnx"), sha256: Self.demoHash)
        let pulled = try yoloq("models", "pull", "drawn", "--weights", registry)
        #expect(pulled.status == ExitCode.ok, "\(pulled.errors)")
        #expect(pulled.lines.first?.hasPrefix("drawn  detect, 8 classes") == true)
        #expect(pulled.errors.contains("licence Apache-2.0") || pulled.errors.contains("Apache-2.0"))
        #expect(try names(in: weights) == ["drawn.card.json", "drawn.onnx", "models.json"])

        let model = try #require(try yoloq("models", "inspect", "drawn", "--json").objects.first)
        #expect((model["names"] as? [String])?.first == "shape 0")
        #expect(model["family"] as? String == "yolov8")
        let files = try #require(model["files"] as? [[String: Any]])
        #expect(files.map { $0["role"] as? String } == ["onnx", "card"])
        #expect(files.first?["sha256"] as? String == Self.demoHash)

        let again = try yoloq("models", "pull", "drawn", "--weights", registry)
        #expect(again.status == ExitCode.ok)
        #expect(again.errors.contains("there already"))
        #expect(server.requests.count == 1)
    }

    @Test func `a file of another hash than the registry's is thrown away`() throws {
        let server = try LoopbackServer { _, _ in .whole(Self.demo + [0]) }
        let registry = try registry(server.url("/shapes.onnx"), sha256: Self.demoHash)
        let pulled = try yoloq("models", "pull", "drawn", "--weights", registry, "--max-bytes", "100000000")
        #expect(pulled.status == ExitCode.inputOutput)
        #expect(pulled.errors.contains(Self.demoHash))
        #expect(try names(in: weights).isEmpty)
    }

    @Test func `a file larger than the registry says is not taken`() throws {
        let server = try LoopbackServer { _, _ in .whole(Self.demo + [0]) }
        let registry = try registry(server.url("/shapes.onnx"), sha256: nil)
        let pulled = try yoloq("models", "pull", "drawn", "--weights", registry)
        #expect(pulled.status == ExitCode.inputOutput)
        #expect(pulled.errors.contains("larger than"))
    }

    @Test func `the hash of a URL is recorded at its first use and holds from then on`() throws {
        let other = try LoopbackServer { request, number in
            .whole(number == 0 ? Self.demo : Self.demo + [0x72, 0x00])  // an empty field more: as good a model
        }
        let url = other.url("/first.onnx")
        let first = try yoloq("models", "pull", url, "--no-check")
        #expect(first.status == ExitCode.ok, "\(first.errors)")
        #expect(first.errors.contains("hash is not known yet"))
        let changed = try yoloq("models", "pull", url, "--force", "--no-check")
        #expect(changed.status == ExitCode.inputOutput)
        #expect(changed.errors.contains("is not the file that was asked for"))
        #expect(try yoloq("models", "verify", "first", "--no-check").status == ExitCode.ok)
    }

    @Test func `two pulls of one model exclude each other, and the next goes on where a killed one stopped`() throws {
        let half = Self.demo.count / 2
        let server = try LoopbackServer { request, number in
            guard number == 0 else { return .file(Self.demo, tag: "\"a\"", for: request) }
            return .init(
                headers: [("ETag", "\"a\"")],
                body: Array(Self.demo[..<half]),
                saidByteCount: Self.demo.count,
                stalls: true
            )
        }
        let url = server.url("/m.onnx"), part = weights + "/.downloads/m.onnx.part"
        let slow = try YoloqProcess(["models", "pull", url, "--no-check"], at: site)
        slow.wait { _ in
            (try? FileManager.default.attributesOfItem(atPath: part)[.size] as? Int) == half
        }
        let second = try yoloq("models", "pull", url, "--no-check")
        #expect(second.status == ExitCode.tryLater)
        #expect(second.errors.contains("another process"))
        slow.send(SIGKILL)
        _ = slow.finish()
        let third = try yoloq("models", "pull", url, "--no-check")
        #expect(third.status == ExitCode.ok, "\(third.errors)")
        #expect(third.errors.contains("went on with"))
        #expect(server.requests.map(\.rangeStart) == [nil, half])
    }

    @Test func `a pull that takes too long ends with its own status`() throws {
        let server = try LoopbackServer { _, _ in .init(body: [1], saidByteCount: 100, stalls: true) }
        let slow = try yoloq("models", "pull", server.url("/m.onnx"), "--timeout", "200ms")
        #expect(slow.status == ExitCode.timedOut)
    }

    @Test func `what cannot be pulled is refused before anything is asked for`() throws {
        // 192.0.2.0/24 is for documentation: nobody is there.
        let plain = try yoloq("models", "pull", "http://192.0.2.1/m.onnx")
        #expect(plain.status == ExitCode.usage)
        #expect(plain.errors.contains("plain http"))
        let torch = try yoloq("models", "pull", "https://example.com/best.pt")
        #expect(torch.status == ExitCode.usage)
        #expect(torch.errors.contains("yolo export"))
        #expect(try yoloq("models", "pull", "https://example.com/download").errors.contains("--name"))
        let unknown = try yoloq("models", "pull", "yolox_nanno")
        #expect(unknown.status == ExitCode.noInput)
        #expect(unknown.errors.contains("yolox_nano"))
        #expect(try yoloq("models", "pull", "yolox_nano", "--sha256", "12").status == ExitCode.usage)
    }

    @Test func `a model that was changed is found, and says which file it is`() throws {
        #expect(try yoloq("models", "add", Checkout.demo, "--name", "mine", "--no-check").status == ExitCode.ok)
        #expect(try yoloq("models", "verify", "mine", "--no-check").output.contains("as recorded"))
        let path = weights + "/mine.onnx"
        try Data(Self.demo + [0x72, 0x00]).write(to: URL(filePath: path))
        let changed = try yoloq("models", "verify", "mine", "--no-check", "--json")
        #expect(changed.status == ExitCode.noInput)
        let report = try #require(changed.objects.first)
        #expect(report["ok"] as? Bool == false)
        #expect((report["text"] as? String)?.contains("onnx") == true)
        #expect(report["recorded"] as? String == Self.demoHash)
        #expect(
            try yoloq("models", "add", Checkout.demo, "--name", "mine", "--force", "--no-check").status == ExitCode.ok
        )
        #expect(try yoloq("models", "verify", "mine", "--no-check").status == ExitCode.ok)
    }

    @Test func `a model without a record gets one when asked`() throws {
        try FileManager.default.createDirectory(atPath: weights, withIntermediateDirectories: true)
        try Data(Self.demo).write(to: URL(filePath: weights + "/mine.onnx"))
        #expect(try yoloq("models", "verify", "mine", "--no-check").output.contains("no hash on record"))
        #expect(try yoloq("models", "verify", "mine", "--no-check", "--record").output.contains("recorded"))
        #expect(try yoloq("models", "verify", "mine", "--no-check").output.contains("as recorded"))
    }

    @Test(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
    func `adding and verifying run the model once`() throws {
        let added = try yoloq("models", "add", Checkout.demo, "--name", "mine")
        #expect(added.status == ExitCode.ok)
        #expect(added.errors.contains("runs on openvino"))
        let verified = try yoloq("models", "verify", "mine", "--json")
        #expect(verified.objects.first?["precision"] as? String != nil)
    }

    @Test func `a card travels with its model, and goes with the next one that has none`() throws {
        let folder = site.folder + "/mine"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(Self.demo).write(to: URL(filePath: folder + "/best.onnx"))
        try Data(#"{"family": "yolov8"}"#.utf8).write(to: URL(filePath: folder + "/best.card.json"))
        #expect(try yoloq("models", "add", folder + "/best.onnx", "--name", "m", "--no-check").status == ExitCode.ok)
        #expect(try names(in: weights) == ["m.card.json", "m.onnx", "models.json"])
        #expect(try yoloq("models", "verify", "m", "--no-check").status == ExitCode.ok)
        #expect(
            try yoloq("models", "add", Checkout.demo, "--name", "m", "--force", "--no-check").status == ExitCode.ok
        )
        #expect(try names(in: weights) == ["m.onnx", "models.json"])
        #expect(try yoloq("models", "verify", "m", "--no-check").status == ExitCode.ok)
    }

    @Test func `a model that cannot be used leaves the one that was there`() throws {
        #expect(try yoloq("models", "add", Checkout.demo, "--name", "m", "--no-check").status == ExitCode.ok)
        let broken = site.folder + "/broken.onnx"
        try Data("not a model".utf8).write(to: URL(filePath: broken))
        #expect(try yoloq("models", "add", broken, "--name", "m", "--force").status == ExitCode.noInput)
        #expect(try yoloq("models", "verify", "m", "--no-check").status == ExitCode.ok)
        #expect(try FileManager.default.contentsOfDirectory(atPath: weights).filter { $0.hasPrefix(".adding") } == [])
    }

    @Test(.enabled(if: Checkout.hasShared, "needs ../shared"))
    func `an OpenVINO folder is added whole, and takes the place of the other form`() throws {
        let pose = Checkout.shared + "/weights/yolov8n-pose_openvino_model"
        #expect(try yoloq("models", "add", Checkout.demo, "--name", "p", "--no-check").status == ExitCode.ok)
        #expect(try yoloq("models", "add", pose, "--name", "p", "--no-check").status == ExitCode.usage)
        let added = try yoloq("models", "add", pose, "--name", "p", "--no-check", "--force")
        #expect(added.status == ExitCode.ok, "\(added.errors)")
        #expect(try names(in: weights) == ["models.json", "p_openvino_model"])
        #expect(
            try names(in: weights + "/p_openvino_model") == ["metadata.yaml", "yolov8n-pose.bin", "yolov8n-pose.xml"]
        )
        #expect(try yoloq("models", "add", pose, "--name", "p", "--no-check", "--force").status == ExitCode.ok)
        let text = try yoloq("models", "inspect", "p").output
        for part in ["openvino", "pose", "x f32 [1, 3, 640, 640]", "640x640 only", "[17, 3]", "person", "metadata"] {
            #expect(text.contains(part), "\(part)")
        }
        #expect(try yoloq("models", "verify", "p", "--no-check").status == ExitCode.ok)
    }

    @Test(.enabled(if: Checkout.hasShared, "needs ../shared"))
    func `inspecting says how a model will be run`() throws {
        let text = try yoloq("models", "inspect", Checkout.shared + "/weights/yolo11n.onnx").output
        for part in [
            "images f32 [?, 3, ?, ?]", "or any multiple of 32", "one image at a time", "decided by a self-check",
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
    }
}

/// The registry that the program is built with.
struct RegistryTests {
    @Test func `every built-in model is pinned, public and licensed`() throws {
        let path = Checkout.root.appending(path: "weights/registry.json")
        let registry = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: path)) as? [String: Any]
        )
        let models = try #require(registry["models"] as? [[String: Any]])
        #expect(models.first?["name"] as? String == "yolox_nano")
        let cards = try #require(registry["cards"] as? [String: [String: Any]])
        #expect((cards["yolox"]?["names"] as? [String])?.count == 80)
        for model in models {
            #expect((model["url"] as? String)?.hasPrefix("https://") == true)
            #expect((model["sha256"] as? String)?.count == 64)
            #expect((model["bytes"] as? Int ?? 0) > 0)
            #expect(model["license"] as? String == "Apache-2.0")
            #expect((model["card"] as? String).map { cards[$0] != nil } == true)
        }
    }
}
