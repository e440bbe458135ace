// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqImages
import YoloqInference
import YoloqJobs

@testable import yoloq

/// Pieces of images.
struct CropTests {
    private let site: Site
    /// 40 x 30, with a red lower right corner.
    private let image: String
    private let sha256: String

    init() throws {
        site = try Site()
        image = site.folder + "/photo.jpg"
        var pixels = RGBImage(width: 40, height: 30, filledWith: RGBColor(red: 0, green: 0, blue: 200))
        pixels.withUnsafeMutablePixels { pixels in
            for index in 0..<40 * 30 where index % 40 >= 24 && index / 40 >= 16 {
                (pixels[3 * index], pixels[3 * index + 2]) = (200, 0)
            }
        }
        let bytes = try JPEGEncoder.encode(pixels)
        try Data(bytes).write(to: URL(filePath: image))
        sha256 = ContentHash(of: bytes).description
    }

    private func record(_ predictions: [String], task: String = "detect", job: String? = "17") throws -> ResultRecord {
        var record = try storedRecord(
            predictions.joined(separator: ","),
            task: task,
            image: (40, 30),
            sha256: sha256,
            source: image
        )
        record.job = job
        return record
    }

    private func cut(_ record: ResultRecord, into folder: String = "crops") throws {
        var plot = try #require(Plot(folder: nil, cropFolder: site.folder + "/" + folder))
        try plot.draw(record)
    }

    private func files(in folder: String = "crops") -> [String] {
        let all = FileManager.default.enumerator(atPath: site.folder + "/" + folder)?.compactMap { $0 as? String } ?? []
        return all.filter { $0.hasSuffix(".jpg") }.sorted()
    }

    private func decoded(_ name: String) throws -> DecodedImage {
        try ImageDecoder.decode([UInt8](Data(contentsOf: URL(filePath: "\(site.folder)/crops/\(name)"))))
    }

    @Test func `each thing is a picture in the folder of its class, numbered as in the whole result`() throws {
        let whole = try record([
            storedBox("cat", confidence: 0.9, at: (1, 1, 9, 9)), storedBox("dog", at: (24, 16, 39.5, 30)),
            storedBox("cat", at: (2, 2, 9, 9)),
        ])
        try cut(whole)
        #expect(files() == ["cat/17-photo-1.jpg", "cat/17-photo-3.jpg", "dog/17-photo-2.jpg"])
        let dog = try decoded("dog/17-photo-2.jpg")
        #expect(dog.image.width == 16 && dog.image.height == 14)
        dog.image.withUnsafePixels { pixels in
            #expect(pixels[0] > 150 && pixels[2] < 50, "it is the red part")
        }
        try cut(PredictionFilter(minConfidence: 0.6)(whole), into: "some")
        #expect(files(in: "some") == ["cat/17-photo-1.jpg"])
    }

    @Test(
        arguments: [
            ((-5, -5, 3.2, 2), 4, 2), ((38.5, 28, 60, 60), 2, 2), ((10, 10, 10, 10), 1, 1), ((40, 30, 40, 30), 1, 1),
            ((50, -9, 60, -3), 1, 1), ((0, 0, 40, 30), 40, 30),
        ] as [((Double, Double, Double, Double), Int, Int)]
    )
    func `a piece is cut to the image and has one pixel at least`(
        box: (Double, Double, Double, Double),
        width: Int,
        height: Int
    ) throws {
        try cut(record([storedBox(at: box)]))
        let piece = try decoded("cat/17-photo-1.jpg")
        #expect(piece.image.width == width && piece.image.height == height)
    }

    @Test func `of an oriented box the upright rectangle around it is cut out`() throws {
        try cut(record([storedTurned], task: "obb"))
        let piece = try decoded("car/17-photo-1.jpg")
        #expect(piece.image.width == 7 && piece.image.height == 3)
    }

