// SPDX-License-Identifier: Apache-2.0
internal import CYoloqOpenVINO

/// An input or output of a model, as the file declares it or as it was reshaped.
package struct Port: Sendable, Hashable {
    /// What the elements are, as far as this matters here.
    package enum ElementType: String, Sendable {
        /// 32-bit floats.
        case f32
        /// 16-bit floats with 11 bits of mantissa.
        case f16
        /// Anything else.
        case other = "another type"
    }

    /// What the elements are.
    package let elementType: ElementType
    /// The dimensions; nil where one is free.
    package let shape: [Int?]
}

/// A network read from a file, not yet compiled.
@safe package struct Model: ~Copyable {
    // Keeps the functions; OpenVINO itself never goes away.
    let library: OpenVINOLibrary
    let pointer: OpaquePointer

    @unsafe init(owning pointer: OpaquePointer, library: OpenVINOLibrary) {
        unsafe self.pointer = pointer
        self.library = library
    }

    deinit { unsafe library.functions.pointer.pointee.model_free(pointer) }

    /// The model's inputs.
    package borrowing func inputs() throws(OpenVINOError) -> [Port] {
        var count = 0
        try check("ov_model_inputs_size", library.functions) { unsafe $0.model_inputs_size(pointer, &count) }
        var ports: [Port] = []
        for index in 0..<count {
            let port = unsafe try make("ov_model_const_input_by_index", library.functions) {
                unsafe $0.model_const_input_by_index(pointer, index, &$1)
            }
            unsafe ports.append(try describe(port))
        }
        return ports
    }

    /// The model's outputs.
    package borrowing func outputs() throws(OpenVINOError) -> [Port] {
        var count = 0
        try check("ov_model_outputs_size", library.functions) { unsafe $0.model_outputs_size(pointer, &count) }
        var ports: [Port] = []
        for index in 0..<count {
            let port = unsafe try make("ov_model_const_output_by_index", library.functions) {
                unsafe $0.model_const_output_by_index(pointer, index, &$1)
            }
            unsafe ports.append(try describe(port))
        }
        return ports
    }

    /// Gives the model's only input a fixed shape; shapes behind it follow.
    ///
    /// May be called again with another shape: what was compiled before is a clone and stays as it was.
    ///
    /// - Parameter shape: For example `[1, 3, 640, 640]`.
    /// - Throws: `OpenVINOError` with code `.call` if the model does not take the shape.
    package mutating func reshapeInput(to shape: [Int]) throws(OpenVINOError) {
        let dims = shape.map(Int64.init)
        var partial = unsafe ov_partial_shape_t()
        try check("ov_partial_shape_create_static", library.functions) {
            unsafe $0.partial_shape_create_static(Int64(dims.count), dims, &partial)
        }
        defer { unsafe library.functions.pointer.pointee.partial_shape_free(&partial) }
        try check("ov_model_reshape_single_input", library.functions) {
            unsafe $0.model_reshape_single_input(pointer, partial)
        }
    }

    /// Reads a port and frees it.
    @unsafe private borrowing func describe(_ port: OpaquePointer) throws(OpenVINOError) -> Port {
        let functions = library.functions
        defer { unsafe functions.pointer.pointee.output_const_port_free(port) }
        var type: ov_element_type_e = 0
        try check("ov_port_get_element_type", functions) { unsafe $0.port_get_element_type(port, &type) }
        var partial = unsafe ov_partial_shape_t()
        try check("ov_port_get_partial_shape", functions) { unsafe $0.port_get_partial_shape(port, &partial) }
        defer { unsafe functions.pointer.pointee.partial_shape_free(&partial) }
        var shape: [Int?] = []
        if unsafe partial.rank.min == partial.rank.max, let dims = unsafe partial.dims {
            for index in 0..<Int(unsafe partial.rank.max) {
                let dim = unsafe dims[index]
                shape.append(dim.min == dim.max && dim.max >= 0 ? Int(dim.max) : nil)
            }
        }
        return Port(elementType: library.elementType(type), shape: shape)
    }
}
