// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqImages

/// JPEGs that are decoded row by row.
@Suite struct ImageRowsTests {
    @Test(arguments: ImageFixture.all(.jpeg))
    func `rows are those of the whole image, whichever are left out`(_ fixture: ImageFixture) throws {
        try check(fixture.bytes, seed: fixture.hash)
    }

    @Test(
        .enabled(if: Shared.isThere, "needs ../shared/images"),
        arguments: ["bus.jpg", "odd/progressive.jpg", "odd/subsampling444.jpg", "odd/gray.jpg", "odd/tiny31x17.jpg"]
    )
    func `rows of photos are those of the whole image`(_ name: String) throws {
        try check(try Shared.bytes(name), seed: 7)
    }

    private func check(_ bytes: [UInt8], seed: UInt64) throws {
        let whole = try Decoded(bytes)
        var generator = SeededGenerator(seed: seed)
        for step in [1, 2, 3, 7, 16, 17, 64] {
            for _ in 0..<2 {
                let wanted = (0..<whole.height).filter { _ in Int.random(in: 0..<step, using: &generator) == 0 }
                let set = Set(wanted)
                let rows = try #require(try Rows(of: bytes) { set.contains($0) })
                let stride = 3 * whole.width
                let expected = wanted.flatMap { whole.pixels[$0 * stride..<($0 + 1) * stride] }
                #expect(rows.code == nil && rows.warnings == whole.warnings)
                #expect(rows.pixels == expected, "1 of \(step)")
            }
        }
    }

    @Test func `what has to be turned, or is no JPEG, comes as a whole`() throws {
        let photo = JPEGFixture.color420.bytes
        #expect(try Rows(of: JPEGFixture.cmyk.bytes) { _ in true } == nil)
        #expect(try Rows(of: jpeg(photo, addingExif: exif(orientation: 6, bigEndian: true))) { _ in true } == nil)
        #expect(try Rows(of: jpeg(photo, addingExif: exif(orientation: 1, bigEndian: true))) { _ in true } != nil)
        for fixture in ImageFixture.all(.webp, .bmp, .tiff) {
            #expect(try Rows(of: fixture.bytes) { _ in true } == nil)
        }
    }

    @Test func `damage below the last row that is wanted is found`() throws {
        let bytes = try ImageFixture.named("420", .jpeg).bytes
        let cut = Array(bytes.dropLast(200))
        #expect(failureCode(cut) == .truncated)
        #expect(try #require(try Rows(of: cut) { $0 == 0 }).code == .truncated)
        #expect(try #require(try Rows(of: cut) { _ in true }).code == .truncated)
        let small = try #require(try Rows(of: bytes, limits: ImageLimits(maxPixelCount: 100)) { _ in true })
        #expect(small.code == .tooLarge)
    }
}
