// SPDX-License-Identifier: Apache-2.0
internal import CYoloqOpenVINO

extension Model {
    /// Makes inputs and outputs of 16-bit floats take and give 32-bit ones.
    ///
    /// OpenVINO puts a conversion before and behind the network, which it fuses with its neighbours where it can; shapes
    /// stay as they are.
    ///
    /// - Returns: The model with inputs and outputs of 32-bit floats.
    /// - Throws: `OpenVINOError` with code `.call`.
    package consuming func convertingFloat16() throws(OpenVINOError) -> Model {
        let inputs = try inputs(), outputs = try outputs()
        guard (inputs + outputs).contains(where: { $0.elementType == .f16 }) else { return self }
        let functions = library.functions, float32 = library.float32
        let steps = unsafe try make("ov_preprocess_prepostprocessor_create", functions) {
            unsafe $0.preprocess_prepostprocessor_create(pointer, &$1)
        }
        defer { unsafe functions.pointer.pointee.preprocess_prepostprocessor_free(steps) }

        for index in inputs.indices where inputs[index].elementType == .f16 {
            let info = unsafe try make("ov_preprocess_prepostprocessor_get_input_info_by_index", functions) {
                unsafe $0.preprocess_prepostprocessor_get_input_info_by_index(steps, index, &$1)
            }
            defer { unsafe functions.pointer.pointee.preprocess_input_info_free(info) }
            let tensor = unsafe try make("ov_preprocess_input_info_get_tensor_info", functions) {
                unsafe $0.preprocess_input_info_get_tensor_info(info, &$1)
            }
            defer { unsafe functions.pointer.pointee.preprocess_input_tensor_info_free(tensor) }
            try check("ov_preprocess_input_tensor_info_set_element_type", functions) {
                unsafe $0.preprocess_input_tensor_info_set_element_type(tensor, float32)
            }
        }
        for index in outputs.indices where outputs[index].elementType == .f16 {
            let info = unsafe try make("ov_preprocess_prepostprocessor_get_output_info_by_index", functions) {
                unsafe $0.preprocess_prepostprocessor_get_output_info_by_index(steps, index, &$1)
            }
            defer { unsafe functions.pointer.pointee.preprocess_output_info_free(info) }
            let tensor = unsafe try make("ov_preprocess_output_info_get_tensor_info", functions) {
                unsafe $0.preprocess_output_info_get_tensor_info(info, &$1)
            }
            defer { unsafe functions.pointer.pointee.preprocess_output_tensor_info_free(tensor) }
            try check("ov_preprocess_output_set_element_type", functions) {
                unsafe $0.preprocess_output_set_element_type(tensor, float32)
            }
        }
        let built = unsafe try make("ov_preprocess_prepostprocessor_build", functions) {
            unsafe $0.preprocess_prepostprocessor_build(steps, &$1)
        }
        return unsafe Model(owning: built, library: library)
    }
}
