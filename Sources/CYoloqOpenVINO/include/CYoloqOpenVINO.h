// SPDX-License-Identifier: Apache-2.0
//
// The part of OpenVINO's C API that yoloq uses, declared here so that a build needs no OpenVINO: the library is opened
// at run time and its functions are called through a table. Layouts and signatures are those of OpenVINO 2024.0 to
// 2026.4 (openvino/c/*.h); the names are OpenVINO's, without `ov_` in the table.
#ifndef YOLOQ_OPENVINO_H
#define YOLOQ_OPENVINO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ov_core ov_core_t;
typedef struct ov_model ov_model_t;
typedef struct ov_compiled_model ov_compiled_model_t;
typedef struct ov_infer_request ov_infer_request_t;
typedef struct ov_tensor ov_tensor_t;
typedef struct ov_output_const_port ov_output_const_port_t;
typedef struct ov_preprocess_prepostprocessor ov_preprocess_prepostprocessor_t;
typedef struct ov_preprocess_input_info ov_preprocess_input_info_t;
typedef struct ov_preprocess_input_tensor_info ov_preprocess_input_tensor_info_t;
typedef struct ov_preprocess_output_info ov_preprocess_output_info_t;
typedef struct ov_preprocess_output_tensor_info ov_preprocess_output_tensor_info_t;

/// 0 is success; OpenVINO's is an enum with negative members, which has int's representation.
typedef int ov_status_e;

/// OpenVINO's enum of element types. Its values are not stable: F32 was 5 until 2024 and is 4 since (`UNDEFINED` went
/// away), so they are probed and never spelled; only F16, F32 and F64 lie next to each other in every version.
typedef unsigned int ov_element_type_e;

typedef struct {
    const char *_Nullable buildNumber;  // "2026.4.1-22060-..."
    const char *_Nullable description;
} ov_version_t;

typedef struct {
    int64_t rank;
    int64_t *_Nullable dims;
} ov_shape_t;

/// A free dimension has min < max; max is -1 where there is no bound.
typedef struct {
    int64_t min;
    int64_t max;
} ov_dimension_t;

typedef struct {
    ov_dimension_t rank;
    ov_dimension_t *_Nullable dims;
} ov_partial_shape_t;

