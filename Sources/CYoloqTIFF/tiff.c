// SPDX-License-Identifier: Apache-2.0
#include "CYoloqTIFF.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

// TIFFOpenOptions, which gives each decoder handlers and limits of its own, came with libtiff 4.5.
#if TIFFLIB_VERSION < 20221213
#error "yoloq needs libtiff 4.5 or later"
#endif

#define MESSAGE_MAX 256
// Most memory that libtiff may take at once: a strip of the largest image, 16 bits a sample.
#define ALLOCATION_MAX ((tmsize_t)2 << 30)
// A tile may be larger than its image, but not without bound: 4096 x 4096.
#define TILE_PIXELS_MAX ((uint64_t)1 << 24)

struct yoloq_tiff_decoder {
    const uint8_t *bytes;
    size_t length;
    size_t position;
    int is_starved;  // whether more bytes were asked for than there are
    TIFF *tiff;
    yoloq_tiff_status failure;  // how libtiff's first error is to be understood; OK while there is none
    char message[MESSAGE_MAX];
    const char *warning_formats[YOLOQ_TIFF_WARNINGS_MAX];
    char warnings[YOLOQ_TIFF_WARNINGS_MAX][MESSAGE_MAX];
    int warning_count;
};

static int on_error(TIFF *tiff, void *data, const char *module, const char *format, va_list arguments) {
    (void)tiff;
    (void)module;
    yoloq_tiff_decoder *decoder = data;
    if (decoder->failure != YOLOQ_TIFF_OK) return 1;  // the first one is the cause
    decoder->failure = decoder->is_starved ? YOLOQ_TIFF_TRUNCATED : YOLOQ_TIFF_CORRUPT;
    vsnprintf(decoder->message, sizeof decoder->message, format, arguments);
    return 1;  // the process's own handler, which prints, is not called
}

static int on_warning(TIFF *tiff, void *data, const char *module, const char *format, va_list arguments) {
    (void)tiff;
    (void)module;
    yoloq_tiff_decoder *decoder = data;
    // Tags that libtiff has no name for are what cameras and microscopes write; nothing is lost by them.
    if (strstr(format, "Unknown field with tag")) return 1;
    for (int i = 0; i < decoder->warning_count; i++) {
        if (decoder->warning_formats[i] == format) return 1;  // the numbers in the text differ, the kind does not
    }
    if (decoder->warning_count == YOLOQ_TIFF_WARNINGS_MAX) return 1;
    decoder->warning_formats[decoder->warning_count] = format;
    vsnprintf(decoder->warnings[decoder->warning_count], MESSAGE_MAX, format, arguments);
    decoder->warning_count++;
    return 1;
}

static tmsize_t read_bytes(thandle_t handle, void *target, tmsize_t count) {
    yoloq_tiff_decoder *decoder = handle;
    const size_t left = decoder->position < decoder->length ? decoder->length - decoder->position : 0;
    size_t taken = count < 0 ? 0 : (size_t)count;
    if (taken > left) {
        taken = left;
        decoder->is_starved = 1;
    }
    if (taken > 0) memcpy(target, decoder->bytes + decoder->position, taken);
    decoder->position += taken;
    return (tmsize_t)taken;
}

static tmsize_t write_bytes(thandle_t handle, void *source, tmsize_t count) {
    (void)handle;
    (void)source;
    (void)count;
    return 0;
}

static toff_t seek_to(thandle_t handle, toff_t offset, int whence) {
    yoloq_tiff_decoder *decoder = handle;
    switch (whence) {
    case SEEK_SET: break;
    case SEEK_CUR: offset += decoder->position; break;
    case SEEK_END: offset += decoder->length; break;
    default: return (toff_t)-1;
    }
    if (offset > decoder->length) decoder->is_starved = 1;
    decoder->position = (size_t)offset;
    return offset;
}

static int close_nothing(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle) { return ((yoloq_tiff_decoder *)handle)->length; }

static yoloq_tiff_status fail(yoloq_tiff_decoder *decoder, yoloq_tiff_status status, const char *message) {
    if (decoder->failure == YOLOQ_TIFF_OK) {
        decoder->failure = status;
        snprintf(decoder->message, sizeof decoder->message, "%s", message);
    }
    return decoder->failure;
}

