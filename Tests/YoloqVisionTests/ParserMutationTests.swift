// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

/// Damaged files of every kind that says what a model is: a card or an error, never a crash or a hang, and memory within
/// bounds; and whatever card comes out, predictions or an error.
///
/// `YOLOQ_CARD_MUTATIONS=1000000` sets how many of each kind, `YOLOQ_SEED` which ones.
@Suite struct ParserMutationTests {
    @Test(.timeLimit(.minutes(30)), arguments: HostileFile.Kind.allCases)
    fileprivate func `a damaged file is a card or an error`(_ kind: HostileFile.Kind) async {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["YOLOQ_CARD_MUTATIONS"].flatMap(Int.init) ?? 1500
        let seed = environment["YOLOQ_SEED"].flatMap(UInt64.init) ?? .random(in: 1...1_000_000)
        let name = kind.rawValue
        // In a process of its own: what it dies of is seen, and other tests' memory is not counted.
        await #expect(processExitsWith: .success, "\(name), YOLOQ_SEED=\(seed)") {
            [name = name as String, count = count as Int, seed = seed as UInt64] in
            let kind = try #require(HostileFile.Kind(rawValue: name))
            var file = HostileFile(kind, seed: seed)
            for sound in kind.samples {
                #expect(file.failure(of: sound) == nil, "\(String(decoding: sound, as: UTF8.self))")
            }
            let before = peakMemory()
            var failures = 0
            for _ in 0..<count {
                let bytes = file.next()
                guard let failure = file.failure(of: bytes) else { continue }
                failures += 1
                // However long what it complains of.
                #expect(failure.message.utf8.count < 2000, "\(failure.message.prefix(3000))")
            }
            #expect(peakMemory() - before < 96 << 20)
            // Runs are refused unless they are as many pixels as the mask has, which chance alone never makes them.
            #expect(failures > 0 && (failures < count || kind == .runs), "of \(count) files \(failures) were refused")
        }
    }
}

/// Makes damaged files of a kind out of sound ones, and reads them.
private struct HostileFile {
    enum Kind: String, CaseIterable {
        case onnx, network, yaml, card, names, runs

        static let maskSize = ImageSize(height: 30, width: 20)

        /// Sound files.
        var samples: [[UInt8]] {
            switch self {
            case .onnx:
                let layouts: [(outputs: [[Int?]], task: String, classCount: Int)] = [
                    ([[1, 84, 8400]], "detect", 80), ([[1, 300, 6]], "detect", 3), ([[1, 25200, 7]], "detect", 2),
                    ([[1, 38, 8400], [1, 32, 160, 160]], "segment", 2), ([[1, 56, 8400]], "pose", 1),
                    ([[1, 7, 8400]], "obb", 2), ([[1, 5]], "classify", 5), ([[1, 8400, 85]], "detect", 80),
                ]
                return layouts.map { layout in
                    var model = TinyModel(outputs: layout.outputs)
                    model.metadata = TinyModel.metadata(classCount: layout.classCount, task: layout.task)
                    if layout.outputs[0][1] == 300 { model.metadata.append(("end2end", "True")) }
                    if layout.classCount == 80, layout.outputs[0].last == 85 { model.metadata = [] }
                    return model.bytes
                }
            case .network:
                let layer = "<layer id=\"%\" name=\"x &lt;&#65;\" type="
                return [
                    """
                    <?xml version="1.0"?><!-- c --><net name="m" version="11"><layers>\(layer)"Parameter" version="opset1">
                    <data shape="1,3,640,640" element_type='f32'/><output><port id="0" precision="FP32"><dim>9</dim></port>
                    </output></layer>\(layer)"Result" version="opset1"><input><port id="0" precision="FP16"><dim>1</dim>
                    <dim>84</dim><dim>8400</dim></port></input></layer></layers><edges/></net>
                    """,
                    """
                    <net name="m"><layers>\(layer)"Parameter"><data shape="?,3,-1,1..640" element_type="f16"/></layer>
                    \(layer)"Loop"><body><layers>\(layer)"Result"><input/></layer></layers></body></layer>\(layer)"Result">
                    <input><port id="0" precision="FP32"><dim>-1</dim><dim>84</dim><dim>-1</dim></port></input></layer></layers></net>
                    """,
                ].map { Array($0.utf8) }
            case .yaml:
                return [
                    "task: pose\nstride: 32\nimgsz:\n- 640\n- 640\nnames:\n  0: person\nkpt_shape: [17, 3]\nend2end: false\n",
                    "description: Ultralytics YOLO11n model trained on /x/coco.yaml\nauthor: 'U'\nargs: {nms: false, dynamic: true}\n"
                        + "names: {0: a, 1: \"b\", 2: yes}\nchannels: 3\n",
                    "names: [&x a, *x]\nmetadata: |\n  block\n  text\n",
                ].map { Array($0.utf8) }
            case .card:
                return [
                    #"{"task": "pose", "names": ["person", "it's"], "stride": 32, "imgsz": [416, 640], "kpt_shape": [17, 3]}"#,
                    #"{"names": {"1": "b", "0": "a", "2": "ü 😀 \n"}, "imgsz": 416, "end2end": true, "channels": 3}"#,
                    #"{"family": "yolox", "description": "d", "source": "s", "license": "l"}"#,
                ].map { Array($0.utf8) }
            case .names:
                return [
                    "{0: 'person', 1: \"it's\", 2: 'traffic light'}", "['a', 'b\\n\\x41\\u00e9', 'c']", "{0: 'a',}",
                ].map { Array($0.utf8) }
            case .runs:
                let counts = [[600], [0, 600], [31, 2, 28, 3, 500, 36], [1] + Array(repeating: 1, count: 599)]
                return counts.compactMap { try? RunLengthMask(size: Self.maskSize, counts: $0) }
                    .map { Array($0.compressedCounts.utf8) }
            }
        }

