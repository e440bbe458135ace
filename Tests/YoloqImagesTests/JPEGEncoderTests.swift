// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqImages

@Suite struct JPEGEncoderTests {
    @Test func `a file decodes to nearly the same pixels`() throws {
        let image = RGBImage(gradientWidth: 61, height: 47)
        let decoded = try Decoded(JPEGEncoder.encode(image))
        #expect(decoded.width == 61 && decoded.height == 47)
        #expect(decoded.warnings.isEmpty)
        let error = zip(decoded.pixels, image.bytes).map { abs(Int($0) - Int($1)) }.max()
        #expect(try #require(error) <= 6)
    }

    @Test func `colour is not subsampled`() throws {
        let file = try JPEGEncoder.encode(RGBImage(width: 8, height: 8))
        let frame = try #require(file.firstMarker(0xC0))
        #expect([11, 14, 17].map { file[frame + $0] } == [0x11, 0x11, 0x11])
    }

    @Test func `better quality takes more bytes`() throws {
        let image = RGBImage(noise: 1, width: 64, height: 64)
        let sizes = try [1, 50, 92, 100].map { try JPEGEncoder.encode(image, quality: $0).count }
        #expect(sizes == sizes.sorted())
    }

    @Test func `a side that JPEG cannot hold is an error`() throws {
        #expect(throws: ImageError.self) { try JPEGEncoder.encode(RGBImage(width: 65_501, height: 1)) }
        #expect(try Decoded(JPEGEncoder.encode(RGBImage(width: 65_500, height: 1))).width == 65_500)
    }
}
