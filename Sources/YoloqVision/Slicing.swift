// SPDX-License-Identifier: Apache-2.0

/// How a large image is looked at in overlapping tiles, so that small things are not lost when it is scaled down.
///
/// In JSON the keys are `size`, `overlap` and `merge`; the last two may be missing.
public struct Slicing: Sendable, Hashable, Codable {
    /// What becomes of things that were found in several tiles.
    public enum Merging: String, Sendable, Hashable, Codable, CaseIterable {
        /// The weaker of two that overlap is dropped (non-maximum suppression, by IoU).
        case nms
        /// They are joined to one (greedy non-maximum merging) if the part of the smaller one that overlaps is above the IoU
        /// threshold, so that what a cut went through is whole again.
        case nmm
    }

    /// The side of a tile in pixels of the upright image, 32…7680.
    public var size: Int
    /// How much of its side a tile shares with the next, 0…0.9.
    public var overlap: Double
    /// What becomes of things that were found in several tiles.
    public var merging: Merging

    /// Chooses tiles.
    ///
    /// - Parameters:
    ///   - size: The side of a tile in pixels of the upright image.
    ///   - overlap: How much of its side a tile shares with the next, 0…0.9.
    ///   - merging: What becomes of things that were found in several tiles.
    public init(size: Int, overlap: Double = 0.2, merging: Merging = .nms) {
        self.size = size
        self.overlap = overlap
        self.merging = merging
    }

    private enum CodingKeys: String, CodingKey {
        case size, overlap
        case merging = "merge"
    }

    /// Reads a choice of tiles; ranges are not checked here but by `PredictionParameters.validate()`.
    ///
    /// - Parameter decoder: Holds an object with the keys.
    /// - Throws: `DecodingError` if `size` is missing or a key's value is of the wrong type.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(size: try values.decode(Int.self, forKey: .size))
        overlap = try values.decodeIfPresent(Double.self, forKey: .overlap) ?? overlap
        merging = try values.decodeIfPresent(Merging.self, forKey: .merging) ?? merging
    }
}

extension Slicing {
    /// More tiles would keep a worker busy for hours.
    static let maxTileCount = 10_000

    /// The tiles of an image, row by row; neighbours overlap by what was asked for or more, and the last ones end where the
    /// image does.
    ///
    /// - Parameter source: Size of the upright image.
    /// - Returns: One that is the whole image if that is no larger than a tile.
    /// - Throws: `badParameters` if there are more than 10,000.
    public func tiles(of source: ImageSize) throws(VisionError) -> [PixelRectangle] {
        let (rows, columns) = (ranges(along: source.height), ranges(along: source.width))
        guard rows.count * columns.count <= Self.maxTileCount else {
            throw .badParameter(
                "slice \(size)",
                "an image of \(source) (height x width) makes \(rows.count * columns.count) tiles of it, more than "
                    + "\(Self.maxTileCount)",
                advice: "Give a larger slice or a smaller overlap."
            )
        }
        return rows.flatMap { rows in columns.map { PixelRectangle(columns: $0, rows: rows) } }
    }

    private func ranges(along length: Int) -> [Range<Int>] {
        guard length > size else { return [0..<length] }
        let step = max(size - Int(Double(size) * overlap), 1)
        let last = length - size
        return (Array(stride(from: 0, to: last, by: step)) + [last]).map { $0..<$0 + size }
    }

    func validate(for task: VisionTask?) throws(VisionError) {
        guard (32...PredictionParameters.maxImageSize).contains(size) else {
            throw .badParameter(
                "slice \(size)",
                "it is not from 32 to \(PredictionParameters.maxImageSize)",
                advice: "Give for example 640."
            )
        }
        guard (0...0.9).contains(overlap) else {
            throw .badParameter("overlap \(overlap)", "it is not from 0 to 0.9", advice: "Give for example 0.2.")
        }
        guard task != .classify else {
            throw .badParameter("slice \(size)", "the model is of the whole image", advice: "Leave slice out.")
        }
        guard merging == .nms || task != .pose && task != .obb else {
            throw .badParameter(
                "slice-merge nmm",
                "only boxes and masks can be joined, not keypoints or oriented boxes",
                advice: "Use nms."
            )
        }
    }
}
