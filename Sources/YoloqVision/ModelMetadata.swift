// SPDX-License-Identifier: Apache-2.0

/// What a model's metadata says, read by the rules of Ultralytics 8.4; nil = it says nothing.
///
/// Keys and their meaning: `ultralytics/engine/exporter.py` and `nn/backends/base.py`, 8.4.190. Exports of 8.0 to 8.3.0
/// lack `args` and `end2end`; YOLOv5 writes only `stride` and `names`; YOLOX writes nothing.
struct ModelMetadata {
    private(set) var task: VisionTask?
    private(set) var classNames: [String]?
    private(set) var stride: Int?
    private(set) var imageSize: ImageSize?
    /// `end2end` or `args.nms`: rows come out of the network suppressed already.
    private(set) var isEndToEnd: Bool?
    /// `args.dynamic`.
    private(set) var isDynamic: Bool?
    private(set) var channelCount: Int?
    /// `kpt_shape`: keypoints and numbers of each.
    private(set) var keypointShape: KeypointShape?
    /// An RT-DETR, which its exports call a detect model.
    private(set) var isRTDETR = false

    /// The longest side a model may have been exported at.
    static let maxSide = 16384
    /// The most bytes of a literal; ten thousand long class names take half of it.
    static let maxByteCount = 1 << 20

    init(_ values: [String: String]) throws(VisionError) {
        for key in ["names", "imgsz", "kpt_shape", "args", "end2end"] {
            guard let count = values[key]?.utf8.count, count > Self.maxByteCount else { continue }
            throw .modelInvalid("its metadata has \(count) bytes of \(key), more than \(Self.maxByteCount)")
        }
        if let name = values["task"] {
            guard let task = VisionTask(rawValue: name) else {
                throw .unsupportedModel("its task is \"\(shown(name))\"")
            }
            self.task = task
        }
        if let text = values["names"] { classNames = try Self.classNames(text) }
        if let text = values["stride"] { stride = try Self.stride(text) }
        if let text = values["imgsz"] { imageSize = try Self.imageSize(text) }
        if let text = values["channels"] { channelCount = Int(text) }
        if let text = values["kpt_shape"] { keypointShape = try Self.keypointShape(text) }
        readFlags(values)
        // "Ultralytics RTDETR-l model trained on /data/…": the path behind it is the user's.
        let description = values["description"].map { text in
            let start = text.unicodeScalars.prefix(1000)
            return String(start.firstRange(of: " trained on ".unicodeScalars).map { start[..<$0.lowerBound] } ?? start)
        }
        let origin = (values["head"] ?? description ?? "").lowercased()
        isRTDETR = ["rtdetr", "rt-detr"].contains { origin.contains($0) }
    }

    /// `args` is informative and may hold objects that are no literals; then the flags in it count as not given.
    private mutating func readFlags(_ values: [String: String]) {
        let arguments = values["args"].flatMap { PythonLiteral($0) }
        if case .bool(let flag) = arguments?["dynamic"] { isDynamic = flag }
        // `nms: False` denies nothing: exports before 8.4 of end-to-end models say it too. Only `end2end` can deny.
        if case .bool(true) = arguments?["nms"] { isEndToEnd = true }
        if case .bool(let flag) = values["end2end"].flatMap({ PythonLiteral($0) }) {
            isEndToEnd = flag || isEndToEnd == true
        }
    }

    /// `{0: 'person', 1: 'bicycle'}`, or a list as old YOLOv5 writes it.
    private static func classNames(_ text: String) throws(VisionError) -> [String] {
        var names: [Int: String] = [:]
        switch PythonLiteral(text) {
        case .dictionary(let entries):
            for entry in entries {
                guard case (.int(let index), .string(let name)) = (entry.key, entry.value) else {
                    throw .badMetadata("names", text)
                }
                names[index] = name
            }
        case .list(let values):
            for (index, value) in values.enumerated() {
                guard case .string(let name) = value else { throw .badMetadata("names", text) }
                names[index] = name
            }
        default: throw .badMetadata("names", text)
        }
        let ordered = (0..<names.count).compactMap { names[$0] }
        guard !ordered.isEmpty, ordered.count == names.count else { throw .badMetadata("names", text) }
        return ordered
    }

    private static func stride(_ text: String) throws(VisionError) -> Int {
        guard let stride = Int(text), (1...1024).contains(stride) else { throw .badMetadata("stride", text) }
        return stride
    }

    /// `[17, 3]`: 17 keypoints of x, y and visibility.
    private static func keypointShape(_ text: String) throws(VisionError) -> KeypointShape {
        switch PythonLiteral(text) {
        case .list(let values), .tuple(let values):
            guard values.count == 2, case (.int(let count), .int(let dimensions)) = (values[0], values[1]),
                (1...10_000).contains(count), (2...3).contains(dimensions)
            else { throw .badMetadata("kpt_shape", text) }
            return KeypointShape(count: count, dimensions: dimensions)
        default: throw .badMetadata("kpt_shape", text)
        }
    }

    /// `[height, width]`, or one number for both.
    private static func imageSize(_ text: String) throws(VisionError) -> ImageSize {
        let size: ImageSize
        switch PythonLiteral(text) {
        case .int(let side): size = ImageSize(height: side, width: side)
        case .list(let sides), .tuple(let sides):
            guard sides.count == 2, case (.int(let height), .int(let width)) = (sides[0], sides[1]) else {
                throw .badMetadata("imgsz", text)
            }
            size = ImageSize(height: height, width: width)
        default: throw .badMetadata("imgsz", text)
        }
        guard (1...maxSide).contains(size.height), (1...maxSide).contains(size.width) else {
            throw .badMetadata("imgsz", text)
        }
        return size
    }
}

extension VisionError {
    fileprivate static func badMetadata(_ key: String, _ text: String) -> VisionError {
        .modelInvalid("its metadata has \(key) = \(shown(text)), which cannot be understood")
    }
}
