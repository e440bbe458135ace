// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import Synchronization
import Testing
import YoloqVision

@testable import YoloqInference

/// The first output for an input of one colour, f32.
private func outputs(
    _ engine: inout OpenVINOEngine,
    _ height: Int,
    _ width: Int,
    red: Float = 0.5,
    green: Float = 0.25
) throws -> (shape: [Int], values: [Float]) {
    try engine.run(ImageSize(height: height, width: width)) { tensor in
        let plane = height * width
        #expect(tensor.count == 3 * plane)
        for i in 0..<plane { (tensor[i], tensor[plane + i], tensor[2 * plane + i]) = (red, green, 0.125) }
    } read: { outputs in
        (outputs[0].shape, Array(outputs[0].values))
    }
}

@Suite(.enabled(if: hasOpenVINO, needsOpenVINO))
struct `OpenVINO engine` {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func engine(
        _ model: TinyModel = TinyModel(),
        _ options: OpenVINOEngine.Options = .init(precision: .f32)
    ) throws -> OpenVINOEngine {
        try OpenVINOEngine(model.file(in: folder), runtime: runtime.get(), options: options)
    }

    @Test func `an output that is declared f32 and is none is refused`() throws {
        let folder = try TemporaryFolder()
        let file = try TinyModel(givesIntegers: true).file(in: folder)
        let error = inferenceError { _ = try OpenVINOEngine(file, runtime: OpenVINORuntime()) }
        #expect(error?.code == .unsupportedModel)
        #expect(error?.message.contains("another type than f32 or f16") == true)
    }

    @Test func `a network gives the numbers its weights say`() throws {
        var engine = try engine()
        #expect(engine.name.hasPrefix("openvino 20"))
        #expect(engine.precision == "f32")
        let (shape, values) = try outputs(&engine, 64, 96)
        let anchors = 8 * 12 + 4 * 6 + 2 * 3
        #expect(shape == [1, 6, anchors])
        #expect(values[0] == 33)
        #expect(values[2 * anchors] == 16.5)
        #expect(abs(values[4 * anchors] - TinyModel.score(0.5)) < 1e-6)
        #expect(abs(values[5 * anchors] - TinyModel.score(0.25)) < 1e-6)
    }

    @Test func `sizes stay compiled up to the bound, and the one unused longest goes`() throws {
        var engine = try engine(TinyModel(), .init(precision: .f32, maxShapeCount: 2))
        #expect(engine.compilationCount == 1)  // 64x64, the model's own
        _ = try outputs(&engine, 64, 64)
        _ = try outputs(&engine, 64, 96)
        #expect(engine.compilationCount == 2)
        _ = try outputs(&engine, 64, 64)
        _ = try outputs(&engine, 96, 64)  // 64x96 goes
        #expect(engine.compiledShapeCount == 2)
        _ = try outputs(&engine, 64, 64)
        #expect(engine.compilationCount == 3)
        _ = try outputs(&engine, 64, 96)
        #expect(engine.compilationCount == 4)
        #expect(engine.compiledShapeCount == 2)
    }

    @Test func `sizes do not disturb each other: the bits are those of a fresh engine`() throws {
        var worn = try engine()
        for (height, width) in [(64, 64), (32, 160), (96, 64), (64, 64), (128, 128), (32, 160)] {
            var fresh = try engine()
            let a = try outputs(&worn, height, width, red: 0.7), b = try outputs(&fresh, height, width, red: 0.7)
            #expect(a.shape == b.shape)
            #expect(a.values.map(\.bitPattern) == b.values.map(\.bitPattern))
        }
    }

    @Test func `a model of fixed size compiles once and refuses other sizes`() throws {
        var engine = try engine(TinyModel(size: (64, 96)))
        _ = try outputs(&engine, 64, 96)
        _ = try outputs(&engine, 64, 96)
        #expect(engine.compilationCount == 1)
        let error = inferenceError { _ = try outputs(&engine, 64, 64) }
        #expect(error?.code == .unsupportedModel)
        #expect(error?.message.contains("(1, 3, 64, 96)") == true)
        _ = try outputs(&engine, 64, 96)
    }

