// SPDX-License-Identifier: Apache-2.0
#include "CYoloqOpenVINO.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// POSIX has dlsym give functions as `void *` and asks for this copy, since ISO C has no cast between the two.
#define BIND(name)                                        \
    do {                                                  \
        void *symbol = dlsym(handle, "ov_" #name);        \
        if (symbol == NULL) {                             \
            *missing = "ov_" #name;                       \
            free(table);                                  \
            return NULL;                                  \
        }                                                 \
        memcpy(&table->name, &symbol, sizeof symbol);     \
    } while (0)

const yoloq_openvino_t *yoloq_openvino_bind(void *handle, const char **missing) {
    *missing = NULL;
    yoloq_openvino_t *table = calloc(1, sizeof *table);
    if (table == NULL) return NULL;

    BIND(get_openvino_version);
    BIND(version_free);
    BIND(get_error_info);
    BIND(get_last_err_msg);
    BIND(free);

    BIND(core_create);
    BIND(core_free);
    BIND(core_read_model_from_memory_buffer);
    BIND(core_compile_model);
    BIND(core_get_property);

    BIND(model_free);
    BIND(model_inputs_size);
    BIND(model_outputs_size);
    BIND(model_const_input_by_index);
    BIND(model_const_output_by_index);
    BIND(model_reshape_single_input);

    BIND(preprocess_prepostprocessor_create);
    BIND(preprocess_prepostprocessor_free);
    BIND(preprocess_prepostprocessor_build);
    BIND(preprocess_prepostprocessor_get_input_info_by_index);
    BIND(preprocess_input_info_free);
    BIND(preprocess_input_info_get_tensor_info);
    BIND(preprocess_input_tensor_info_free);
    BIND(preprocess_input_tensor_info_set_element_type);
    BIND(preprocess_prepostprocessor_get_output_info_by_index);
    BIND(preprocess_output_info_free);
    BIND(preprocess_output_info_get_tensor_info);
    BIND(preprocess_output_tensor_info_free);
    BIND(preprocess_output_set_element_type);

    BIND(port_get_element_type);
    BIND(port_get_partial_shape);
    BIND(output_const_port_free);

    BIND(partial_shape_create_static);
    BIND(partial_shape_free);
    BIND(shape_create);
    BIND(shape_free);

    BIND(compiled_model_free);
    BIND(compiled_model_outputs_size);
    BIND(compiled_model_get_property);
    BIND(compiled_model_create_infer_request);

    BIND(infer_request_free);
    BIND(infer_request_infer);
    BIND(infer_request_get_input_tensor_by_index);
    BIND(infer_request_get_output_tensor_by_index);

    BIND(tensor_create);
    BIND(tensor_free);
    BIND(tensor_get_shape);
    BIND(tensor_get_element_type);
    BIND(tensor_get_size);
    BIND(tensor_get_byte_size);
    BIND(tensor_data);
    return table;
}

ov_status_e yoloq_ov_core_compile_model(
    const yoloq_openvino_t *functions, const ov_core_t *core, const ov_model_t *model, const char *device,
    const char *const *properties, size_t count, ov_compiled_model_t **result) {
    // The callee takes as many arguments as it is told; the rest are passed and never looked at.
    const char *p[2 * YOLOQ_OV_MAX_PROPERTIES] = {NULL};
    if (count > YOLOQ_OV_MAX_PROPERTIES) abort();
    memcpy(p, properties, 2 * count * sizeof *p);
    return functions->core_compile_model(
        core, model, device, 2 * count, result, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10],
        p[11], p[12], p[13], p[14], p[15]);
}
