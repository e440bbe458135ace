// SPDX-License-Identifier: Apache-2.0
//
// libheif, declared here so that a build needs none of it: the library is opened at run time and its functions are
// called through a table. Layouts and signatures are those of libheif 1.12 and later (libheif/heif.h). libheif is
// written in C++ and lets exceptions out, which must not cross Swift frames: everything that can throw is called in
// heif.cpp.
#ifndef CYOLOQHEIF_H
#define CYOLOQHEIF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    YOLOQ_HEIF_OK = 0,
    YOLOQ_HEIF_CORRUPT = 1,
    YOLOQ_HEIF_TRUNCATED = 2,    // the data end before the image does
    YOLOQ_HEIF_UNSUPPORTED = 3,  // of a kind that this libheif does not read
    YOLOQ_HEIF_NO_CODEC = 4,     // this libheif has no decoder for the image's compression
    YOLOQ_HEIF_NO_MEMORY = 5,
} yoloq_heif_status;

typedef struct yoloq_heif_library yoloq_heif_library;
typedef struct yoloq_heif_decoder yoloq_heif_decoder;

// Finds libheif's functions in a handle of dlopen and gets the library ready.
//
// Returns what open takes, to live as long as the process, or NULL; then `*missing` is the name of the first function
// that the library lacks (static storage), or NULL if memory ran out.
const yoloq_heif_library *yoloq_heif_bind(void *handle, const char **missing);

// Order of calls: open, read_header, decode at most once, close. `bytes` must outlive the decoder. One thread at a
// time. After a status other than OK only message, warning and close may be called.

// NULL when memory is out.
yoloq_heif_decoder *yoloq_heif_open(const yoloq_heif_library *library, const uint8_t *bytes, size_t length);
// Size in pixels of the primary image, after the turns, flips and crops that the file asks for. Decodes nothing.
yoloq_heif_status yoloq_heif_read_header(yoloq_heif_decoder *decoder, uint32_t *width, uint32_t *height);
// pixels: RGB, (height, width, 3), row-major, unpadded, turned, flipped and cropped as the file asks.
yoloq_heif_status yoloq_heif_decode(yoloq_heif_decoder *decoder, uint8_t *pixels);
// What libheif said about the last status other than OK.
const char *yoloq_heif_message(const yoloq_heif_decoder *decoder);
// The last warning of decoding, or NULL.
const char *yoloq_heif_warning(const yoloq_heif_decoder *decoder);
void yoloq_heif_close(yoloq_heif_decoder *decoder);

#ifdef __cplusplus
}
#endif

#endif
