// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import YoloqVision

@testable import YoloqInference

@Suite struct `Model directory` {
    let folder: TemporaryFolder
    let models: ModelDirectory

    init() throws {
        folder = try TemporaryFolder()
        models = ModelDirectory(searchPaths: [folder.path + "/a", folder.path + "/b"], hashCache: nil)
    }

    private func put(_ name: String, remark: String = "tiny") throws {
        try folder.write(TinyModel(remark: remark).onnx, to: name)
    }

    @Test func `a name is looked up folder by folder, with or without its ending`() throws {
        try put("b/one.onnx", remark: "b")
        try put("b/two.onnx")
        #expect(try models.resolve("one").path == folder.path + "/b/one.onnx")
        try put("a/one.onnx", remark: "a")
        let one = try models.resolve("one")
        #expect(one.path == folder.path + "/a/one.onnx")
        #expect(one.name == "one")
        #expect(one.sha256.count == 64)
        #expect(try models.resolve("one.onnx") == one)
        #expect(try models.resolve("two").path == folder.path + "/b/two.onnx")
    }

    @Test func `a path is taken as it is and stored absolute`() throws {
        try put("runs/detect/train/weights/best.onnx")
        let path = folder.path + "/runs/detect/train/weights/best.onnx"
        let best = try models.resolve(folder.path + "/runs/./detect/../detect/train/weights/best.onnx")
        #expect(best.path == path)
        #expect(best.name == "best")
        #expect(Installation.absolutePath("x/y.onnx").hasPrefix("/"))
    }

    @Test func `a miss tells the models there are and a close name`() throws {
        try put("a/yolo11n.onnx")
        try put("b/yolo26n.onnx")
        let error = inferenceError { _ = try models.resolve("yolo11m") }
        #expect(error?.code == .modelMissing)
        #expect(error?.message.contains("Did you mean yolo11n?") == true)
        #expect(error?.message.contains("yolo26n") == true)
        let far = inferenceError { _ = try models.resolve("segment-anything") }
        #expect(far?.message.contains("Did you mean") == false)
        #expect(inferenceError { _ = try models.resolve("/no/such.onnx") }?.code == .modelMissing)
        #expect(inferenceError { _ = try models.resolve("") }?.code == .modelMissing)
    }

    @Test func `a PyTorch file gets the export command`() throws {
        for name in ["best.pt", "/x/best.pt"] {
            let error = inferenceError { _ = try models.resolve(name) }
            #expect(error?.code == .unsupportedModel)
            #expect(error?.message.contains("yolo export model=\(name) format=onnx dynamic=True") == true)
        }
        try put("a/mine.pt")
        #expect(inferenceError { _ = try models.resolve("mine") }?.message.contains("yolo export") == true)
    }

    @Test func `an OpenVINO folder is found by name, by its own name, by path and by the file in it`() throws {
        try TinyIR().write(to: folder, as: "a/tiny_openvino_model", stem: "best")
        #expect(models.list().map(\.name) == ["tiny"])
        #expect(models.list().map(\.format) == [.openvino])
        let path = folder.path + "/a/tiny_openvino_model"
        let file = try models.resolve("tiny")
        #expect(file.path == path)
        #expect(file.name == "tiny")
        #expect(file.format == .openvino)
        #expect(file.parts.map(\.role) == [.xml, .bin, .metadata])
        for name in ["tiny_openvino_model", path, path + "/best.xml"] {
            #expect(try models.resolve(name) == file)
        }
        #expect(try models.defaultModel(environment: [:]) == file)
    }

    @Test func `a folder that lacks weights or holds two networks says so`() throws {
        try folder.write(Array("<net/>".utf8), to: "a/x_openvino_model/x.xml")
        #expect(inferenceError { _ = try models.resolve("x") }?.message.contains("x.bin") == true)
        try folder.write([0], to: "a/x_openvino_model/x.bin")
        try folder.write([0], to: "a/x_openvino_model/y.xml")
        let error = inferenceError { _ = try models.resolve("x") }
        #expect(error?.code == .modelInvalid)
        #expect(error?.message.contains("x.xml, y.xml") == true)
        try folder.makeFolder("a/empty_openvino_model")
        #expect(inferenceError { _ = try models.resolve("empty") }?.message.contains("no .xml file") == true)
        try folder.makeFolder("a/plain")
        #expect(inferenceError { _ = try models.resolve(folder.path + "/a/plain") }?.code == .unsupportedModel)
    }

