// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Results through the whole program, submit to JSON, beside those of Ultralytics on the same file and weights.
@Suite(
    .enabled(if: Checkout.hasShared, "needs ../shared"),
    .enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"),
    .serialized
)
struct GoldenTests {
    /// The tolerances that README states.
    static let boxTolerance = 0.02
    static let scoreTolerance = 0.0005

    @Test(arguments: [
        ("yolo11n", "golden", "images", 10), ("yolo11n", "golden/sizes", "images/sizes", 8),
        ("yolo11n", "golden/parameters", "images", 25), ("yolo26n", "golden", "images", 5),
    ])
    func `detections equal the reference's`(model: String, goldens: String, images: String, count: Int) throws {
        try check(Golden.all(in: goldens, model: model), of: model, images: images, expecting: count)
    }

    @Test func `awkward JPEG and PNG files give the reference's detections`() throws {
        let readable = try Golden.all(in: "golden/odd", model: "yolo11n").filter {
            ["jpg", "png"].contains(URL(filePath: $0.golden.image).pathExtension)
        }
        try check(readable, of: "yolo11n", images: "images/odd", expecting: 15)
    }

    private func check(
        _ goldens: [(name: String, golden: Golden)],
        of model: String,
        images: String,
        expecting count: Int
    ) throws {
        #expect(goldens.count == count)
        let site = try Site()
        for (_, golden) in goldens {
            let submitted = try YoloqProcess.run(
                ["submit", golden.source(in: images), "--model", "\(Checkout.shared)/weights/\(model).onnx"]
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
            "f32",
            "--until-empty",
            at: site
        )
        #expect(worker.status == ExitCode.ok, "\(worker.errors)")
        var worst = Golden.Difference()
        for (index, (name, golden)) in goldens.enumerated() {
            let result = try #require(try YoloqProcess.run("result", "\(index + 1)", "--json", at: site).objects.first)
            let difference = golden.difference(from: result)
            #expect(result["state"] as? String == "succeeded", "\(name)")
            #expect(difference.unmatched == 0, "\(name)")
            #expect(difference.box <= Self.boxTolerance, "\(name)")
            #expect(difference.score <= Self.scoreTolerance, "\(name)")
            worst.box = max(worst.box, difference.box)
            worst.score = max(worst.score, difference.score)
        }
        print(
            "\(model) on \(images): \(goldens.count) goldens, boxes within \(worst.box) px, scores within \(worst.score)"
        )
    }
}
