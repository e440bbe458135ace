// SPDX-License-Identifier: Apache-2.0

/// An input or output of a network as its file declares it.
public struct ModelPort: Sendable, Hashable {
    /// What an element is.
    public enum ElementType: Sendable, Hashable {
        /// 32-bit floats, what engines are fed and give.
        case f32
        /// 16-bit floats, as exports with `half=True` have; turned into 32-bit ones at the engine's edge.
        case f16
        /// Anything else, by its usual short name.
        case other(String)

        /// The usual short name, such as "f32" or "i64".
        public var name: String {
            switch self {
            case .f32: "f32"
            case .f16: "f16"
            case .other(let name): name
            }
        }
    }

    /// The name in the file, possibly empty.
    public let name: String
    /// What an element is; nil if the file does not say.
    public let elementType: ElementType?
    /// The dimensions, nil = free; nil altogether if the file gives none.
    public let shape: [Int?]?

    init(name: String, elementType: ElementType?, shape: [Int?]?) {
        self.name = name
        self.elementType = elementType
        self.shape = shape
    }

    /// Short form for people, such as `images f32 [1, 3, ?, ?]`.
    public var summary: String {
        [name, elementType?.name ?? "?", shape.map(describe) ?? "any shape"].filter { !$0.isEmpty }
            .joined(separator: " ")
    }
}