    @Test func `the hash of a model of one file is the file's, of several that of the list of theirs`() throws {
        try put("a/one.onnx")
        let plain = try models.resolve("one")
        #expect(plain.parts.map(\.sha256) == [plain.sha256])

        let card = Array(#"{"names": ["rouge", "vert"]}"#.utf8)
        try folder.write(card, to: "a/one.card.json")
        let carded = try models.resolve("one")
        #expect(carded.parts.map(\.role) == [.onnx, .card])
        #expect(carded.card.classNames == ["rouge", "vert"])
        let list = "onnx \(plain.sha256)\ncard \(card.withUnsafeBytes(sha256Text))\n"
        #expect(carded.sha256 == Array(list.utf8).withUnsafeBytes(sha256Text))

        try TinyIR().write(to: folder, as: "a/two_openvino_model")
        let hashes = try models.resolve("two")
        let parts = hashes.parts.map { "\($0.role.rawValue) \($0.sha256)\n" }.joined()
        #expect(hashes.sha256 == Array(parts.utf8).withUnsafeBytes(sha256Text))
    }

    @Test func `every file of a model is part of its identity`() throws {
        try TinyIR().write(to: folder, as: "a/m_openvino_model")
        var seen = [try models.resolve("m").sha256]
        for change in ["m_openvino_model/m.bin", "m_openvino_model/metadata.yaml", "m.card.json"] {
            let path = folder.path + "/a/" + change
            let old = (try? Data(contentsOf: URL(filePath: path))) ?? Data("{}".utf8)
            try folder.write(Array(old) + Array("\n".utf8), to: "a/" + change)
            seen.append(try models.resolve("m").sha256)
        }
        #expect(Set(seen).count == 4)
    }

    @Test func `a card that cannot be used names itself`() throws {
        try put("a/one.onnx")
        try folder.write(Array(#"{"nmaes": ["a", "b"]}"#.utf8), to: "a/one.card.json")
        let error = inferenceError { _ = try models.resolve("one") }
        #expect(error?.code == .modelInvalid)
        #expect(error?.message.contains("Did you mean \"names\"?") == true)
    }

    @Test func `two forms of one name are refused until the ending says which`() throws {
        try put("a/both.onnx")
        try folder.makeFolder("a/both_openvino_model")
        let error = inferenceError { _ = try models.resolve("both") }
        #expect(error?.code == .unsupportedModel)
        #expect(error?.message.contains("both.onnx or both_openvino_model") == true)
        #expect(try models.resolve("both.onnx").name == "both")
    }

    @Test func `a pipe is refused instead of waited for`() throws {
        try folder.makeFolder("a")
        let path = folder.path + "/a/pipe.onnx"
        #expect(mkfifo(path, 0o600) == 0)
        #expect(inferenceError { _ = try models.resolve(path) }?.code == .modelInvalid)
    }

    @Test func `a file that is no model is invalid, and an empty one too`() throws {
        try folder.write(Array("hello".utf8), to: "a/text.onnx")
        try folder.write([], to: "a/empty.onnx")
        #expect(inferenceError { _ = try models.resolve("text") }?.code == .modelInvalid)
        #expect(inferenceError { _ = try models.resolve("empty") }?.code == .modelInvalid)
    }

    @Test func `the default is the named one, else the only one that is not the demo`() throws {
        #expect(inferenceError { _ = try models.defaultModel(environment: [:]) }?.code == .modelMissing)
        try put("b/shapes.onnx")
        let onlyDemo = inferenceError { _ = try models.defaultModel(environment: [:]) }
        #expect(onlyDemo?.code == .modelMissing)
        #expect(onlyDemo?.message.contains("--model shapes") == true)
        try put("b/mine.onnx")
        #expect(try models.defaultModel(environment: [:]).name == "mine")
        #expect(try models.defaultModel(environment: ["YOLOQ_MODEL": "shapes"]).name == "shapes")
        #expect(try models.defaultModel(environment: ["YOLOQ_MODEL": ""]).name == "mine")
        try put("a/other.onnx")
        let error = inferenceError { _ = try models.defaultModel(environment: [:]) }
        #expect(error?.code == .modelMissing)
        #expect(error?.message.contains("other, mine") == true)
    }

    @Test func `the usual folders are the one given, the home's and the checkout's`() {
        let installation = Installation(
            environment: ["HOME": "/u", "XDG_DATA_HOME": "/data"],
            executable: root + "/.build/debug/yoloq"
        )
        #expect(installation.checkout == root)
        #expect(
            ModelDirectory.standard(weights: "/w", installation: installation).searchPaths
                == ["/w", "/data/yoloq/weights", root + "/weights"]
        )
    }
}

@Suite struct `Installation places` {
    @Test func `places follow YOLOQ_HOME, then XDG, then the home folder`() {
        let plain = Installation(environment: ["HOME": "/u"], executable: nil)
        #expect((plain.home, plain.cache) == ("/u/.local/share/yoloq", "/u/.cache/yoloq"))
        let xdg = Installation(
            environment: ["HOME": "/u", "XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "/c"],
            executable: nil
        )
        #expect((xdg.home, xdg.cache) == ("/d/yoloq", "/c/yoloq"))
        let own = Installation(
            environment: ["HOME": "/u", "YOLOQ_HOME": "/y/", "XDG_DATA_HOME": "/d"],
            executable: nil
        )
        #expect((own.home, own.cache) == ("/y", "/y/cache"))
        #expect(own.checkout == nil)
        #expect(Installation.checkout(above: "/usr/bin/yoloq") == nil)
    }
}

@Suite struct `Hash cache` {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func `a hash is SHA-256 in hexadecimal digits`() throws {
        let path = try folder.write(Array("abc".utf8), to: "abc")
        #expect(
            try LoadedFile(path: path).sha256() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
    }

    @Test func `an unchanged file is not read again, a changed one is`() throws {
        let cache = folder.path + "/deep/hashes.json"
        let models = ModelDirectory(searchPaths: [folder.path], hashCache: cache)
        let first = try TinyModel(remark: "one").file(in: folder).sha256
        #expect(try models.resolve("tiny").sha256 == first)

        // What the cache says is believed as long as `stat` says the same.
        let text = try String(contentsOfFile: cache, encoding: .utf8)
        let lie = String(repeating: "0", count: 64)
        try text.replacing(first, with: lie).write(toFile: cache, atomically: true, encoding: .utf8)
        #expect(try models.resolve("tiny").sha256 == lie)

        let second = try TinyModel(remark: "two").file(in: folder).sha256
        #expect(second != first)
        #expect(try models.resolve("tiny").sha256 == second)
    }

    @Test func `a broken or unwritable cache is ignored`() throws {
        let expected = try TinyModel().file(in: folder).sha256
        let cache = try folder.write(Array("{broken".utf8), to: "hashes.json")
        #expect(try ModelDirectory(searchPaths: [folder.path], hashCache: cache).resolve("tiny").sha256 == expected)
        let blocked = try folder.write([1], to: "a-file") + "/hashes.json"
        #expect(try ModelDirectory(searchPaths: [folder.path], hashCache: blocked).resolve("tiny").sha256 == expected)
    }

    @Test func `the file never holds more than its bound`() throws {
        let cache = HashCache(path: folder.path + "/hashes.json")
        let path = try folder.write([1, 2, 3], to: "x")
        for index in 0..<(HashCache.capacity + 5) {
            _ = cache.sha256(of: try LoadedFile(path: path), at: "/\(index)")
        }
        let text = try String(contentsOfFile: folder.path + "/hashes.json", encoding: .utf8)
        #expect(text.split(separator: "sha256").count - 1 == HashCache.capacity)
    }
}
