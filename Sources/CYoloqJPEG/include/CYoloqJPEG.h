// SPDX-License-Identifier: Apache-2.0
// libjpeg reports errors by longjmp, which must not cross Swift frames: everything that can jump lives in jpeg.c.
#ifndef CYOLOQJPEG_H
#define CYOLOQJPEG_H

#include <stddef.h>
#include <stdint.h>

#define YOLOQ_JPEG_WARNINGS_MAX 8

typedef enum {
    YOLOQ_JPEG_OK = 0,
    YOLOQ_JPEG_CORRUPT = 1,
    YOLOQ_JPEG_TRUNCATED = 2,    // the data end before the image does
    YOLOQ_JPEG_UNSUPPORTED = 3,  // a JPEG, but of a kind that is not read here
    YOLOQ_JPEG_NO_MEMORY = 4,
} yoloq_jpeg_status;

typedef struct {
    uint32_t width;       // pixels, as stored (before EXIF)
    uint32_t height;      // pixels, as stored
    int32_t components;   // 1 grey, 3 colour, 4 CMYK or YCCK
    const uint8_t *exif;  // TIFF bytes of the first Exif APP1, or NULL; owned by the decoder
    size_t exif_length;   // bytes
} yoloq_jpeg_header;

typedef struct yoloq_jpeg_decoder yoloq_jpeg_decoder;

// Order of calls: open, read_header, then decode, or start, read_row for some rows, and finish, each at most once, and
// close. `bytes` must outlive the decoder. One thread at a time. After a status other than OK only message, warning and
// close may be called.

// NULL when memory is out.
yoloq_jpeg_decoder *yoloq_jpeg_open(const uint8_t *bytes, size_t length);
// Allocates nothing that grows with the image's size.
yoloq_jpeg_status yoloq_jpeg_read_header(yoloq_jpeg_decoder *decoder, yoloq_jpeg_header *header);
// pixels: RGB, (height, width, 3), row-major, unpadded.
yoloq_jpeg_status yoloq_jpeg_decode(yoloq_jpeg_decoder *decoder, uint8_t *pixels);
// Begins to decode row by row. For grey and colour, not for 4 components.
yoloq_jpeg_status yoloq_jpeg_start(yoloq_jpeg_decoder *decoder);
// *row: RGB, (width, 3), and five bytes more that may be read, valid until the next call. Indices rise; the pixels of rows
// that are left out are never made.
yoloq_jpeg_status yoloq_jpeg_read_row(yoloq_jpeg_decoder *decoder, uint32_t index, const uint8_t **row);
// Reads the rest of the file, without making pixels of it.
yoloq_jpeg_status yoloq_jpeg_finish(yoloq_jpeg_decoder *decoder);
// What libjpeg said about the last status other than OK.
const char *yoloq_jpeg_message(const yoloq_jpeg_decoder *decoder);
// The index-th kind of warning, each kind once, or NULL past the last.
const char *yoloq_jpeg_warning(const yoloq_jpeg_decoder *decoder, int32_t index);
void yoloq_jpeg_close(yoloq_jpeg_decoder *decoder);

// Encodes RGB pixels (height, width, 3) as a 4:4:4 JFIF file. On OK `*bytes` is malloc'ed and the caller's to free;
// otherwise it is NULL and `message` holds the reason.
yoloq_jpeg_status yoloq_jpeg_encode(
    const uint8_t *pixels, uint32_t width, uint32_t height, int32_t quality,
    uint8_t **bytes, size_t *length, char *message, size_t message_size);

#endif
