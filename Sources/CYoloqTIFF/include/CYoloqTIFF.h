// SPDX-License-Identifier: Apache-2.0
// libtiff reports errors through variadic callbacks, which Swift cannot receive: everything that does lives in tiff.c.
#ifndef CYOLOQTIFF_H
#define CYOLOQTIFF_H

#include <stddef.h>
#include <stdint.h>

#define YOLOQ_TIFF_WARNINGS_MAX 8

typedef enum {
    YOLOQ_TIFF_OK = 0,
    YOLOQ_TIFF_CORRUPT = 1,
    YOLOQ_TIFF_TRUNCATED = 2,    // something was asked for beyond the last byte
    YOLOQ_TIFF_UNSUPPORTED = 3,  // a TIFF, but of a kind that is not read here
    YOLOQ_TIFF_NO_MEMORY = 4,
} yoloq_tiff_status;

typedef struct {
    uint32_t width;        // pixels, as stored (before orientation)
    uint32_t height;       // pixels, as stored
    uint16_t orientation;  // TIFF 6.0, tag 274: 1...8, or whatever the file says
} yoloq_tiff_header;

typedef struct yoloq_tiff_decoder yoloq_tiff_decoder;

// Order of calls: open, read_header, decode at most once, close. `bytes` must outlive the decoder. One thread at a
// time. After a status other than OK only message, warning and close may be called.

// NULL when memory is out.
yoloq_tiff_decoder *yoloq_tiff_open(const uint8_t *bytes, size_t length);
// Of the first page. Allocates nothing that grows with the image's size.
yoloq_tiff_status yoloq_tiff_read_header(yoloq_tiff_decoder *decoder, yoloq_tiff_header *header);
// pixels: RGB, (height, width, 3), row-major, unpadded, as stored. Also takes four bytes for each pixel of a strip or
// of a row of tiles, and libtiff a decoded strip or tile.
yoloq_tiff_status yoloq_tiff_decode(yoloq_tiff_decoder *decoder, uint8_t *pixels);
// What libtiff, or this, said about the last status other than OK.
const char *yoloq_tiff_message(const yoloq_tiff_decoder *decoder);
// The index-th kind of warning, each kind once, or NULL past the last.
const char *yoloq_tiff_warning(const yoloq_tiff_decoder *decoder, int32_t index);
void yoloq_tiff_close(yoloq_tiff_decoder *decoder);

#endif
