// SPDX-License-Identifier: Apache-2.0
#include "CYoloqJPEG.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

// A progressive file can ask for thousands of nearly empty scans, each of which walks the whole image. Real encoders
// write about ten; libjpeg-turbo's own fuzzers stop at 500 too.
#define SCANS_MAX 500

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf jump;
    yoloq_jpeg_status status;
    char message[JMSG_LENGTH_MAX];
    int warning_codes[YOLOQ_JPEG_WARNINGS_MAX];
    char warnings[YOLOQ_JPEG_WARNINGS_MAX][JMSG_LENGTH_MAX];
    int warning_count;
} error_manager;

struct yoloq_jpeg_decoder {
    struct jpeg_decompress_struct cinfo;
    error_manager errors;
    struct jpeg_progress_mgr progress;
    JSAMPROW row;  // of start, in libjpeg's memory
};

static void fail(error_manager *errors, yoloq_jpeg_status status, const char *message) {
    errors->status = status;
    snprintf(errors->message, sizeof errors->message, "%s", message);
    longjmp(errors->jump, 1);
}

static yoloq_jpeg_status status_of(int message_code) {
    switch (message_code) {
    case JERR_INPUT_EOF: return YOLOQ_JPEG_TRUNCATED;
    case JERR_OUT_OF_MEMORY: return YOLOQ_JPEG_NO_MEMORY;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
        return YOLOQ_JPEG_UNSUPPORTED;
    default: return YOLOQ_JPEG_CORRUPT;
    }
}

static void error_exit(j_common_ptr cinfo) {
    error_manager *errors = (error_manager *)cinfo->err;
    char message[JMSG_LENGTH_MAX];
    cinfo->err->format_message(cinfo, message);
    fail(errors, status_of(cinfo->err->msg_code), message);
}

static void emit_message(j_common_ptr cinfo, int level) {
    if (level >= 0) return;  // traces
    error_manager *errors = (error_manager *)cinfo->err;
    errors->base.num_warnings++;
    const int code = errors->base.msg_code;
    if (code == JWRN_JPEG_EOF) {
        // libjpeg goes on with grey for the missing part; OpenCV refuses such a file, and so do we.
        char message[JMSG_LENGTH_MAX];
        cinfo->err->format_message(cinfo, message);
        fail(errors, YOLOQ_JPEG_TRUNCATED, message);
    }
    for (int i = 0; i < errors->warning_count; i++) {
        if (errors->warning_codes[i] == code) return;  // the numbers in the text differ, the kind does not
    }
    if (errors->warning_count == YOLOQ_JPEG_WARNINGS_MAX) return;
    errors->warning_codes[errors->warning_count] = code;
    cinfo->err->format_message(cinfo, errors->warnings[errors->warning_count]);
    errors->warning_count++;
}

static void output_message(j_common_ptr cinfo) { (void)cinfo; }  // libjpeg's own prints on stderr

static void limit_scans(j_common_ptr cinfo) {
    if (((j_decompress_ptr)cinfo)->input_scan_number > SCANS_MAX) {
        fail((error_manager *)cinfo->err, YOLOQ_JPEG_CORRUPT, "more than 500 scans");
    }
}

static struct jpeg_error_mgr *prepare(error_manager *errors) {
    jpeg_std_error(&errors->base);
    errors->base.error_exit = error_exit;
    errors->base.emit_message = emit_message;
    errors->base.output_message = output_message;
    return &errors->base;
}

yoloq_jpeg_decoder *yoloq_jpeg_open(const uint8_t *bytes, size_t length) {
    yoloq_jpeg_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) return NULL;
    decoder->cinfo.err = prepare(&decoder->errors);
    if (setjmp(decoder->errors.jump)) {
        yoloq_jpeg_close(decoder);
        return NULL;
    }
    jpeg_create_decompress(&decoder->cinfo);
    decoder->progress.progress_monitor = limit_scans;
    decoder->cinfo.progress = &decoder->progress;
    // The input is only read; older headers lack the const.
    jpeg_mem_src(&decoder->cinfo, (unsigned char *)bytes, (unsigned long)length);
    // 65,533 bytes at most: a marker's length has 16 bits, and counts itself.
    jpeg_save_markers(&decoder->cinfo, JPEG_APP0 + 1, 0xFFFF);
    return decoder;
}