yoloq_tiff_decoder *yoloq_tiff_open(const uint8_t *bytes, size_t length) {
    yoloq_tiff_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) return NULL;
    decoder->bytes = bytes;
    decoder->length = length;
    return decoder;
}

// The most bytes that one stored byte of a compression can become, or 0 if there is no bound worth the name; -1 for a
// compression that is not read here: rare ones, and those whose decoders are little used and have a history.
static int64_t largest_expansion(uint16_t compression) {
    switch (compression) {
    case COMPRESSION_NONE: return 1;
    case COMPRESSION_PACKBITS: return 64;
    case COMPRESSION_LZW: return 4096;
    case COMPRESSION_DEFLATE:
    case COMPRESSION_ADOBE_DEFLATE:
        return 1100;
    case COMPRESSION_JPEG: return 1024;
    case COMPRESSION_CCITTRLE:
    case COMPRESSION_CCITTFAX3:
    case COMPRESSION_CCITTFAX4:
    case COMPRESSION_ZSTD:
    case COMPRESSION_WEBP:
        return 0;
    default: return -1;
    }
}

// Refuses what would take memory or time out of proportion to the file, before any of it is spent.
static yoloq_tiff_status check_size(yoloq_tiff_decoder *decoder, uint32_t width, uint32_t height) {
    TIFF *tiff = decoder->tiff;
    uint16_t compression = COMPRESSION_NONE, samples = 1;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
    const int64_t expansion = largest_expansion(compression);
    if (expansion < 0) {
        char text[64];
        snprintf(text, sizeof text, "compression %u", compression);
        return fail(decoder, YOLOQ_TIFF_UNSUPPORTED, text);
    }
    if (samples > 4) return fail(decoder, YOLOQ_TIFF_UNSUPPORTED, "more than four samples a pixel");

    const uint64_t area = (uint64_t)width * height;
    if (TIFFIsTiled(tiff)) {
        uint32_t tile_width = 0, tile_height = 0;
        TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile_width);
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &tile_height);
        const uint64_t tile = (uint64_t)tile_width * tile_height;
        if (tile == 0) return fail(decoder, YOLOQ_TIFF_CORRUPT, "tiles without area");
        if (tile > TILE_PIXELS_MAX && tile > area) {
            return fail(decoder, YOLOQ_TIFF_UNSUPPORTED, "tiles larger than the image and than 4096 x 4096 pixels");
        }
    }
    if (expansion == 0) return YOLOQ_TIFF_OK;
    uint16_t planes = PLANARCONFIG_CONTIG;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planes);
    const uint64_t row = TIFFScanlineSize64(tiff) * (planes == PLANARCONFIG_SEPARATE ? samples : 1);
    if (row / (uint64_t)expansion > decoder->length / height) {
        return expansion == 1 ? fail(decoder, YOLOQ_TIFF_TRUNCATED, "fewer bytes than its pixels take")
                              : fail(decoder, YOLOQ_TIFF_CORRUPT, "more pixels than its bytes can hold");
    }
    return YOLOQ_TIFF_OK;
}

yoloq_tiff_status yoloq_tiff_read_header(yoloq_tiff_decoder *decoder, yoloq_tiff_header *header) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return fail(decoder, YOLOQ_TIFF_NO_MEMORY, "out of memory");
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, decoder);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, decoder);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, ALLOCATION_MAX);
    // "m": not memory-mapped, so that every byte comes through read_bytes, which notices the end.
    decoder->tiff = TIFFClientOpenExt("TIFF", "rm", decoder, read_bytes, write_bytes, seek_to, close_nothing, size_of,
                                      NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    if (!decoder->tiff) return fail(decoder, YOLOQ_TIFF_CORRUPT, "the first page cannot be read");

    header->width = 0;
    header->height = 0;
    header->orientation = ORIENTATION_TOPLEFT;
    TIFFGetField(decoder->tiff, TIFFTAG_IMAGEWIDTH, &header->width);
    TIFFGetField(decoder->tiff, TIFFTAG_IMAGELENGTH, &header->height);
    TIFFGetFieldDefaulted(decoder->tiff, TIFFTAG_ORIENTATION, &header->orientation);
    if (decoder->failure != YOLOQ_TIFF_OK) return decoder->failure;
    // libtiff goes on without a tag whose value lies beyond the end, and that may be the palette.
    if (decoder->is_starved) {
        return fail(decoder, YOLOQ_TIFF_TRUNCATED,
                    decoder->warning_count > 0 ? decoder->warnings[0] : "a tag's value lies beyond the end");
    }
    if (header->width == 0 || header->height == 0 || header->width > INT32_MAX || header->height > INT32_MAX) {
        return fail(decoder, YOLOQ_TIFF_CORRUPT, "the first page has no size");
    }
    return YOLOQ_TIFF_OK;
}

