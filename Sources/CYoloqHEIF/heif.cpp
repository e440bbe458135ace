// SPDX-License-Identifier: Apache-2.0
#include "CYoloqHEIF.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

namespace {

struct heif_context;
struct heif_image_handle;
struct heif_image;

struct heif_error {
    int code;     // enum heif_error_code
    int subcode;  // enum heif_suberror_code
    const char *message;
};

// The beginning of heif_decoding_options, whose order is fixed; the rest grows with the library, which makes it.
struct heif_decoding_options {
    uint8_t version;
    uint8_t ignore_transformations;
    void (*start_progress)(int step, int max_progress, void *user_data);
    void (*on_progress)(int step, int progress, void *user_data);
    void (*end_progress)(int step, void *user_data);
    void *progress_user_data;
    uint8_t convert_hdr_to_8bit;  // from version 2
};

enum {
    heif_error_Ok = 0,
    heif_error_Unsupported_filetype = 3,
    heif_error_Unsupported_feature = 4,
    heif_error_Memory_allocation_error = 6,
    heif_suberror_End_of_data = 100,
    heif_suberror_Unsupported_codec = 3000,
    heif_colorspace_RGB = 1,
    heif_chroma_interleaved_RGB = 10,
    heif_channel_interleaved = 10,
};

constexpr size_t message_max = 256;

}  // namespace

// libheif's functions, without `heif_`.
struct yoloq_heif_library {
    heif_context *(*context_alloc)(void);
    void (*context_free)(heif_context *context);
    heif_error (*context_read_from_memory_without_copy)(
        heif_context *context, const void *bytes, size_t length, const void *options);
    heif_error (*context_get_primary_image_handle)(heif_context *context, heif_image_handle **handle);
    void (*image_handle_release)(const heif_image_handle *handle);
    int (*image_handle_get_width)(const heif_image_handle *handle);
    int (*image_handle_get_height)(const heif_image_handle *handle);
    heif_decoding_options *(*decoding_options_alloc)(void);
    void (*decoding_options_free)(heif_decoding_options *options);
    heif_error (*decode_image)(
        const heif_image_handle *handle, heif_image **image, int colorspace, int chroma,
        const heif_decoding_options *options);
    int (*image_get_width)(const heif_image *image, int channel);
    int (*image_get_height)(const heif_image *image, int channel);
    const uint8_t *(*image_get_plane_readonly)(const heif_image *image, int channel, int *stride);
    void (*image_release)(const heif_image *image);
    // Absent in older libraries, and then NULL.
    heif_error (*init)(void *parameters);
    void (*context_set_max_decoding_threads)(heif_context *context, int count);
    int (*image_get_decoding_warnings)(heif_image *image, int first, heif_error *warnings, int capacity);
};

struct yoloq_heif_decoder {
    const yoloq_heif_library *library;
    const uint8_t *bytes;
    size_t length;
    heif_context *context;
    heif_image_handle *handle;
    heif_decoding_options *options;
    heif_image *image;
    uint32_t width, height;
    char message[message_max];
    char warning[message_max];
};

namespace {

template <typename Function>
bool find(void *handle, const char *name, Function &function) {
    // POSIX has dlsym give functions as `void *` and asks for this copy.
    void *symbol = dlsym(handle, name);
    std::memcpy(&function, &symbol, sizeof symbol);
    return symbol != nullptr;
}

yoloq_heif_status fail(yoloq_heif_decoder *decoder, yoloq_heif_status status, const char *message) {
    std::snprintf(decoder->message, message_max, "%s", message);
    return status;
}

yoloq_heif_status check(yoloq_heif_decoder *decoder, const heif_error &error) {
    if (error.code == heif_error_Ok) return YOLOQ_HEIF_OK;
    const yoloq_heif_status status = error.subcode == heif_suberror_Unsupported_codec ? YOLOQ_HEIF_NO_CODEC
        : error.subcode == heif_suberror_End_of_data                                  ? YOLOQ_HEIF_TRUNCATED
        : error.code == heif_error_Memory_allocation_error                            ? YOLOQ_HEIF_NO_MEMORY
        : error.code == heif_error_Unsupported_filetype                               ? YOLOQ_HEIF_UNSUPPORTED
        : error.code == heif_error_Unsupported_feature                                ? YOLOQ_HEIF_UNSUPPORTED
                                                                                      : YOLOQ_HEIF_CORRUPT;
    return fail(decoder, status, error.message ? error.message : "libheif gave no reason");
}

// Runs what calls libheif; an exception from there becomes a status.
template <typename Body>
yoloq_heif_status guarded(yoloq_heif_decoder *decoder, Body body) {
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return fail(decoder, YOLOQ_HEIF_NO_MEMORY, "out of memory");
    } catch (const std::exception &error) {
        return fail(decoder, YOLOQ_HEIF_CORRUPT, error.what());
    } catch (...) {
        return fail(decoder, YOLOQ_HEIF_CORRUPT, "libheif threw an exception");
    }
}

void keep_warning(yoloq_heif_decoder *decoder) {
    const auto get = decoder->library->image_get_decoding_warnings;
    if (!get) return;
    const int count = get(decoder->image, 0, nullptr, 0);
    if (count < 1) return;
    // Only the last one can be had: libheif 1.15 writes all from the first asked for, however little room it is given,
    // and keeps the text of the last.
    heif_error warning = {};
    if (get(decoder->image, count - 1, &warning, 1) != 1 || !warning.message) return;
    std::snprintf(decoder->warning, message_max, "%s", warning.message);
}

}  // namespace

