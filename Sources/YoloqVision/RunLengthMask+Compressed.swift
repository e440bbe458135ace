// SPDX-License-Identifier: Apache-2.0

extension RunLengthMask {
    /// The run lengths as COCO's text, the `counts` of a `segmentation` in its result files.
    ///
    /// From the fourth on a run is written as the difference to the one before the last. Each number is cut into groups
    /// of 5 bits, the lowest first; bit 5 says that more follow, the highest bit of the last group is the sign, and 48 is
    /// added to make a character of it (`rleToString` in `cocoapi/common/maskApi.c`).
    public var compressedCounts: String {
        var characters: [UInt8] = []
        for (index, count) in counts.enumerated() {
            var rest = index > 2 ? count - counts[index - 2] : count
            var isComplete = false
            while !isComplete {
                let group = UInt8(truncatingIfNeeded: rest & 0x1F)
                rest >>= 5
                isComplete = rest == (group & 0x10 == 0 ? 0 : -1)
                characters.append((isComplete ? group : group | 0x20) + 48)
            }
        }
        return String(decoding: characters, as: UTF8.self)
    }

    /// Makes a mask from COCO's text that somebody else wrote.
    ///
    /// Takes memory for what the text holds, whatever the size claims.
    ///
    /// - Parameters:
    ///   - size: Size of the image in pixels.
    ///   - compressedCounts: As `compressedCounts`.
    /// - Throws: `MaskFormatError` if the text is damaged, or its runs are not as many pixels as the image.
    public init(size: ImageSize, compressedCounts: String) throws(MaskFormatError) {
        var runs = try ColumnRuns(untrusted: size)
        var previous = (last: 0, beforeLast: 0)
        var index = 0
        var number = 0
        var shift = 0
        for character in compressedCounts.utf8 {
            guard (48..<48 + 64).contains(character) else {
                throw MaskFormatError("its text has the byte \(character), which no run length is written with")
            }
            // 64 bits are 13 groups.
            guard shift <= 60 else { throw MaskFormatError("a run length in its text does not end") }
            let group = character - 48
            number |= Int(group & 0x1F) << shift
            shift += 5
            guard group & 0x20 == 0 else { continue }
            if group & 0x10 != 0 { number |= -1 << shift }
            let (count, overflow) = number.addingReportingOverflow(index > 2 ? previous.beforeLast : 0)
            guard !overflow else { throw MaskFormatError("a run length in its text is beyond all images") }
            try runs.append(untrusted: count)
            previous = (count, previous.last)
            index += 1
            number = 0
            shift = 0
        }
        guard shift == 0 else { throw MaskFormatError("its text ends within a run length") }
        try self.init(untrusted: runs)
    }
}
