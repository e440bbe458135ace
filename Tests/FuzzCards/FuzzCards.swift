// SPDX-License-Identifier: Apache-2.0

/// What libFuzzer calls with each input; compiled by ops/fuzz-cards into one module with YoloqVision's sources.
///
/// The first byte says what the others are.
@_cdecl("LLVMFuzzerTestOneInput")
public func readAnything(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 0 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
    do throws(VisionError) {
        switch start[0] % 6 {
        case 0: use(try ModelCard(onnx: bytes))
        case 1: use(try ModelCard(openvino: bytes, metadata: nil))
        case 2: _ = try YAMLMetadata(bytes)
        case 3: _ = try CardFile(json: bytes)
        case 4:
            let text = String(decoding: bytes, as: UTF8.self)
            _ = try ModelMetadata(["names": text, "imgsz": text, "kpt_shape": text, "args": text])
        default:
            let size = ImageSize(height: 30, width: 20)
            let mask = try? RunLengthMask(size: size, compressedCounts: String(decoding: bytes, as: UTF8.self))
            if let mask { precondition(mask.area <= 600) }
        }
    } catch {
        precondition(error.message.utf8.count < 4000, "a message grows with what it complains of")
    }
    return 0
}

/// Takes a card for each family, as `--family` does.
private func use(_ card: ModelCard) {
    for family in ["yolov5", "yolov8", "yolo26", "yolox", "rtdetr"] { _ = try? card.read(as: family) }
    _ = try? PredictionParameters().validate(for: card)
}