    @Test func `two engines on two threads give the same bits`() throws {
        let file = try TinyModel().file(in: folder)
        let runtime = try runtime.get()
        let results = Mutex<[[UInt32]]>([])
        let done = DispatchSemaphore(value: 0)
        let threads = (0..<2).map { _ in
            Thread {
                defer { done.signal() }
                do {
                    var engine = try OpenVINOEngine(file, runtime: runtime, options: .init(precision: .f32))
                    var bits: [UInt32] = []
                    for round in 0..<20 {
                        let size = round % 2 == 0 ? (64, 64) : (64, 32 * (1 + round % 5))
                        bits += try outputs(&engine, size.0, size.1, red: Float(round) / 20).values.map(\.bitPattern)
                    }
                    results.withLock { $0.append(bits) }
                } catch {
                    Issue.record(error)
                }
            }
        }
        for thread in threads { thread.start() }
        for _ in threads { #expect(done.wait(timeout: .now() + 60) == .success) }
        let both = results.withLock { $0 }
        #expect(both.count == 2 && both[0] == both[1] && !both[0].isEmpty)
    }

    @Test func `engines are made, run and freed many times`() throws {
        let file = try TinyModel().file(in: folder)
        let runtime = try runtime.get()
        for _ in 0..<30 {
            var engine = try OpenVINOEngine(file, runtime: runtime, options: .init(precision: .f32))
            _ = try outputs(&engine, 64, 64)
        }
    }

    @Test func `an error of the reader passes through, and the engine goes on`() throws {
        var engine = try engine()
        let error = inferenceError {
            try engine.run(ImageSize(height: 64, width: 64)) {
                $0.update(repeating: 0)
            } read: { (_) throws(VisionError) in
                throw VisionError(code: .badOutput, message: "as told")
            }
        }
        #expect(error == InferenceError(code: .badOutput, message: "as told"))
        _ = try outputs(&engine, 64, 64)
    }

    @Test func `a file that changed after it was looked up is refused`() throws {
        let file = try TinyModel().file(in: folder)
        _ = try TinyModel(remark: "another").file(in: folder)
        let runtime = try runtime.get()
        #expect(inferenceError { _ = try OpenVINOEngine(file, runtime: runtime) }?.code == .modelChanged)
        try FileManager.default.removeItem(atPath: file.path)
        #expect(inferenceError { _ = try OpenVINOEngine(file, runtime: runtime) }?.code == .modelMissing)
    }

    @Test(arguments: [(true, false), (false, true), (true, true)])
    func `16-bit floats at the edges are converted: the numbers are those of 32 bits, rounded`(
        input: Bool,
        output: Bool
    ) throws {
        var plain = try engine(), half = try engine(TinyModel(isHalf: input, givesHalf: output))
        let expected = try outputs(&plain, 64, 96), found = try outputs(&half, 64, 96)
        #expect(found.shape == expected.shape)
        // The colours fed and the boxes are exact in 16 bits; scores lose at most half of the last of 11 bits.
        for (a, b) in zip(expected.values, found.values) { #expect(abs(a - b) <= abs(a) / 2048) }
    }

    @Test func `a model of fixed batch sees the image in its first place and black in the others`() throws {
        var one = try engine(TinyModel(size: (64, 96))), many = try engine(TinyModel(size: (64, 96), batchSize: 4))
        for red in [0.5, 1, 0] as [Float] {
            let expected = try outputs(&one, 64, 96, red: red), found = try outputs(&many, 64, 96, red: red)
            #expect(found.shape == expected.shape)
            #expect(found.values.map(\.bitPattern) == expected.values.map(\.bitPattern))
        }
    }

    @Test func `a model of fixed batch is predicted with like any other`() throws {
        let file = try TinyModel(size: (64, 96), batchSize: 3).file(in: folder)
        #expect(file.card.fixedBatchSize == 3)
        #expect(file.card.outputShapes.map(\.first) == [1])
        var predictor = Predictor(engine: try OpenVINOEngine(file, runtime: runtime.get()), card: file.card)
        try predictor.warmUp()
    }

    @Test func `what OpenVINO cannot read is an invalid model, in its words`() throws {
        let good = try TinyModel().file(in: folder)
        let path = try folder.write(Array(TinyModel().onnx.dropLast(400)), to: "cut.onnx")
        let bytes = try LoadedFile(path: path)
        let cut = ModelFile(name: "cut", path: path, sha256: bytes.sha256(), card: good.card)
        let runtime = try runtime.get()
        let error = inferenceError { _ = try OpenVINOEngine(cut, runtime: runtime) }
        #expect(error?.code == .modelInvalid)
        #expect(error?.message.contains("ov_core_read_model_from_memory_buffer") == true)
    }

    @Test func `a cache folder gives the same bits and may be missing or in the way`() throws {
        var plain = try engine()
        let expected = try outputs(&plain, 64, 96).values.map(\.bitPattern)
        let blocked = try folder.write([1], to: "a-file")
        for cache in [folder.path + "/cache", folder.path + "/cache", blocked, blocked + "/below"] {
            var engine = try engine(TinyModel(), .init(precision: .f32, cacheFolder: cache))
            #expect(try outputs(&engine, 64, 96).values.map(\.bitPattern) == expected)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/cache").isEmpty == false)
    }

    @Test func `a spoilt cache is made anew`() throws {
        let cache = folder.path + "/cache"
        let options = OpenVINOEngine.Options(precision: .f32, cacheFolder: cache)
        var first = try engine(TinyModel(), options)
        let expected = try outputs(&first, 64, 64).values.map(\.bitPattern)
        for spoil in [{ (_: Data) in Data() }, { $0.prefix($0.count / 2) }, { _ in Data("nonsense".utf8) }] {
            for name in try FileManager.default.contentsOfDirectory(atPath: cache) {
                let url = URL(filePath: cache).appending(path: name)
                try spoil(try Data(contentsOf: url)).write(to: url)
            }
            var engine = try engine(TinyModel(), options)
            #expect(try outputs(&engine, 64, 64).values.map(\.bitPattern) == expected)
        }
    }
}

@Suite struct `Shape cache` {
    @Test func `the value used last longest ago goes first`() {
        var cache = ShapeCache<Int, String>(capacity: 2)
        cache.insert("a", for: 1)
        cache.insert("b", for: 2)
        #expect(cache.value(for: 1) == "a")
        cache.insert("c", for: 3)
        #expect(cache.value(for: 2) == nil)
        #expect(cache.value(for: 1) == "a")
        #expect(cache.value(for: 3) == "c")
        #expect(cache.count == 2)
    }

    @Test func `room is made only when it is needed`() {
        var cache = ShapeCache<Int, Int>(capacity: 2)
        cache.insert(1, for: 1)
        cache.makeRoom()
        #expect(cache.count == 1)
        cache.insert(2, for: 2)
        cache.makeRoom()
        #expect(cache.count == 1)
        #expect(cache.value(for: 2) == 2)
    }
}
