// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import YoloqImages
import YoloqVision

@testable import YoloqInference

/// The checkout's root, three folders above this file.
let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

/// Trained models, photos and what the reference makes of them; not part of the checkout.
let shared = URL(filePath: root).deletingLastPathComponent().appending(path: "shared").path
let hasShared = FileManager.default.fileExists(atPath: shared + "/weights/yolo11n.onnx")

/// The runtime that ops/install-openvino puts into the checkout, or the machine's own.
let runtime = Result { () throws(InferenceError) in
    let environment = ProcessInfo.processInfo.environment
    return try OpenVINORuntime(installation: Installation(environment: environment, executable: root + "/x"))
}
let hasOpenVINO = (try? runtime.get()) != nil
let needsOpenVINO: Comment = "needs OpenVINO: run ops/install-openvino"
let needsShared: Comment = "needs ../shared"

/// A folder that is gone when the test ends.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "yoloq-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and makes the folders above it.
    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let file = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(bytes).write(to: file)
        return file.path
    }

    func makeFolder(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: true)
    }
}

extension TinyModel {
    static func exponential(_ x: Float) -> Float { Float(Foundation.exp(Double(x))) }

    /// The model as a file that a directory found.
    func file(in folder: TemporaryFolder, named name: String = "tiny") throws -> ModelFile {
        let path = try folder.write(onnx, to: name + ".onnx")
        return try ModelDirectory(searchPaths: [], hashCache: nil).resolve(path)
    }
}

/// The error of a body that must throw one.
func inferenceError(_ body: () throws -> Void) -> InferenceError? {
    do {
        try body()
        return nil
    } catch {
        return error as? InferenceError
    }
}

/// A network that gives what it is told to.
struct FakeEngine: Engine, ~Copyable {
    var name = "fake 1"
    var precision = "f32"
    var outputs: [(shape: [Int], values: [Float])]
    /// The input sizes it was run at.
    var runs: [ImageSize] = []
    /// The first three values of the last input.
    var seen: [Float] = []

    init(precision: String = "f32", outputs: [(shape: [Int], values: [Float])]) {
        self.precision = precision
        self.outputs = outputs
    }

    mutating func run<R>(
        _ input: ImageSize,
        fill: (UnsafeMutableBufferPointer<Float>) throws(InferenceError) -> Void,
        read: ([OutputTensor]) throws(VisionError) -> R
    ) throws(InferenceError) -> R {
        runs.append(input)
        let tensor = UnsafeMutableBufferPointer<Float>.allocate(capacity: 3 * input.height * input.width)
        defer { tensor.deallocate() }
        tensor.initialize(repeating: -1)
        try fill(tensor)
        seen = Array(tensor.prefix(3))
        let memory = outputs.map { output in
            let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: output.values.count)
            _ = memory.initialize(from: output.values)
            return memory
        }
        defer { for buffer in memory { buffer.deallocate() } }
        let tensors = zip(outputs, memory).map { OutputTensor(shape: $0.shape, values: UnsafeBufferPointer($1)) }
        do throws(VisionError) { return try read(tensors) } catch { throw InferenceError(error) }
    }
}

/// A card as of the tiny model.
func tinyCard(_ model: TinyModel = TinyModel()) throws -> ModelCard {
    try model.onnx.withUnsafeBytes { try ModelCard(onnx: $0) }
}
