// SPDX-License-Identifier: Apache-2.0

/// A row of pixels, each channel by itself; valid during the call that it is given in.
public struct PlanarRow {
    /// How many pixels.
    public let count: Int
    /// The values of the red channel, 0…255.
    public let red: UnsafePointer<UInt8>
    /// The values of the green channel, 0…255.
    public let green: UnsafePointer<UInt8>
    /// The values of the blue channel, 0…255.
    public let blue: UnsafePointer<UInt8>

    /// Shows bytes that somebody keeps.
    ///
    /// - Parameters:
    ///   - bytes: The channels one after the other, (3, capacity).
    ///   - count: How many pixels there are of each.
    ///   - capacity: How many there is room for.
    init(_ bytes: UnsafePointer<UInt8>, count: Int, capacity: Int) {
        self.count = count
        (red, green, blue) = (bytes, bytes + capacity, bytes + 2 * capacity)
    }
}

/// Takes `count` interleaved RGB pixels apart.
///
/// - Parameters:
///   - pixels: (count, 3).
///   - count: How many.
///   - target: (3, capacity).
///   - capacity: At least `count`.
func split(
    _ pixels: UnsafePointer<UInt8>,
    count: Int,
    into target: UnsafeMutablePointer<UInt8>,
    capacity: Int
) {
    let (red, green, blue) = (target, target + capacity, target + 2 * capacity)
    for x in 0..<count {
        red[x] = pixels[3 &* x]
        green[x] = pixels[3 &* x &+ 1]
        blue[x] = pixels[3 &* x &+ 2]
    }
}
