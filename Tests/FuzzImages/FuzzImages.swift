// SPDX-License-Identifier: Apache-2.0

/// What libFuzzer calls with each input; compiled by `ops/fuzz` into one module with the decoders.
@_cdecl("LLVMFuzzerTestOneInput")
public func decodeAnything(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: bytes, count: count)
    let limits = ImageLimits(maxPixelCount: 1_000_000)
    _ = try? ImageDecoder.decode(bytes, limits: limits)
    do {
        guard var rows = try ImageDecoder.open(bytes, limits: limits) else { return 0 }
        // Some rows, from the same bytes on the same ones.
        var y = count % 7
        while y < rows.height {
            _ = try rows.row(y)[3 * rows.width - 1]
            y += 1 + count % 5
        }
        _ = try rows.finish()
    } catch {}
    return 0
}
