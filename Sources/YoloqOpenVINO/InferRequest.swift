// SPDX-License-Identifier: Apache-2.0
internal import CYoloqOpenVINO

/// One run of a network at a time: its input and output memory.
///
/// Running and looking at tensors are `mutating`, so the compiler keeps them apart.
@safe package struct InferRequest: ~Copyable {
    private let library: OpenVINOLibrary
    private let pointer: OpaquePointer
    /// How many outputs the network has.
    package let outputCount: Int

    @unsafe init(owning pointer: OpaquePointer, outputCount: Int, library: OpenVINOLibrary) {
        unsafe self.pointer = pointer
        self.outputCount = outputCount
        self.library = library
    }

    deinit { unsafe library.functions.pointer.pointee.infer_request_free(pointer) }

    /// Runs the network on what the input tensor holds; returns when the outputs are written.
    ///
    /// - Throws: `OpenVINOError` with code `.call`.
    package mutating func infer() throws(OpenVINOError) {
        try check("ov_infer_request_infer", library.functions) { unsafe $0.infer_request_infer(pointer) }
    }

    /// The memory of an input.
    ///
    /// - Parameter index: Counted from 0.
    /// - Returns: A view of the request's own tensor.
    /// - Throws: `OpenVINOError` with code `.call` if there is no such input.
    package mutating func input(_ index: Int = 0) throws(OpenVINOError) -> Tensor {
        let tensor = unsafe try make("ov_infer_request_get_input_tensor_by_index", library.functions) {
            unsafe $0.infer_request_get_input_tensor_by_index(pointer, index, &$1)
        }
        return unsafe Tensor(owning: tensor, functions: library.functions)
    }

    /// The memory of an output; what it holds is the last run's.
    ///
    /// - Parameter index: Counted from 0.
    /// - Returns: A view of the request's own tensor.
    /// - Throws: `OpenVINOError` with code `.call` if there is no such output.
    package mutating func output(_ index: Int) throws(OpenVINOError) -> Tensor {
        let tensor = unsafe try make("ov_infer_request_get_output_tensor_by_index", library.functions) {
            unsafe $0.infer_request_get_output_tensor_by_index(pointer, index, &$1)
        }
        return unsafe Tensor(owning: tensor, functions: library.functions)
    }
}
