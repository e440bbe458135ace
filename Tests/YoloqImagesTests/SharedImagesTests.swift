// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqImages

@Suite(.enabled(if: Shared.isThere, "needs ../shared/images"))
struct SharedImagesTests {
    @Test(arguments: decodedHashes)
    func `pixels are OpenCV's`(_ item: (path: String, width: Int, height: Int, hash: UInt64)) throws {
        let decoded = try Decoded(Shared.bytes(item.path))
        #expect(decoded.width == item.width && decoded.height == item.height)
        #expect(fnv1a(decoded.pixels) == item.hash)
        #expect(decoded.warnings.isEmpty)
    }

    @Test(arguments: [
        ("odd/bad/bitflip.png", ImageError.Code.corrupt), ("odd/bad/bomb-100000x100000.png", .tooLarge),
        ("odd/bad/empty.jpg", .empty), ("odd/bad/header-only.jpg", .truncated),
        ("odd/bad/text.jpg", .unsupportedFormat),
        ("odd/bad/truncated.jpg", .truncated), ("odd/bad/truncated.png", .truncated),
        ("odd/bad/zeros.png", .unsupportedFormat),
    ])
    func `a bad file gives its code`(_ item: (path: String, code: ImageError.Code)) throws {
        #expect(try failureCode(Shared.bytes(item.path)) == item.code)
    }
}
