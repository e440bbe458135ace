// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import yoloq

/// Ultralytics' label files, from stored records.
struct YOLOTextFormatTests {
    private let photo = (width: 810, height: 1080)

    @Test func `numbers are printed as Python prints them with %g`() throws {
        // "%g" % v in Python 3.11, for v = (15.38667 + 801.33899) / 2 / 810 and so on.
        let box = storedBox(class: 5, confidence: 0.89774, at: (15.38667, 230.45045, 801.33899, 740.29779))
        let record = try storedRecord(box, image: photo)
        #expect(record.yoloLabels(withConfidence: false) == ["5 0.504152 0.44942 0.970312 0.472081"])
        #expect(record.yoloLabels(withConfidence: true) == ["5 0.504152 0.44942 0.970312 0.472081 0.89774"])
        let thin = try storedRecord(storedBox(at: (0, 0, 0.00005, 2)), image: (2, 2))
        #expect(thin.yoloLabels(withConfidence: false) == ["7 1.25e-05 0.5 2.5e-05 1"])
    }

    @Test func `an outline is a line, and one of two points is left out`() throws {
        func outlined(_ x: String, _ y: String) -> String {
            storedBox(more: #","segments":{"x":[\#(x)],"y":[\#(y)]}"#)
        }
        let record = try storedRecord(
            [outlined("1,2,4", "8,4,0"), outlined("1,2", "8,4"), outlined("", "")].joined(separator: ","),
            task: "segment",
            image: (4, 8)
        )
        #expect(record.yoloLabels(withConfidence: true) == ["7 0.25 1 0.5 0.5 1 0 0.5"])
    }

    @Test func `a pose is its box and its keypoints, with or without what is visible`() throws {
        func pose(_ visible: String) throws -> [String] {
            let more = #","keypoints":{"x":[1,2],"y":[2,4]\#(visible)}"#
            return try storedRecord(storedBox(class: 0, at: (0, 0, 4, 4), more: more), task: "pose", image: (4, 8))
                .yoloLabels(withConfidence: true)
        }
        #expect(try pose(#","visible":[0.98765,0]"#) == ["0 0.5 0.25 1 0.5 0.25 0.25 0.98765 0.5 0.5 0 0.5"])
        #expect(try pose("") == ["0 0.5 0.25 1 0.5 0.25 0.25 0.5 0.5 0.5"])
    }

    @Test func `an oriented box is its four corners`() throws {
        #expect(
            try storedRecord(storedTurned, task: "obb", image: (8, 8)).yoloLabels(withConfidence: false)
                == ["1 0.875 0.75 1 0.500061 0.25 0.375 0.125 0.625"]
        )
    }

    @Test func `classes of the whole image are their probabilities and names`() throws {
        let classes = [("leaf", 0.98765), ("a\\ntree", 0.005)].map {
            #"{"name":"\#($0)","class":1,"confidence":\#($1)}"#
        }
        let record = try storedRecord(classes.joined(separator: ","), task: "classify")
        #expect(record.yoloLabels(withConfidence: false) == ["0.99 leaf", "0.01 a tree"])
    }

    // MARK: Files

    private func labels(in folder: String) throws -> [String: String] {
        var files: [String: String] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            files[name] = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
        }
        return files
    }

    @Test func `images of one name have files of their own, and those without detections none`() throws {
        let site = try Site()
        let path = site.folder + "/deep/labels"
        let folder = try LabelFolder(path: path, withConfidence: false)
        try folder.write(storedRecord(storedBox(class: 1, at: (0, 0, 9, 9)), source: "/a/bus.jpg"))
        try folder.write(storedRecord(storedBox(class: 2, at: (0, 0, 9, 9)), source: "/b/bus.png"))
        try folder.write(storedRecord(source: "/b/empty.png"))
        var frame = try storedRecord(storedBox(class: 3, at: (0, 0, 9, 9)), source: "/b/bus.mp4")
        frame.frame = FrameOfVideo(index: 12, seconds: 1)
        try folder.write(frame)
        #expect(folder.count == 3)
        #expect(
            try labels(in: path) == [
                "bus.txt": "1 0.5 0.5 1 1\n", "bus-2.txt": "2 0.5 0.5 1 1\n", "bus_12.txt": "3 0.5 0.5 1 1\n",
            ]
        )
    }

    @Test func `a folder with labels is refused and left alone`() throws {
        let site = try Site()
        try "by hand".write(toFile: site.folder + "/bus.txt", atomically: true, encoding: .utf8)
        let failure = try #require(throws: CommandFailure.self) {
            try LabelFolder(path: site.folder, withConfidence: false)
        }
        #expect(failure.status == .usage && failure.message.contains("bus.txt"))
        #expect(try labels(in: site.folder) == ["bus.txt": "by hand"])
        let file = try #require(throws: CommandFailure.self) {
            try LabelFolder(path: site.folder + "/bus.txt", withConfidence: false)
        }
        #expect(file.status == .inputOutput)
    }
}
