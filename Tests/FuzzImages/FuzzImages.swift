// SPDX-License-Identifier: Apache-2.0

/// What libFuzzer calls with each input; compiled by ops/fuzz-images into one module with the decoders.
@_cdecl("LLVMFuzzerTestOneInput")
public func decodeAnything(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: bytes, count: count)
    _ = try? ImageDecoder.decode(bytes, limits: ImageLimits(maxPixelCount: 1_000_000))
    return 0
}