/// OpenVINO's functions, every one present.
typedef struct {
    ov_status_e (*_Nonnull get_openvino_version)(ov_version_t *_Nonnull version);
    void (*_Nonnull version_free)(ov_version_t *_Nonnull version);
    const char *_Nonnull (*_Nonnull get_error_info)(ov_status_e status);  // static storage
    const char *_Nullable (*_Nonnull get_last_err_msg)(void);             // to be freed with `free`
    void (*_Nonnull free)(const char *_Nullable content);

    ov_status_e (*_Nonnull core_create)(ov_core_t *_Nullable *_Nonnull core);
    void (*_Nonnull core_free)(ov_core_t *_Nullable core);
    ov_status_e (*_Nonnull core_read_model_from_memory_buffer)(
        const ov_core_t *_Nonnull core, const char *_Nonnull model, size_t length,
        const ov_tensor_t *_Nullable weights, ov_model_t *_Nullable *_Nonnull result);
    // Variadic: Swift calls yoloq_ov_core_compile_model.
    ov_status_e (*_Nonnull core_compile_model)(
        const ov_core_t *_Nonnull core, const ov_model_t *_Nonnull model, const char *_Nonnull device,
        size_t property_args_size, ov_compiled_model_t *_Nullable *_Nonnull result, ...);
    ov_status_e (*_Nonnull core_get_property)(
        const ov_core_t *_Nonnull core, const char *_Nonnull device, const char *_Nonnull key,
        char *_Nullable *_Nonnull value);

    void (*_Nonnull model_free)(ov_model_t *_Nullable model);
    ov_status_e (*_Nonnull model_inputs_size)(const ov_model_t *_Nonnull model, size_t *_Nonnull size);
    ov_status_e (*_Nonnull model_outputs_size)(const ov_model_t *_Nonnull model, size_t *_Nonnull size);
    ov_status_e (*_Nonnull model_const_input_by_index)(
        const ov_model_t *_Nonnull model, size_t index, ov_output_const_port_t *_Nullable *_Nonnull port);
    ov_status_e (*_Nonnull model_const_output_by_index)(
        const ov_model_t *_Nonnull model, size_t index, ov_output_const_port_t *_Nullable *_Nonnull port);
    ov_status_e (*_Nonnull model_reshape_single_input)(const ov_model_t *_Nonnull model, ov_partial_shape_t shape);

    ov_status_e (*_Nonnull preprocess_prepostprocessor_create)(
        const ov_model_t *_Nonnull model, ov_preprocess_prepostprocessor_t *_Nullable *_Nonnull result);
    void (*_Nonnull preprocess_prepostprocessor_free)(ov_preprocess_prepostprocessor_t *_Nullable steps);
    ov_status_e (*_Nonnull preprocess_prepostprocessor_build)(
        const ov_preprocess_prepostprocessor_t *_Nonnull steps, ov_model_t *_Nullable *_Nonnull result);
    ov_status_e (*_Nonnull preprocess_prepostprocessor_get_input_info_by_index)(
        const ov_preprocess_prepostprocessor_t *_Nonnull steps, size_t index,
        ov_preprocess_input_info_t *_Nullable *_Nonnull info);
    void (*_Nonnull preprocess_input_info_free)(ov_preprocess_input_info_t *_Nullable info);
    ov_status_e (*_Nonnull preprocess_input_info_get_tensor_info)(
        const ov_preprocess_input_info_t *_Nonnull info,
        ov_preprocess_input_tensor_info_t *_Nullable *_Nonnull tensor);
    void (*_Nonnull preprocess_input_tensor_info_free)(ov_preprocess_input_tensor_info_t *_Nullable tensor);
    ov_status_e (*_Nonnull preprocess_input_tensor_info_set_element_type)(
        ov_preprocess_input_tensor_info_t *_Nonnull tensor, ov_element_type_e type);
    ov_status_e (*_Nonnull preprocess_prepostprocessor_get_output_info_by_index)(
        const ov_preprocess_prepostprocessor_t *_Nonnull steps, size_t index,
        ov_preprocess_output_info_t *_Nullable *_Nonnull info);
    void (*_Nonnull preprocess_output_info_free)(ov_preprocess_output_info_t *_Nullable info);
    ov_status_e (*_Nonnull preprocess_output_info_get_tensor_info)(
        const ov_preprocess_output_info_t *_Nonnull info,
        ov_preprocess_output_tensor_info_t *_Nullable *_Nonnull tensor);
    void (*_Nonnull preprocess_output_tensor_info_free)(ov_preprocess_output_tensor_info_t *_Nullable tensor);
    ov_status_e (*_Nonnull preprocess_output_set_element_type)(
        ov_preprocess_output_tensor_info_t *_Nonnull tensor, ov_element_type_e type);

    ov_status_e (*_Nonnull port_get_element_type)(
        const ov_output_const_port_t *_Nonnull port, ov_element_type_e *_Nonnull type);
    ov_status_e (*_Nonnull port_get_partial_shape)(
        const ov_output_const_port_t *_Nonnull port, ov_partial_shape_t *_Nonnull shape);
    void (*_Nonnull output_const_port_free)(ov_output_const_port_t *_Nullable port);

    ov_status_e (*_Nonnull partial_shape_create_static)(
        int64_t rank, const int64_t *_Nonnull dims, ov_partial_shape_t *_Nonnull shape);
    void (*_Nonnull partial_shape_free)(ov_partial_shape_t *_Nonnull shape);
    ov_status_e (*_Nonnull shape_create)(int64_t rank, const int64_t *_Nonnull dims, ov_shape_t *_Nonnull shape);
    ov_status_e (*_Nonnull shape_free)(ov_shape_t *_Nonnull shape);

    void (*_Nonnull compiled_model_free)(ov_compiled_model_t *_Nullable model);
    ov_status_e (*_Nonnull compiled_model_outputs_size)(
        const ov_compiled_model_t *_Nonnull model, size_t *_Nonnull size);
    ov_status_e (*_Nonnull compiled_model_get_property)(
        const ov_compiled_model_t *_Nonnull model, const char *_Nonnull key, char *_Nullable *_Nonnull value);
    ov_status_e (*_Nonnull compiled_model_create_infer_request)(
        const ov_compiled_model_t *_Nonnull model, ov_infer_request_t *_Nullable *_Nonnull request);

    void (*_Nonnull infer_request_free)(ov_infer_request_t *_Nullable request);
    ov_status_e (*_Nonnull infer_request_infer)(ov_infer_request_t *_Nonnull request);
    ov_status_e (*_Nonnull infer_request_get_input_tensor_by_index)(
        const ov_infer_request_t *_Nonnull request, size_t index, ov_tensor_t *_Nullable *_Nonnull tensor);
    ov_status_e (*_Nonnull infer_request_get_output_tensor_by_index)(
        const ov_infer_request_t *_Nonnull request, size_t index, ov_tensor_t *_Nullable *_Nonnull tensor);

    ov_status_e (*_Nonnull tensor_create)(
        ov_element_type_e type, ov_shape_t shape, ov_tensor_t *_Nullable *_Nonnull tensor);
    void (*_Nonnull tensor_free)(ov_tensor_t *_Nullable tensor);
    ov_status_e (*_Nonnull tensor_get_shape)(const ov_tensor_t *_Nonnull tensor, ov_shape_t *_Nonnull shape);
    ov_status_e (*_Nonnull tensor_get_element_type)(
        const ov_tensor_t *_Nonnull tensor, ov_element_type_e *_Nonnull type);
    ov_status_e (*_Nonnull tensor_get_size)(const ov_tensor_t *_Nonnull tensor, size_t *_Nonnull size);
    ov_status_e (*_Nonnull tensor_get_byte_size)(const ov_tensor_t *_Nonnull tensor, size_t *_Nonnull size);
    ov_status_e (*_Nonnull tensor_data)(const ov_tensor_t *_Nonnull tensor, void *_Nullable *_Nonnull data);
} yoloq_openvino_t;

/// Fills a new table with OpenVINO's functions from a handle of dlopen.
///
/// Returns the table, to live as long as the process, or NULL; then `*missing` is the name of the first function that
/// the library lacks (static storage), or NULL if memory ran out.
const yoloq_openvino_t *_Nullable yoloq_openvino_bind(void *_Nonnull handle, const char *_Nullable *_Nonnull missing);

/// The most property pairs that yoloq_ov_core_compile_model passes on.
#define YOLOQ_OV_MAX_PROPERTIES 8

/// ov_core_compile_model, which is variadic: Swift cannot call it.
///
/// `properties` holds `count` keys and values in turns, at most 2 * YOLOQ_OV_MAX_PROPERTIES strings.
ov_status_e yoloq_ov_core_compile_model(
    const yoloq_openvino_t *_Nonnull functions, const ov_core_t *_Nonnull core, const ov_model_t *_Nonnull model,
    const char *_Nonnull device, const char *_Nullable const *_Nonnull properties, size_t count,
    ov_compiled_model_t *_Nullable *_Nonnull result);

#endif