    @Test(
        arguments: [
            ("cat", "cat"), ("traffic light", "traffic light"), ("../../x", ".._.._x-7"), ("a/b", "a_b-7"), ("", "_-7"),
            ("..", "__-7"), (".", "_-7"), ("a\u{0}b", "a_b-7"), ("a\nb", "a_b-7"), (".git", ".git"),
            ("Straße", "Straße"),
        ]
    )
    func `a class whose name no folder can have gets another`(name: String, folder: String) throws {
        var record = try record([storedBox(at: (1, 1, 9, 9))])
        record.document?.predictions[0].name = name
        try cut(record)
        #expect(files() == ["\(folder)/17-photo-1.jpg"])
        #expect(record.document?.predictions[0].folderName == folder)
    }

    @Test func `a very long name of a class is cut`() throws {
        var record = try record([storedBox(at: (1, 1, 9, 9))])
        record.document?.predictions[0].name = String(repeating: "ß", count: 300)
        try cut(record)
        #expect(files().count == 1)
    }

    @Test func `classes of whole images are refused in words`() throws {
        let record = try record([#"{"name":"leaf","class":1,"confidence":0.5}"#], task: "classify")
        let failure = try #require(throws: CommandFailure.self) { try cut(record) }
        #expect(failure.message.contains("whole images") && failure.message.contains("--crop"))
        #expect(files().isEmpty)
    }

    @Test func `a piece never goes into the folder of its image`() throws {
        let folder = site.folder + "/set/cat"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: image, toPath: folder + "/photo.jpg")
        var record = try record([storedBox(at: (1, 1, 9, 9))], job: nil)
        record.source = folder + "/photo.jpg"
        let failure = try #require(throws: CommandFailure.self) { try cut(record, into: "set") }
        #expect(failure.status == .usage && failure.message.contains("--crop"))
        #expect(files(in: "set") == ["cat/photo.jpg"])
    }

    @Test func `images of one name that have no job keep their pieces apart`() throws {
        var plot = try #require(Plot(folder: nil, cropFolder: site.folder + "/crops"))
        for _ in 1...2 { try plot.draw(record([storedBox(at: (1, 1, 9, 9))], job: nil)) }
        #expect(files() == ["cat/photo-1-2.jpg", "cat/photo-1.jpg"])
        #expect(plot.notes == ["2 crops in \(site.folder)/crops"])
    }

    @Test(.enabled(if: Checkout.hasEngine, "needs OpenVINO: run ops/install-openvino"))
    func `the option cuts out what is shown, beside any output`() throws {
        let folder = site.folder + "/crops"
        let result = try YoloqProcess.run(
            [
                "predict", Checkout.samples, "--model", Checkout.demo, "--json", "--crop", folder, "--plot",
                site.folder + "/plots", "--min-confidence", "0.5",
            ],
            at: site
        )
        #expect(result.status == ExitCode.ok, "\(result.errors)")
        let found = result.objects.flatMap { $0["predictions"] as? [[String: Any]] ?? [] }
        let folders = files().map { $0.split(separator: "/")[0] }
        #expect(
            !found.isEmpty && folders.map(String.init).sorted() == found.compactMap { $0["name"] as? String }.sorted()
        )
        #expect(files(in: "plots").count == result.objects.count)
    }

    @Test func `pictures and pieces come from one look at the image, and nothing is drawn on the pieces`() throws {
        var plot = try #require(Plot(folder: site.folder + "/plots", cropFolder: site.folder + "/crops"))
        try plot.draw(record([storedBox(at: (24, 16, 40, 30))]))
        #expect(files(in: "plots") == ["17-photo.jpg"])
        let piece = try decoded("cat/17-photo-1.jpg")
        piece.image.withUnsafePixels { pixels in
            #expect(stride(from: 0, to: pixels.count, by: 3).allSatisfy { pixels[$0] > 150 && pixels[$0 + 2] < 50 })
        }
    }
}
