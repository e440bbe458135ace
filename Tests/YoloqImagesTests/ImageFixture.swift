// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqImages

/// One line of image_fixtures.tsv: a small file and what its reference decoder makes of it.
struct ImageFixture: CustomTestStringConvertible {
    let format: ImageFormat
    let name: String
    let width: Int
    let height: Int
    let hash: UInt64
    let bytes: [UInt8]
    /// Only of formats whose decoders need not agree to the bit.
    let pixels: [UInt8]?

    var testDescription: String { "\(format.rawValue), \(name)" }

    static let all: [ImageFixture] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("image_fixtures.tsv")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: "\t").map(String.init)
            guard fields.count >= 6, let format = ImageFormat(rawValue: fields[0]), let width = Int(fields[2]),
                let height = Int(fields[3]), let hash = UInt64(fields[4], radix: 16),
                let bytes = Data(base64Encoded: fields[5])
            else { return nil }
            return ImageFixture(
                format: format,
                name: fields[1],
                width: width,
                height: height,
                hash: hash,
                bytes: [UInt8](bytes),
                pixels: fields.count > 6 ? Data(base64Encoded: fields[6]).map { [UInt8]($0) } : nil
            )
        }
    }()

    static func all(_ formats: ImageFormat...) -> [ImageFixture] { all.filter { formats.contains($0.format) } }

    static func named(_ name: String, _ format: ImageFormat) throws -> ImageFixture {
        try #require(all(format).first { $0.name == name })
    }
}

/// Whether this system has libheif.
let hasHEIFLibrary: Bool = (try? HEIFLibrary.load(HEIFLibrary.usualNames, for: .heic)) != nil
