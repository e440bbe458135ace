// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqVision

/// COCO's result files through the whole program, beside what Ultralytics found.
@Suite(
    .enabled(if: Checkout.hasShared, "needs ../shared"),
    .enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino")
)
struct COCOGoldenTests {
    /// Masks at the input's size, scaled up, beside those that were made at the image's size: they differ at their edges.
    private static let scaledMaskIoU = 0.94

    @Test(arguments: [([], Self.scaledMaskIoU), (["--retina-masks"], GoldenTests.maskIoU)] as [([String], Double)])
    func `masks are at the size of the image, wherever they were made`(options: [String], maskIoU: Double) throws {
        let goldens = try Golden.all(in: "golden", model: "yolov8n-seg").map(\.golden).filter { $0.mode == "retina" }
        #expect(goldens.count == 5)
        let site = try Site()
        let result = try YoloqProcess.run(
            ["predict"] + goldens.map { $0.source(in: "images") } + [
                "--model", "\(Checkout.shared)/weights/yolov8n-seg.onnx", "--letterbox", "full", "--precision", "f32",
                "--format", "coco",
            ] + options,
            at: site
        )
        #expect(result.status == ExitCode.ok, "\(result.errors)")
        let all = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]])
        for golden in goldens {
            let entries = try all.filter { $0["file_name"] as? String == golden.image }.map(prediction)
            let difference = golden.difference(from: ["predictions": entries])
            #expect(difference.unmatched == 0, "\(golden.image)")
            #expect(difference.box <= GoldenTests.boxTolerance, "\(golden.image)")
            #expect(difference.score <= GoldenTests.scoreTolerance, "\(golden.image)")
            #expect(difference.maskIoU >= maskIoU, "\(golden.image): \(difference.maskIoU)")
        }
    }

    /// An entry of a COCO file in the form of a result's prediction.
    private func prediction(_ entry: [String: Any]) throws -> [String: Any] {
        let category = try #require(entry["category_id"] as? Int)
        let box = try #require(entry["bbox"] as? [Double])
        return [
            "class": try #require(CocoClasses.categoryIDs.firstIndex(of: category)),
            "confidence": try #require(entry["score"] as? Double),
            "box": ["x1": box[0], "y1": box[1], "x2": box[0] + box[2], "y2": box[1] + box[3]],
            "mask": try #require(entry["segmentation"]),
        ]
    }
}