const yoloq_heif_library *yoloq_heif_bind(void *handle, const char **missing) {
    *missing = nullptr;
    auto *library = static_cast<yoloq_heif_library *>(std::calloc(1, sizeof(yoloq_heif_library)));
    if (!library) return nullptr;
#define BIND(name)                                        \
    if (!find(handle, "heif_" #name, library->name)) {    \
        *missing = "heif_" #name;                         \
        std::free(library);                               \
        return nullptr;                                   \
    }
    BIND(context_alloc)
    BIND(context_free)
    BIND(context_read_from_memory_without_copy)
    BIND(context_get_primary_image_handle)
    BIND(image_handle_release)
    BIND(image_handle_get_width)
    BIND(image_handle_get_height)
    BIND(decoding_options_alloc)
    BIND(decoding_options_free)
    BIND(decode_image)
    BIND(image_get_width)
    BIND(image_get_height)
    BIND(image_get_plane_readonly)
    BIND(image_release)
#undef BIND
    find(handle, "heif_init", library->init);
    find(handle, "heif_context_set_max_decoding_threads", library->context_set_max_decoding_threads);
    find(handle, "heif_image_get_decoding_warnings", library->image_get_decoding_warnings);
    try {
        // Loads the decoders that newer libraries have as plugins; never undone. If it fails, decoding will say so.
        if (library->init) library->init(nullptr);
    } catch (...) {
    }
    return library;
}

yoloq_heif_decoder *yoloq_heif_open(const yoloq_heif_library *library, const uint8_t *bytes, size_t length) {
    auto *decoder = static_cast<yoloq_heif_decoder *>(std::calloc(1, sizeof(yoloq_heif_decoder)));
    if (!decoder) return nullptr;
    decoder->library = library;
    decoder->bytes = bytes;
    decoder->length = length;
    return decoder;
}

yoloq_heif_status yoloq_heif_read_header(yoloq_heif_decoder *decoder, uint32_t *width, uint32_t *height) {
    return guarded(decoder, [&] {
        const yoloq_heif_library &library = *decoder->library;
        decoder->context = library.context_alloc();
        if (!decoder->context) return fail(decoder, YOLOQ_HEIF_NO_MEMORY, "out of memory");
        // Tiles are decoded on the calling thread, which the caller has counted.
        if (library.context_set_max_decoding_threads) library.context_set_max_decoding_threads(decoder->context, 0);
        yoloq_heif_status status = check(
            decoder,
            library.context_read_from_memory_without_copy(decoder->context, decoder->bytes, decoder->length, nullptr));
        if (status != YOLOQ_HEIF_OK) return status;
        status = check(decoder, library.context_get_primary_image_handle(decoder->context, &decoder->handle));
        if (status != YOLOQ_HEIF_OK) return status;
        const int w = library.image_handle_get_width(decoder->handle);
        const int h = library.image_handle_get_height(decoder->handle);
        if (w <= 0 || h <= 0) return fail(decoder, YOLOQ_HEIF_CORRUPT, "the primary image has no size");
        decoder->width = *width = static_cast<uint32_t>(w);
        decoder->height = *height = static_cast<uint32_t>(h);
        return YOLOQ_HEIF_OK;
    });
}

yoloq_heif_status yoloq_heif_decode(yoloq_heif_decoder *decoder, uint8_t *pixels) {
    return guarded(decoder, [&] {
        const yoloq_heif_library &library = *decoder->library;
        decoder->options = library.decoding_options_alloc();
        if (!decoder->options) return fail(decoder, YOLOQ_HEIF_NO_MEMORY, "out of memory");
        if (decoder->options->version >= 2) decoder->options->convert_hdr_to_8bit = 1;
        const yoloq_heif_status status = check(
            decoder,
            library.decode_image(
                decoder->handle, &decoder->image, heif_colorspace_RGB, heif_chroma_interleaved_RGB, decoder->options));
        if (status != YOLOQ_HEIF_OK) return status;
        keep_warning(decoder);
        int stride = 0;
        const uint8_t *plane =
            library.image_get_plane_readonly(decoder->image, heif_channel_interleaved, &stride);
        const size_t row = static_cast<size_t>(decoder->width) * 3;
        // The coded picture need not be as large as the header says.
        if (!plane || stride < 0 || static_cast<size_t>(stride) < row
            || library.image_get_width(decoder->image, heif_channel_interleaved) != static_cast<int>(decoder->width)
            || library.image_get_height(decoder->image, heif_channel_interleaved)
                != static_cast<int>(decoder->height)) {
            return fail(decoder, YOLOQ_HEIF_CORRUPT, "the picture is not as large as the header says");
        }
        for (uint32_t y = 0; y < decoder->height; y++) {
            std::memcpy(pixels + row * y, plane + static_cast<size_t>(stride) * y, row);
        }
        return YOLOQ_HEIF_OK;
    });
}

const char *yoloq_heif_message(const yoloq_heif_decoder *decoder) { return decoder->message; }

const char *yoloq_heif_warning(const yoloq_heif_decoder *decoder) {
    return decoder->warning[0] ? decoder->warning : nullptr;
}

void yoloq_heif_close(yoloq_heif_decoder *decoder) {
    (void)guarded(decoder, [&] {
        const yoloq_heif_library &library = *decoder->library;
        if (decoder->image) library.image_release(decoder->image);
        if (decoder->options) library.decoding_options_free(decoder->options);
        if (decoder->handle) library.image_handle_release(decoder->handle);
        if (decoder->context) library.context_free(decoder->context);
        return YOLOQ_HEIF_OK;
    });
    std::free(decoder);
}