yoloq_jpeg_status yoloq_jpeg_read_header(yoloq_jpeg_decoder *decoder, yoloq_jpeg_header *header) {
    if (setjmp(decoder->errors.jump)) return decoder->errors.status;
    j_decompress_ptr cinfo = &decoder->cinfo;
    jpeg_read_header(cinfo, TRUE);
    if (cinfo->data_precision != 8) {
        fail(&decoder->errors, YOLOQ_JPEG_UNSUPPORTED, "samples are not of 8 bits");
    }
    if (cinfo->arith_code) fail(&decoder->errors, YOLOQ_JPEG_UNSUPPORTED, "arithmetic coding");

    header->width = cinfo->image_width;
    header->height = cinfo->image_height;
    header->components = cinfo->num_components;
    header->exif = NULL;
    header->exif_length = 0;
    for (jpeg_saved_marker_ptr marker = cinfo->marker_list; marker; marker = marker->next) {
        if (marker->data_length > 6 && memcmp(marker->data, "Exif\0\0", 6) == 0) {
            header->exif = marker->data + 6;
            header->exif_length = marker->data_length - 6;
            break;
        }
    }
    return YOLOQ_JPEG_OK;
}

// OpenCV's integer formula (modules/imgcodecs/src/utils.cpp, icvCvt_CMYK2BGR_8u_C4C3R): cmyk (width, 4), stored
// inverted as Adobe does, to rgb (width, 3).
static void convert_cmyk(const uint8_t *cmyk, uint8_t *rgb, size_t width) {
    for (size_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        const int k = cmyk[3];
        rgb[0] = (uint8_t)(k - (((255 - cmyk[0]) * k) >> 8));
        rgb[1] = (uint8_t)(k - (((255 - cmyk[1]) * k) >> 8));
        rgb[2] = (uint8_t)(k - (((255 - cmyk[2]) * k) >> 8));
    }
}

yoloq_jpeg_status yoloq_jpeg_decode(yoloq_jpeg_decoder *decoder, uint8_t *pixels) {
    if (setjmp(decoder->errors.jump)) return decoder->errors.status;
    j_decompress_ptr cinfo = &decoder->cinfo;
    const int is_cmyk = cinfo->num_components == 4;
    // The rest are libjpeg's defaults, and OpenCV's: JDCT_ISLOW, fancy upsampling, full scale.
    cinfo->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(cinfo);
    const size_t width = cinfo->output_width;
    if (is_cmyk) {
        JSAMPARRAY row = cinfo->mem->alloc_sarray((j_common_ptr)cinfo, JPOOL_IMAGE, (JDIMENSION)width * 4, 1);
        while (cinfo->output_scanline < cinfo->output_height) {
            uint8_t *target = pixels + (size_t)cinfo->output_scanline * width * 3;
            if (jpeg_read_scanlines(cinfo, row, 1) == 1) convert_cmyk(row[0], target, width);
        }
    } else {
        while (cinfo->output_scanline < cinfo->output_height) {
            JSAMPROW rows[16];  // libjpeg makes no more at once
            const JDIMENSION rest = cinfo->output_height - cinfo->output_scanline;
            const JDIMENSION count = rest < 16 ? rest : 16;
            for (JDIMENSION i = 0; i < count; i++) rows[i] = pixels + (size_t)(cinfo->output_scanline + i) * width * 3;
            jpeg_read_scanlines(cinfo, rows, count);
        }
    }
    jpeg_finish_decompress(cinfo);  // reads on to the EOI marker, so a missing one is seen
    return YOLOQ_JPEG_OK;
}

yoloq_jpeg_status yoloq_jpeg_start(yoloq_jpeg_decoder *decoder) {
    if (setjmp(decoder->errors.jump)) return decoder->errors.status;
    j_decompress_ptr cinfo = &decoder->cinfo;
    cinfo->out_color_space = JCS_RGB;
    jpeg_start_decompress(cinfo);
    JSAMPROW row = cinfo->mem->alloc_large((j_common_ptr)cinfo, JPOOL_IMAGE, (size_t)cinfo->output_width * 3 + 6);
    // At an odd place: to an aligned one libjpeg-turbo writes past the caches, from where the row is fetched again then.
    decoder->row = row + 1;
    return YOLOQ_JPEG_OK;
}

