// SPDX-License-Identifier: Apache-2.0

/// Why run lengths that somebody else wrote are no mask.
public struct MaskFormatError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was asked, what happened and what to do.
    public let message: String

    /// The message.
    public var description: String { message }

    init(_ what: String) {
        message =
            "cannot read the mask: \(what). Give COCO run lengths as their writer made them, and the size they belong to."
    }
}
