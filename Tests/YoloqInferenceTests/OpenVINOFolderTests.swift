// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import YoloqVision

@testable import YoloqInference

@Suite(.enabled(if: hasOpenVINO, needsOpenVINO))
struct `OpenVINO folder` {
    let folder: TemporaryFolder
    let models: ModelDirectory

    init() throws {
        folder = try TemporaryFolder()
        models = ModelDirectory(searchPaths: [folder.path], hashCache: nil)
    }

    private func firstValues(_ engine: inout OpenVINOEngine, _ size: ImageSize, _ colour: Float) throws -> [Float] {
        try engine.run(size) {
            $0.update(repeating: colour)
        } read: { outputs in
            let plane = size.height * size.width
            return (0..<3).map { outputs[0].values[$0 * plane] }
        }
    }

    @Test(arguments: ["f32", "f16"])
    func `a network runs with the weights of its file`(inputType: String) throws {
        try TinyIR(inputType: inputType).write(to: folder, as: "m_openvino_model")
        let file = try models.resolve("m")
        #expect(file.card.task == .detect)
        #expect(file.card.imageSize == ImageSize(height: 32, width: 64))
        #expect(file.card.outputShapes == [[1, 1024, 6]])
        #expect(file.card.inputs.map(\.elementType) == [inputType == "f32" ? .f32 : .f16])
        var engine = try OpenVINOEngine(file, runtime: runtime.get(), options: .init(precision: .f32))
        #expect(try firstValues(&engine, file.card.imageSize, 0.5) == [1, 1.5, 2])
    }

    @Test func `the engine keeps its weights when the files are gone`() throws {
        try TinyIR(weights: [8, 16, 32]).write(to: folder, as: "m_openvino_model")
        let file = try models.resolve("m")
        var engine = try OpenVINOEngine(file, runtime: runtime.get(), options: .init(precision: .f32))
        try FileManager.default.removeItem(atPath: file.path)
        // Something else takes the memory that was freed.
        var noise: [[Float]] = []
        for value in 0..<64 { noise.append([Float](repeating: Float(value), count: 4096)) }
        #expect(try firstValues(&engine, file.card.imageSize, 0.25) == [2, 4, 8])
        #expect(noise.count == 64)
    }

    @Test(arguments: ["m.xml", "m.bin", "metadata.yaml"])
    func `a folder of which a file changed after it was looked up is refused`(name: String) throws {
        try TinyIR().write(to: folder, as: "m_openvino_model")
        let file = try models.resolve("m")
        let path = "\(file.path)/\(name)"
        try folder.write(Array(try Data(contentsOf: URL(filePath: path))) + [0x0A], to: "m_openvino_model/\(name)")
        let runtime = try runtime.get()
        #expect(inferenceError { _ = try OpenVINOEngine(file, runtime: runtime) }?.code == .modelChanged)
    }

    @Test func `weights that are cut off make an invalid model, not a crash`() throws {
        try TinyIR().write(to: folder, as: "m_openvino_model")
        try folder.write([1, 2, 3, 4], to: "m_openvino_model/m.bin")
        let file = try models.resolve("m")
        let runtime = try runtime.get()
        #expect(inferenceError { _ = try OpenVINOEngine(file, runtime: runtime) }?.code == .modelInvalid)
    }

    @Test(.enabled(if: hasShared, needsShared))
    func `a folder as Ultralytics exports it is read and run`() throws {
        let path = shared + "/weights/yolov8n-pose_openvino_model"
        let file = try models.resolve(path)
        #expect(file.name == "yolov8n-pose")
        #expect(file.card.task == .pose)
        #expect(file.card.classNames == ["person"])
        #expect(file.card.stride == 32)
        #expect(!file.card.isDynamic)
        #expect(file.card.imageSize == ImageSize(height: 640, width: 640))
        #expect(file.card.inputShape == [1, 3, 640, 640])
        #expect(file.card.outputShapes == [[1, 56, 8400]])
        #expect(file.card.metadata["kpt_shape"] == "[17, 3]")
        #expect(file.card.metadata["end2end"] == "False")
        var engine = try OpenVINOEngine(file, runtime: runtime.get(), options: .init(precision: .f32))
        try engine.run(file.card.imageSize) {
            $0.update(repeating: 114 / 255)
        } read: { (outputs) throws(VisionError) in
            try checkSanity(of: outputs, card: file.card)
        }
    }
}
