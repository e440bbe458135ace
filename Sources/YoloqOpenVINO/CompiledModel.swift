// SPDX-License-Identifier: Apache-2.0
internal import CYoloqOpenVINO

/// A network compiled for a device.
///
/// OpenVINO's handles share what they are made of (`ov_compiled_model_t` and `ov_infer_request_t` hold C++
/// `shared_ptr`s, src/bindings/c/src/common.h), so model, compiled model, request and tensors may be freed in any order.
@safe package struct CompiledModel: ~Copyable {
    private let library: OpenVINOLibrary
    private let pointer: OpaquePointer

    @unsafe init(owning pointer: OpaquePointer, library: OpenVINOLibrary) {
        unsafe self.pointer = pointer
        self.library = library
    }

    deinit { unsafe library.functions.pointer.pointee.compiled_model_free(pointer) }

    /// A property as the device settled it, such as `INFERENCE_PRECISION_HINT`.
    ///
    /// - Parameter key: OpenVINO's name of the property.
    /// - Returns: The value as text.
    /// - Throws: `OpenVINOError` with code `.call`.
    package borrowing func property(_ key: String) throws(OpenVINOError) -> String {
        var value: UnsafeMutablePointer<CChar>?
        try check("ov_compiled_model_get_property", library.functions) {
            unsafe $0.compiled_model_get_property(pointer, key, &value)
        }
        defer { unsafe library.functions.pointer.pointee.free(value) }
        return unsafe value.map { unsafe String(cString: $0) } ?? ""
    }

    /// Makes what one thread needs to run the network: input and output memory.
    ///
    /// - Returns: A request that shares the network's weights.
    /// - Throws: `OpenVINOError` with code `.call`.
    package borrowing func makeRequest() throws(OpenVINOError) -> InferRequest {
        var outputCount = 0
        try check("ov_compiled_model_outputs_size", library.functions) {
            unsafe $0.compiled_model_outputs_size(pointer, &outputCount)
        }
        let request = unsafe try make("ov_compiled_model_create_infer_request", library.functions) {
            unsafe $0.compiled_model_create_infer_request(pointer, &$1)
        }
        return unsafe InferRequest(owning: request, outputCount: outputCount, library: library)
    }
}
