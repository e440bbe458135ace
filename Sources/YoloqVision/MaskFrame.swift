// SPDX-License-Identifier: Apache-2.0

/// Which pixels a mask is made of.
public enum MaskFrame: String, Sendable, Hashable, Codable, CaseIterable {
    /// Those of the model's input, letterbox padding included: the reference's masks unless told otherwise.
    case input
    /// Those of the upright image: the reference's `retina_masks=True`.
    case image
}