        /// What such files are made of.
        var tokens: [String] {
            switch self {
            case .onnx:
                ["\u{72}", "names", "imgsz", "kpt_shape", "[17, 3]", "end2end", "True", "args", "{'nms': True}", "-1"]
            case .network:
                [
                    "<layer ", "</layer>", "<net>", "</net>", "<dim>", "</dim>", "type=\"Result\"",
                    "type=\"Parameter\"", "<![CDATA[",
                    "]]>", "<!--", "-->", "&#x0;", "&#1114112;", "&amp;", "?", "-1", "9223372036854775807", "<", ">",
                    "\"", "'",
                ]
            case .yaml:
                [
                    "&a ", "*a", "- ", ": ", "\n", "[", "]", "{", "}", "!!int ", "<<: *a", "|\n", "~", "0x10", ".inf",
                    "? ", "'",
                ]
            case .card:
                [
                    "[", "]", "{", "}", ",", ":", "null", "true", "1e999", "-0", "\"\\ud800\"", "9223372036854775808",
                    "\"names\"",
                ]
            case .names:
                [
                    "{", "}", "[", "]", "(", ")", "'", "\"", "\\", "\\x", "\\u12", ": ", ",", "None", "1e9", "-",
                    "99999999999999999999",
                ]
            case .runs: ["0", "P", "_", "o", "\u{7f}", "`"]
            }
        }
    }

    private let kind: Kind
    private let files: [[UInt8]]
    private let tokens: [[UInt8]]
    private var generator: SeededGenerator

    init(_ kind: Kind, seed: UInt64) {
        self.kind = kind
        files = kind.samples
        tokens = kind.tokens.map { Array($0.utf8) }
        generator = SeededGenerator(seed: seed)
    }

    // MARK: Making

    mutating func next() -> [UInt8] {
        var bytes = files[index(below: files.count)]
        for _ in 0...index(below: 4) { damage(&bytes) }
        return bytes
    }

    private mutating func index(below count: Int) -> Int { Int.random(in: 0..<max(count, 1), using: &generator) }

    private mutating func damage(_ bytes: inout [UInt8]) {
        guard bytes.count > 1 else { return bytes.append(UInt8(index(below: 256))) }
        let place = index(below: bytes.count)
        let length = min(1 + index(below: 24), bytes.count - place)
        switch index(below: 9) {
        case 0: bytes[place] = UInt8(index(below: 256))
        case 1: bytes[place] ^= 1 << UInt8(index(below: 8))
        case 2: bytes.removeSubrange(place..<place + length)
        case 3: bytes.insert(contentsOf: bytes[place..<place + length], at: index(below: bytes.count))
        case 4: bytes.removeLast(index(below: bytes.count / 2))
        case 5, 6: bytes.insert(contentsOf: tokens[index(below: tokens.count)], at: place)
        case 7:
            // Deep or long, as nobody writes it.
            let token = tokens[index(below: tokens.count)]
            let many = Array(repeating: token, count: 1 << index(below: 13)).joined()
            bytes.insert(contentsOf: many, at: place)
        default:
            let other = files[index(below: files.count)]
            let from = index(below: other.count)
            bytes.replaceSubrange(place..<place + length, with: other[from..<min(from + length, other.count)])
        }
    }

