// SPDX-License-Identifier: Apache-2.0
import Foundation
import YoloqImages

@testable import YoloqVision

/// Repeatable randomness (SplitMix64), so that a failure can be run again from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Photos, models and goldens that lie beside the checkout on machines that have them.
enum Shared {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("shared")

    static func has(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    static func bytes(_ path: String) throws -> Data {
        try Data(contentsOf: root.appendingPathComponent(path))
    }
}

/// A card with placeholder names, dynamic and of stride 32 unless told otherwise.
func card(
    classCount: Int,
    head: HeadLayout = .anchors,
    task: VisionTask = .detect,
    isDynamic: Bool = true,
    imageSize: ImageSize = ImageSize(height: 640, width: 640)
) -> ModelCard {
    ModelCard(
        task: task,
        classNames: (0..<classCount).map { "class\($0)" },
        imageSize: imageSize,
        isDynamic: isDynamic,
        head: head
    )
}

/// Decodes with a letterbox that changes nothing: a 640x640 image in a 640x640 input.
func decodeTensor(
    shape: [Int],
    _ values: [Float],
    card: ModelCard,
    _ change: (inout PredictionParameters) -> Void = { _ in }
) throws(VisionError) -> [Prediction] {
    var parameters = PredictionParameters()
    change(&parameters)
    let size = ImageSize(height: 640, width: 640)
    let letterbox = Letterbox(source: size, target: size, mode: .full, stride: 32)
    return try values.withUnsafeBufferPointer { values throws(VisionError) in
        try decodePredictions(
            [OutputTensor(shape: shape, values: values)],
            card: card,
            parameters: parameters,
            letterbox: letterbox
        )
    }
}

/// The error that `body` throws, nil if it throws none.
func error(_ body: () throws(VisionError) -> Void) -> VisionError? {
    do throws(VisionError) {
        try body()
        return nil
    } catch {
        return error
    }
}
