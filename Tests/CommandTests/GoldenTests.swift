// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Results through the whole program, submit to JSON, beside those of Ultralytics on the same file and weights; prints a table.
///
/// `YOLOQ_GOLDEN_PRECISION=bf16` prints how far results in another precision are off, and asserts nothing of it.
@Suite(
    .enabled(if: Checkout.hasShared, "needs ../shared"),
    .enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"),
    .serialized
)
struct GoldenTests {
    /// The tolerances that README states.
    static let boxTolerance = 0.02
    static let scoreTolerance = 0.0005
    static let keypointTolerance = 0.05
    static let maskIoU = 0.999
    static let precision = ProcessInfo.processInfo.environment["YOLOQ_GOLDEN_PRECISION"] ?? "f32"

    @Test(arguments: [
        ("yolo11n", "golden", "images", 10), ("yolo11n", "golden/sizes", "images/sizes", 8),
        ("yolo11n", "golden/parameters", "images", 25), ("yolo26n", "golden", "images", 5),
    ])
    func `detections equal the reference's`(model: String, goldens: String, images: String, count: Int) throws {
        try check(Golden.all(in: goldens, model: model), of: model, images: images, expecting: count)
    }

    @Test(arguments: [
        ("leaf-cls", "golden", "images", 5), ("shapes-obb", "golden/obb", "images/obb", 6),
        ("yolov8n-pose_openvino_model", "golden", "images", 5),
        ("yolov8n-pose_openvino_model", "golden/sizes", "images/sizes", 4),
        ("yolov8n-seg", "golden", "images", 15), ("yolov8n-seg", "golden/sizes", "images/sizes", 12),
    ])
    func `every task equals the reference`(model: String, goldens: String, images: String, count: Int) throws {
        try check(Golden.all(in: goldens, model: model), of: model, images: images, expecting: count)
    }

    @Test func `a YOLOX with a card equals its own programs`() throws {
        let site = try Site()
        let names = try JSONDecoder().decode(
            Names.self,
            from: Data(contentsOf: URL(filePath: "\(Checkout.shared)/golden/yolov8n-seg--bus--square.json"))
        ).names
        let folder = site.folder + "/models"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: "\(Checkout.shared)/weights/yolox_nano.onnx",
            toPath: folder + "/yolox_nano.onnx"
        )
        let card: [String: Any] = ["family": "yolox", "names": (0..<names.count).compactMap { names["\($0)"] }]
        try JSONSerialization.data(withJSONObject: card).write(to: URL(filePath: folder + "/yolox_nano.card.json"))
        try check(
            Golden.all(in: "golden", model: "yolox_nano"),
            of: "yolox_nano",
            in: folder,
            images: "images",
            expecting: 5
        )
    }

    private struct Names: Decodable {
        let names: [String: String]
    }

    @Test func `awkward files of every format give the reference's detections`() throws {
        try check(Golden.all(in: "golden/odd", model: "yolo11n"), of: "yolo11n", images: "images/odd", expecting: 17)
    }

    private func check(
        _ goldens: [(name: String, golden: Golden)],
        of model: String,
        in folder: String = "\(Checkout.shared)/weights",
        images: String,
        expecting count: Int
    ) throws {
        #expect(goldens.count == count)
        let site = try Site()
        let path = "\(folder)/\(model)" + (model.hasSuffix("_model") ? "" : ".onnx")
        for (_, golden) in goldens {
            let submitted = try YoloqProcess.run(
                ["submit", golden.source(in: images), "--model", path]
                    + golden.arguments,
                at: site
            )
            #expect(submitted.status == ExitCode.ok, "\(submitted.errors)")
        }
        let worker = try YoloqProcess.run(
            "worker",
            "--threads",
            "2",
            "--precision",
            Self.precision,
            "--until-empty",
            at: site
        )
        #expect(worker.status == ExitCode.ok, "\(worker.errors)")
        var worst = Golden.Difference()
        for (index, (name, golden)) in goldens.enumerated() {
            let result = try #require(try YoloqProcess.run("result", "\(index + 1)", "--json", at: site).objects.first)
            let difference = golden.difference(from: result)
            #expect(result["state"] as? String == "succeeded", "\(name)")
            print("\(name.dropLast(5).padding(toLength: 52, withPad: " ", startingAt: 0)) \(difference.row)")
            worst.formWorst(with: difference)
            guard Self.precision == "f32" else { continue }
            #expect(difference.unmatched == 0, "\(name)")
            #expect(difference.box <= Self.boxTolerance, "\(name)")
            #expect(difference.score <= Self.scoreTolerance, "\(name)")
            #expect(difference.keypoint <= Self.keypointTolerance, "\(name)")
            #expect(difference.maskIoU >= Self.maskIoU, "\(name)")
            // A pixel whose logit is 0 but for rounding makes another outline.
            #expect(difference.outlines == 0 || difference.maskIoU < 1, "\(name)")
            if golden.top5 != nil { #expect(difference.isInOrder, "\(name)") }
        }
        print(
            "\("\(model), \(goldens.count) files of \(images)".padding(toLength: 52, withPad: " ", startingAt: 0)) \(worst.row)"
        )
    }
}