    // MARK: Reading

    /// Why a file is refused; nil if it is not.
    mutating func failure(of bytes: [UInt8]) -> VisionError? {
        do throws(VisionError) {
            try bytes.withUnsafeBufferPointer { (buffer) throws(VisionError) in
                try read(UnsafeRawBufferPointer(buffer))
            }
            return nil
        } catch {
            return error
        }
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer) throws(VisionError) {
        let sound = Array(Kind.onnx.samples[index(below: 8)])
        switch kind {
        case .onnx: use(try ModelCard(onnx: bytes))
        case .network: use(try ModelCard(openvino: bytes, metadata: nil))
        case .yaml:
            let network = Array(String(decoding: Kind.network.samples[index(below: 2)], as: UTF8.self).utf8)
            _ = try YAMLMetadata(bytes)
            let card = try? network.withUnsafeBufferPointer { (network) throws(VisionError) in
                try ModelCard(openvino: UnsafeRawBufferPointer(network), metadata: bytes)
            }
            if let card { use(card) }
        case .card:
            let file = try CardFile(json: bytes)
            let card = try? sound.withUnsafeBufferPointer { (sound) throws(VisionError) in
                try ModelCard(onnx: UnsafeRawBufferPointer(sound), card: file)
            }
            if let card { use(card) }
        case .names: _ = try ModelMetadata(["names": String(decoding: bytes, as: UTF8.self)])
        case .runs:
            do throws(MaskFormatError) {
                let text = String(decoding: bytes, as: UTF8.self)
                let mask = try RunLengthMask(size: Kind.maskSize, compressedCounts: text)
                _ = (mask.area, mask.boundingBox)
            } catch {
                throw .badOutput("\(error)")
            }
        }
    }

    /// Does with a card what is done with one.
    private mutating func use(_ card: ModelCard) {
        let families = [nil, "yolov5", "yolov8", "yolo26", "yolox", "yolox-decoded", "rtdetr", "rtdetr-topk"]
        guard let card = try? card.read(as: families[index(below: families.count)]) else { return }
        var parameters = PredictionParameters()
        parameters.confidenceThreshold = 0.1
        parameters.imageSize = index(below: 2) == 0 ? nil : 64
        let source = ImageSize(height: 1 + index(below: 900), width: 1 + index(below: 900))
        guard (try? parameters.validate(for: card)) != nil,
            let letterbox = try? Letterbox(source: source, card: card, parameters: parameters)
        else { return }
        // The network's word against the card's: tensors of the shapes it says, or nearly.
        let shapes = card.outputShapes.map { $0.map { extent in extent ?? 1 + index(below: 60) } }
        var tensors: [[Float]] = []
        for shape in shapes {
            var count = 1
            for extent in shape { count = min(count * min(max(extent, 0), 1 << 20), 1 << 20) }
            guard count < 1 << 16 else { return }
            tensors.append((0..<count).map { _ in Float(Int.random(in: -20...640, using: &generator)) / 4 })
        }
        withTensors(shapes[...], tensors[...], []) { outputs in
            _ = try? decodePredictions(outputs, card: card, parameters: parameters, letterbox: letterbox)
        }
    }

    private func withTensors(
        _ shapes: ArraySlice<[Int]>,
        _ tensors: ArraySlice<[Float]>,
        _ outputs: [OutputTensor],
        _ body: ([OutputTensor]) -> Void
    ) {
        guard let shape = shapes.first, let tensor = tensors.first else { return body(outputs) }
        tensor.withUnsafeBufferPointer { values in
            let output = OutputTensor(shape: shape, values: values)
            withTensors(shapes.dropFirst(), tensors.dropFirst(), outputs + [output], body)
        }
    }
}

/// The most memory that the process has had, in bytes.
private func peakMemory() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
        getrusage(RUSAGE_SELF, &usage)
        return usage.ru_maxrss
    #else
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss << 10
    #endif
}
