// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqInference
import YoloqVision

@testable import yoloq

/// The forms in which stored results are printed, and what is shown of them.
struct ResultFormatTests {
    static let cat = #"{"name":"cat","class":7,"confidence":0.5,"box":{"x1":1,"y1":2.5,"x2":3,"y2":4}}"#
    static let turned = """
        {"name":"big, \\"red\\" car","class":1,"confidence":0.25,
        "box":{"x1":1,"y1":2,"x2":3,"y2":4,"x3":5,"y3":6,"x4":7,"y4":8},"rotated":{"cx":1,"cy":1,"w":1,"h":1,"angle":0.5}}
        """

    @Test func `a line of CSV holds a prediction, with quotes where a reader needs them`() throws {
        let lines = try storedRecord("\(Self.cat),\(Self.turned)", source: "/a,b.jpg").csv
        #expect(
            lines == [
                #","/a,b.jpg",,cat,7,0.5,1.0,2.5,3.0,4.0,,,,"#,
                #","/a,b.jpg",,"big, ""red"" car",1,0.25,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0"#,
            ]
        )
        #expect(ResultRecord.csvHeader.split(separator: ",").count == 14)
        #expect(try storedRecord("").csv.isEmpty)
    }

    @Test func `the reference's form has the reference's keys only`() throws {
        let text = try storedRecord(Self.turned).ultralytics.description
        #expect(text.contains(#""x4""#) && !text.contains("rotated"))
        #expect(try storedRecord(Self.turned).json.description.contains("rotated"))
    }

    @Test(
        arguments: [
            ("cat", nil, ["cat"]), ("7", nil, ["cat"]), ("1, cat", nil, ["cat", "big, \"red\" car"]), ("dog", nil, []),
            (nil, 0.25, ["cat", "big, \"red\" car"]), (nil, 0.3, ["cat"]), ("1", 0.3, []),
        ] as [(String?, Double?, [String])]
    )
    func `a stored result is shown in part`(classes: String?, confidence: Double?, names: [String]) throws {
        let filter = PredictionFilter(classes: classes, minConfidence: confidence)
        let shown = filter(try storedRecord("\(Self.cat),\(Self.turned)"))
        #expect(shown.document?.predictions.map(\.name) == names)
    }

    @Test func `the options reach the output`() throws {
        let site = try Site()
        let help = try YoloqProcess.run("result", "1", "--min-confidence", "2", at: site)
        #expect(help.status == ExitCode.usage && help.errors.contains("from 0 to 1"))
        guard Checkout.hasEngine else { return }
        let all = try YoloqProcess.run(
            "predict",
            Checkout.samples,
            "--model",
            Checkout.demo,
            "--format",
            "csv",
            at: site
        )
        let some = try YoloqProcess.run(
            [
                "predict", Checkout.samples, "--model", Checkout.demo, "--format", "csv", "--class", "star",
                "--min-confidence", "0.9",
            ],
            at: site
        )
        #expect(all.lines.first == ResultRecord.csvHeader && some.lines.first == ResultRecord.csvHeader)
        #expect(some.lines.count > 1 && some.lines.count < all.lines.count)
        #expect(some.lines.dropFirst().allSatisfy { $0.contains(",star,") && all.lines.contains($0) })
    }
}