// The rows that are decoded together: a strip, or a row of tiles.
static uint32_t band_height(TIFF *tiff, uint32_t height) {
    uint32_t rows = 0;
    if (TIFFIsTiled(tiff)) {
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &rows);
    } else {
        TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows);
    }
    return rows == 0 || rows > height ? height : rows;
}

// libtiff's RGBA conversion, as OpenCV uses it: palettes, YCbCr, CMYK and the like become RGB, 16 bits become 8, and
// unassociated alpha is multiplied in.
static yoloq_tiff_status decode_bands(yoloq_tiff_decoder *decoder, TIFFRGBAImage *image, uint8_t *pixels) {
    // No turning: that is done for all formats in one place. Equal orientations leave rows top to bottom.
    image->req_orientation = image->orientation;
    const uint32_t width = image->width, height = image->height;
    const uint32_t band = band_height(decoder->tiff, height);
    uint32_t *raster = malloc((size_t)width * band * sizeof *raster);
    if (!raster) return fail(decoder, YOLOQ_TIFF_NO_MEMORY, "out of memory");
    yoloq_tiff_status status = YOLOQ_TIFF_OK;
    for (uint32_t top = 0; top < height; top += band) {
        const uint32_t rows = height - top < band ? height - top : band;
        image->row_offset = (int)top;
        image->col_offset = 0;
        if (!TIFFRGBAImageGet(image, raster, width, rows) || decoder->failure != YOLOQ_TIFF_OK) {
            status = fail(decoder, YOLOQ_TIFF_CORRUPT, "its pixels cannot be decoded");
            break;
        }
        uint8_t *target = pixels + (size_t)top * width * 3;
        const size_t count = (size_t)width * rows;
        for (size_t i = 0; i < count; i++, target += 3) {
            target[0] = (uint8_t)TIFFGetR(raster[i]);
            target[1] = (uint8_t)TIFFGetG(raster[i]);
            target[2] = (uint8_t)TIFFGetB(raster[i]);
        }
        if (rows < band) break;
    }
    free(raster);
    return status;
}

yoloq_tiff_status yoloq_tiff_decode(yoloq_tiff_decoder *decoder, uint8_t *pixels) {
    uint32_t width = 0, height = 0;
    TIFFGetField(decoder->tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(decoder->tiff, TIFFTAG_IMAGELENGTH, &height);
    const yoloq_tiff_status size = check_size(decoder, width, height);
    if (size != YOLOQ_TIFF_OK) return size;
    char reason[1024] = "";
    TIFFRGBAImage image;
    if (!TIFFRGBAImageOK(decoder->tiff, reason) || !TIFFRGBAImageBegin(&image, decoder->tiff, 1, reason)) {
        return fail(decoder, YOLOQ_TIFF_UNSUPPORTED, reason);
    }
    const yoloq_tiff_status status = decode_bands(decoder, &image, pixels);
    TIFFRGBAImageEnd(&image);
    return status;
}

const char *yoloq_tiff_message(const yoloq_tiff_decoder *decoder) { return decoder->message; }

const char *yoloq_tiff_warning(const yoloq_tiff_decoder *decoder, int32_t index) {
    return index >= 0 && index < decoder->warning_count ? decoder->warnings[index] : NULL;
}

void yoloq_tiff_close(yoloq_tiff_decoder *decoder) {
    if (decoder->tiff) TIFFClose(decoder->tiff);
    free(decoder);
}
