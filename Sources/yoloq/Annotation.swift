// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqImages
import YoloqInference
import YoloqVision

extension RGBImage {
    /// Draws what was found: masks, boxes or oriented boxes, keypoints with the lines between them, and labels; the classes of
    /// the whole image as a list in its corner.
    ///
    /// Colours, line widths and the order, the surest on top, are the reference's (`ultralytics/utils/plotting.py` 8.4.190).
    ///
    /// - Parameters:
    ///   - detections: In pixels of this image, best first.
    ///   - task: What they are of.
    mutating func annotate(with detections: [ResultDocument.Detection], task: VisionTask) {
        let lineWidth = boxLineWidth
        guard task != .classify else { return drawBanner(of: detections) }
        for detection in detections.reversed() {
            if let outline = detection.segments {
                let places = zip(outline.x, outline.y).map(ImagePoint.init)
                fillPolygon(places, color: .palette(forClass: detection.class), opacity: 0.5)
            }
        }
        // Over all masks, so that none covers a label.
        for detection in detections.reversed() {
            drawBox(of: detection, lineWidth: lineWidth)
            if let keypoints = detection.keypoints { draw(keypoints, lineWidth: lineWidth) }
        }
    }

    private mutating func drawBox(of detection: ResultDocument.Detection, lineWidth: Int) {
        guard let box = detection.box else { return }
        let color = RGBColor.palette(forClass: detection.class)
        var corner = ImagePoint(x: box.x1, y: box.y1)
        if let corners = box.orientedCorners {
            drawPolygon(corners, lineWidth: lineWidth, color: color)
            // Where the label of an upright box is: at the upper left.
            corner = corners.min { $0.x + $0.y < $1.x + $1.y } ?? corner
        } else {
            drawRectangle(x1: box.x1, y1: box.y1, x2: box.x2, y2: box.y2, lineWidth: lineWidth, color: color)
        }
        drawLabel(detection.label, x: corner.x, y: corner.y, lineWidth: lineWidth, color: color)
    }

    private mutating func draw(_ keypoints: ResultDocument.Detection.Keypoints, lineWidth: Int) {
        let places = zip(keypoints.x, keypoints.y).map(ImagePoint.init)
        let isSeen = places.indices.map { (keypoints.visible?[$0] ?? 1) > Skeleton.threshold }
        if places.count == Skeleton.pointCount {
            for limb in Skeleton.limbs where isSeen[limb.from] && isSeen[limb.to] {
                drawLine(
                    from: places[limb.from],
                    to: places[limb.to],
                    lineWidth: (lineWidth + 1) / 2,
                    color: .palette(forClass: limb.part.rawValue)
                )
            }
        }
        for (index, place) in places.enumerated() where isSeen[index] {
            let color = places.count == Skeleton.pointCount ? Skeleton.part(of: index).rawValue : index
            fillCircle(center: place, radius: Double(lineWidth), color: .palette(forClass: color))
        }
    }

    /// A line of text for each class, in the upper left corner.
    private mutating func drawBanner(of detections: [ResultDocument.Detection]) {
        drawText(
            detections.map(\.label).joined(separator: "\n"),
            x: 0,
            y: 0,
            scale: fontScale,
            color: RGBColor(red: 255, green: 255, blue: 255),
            ground: RGBColor(red: 0, green: 0, blue: 0)
        )
    }
}

extension ResultDocument.Detection {
    fileprivate var label: String { "\(name) \(String(format: "%.2f", confidence))" }
}

extension ResultDocument.Detection.Corners {
    /// The four corners of an oriented box; nil of an upright one.
    fileprivate var orientedCorners: [ImagePoint]? {
        guard let x3, let y3, let x4, let y4 else { return nil }
        return [
            ImagePoint(x: x1, y: y1), ImagePoint(x: x2, y: y2), ImagePoint(x: x3, y: y3), ImagePoint(x: x4, y: y4),
        ]
    }
}

/// The lines between the 17 keypoints of a person in COCO.
private enum Skeleton {
    /// A part of the body; its number is its colour in the palette.
    enum Part: Int {
        case head = 8
        case arms = 0
        case body = 5
        case legs = 9
    }

    static let pointCount = 17
    /// Keypoints that are less sure are not drawn.
    static let threshold = 0.25

    static let limbs: [(from: Int, to: Int, part: Part)] = [
        (15, 13, .legs), (13, 11, .legs), (16, 14, .legs), (14, 12, .legs), (11, 12, .body), (5, 11, .body),
        (6, 12, .body), (5, 6, .arms), (5, 7, .arms), (6, 8, .arms), (7, 9, .arms), (8, 10, .arms), (1, 2, .head),
        (0, 1, .head), (0, 2, .head), (1, 3, .head), (2, 4, .head), (3, 5, .head), (4, 6, .head),
    ]

    static func part(of point: Int) -> Part {
        point < 5 ? .head : point < 11 ? .arms : .legs
    }
}