yoloq_jpeg_status yoloq_jpeg_read_row(yoloq_jpeg_decoder *decoder, uint32_t index, const uint8_t **row) {
    if (setjmp(decoder->errors.jump)) return decoder->errors.status;
    j_decompress_ptr cinfo = &decoder->cinfo;
    if (index > cinfo->output_scanline) jpeg_skip_scanlines(cinfo, index - cinfo->output_scanline);
    jpeg_read_scanlines(cinfo, &decoder->row, 1);
    *row = decoder->row;
    return YOLOQ_JPEG_OK;
}

yoloq_jpeg_status yoloq_jpeg_finish(yoloq_jpeg_decoder *decoder) {
    if (setjmp(decoder->errors.jump)) return decoder->errors.status;
    j_decompress_ptr cinfo = &decoder->cinfo;
    const JDIMENSION rest = cinfo->output_height - cinfo->output_scanline;
    if (rest > 1) jpeg_skip_scanlines(cinfo, rest - 1);
    // Whoever skips to the end is not told whether the file gets there.
    if (rest > 0) jpeg_read_scanlines(cinfo, &decoder->row, 1);
    jpeg_finish_decompress(cinfo);
    return YOLOQ_JPEG_OK;
}

const char *yoloq_jpeg_message(const yoloq_jpeg_decoder *decoder) { return decoder->errors.message; }

const char *yoloq_jpeg_warning(const yoloq_jpeg_decoder *decoder, int32_t index) {
    return index >= 0 && index < decoder->errors.warning_count ? decoder->errors.warnings[index] : NULL;
}

void yoloq_jpeg_close(yoloq_jpeg_decoder *decoder) {
    jpeg_destroy_decompress(&decoder->cinfo);  // does nothing to a struct that create has not reached
    free(decoder);
}

// What must survive a longjmp lives on the heap: a local changed after setjmp is indeterminate.
typedef struct {
    struct jpeg_compress_struct cinfo;
    error_manager errors;
    unsigned char *bytes;
    unsigned long length;
} encoder;

yoloq_jpeg_status yoloq_jpeg_encode(
    const uint8_t *pixels, uint32_t width, uint32_t height, int32_t quality,
    uint8_t **bytes, size_t *length, char *message, size_t message_size) {
    *bytes = NULL;
    *length = 0;
    encoder *const state = calloc(1, sizeof *state);
    if (!state) {
        snprintf(message, message_size, "out of memory");
        return YOLOQ_JPEG_NO_MEMORY;
    }
    j_compress_ptr cinfo = &state->cinfo;
    cinfo->err = prepare(&state->errors);
    if (setjmp(state->errors.jump)) {
        const yoloq_jpeg_status status = state->errors.status;
        snprintf(message, message_size, "%s", state->errors.message);
        jpeg_destroy_compress(&state->cinfo);
        free(state->bytes);
        free(state);
        return status;
    }
    jpeg_create_compress(cinfo);
    jpeg_mem_dest(cinfo, &state->bytes, &state->length);
    cinfo->image_width = width;
    cinfo->image_height = height;
    cinfo->input_components = 3;
    cinfo->in_color_space = JCS_RGB;
    jpeg_set_defaults(cinfo);
    jpeg_set_quality(cinfo, quality, TRUE);
    // 4:4:4, so that thin coloured lines and letters stay crisp; the default would halve the chroma.
    cinfo->comp_info[0].h_samp_factor = 1;
    cinfo->comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(cinfo, TRUE);
    while (cinfo->next_scanline < cinfo->image_height) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)cinfo->next_scanline * width * 3);
        jpeg_write_scanlines(cinfo, &row, 1);
    }
    jpeg_finish_compress(cinfo);
    *bytes = state->bytes;
    *length = state->length;
    jpeg_destroy_compress(cinfo);
    free(state);
    return YOLOQ_JPEG_OK;
}
