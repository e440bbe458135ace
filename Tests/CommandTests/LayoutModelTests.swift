// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqImages
import YoloqVision

@testable import YoloqInference

/// Every layout that a YOLO's outputs have, from a file through the engine to predictions.
///
/// The predictions are those of each family's own programs, worked out by `make_layout_models.py`.
@Suite(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
struct LayoutModelTests {
    static let scoreTolerance = 1e-5
    static let placeTolerance = 0.02

    @Test(arguments: LayoutModels.all?.cases ?? [])
    func `a predictor finds what each family's programs find`(layout: LayoutCase) throws {
        let site = try Site()
        let file = try ModelDirectory(searchPaths: [], hashCache: nil).resolve(layout.write(to: site.folder))
        #expect(file.card.head.rawValue == layout.head)
        let engine = try OpenVINOEngine(file, runtime: Self.runtime.get(), options: .init(precision: .f32))
        var predictor = Predictor(engine: engine, card: file.card)
        try predictor.warmUp()
        let white = RGBColor(red: 255, green: 255, blue: 255)
        let image = RGBImage(width: layout.image[0], height: layout.image[1], filledWith: white)
        var parameters = try JSONDecoder().decode(
            PredictionParameters.self,
            from: JSONEncoder().encode(layout.parameters)
        )
        if layout.parameters.iou == nil { parameters.iouThreshold = file.card.defaultIoUThreshold }
        let found = try predictor.predict(image, parameters: parameters).predictions.map {
            ResultDocument.Detection($0, task: file.card.task, names: file.card.classNames)
        }
        let difference = layout.difference(from: found)
        #expect(difference != nil, "found \(found)")
        #expect(difference?.score ?? 0 <= Self.scoreTolerance && difference?.place ?? 0 <= Self.placeTolerance)
    }

    private static let runtime = Result { () throws(InferenceError) in
        let environment = ProcessInfo.processInfo.environment
        let place = Checkout.root.appending(path: "x").path
        return try OpenVINORuntime(installation: Installation(environment: environment, executable: place))
    }

    /// One run of each model, with all pictures that its parameters are tried on.
    private static let runs: [[LayoutCase]] =
        Dictionary(grouping: LayoutModels.all?.cases ?? [], by: \.model).values.compactMap { cases in
            cases.first.map { first in cases.filter { $0.parameters == first.parameters } }
        }

    @Test func `the command line finds the same`() throws {
        let site = try Site()
        #expect(Self.runs.count == LayoutModels.all?.models.count)
        for run in Self.runs {
            let first = try #require(run.first)
            var pictures: [String] = []
            for layout in run {
                let white = RGBColor(red: 255, green: 255, blue: 255)
                let image = RGBImage(width: layout.image[0], height: layout.image[1], filledWith: white)
                pictures.append(site.folder + "/\(pictures.count).jpg")
                try Data(JPEGEncoder.encode(image)).write(to: URL(filePath: pictures[pictures.count - 1]))
            }
            let result = try YoloqProcess.run(
                ["predict"] + pictures + ["--model", first.write(to: site.folder), "--precision", "f32", "--json"]
                    + first.parameters.arguments,
                at: site
            )
            #expect(result.lines.count == run.count, "\(first.model): \(result.errors)")
            for (layout, line) in zip(run, result.lines) {
                let found = try JSONDecoder().decode(Record.self, from: Data(line.utf8))
                guard layout.predictions.allSatisfy({ $0.confidence != nil }) else {
                    // No JSON holds infinity.
                    #expect(found.predictions == nil && found.error?.kind == "bad_output")
                    continue
                }
                let difference = layout.difference(from: found.predictions ?? [])
                #expect(difference != nil, "\(layout.testDescription): \(line)")
                #expect(
                    difference?.score ?? 0 <= Self.scoreTolerance && difference?.place ?? 0 <= Self.placeTolerance,
                    "\(layout.testDescription)"
                )
            }
        }
    }

    @Test func `whoever names the family runs a model that does not`() throws {
        let site = try Site()
        let layout = try #require(
            LayoutModels.all?.cases.first { $0.model == "yolox" && $0.parameters.arguments == [] }
        )
        let model = try layout.write(to: site.folder)
        try FileManager.default.removeItem(atPath: site.folder + "/yolox.card.json")
        let picture = site.folder + "/white.jpg"
        let white = RGBColor(red: 255, green: 255, blue: 255)
        try Data(JPEGEncoder.encode(RGBImage(width: layout.image[0], height: layout.image[1], filledWith: white)))
            .write(to: URL(filePath: picture))
        func yoloq(_ arguments: String...) throws -> YoloqProcess.Result {
            try YoloqProcess.run(arguments, at: site)
        }
        func check(_ result: YoloqProcess.Result) throws {
            let line = try #require(result.lines.first, "\(result.errors)")
            let found = try JSONDecoder().decode(Record.self, from: Data(line.utf8)).predictions
            #expect(layout.difference(from: found ?? []).map { $0.place <= Self.placeTolerance } == true, "\(line)")
        }

        for refused in [["predict", picture], ["submit", picture], ["watch", site.folder]] {
            let result = try YoloqProcess.run(refused + ["--model", model], at: site)
            #expect(result.status == ExitCode.noInput)
            #expect(result.errors.contains("yolox-decoded") && result.errors.contains("--family"))
        }
        try check(try yoloq("predict", picture, "--model", model, "--family", "yolox", "--json"))
        #expect(try yoloq("submit", picture, "--model", model, "--family", "yolox").status == ExitCode.ok)
        #expect(try yoloq("worker", "--until-empty").status == ExitCode.ok)
        try check(try yoloq("result", "--last", "--json"))

        let doubtful = try #require(try yoloq("models", "inspect", model, "--json").objects.first)
        #expect(doubtful["head"] is NSNull && (doubtful["doubt"] as? String)?.contains("yolox") == true)
        let inspected = try yoloq("models", "inspect", model, "--family", "yolox", "--json")
        #expect(inspected.objects.first?["head"] as? String == "yolox")

        #expect(try yoloq("models", "add", model, "--name", "mine").errors.contains("--family"))
        #expect(try yoloq("models", "add", model, "--name", "mine", "--family", "yolox").status == ExitCode.ok)
        try check(try yoloq("predict", picture, "--model", "mine", "--json"))
        #expect(try yoloq("models", "verify", "mine").status == ExitCode.ok)
    }

    private struct Record: Decodable {
        let predictions: [ResultDocument.Detection]?
        let error: Failure?

        struct Failure: Decodable {
            let kind: String
        }
    }
}
