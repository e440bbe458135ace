// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import YoloqImages
import YoloqVision

@testable import YoloqInference

/// What the reference gave for one photo: see golden/ in ../shared.
private struct Golden: Decodable {
    struct Found: Decodable {
        var `class`: Int
        var confidence: Double
        /// Pixels of the photo.
        var xyxy: [Double]
    }

    var boxes: [Found]
}

/// From a file's bytes to predictions, against Ultralytics 8.4.190 at f32.
@Suite(.enabled(if: hasOpenVINO, needsOpenVINO), .enabled(if: hasShared, needsShared))
struct `Predictions against the reference` {
    @Test(arguments: ["yolo11n", "yolo26n"], ["bus", "dog", "giraffe", "horses", "zidane"])
    func `boxes agree within 0.02 px and scores within 0.0005`(_ model: String, _ photo: String) throws {
        let models = ModelDirectory(searchPaths: [shared + "/weights"], hashCache: nil)
        let file = try models.resolve(model)
        let engine = try OpenVINOEngine(file, runtime: runtime.get(), options: .init(precision: .f32))
        var predictor = Predictor(engine: engine, card: file.card)
        try predictor.warmUp()

        let bytes = try Data(contentsOf: URL(filePath: "\(shared)/images/\(photo).jpg"))
        for (mode, letterbox) in [("square", LetterboxMode.full), ("rect", .rect)] {
            let path = "\(shared)/golden/\(model)--\(photo)--\(mode).json"
            guard let data = contents(ofFileAt: path) else { continue }  // fixed models have no rect
            let golden = try JSONDecoder().decode(Golden.self, from: data).boxes
            var parameters = PredictionParameters()
            parameters.letterbox = letterbox
            var found: PredictedImage?
            try bytes.withUnsafeBytes { bytes in
                found = try predictor.predict(try ImageDecoder.decode(bytes).image, parameters: parameters)
            }
            let predictions = try #require(found).predictions
            #expect(found?.letterbox.rawValue == letterbox.rawValue)
            #expect(predictions.map(\.classIndex) == golden.map(\.class))
            for (prediction, golden) in zip(predictions, golden) {
                let box = prediction.box
                for (mine, reference) in zip([box.x1, box.y1, box.x2, box.y2], golden.xyxy) {
                    #expect(abs(Double(mine) - reference) <= 0.02)
                }
                #expect(abs(Double(prediction.confidence) - golden.confidence) <= 0.0005)
            }
        }
    }

    @Test(arguments: ["yolo11n", "yolov8n-seg"])
    func `a picture of four photos has what each of them has`(_ model: String) throws {
        let models = ModelDirectory(searchPaths: [shared + "/weights"], hashCache: nil)
        let file = try models.resolve(model)
        let engine = try OpenVINOEngine(file, runtime: runtime.get(), options: .init(precision: .f32))
        var predictor = Predictor(engine: engine, card: file.card)
        var alone = PredictionParameters()
        alone.letterbox = .full
        alone.isMaskNative = true
        let side = 480
        var mosaic = RGBImage(width: 2 * side, height: 2 * side)
        var expected: [Prediction] = []
        let places = [("bus", 0, 0), ("dog", side, 0), ("giraffe", 0, side), ("horses", side, side)]
        for (photo, left, top) in places {
            let bytes = try Data(contentsOf: URL(filePath: "\(shared)/images/\(photo).jpg"))
            let part = try ImageDecoder.decode([UInt8](bytes)).image.cropped(columns: 0..<side, rows: 0..<side)
            part.withUnsafePixels { pixels in
                mosaic.withUnsafeMutablePixels { all in
                    for index in pixels.indices {
                        let (y, x) = (index / (3 * side), index % (3 * side))
                        all[3 * ((top + y) * 2 * side + left) + x] = pixels[index]
                    }
                }
            }
            expected += try predictor.predict(part, parameters: alone).predictions.map { found in
                var moved = found
                moved.box.x1 += Float(left)
                moved.box.x2 += Float(left)
                moved.box.y1 += Float(top)
                moved.box.y2 += Float(top)
                return moved
            }
        }
        var parameters = PredictionParameters()
        parameters.letterbox = .full
        parameters.slicing = Slicing(size: side, overlap: 0)
        let found = try predictor.predict(mosaic, parameters: parameters)
        #expect(found.tileCount == 4)
        // But for what the look at the whole has more surely.
        let missing = expected.filter { one in
            !found.predictions.contains { $0.classIndex == one.classIndex && $0.confidence >= one.confidence }
        }
        let same = expected.filter { one in
            found.predictions.contains {
                $0.box == one.box && $0.confidence == one.confidence && $0.mask?.runs.area == one.mask?.runs.area
            }
        }
        #expect(missing.isEmpty)
        #expect(same.count * 2 > expected.count, "\(same.count) of \(expected.count)")
    }
}
