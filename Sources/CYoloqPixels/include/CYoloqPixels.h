// SPDX-License-Identifier: Apache-2.0
// The innermost loops between an image and a tensor. In C, since they are compiled twice: Swift has no way to make a function
// for processors with AVX2 beside one for the others. Who calls them, and why they are right: BilinearResizer.swift.
#ifndef CYOLOQPIXELS_H
#define CYOLOQPIXELS_H

#include <stddef.h>
#include <stdint.h>

// Eight neighbouring columns that a row is scaled to.
typedef struct {
    int32_t offsets[8];   // of their sample's first byte in its row
    int16_t weights[32];  // `(a1 - 1024) << 5` of columns 0 and 1, four times in turn, then of 2 and 3, 4 and 5, 6 and 7
} yoloq_columns;

// Scales a row of RGB pixels along x, and takes its channels apart.
//
// source: the row's bytes; of each sample eight are read. target: `(p * a0 + q * a1) >> 4`, (3, capacity), for eight times
// `count` columns.
void yoloq_scale_columns(
    const uint8_t *source, const yoloq_columns *columns, size_t count, int16_t *target, size_t capacity);

// Weighs two scaled rows: `((b0 * d0) >> 16 + (b1 * d1) >> 16 + 2) >> 2`.
void yoloq_blend_rows(
    const int16_t *first, const int16_t *second, int16_t first_weight, int16_t second_weight, size_t count, uint8_t *target);

// Bytes as numbers: `byte * high + byte * low`, each rounded to a float.
void yoloq_bytes_to_floats(const uint8_t *bytes, size_t count, float high, float low, float *target);

#endif
