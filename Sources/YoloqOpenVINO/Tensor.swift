// SPDX-License-Identifier: Apache-2.0
internal import CYoloqOpenVINO

/// A tensor, or a view of one of a request's: the memory is counted, so it may outlive the request.
@safe package struct Tensor: ~Copyable {
    private let functions: FunctionTable
    let pointer: OpaquePointer

    @unsafe init(owning pointer: OpaquePointer, functions: FunctionTable) {
        unsafe self.pointer = pointer
        self.functions = functions
    }

    /// Allocates a tensor.
    init(elementType: ov_element_type_e, shape: [Int], functions: FunctionTable) throws(OpenVINOError) {
        let dims = shape.map(Int64.init)
        var native = unsafe ov_shape_t()
        try check("ov_shape_create", functions) { unsafe $0.shape_create(Int64(dims.count), dims, &native) }
        defer { _ = unsafe functions.pointer.pointee.shape_free(&native) }
        let tensor = unsafe try make("ov_tensor_create", functions) {
            unsafe $0.tensor_create(elementType, native, &$1)
        }
        unsafe self.init(owning: tensor, functions: functions)
    }

    /// Allocates a tensor of 32-bit floats.
    ///
    /// - Parameters:
    ///   - shape: For example `[1, 3, 640, 640]`.
    ///   - library: The loaded OpenVINO.
    /// - Throws: `OpenVINOError` with code `.call`.
    package init(shape: [Int], library: OpenVINOLibrary) throws(OpenVINOError) {
        try self.init(elementType: library.float32, shape: shape, functions: library.functions)
    }

    deinit { unsafe functions.pointer.pointee.tensor_free(pointer) }

    /// The dimensions.
    package borrowing func shape() throws(OpenVINOError) -> [Int] {
        var native = unsafe ov_shape_t()
        try check("ov_tensor_get_shape", functions) { unsafe $0.tensor_get_shape(pointer, &native) }
        defer { _ = unsafe functions.pointer.pointee.shape_free(&native) }
        guard let dims = unsafe native.dims else { return [] }
        return unsafe (0..<Int(native.rank)).map { Int(unsafe dims[$0]) }
    }

    /// The size of the memory in bytes.
    package borrowing func byteCount() throws(OpenVINOError) -> Int {
        var count = 0
        try check("ov_tensor_get_byte_size", functions) { unsafe $0.tensor_get_byte_size(pointer, &count) }
        return count
    }

    /// The elements of a tensor of 32-bit floats, row-major, where OpenVINO keeps them.
    ///
    /// - Returns: Memory that is valid as long as this tensor and unchanged until the request runs again.
    /// - Throws: `OpenVINOError` with code `.call`.
    @unsafe package borrowing func floats() throws(OpenVINOError) -> UnsafeMutableBufferPointer<Float> {
        var count = 0
        try check("ov_tensor_get_size", functions) { unsafe $0.tensor_get_size(pointer, &count) }
        let byteCount = try byteCount()
        guard byteCount == count * 4 else {
            throw OpenVINOError(
                code: .call,
                message: "a tensor has \(byteCount) bytes for \(count) elements, not 32-bit floats"
            )
        }
        var data: UnsafeMutableRawPointer?
        try check("ov_tensor_data", functions) { unsafe $0.tensor_data(pointer, &data) }
        return unsafe UnsafeMutableBufferPointer(start: data?.assumingMemoryBound(to: Float.self), count: count)
    }
}
