// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

@Suite struct MergedContourTests {
    @Test func `one outline stays as it is, and none is none`() {
        #expect(mergedContour([]).isEmpty)
        let outline = [PixelPoint(x: 1, y: 2), PixelPoint(x: 3, y: 4)]
        #expect(mergedContour([outline]) == outline)
    }

    @Test func `two outlines are gone around whole, each from where they are closest`() {
        let mask = draw(
            "###...",
            "###.##",
            "....##"
        )
        // The later one comes first: (4, 1), (4, 2), (5, 2), (5, 1); then (0, 0), (0, 1), (2, 1), (2, 0).
        let expected = [
            (4, 1), (4, 2), (5, 2), (5, 1), (4, 1),
            (2, 1), (2, 0), (0, 0), (0, 1), (2, 1),
        ]
        #expect(mergedContour(mask.outerContours()) == expected.map { PixelPoint(x: $0, y: $1) })
    }

    @Test func `an outline between two others is gone along to the second tie and back on its other side`() {
        let parts = draw("#.####.#").outerContours()
        #expect(parts == [[(7, 0)], [(2, 0), (5, 0)], [(0, 0)]].map { $0.map { PixelPoint(x: $0.0, y: $0.1) } })
        // The middle one is entered at its second point and left at its first, so it is reversed.
        let expected = [(7, 0), (7, 0), (5, 0), (2, 0), (0, 0), (0, 0), (2, 0), (5, 0)]
        #expect(mergedContour(parts) == expected.map { PixelPoint(x: $0.0, y: $0.1) })
    }
}

/// From the reference's run lengths to the reference's polygons.
@Suite(.enabled(if: Shared.has("golden/yolov8n-seg--bus--square.json"), "needs ../shared/golden"))
struct MaskGoldenTests {
    @Test(arguments: goldens)
    fileprivate func `polygons of the reference's masks are its polygons, point for point`(path: String) throws {
        let golden = try JSONDecoder().decode(Golden.self, from: Shared.bytes(path))
        #expect(!golden.masks.isEmpty)
        for mask in golden.masks {
            let size = ImageSize(height: mask.shape[0], width: mask.shape[1])
            let runs = try RunLengthMask(size: size, counts: mask.rle)
            #expect(runs.counts == mask.rle)
            #expect(runs.area == mask.area)
            let bitmap = runs.bitmap()
            #expect(RunLengthMask(size: size, rectangle: PixelRectangle(size), bitmap: bitmap) == runs)

            let letterbox = golden.letterbox
            let polygon = runs.polygon(frame: golden.mode == "retina" ? .image : .input, letterbox: letterbox)
            // The reference's were written with Python's round(x, 2).
            let rounded = try polygon.map { point in
                try [point.x, point.y].map { try #require(Double(String(format: "%.2f", Double($0)))) }
            }
            #expect(rounded == mask.polygon)
        }
    }

    private static let goldens = ["golden", "golden/sizes"].flatMap { folder in
        let names = try? FileManager.default.contentsOfDirectory(
            atPath: Shared.root.appendingPathComponent(folder).path
        )
        return (names ?? []).filter { $0.hasPrefix("yolov8n-seg--") }.sorted().map { "\(folder)/\($0)" }
    }
}

/// What the reference found in one photo.
private struct Golden: Decodable {
    struct Mask: Decodable {
        var shape: [Int]
        var area: Int
        var rle: [Int]
        var polygon: [[Double]]
    }

    var imgsz: Int
    var mode: String
    var orig_shape: [Int]
    var masks: [Mask]

    var letterbox: Letterbox {
        Letterbox(
            source: ImageSize(height: orig_shape[0], width: orig_shape[1]),
            target: ImageSize(height: imgsz, width: imgsz),
            mode: mode == "rect" ? .rect : .full,
            stride: 32
        )
    }
}
