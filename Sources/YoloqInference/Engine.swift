// SPDX-License-Identifier: Apache-2.0
public import YoloqVision

/// Runs one loaded network: tensors in, tensors out.
///
/// Owned by the thread that made it.
public protocol Engine: ~Copyable, SendableMetatype {
    /// The runtime and its version, for example "openvino 2026.4.1".
    var name: String { get }

    /// What the network really computes in: "f32", "bf16" or "f16".
    var precision: String { get }

    /// Runs the network once on one image.
    ///
    /// - Parameters:
    ///   - input: Height and width of the input tensor; a size not seen lately costs a compilation.
    ///   - fill: Writes the engine's own input memory, every element: Float32, (1, 3, height, width), RGB, 0…1. If it throws,
    ///     nothing is run.
    ///   - read: Sees the engine's own outputs, in the order of the model's card; they are valid during the call.
    /// - Returns: What `read` returns.
    /// - Throws: `InferenceError` with code `.unsupportedModel` if the model does not take that size, `.engine` if the
    ///   runtime fails, what `fill` throws, or the code of the error that `read` throws.
    mutating func run<R>(
        _ input: ImageSize,
        fill: (UnsafeMutableBufferPointer<Float>) throws(InferenceError) -> Void,
        read: ([OutputTensor]) throws(VisionError) -> R
    ) throws(InferenceError) -> R
}

/// The number format a network computes in.
public enum Precision: String, Sendable, CaseIterable, Codable {
    /// What the machine does fast, if the model's self-check finds it good enough.
    case auto
    /// 32-bit floats: the field's numbers.
    case f32
    /// 16-bit floats with 8 bits of mantissa, fast on CPUs with AMX or AVX-512 BF16.
    case bf16
    /// 16-bit floats with 11 bits of mantissa, fast on ARM CPUs and GPUs.
    case f16
}
