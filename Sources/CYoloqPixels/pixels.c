// SPDX-License-Identifier: Apache-2.0
#include "CYoloqPixels.h"

#include <string.h>

// Compiles NAME_body twice, and calls the form that the processor is for. Not with target_clones: what that runs while the
// program is loaded comes before the thread sanitizer is ready, and musl does not have it.
#if defined(__x86_64__)
#define FOR_EACH_PROCESSOR(name, parameters, arguments)                                                    \
    __attribute__((target("avx2"))) static void name##_avx2 parameters { name##_body arguments; }          \
    static void name##_sse2 parameters { name##_body arguments; }                                          \
    void name parameters {                                                                                 \
        if (__builtin_cpu_supports("avx2")) name##_avx2 arguments; else name##_sse2 arguments;             \
    }
#else
#define FOR_EACH_PROCESSOR(name, parameters, arguments) \
    void name parameters { name##_body arguments; }
#endif
#define BODY static inline __attribute__((always_inline)) void

typedef uint8_t bytes32 __attribute__((vector_size(32)));
typedef int16_t words16 __attribute__((vector_size(32)));
typedef int32_t products16 __attribute__((vector_size(64)));
typedef uint64_t pixels4 __attribute__((vector_size(32)));
typedef uint32_t pairs8 __attribute__((vector_size(32)));
typedef uint32_t pairs4 __attribute__((vector_size(16)));

static inline __attribute__((always_inline)) uint64_t load(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

// Four columns: words r0 r1 g0 g1 b0 b1 and two of no meaning, then those of columns 2 and 3.
BODY scale4(
    const uint8_t *source, const int32_t *offsets, const int16_t *weights, pairs8 *result) {
    // Each sample, r g b, and the next one, r g b, and two bytes of others.
    const pixels4 pixels = {
        load(source + offsets[0]), load(source + offsets[1]), load(source + offsets[2]), load(source + offsets[3])};
    const bytes32 bytes = (bytes32)pixels, zero = {0};
    const words16 p = (words16)__builtin_shufflevector(
        bytes, zero, 0, 32, 8, 32, 1, 32, 9, 32, 2, 32, 10, 32, 32, 32, 32, 32,
        16, 32, 24, 32, 17, 32, 25, 32, 18, 32, 26, 32, 32, 32, 32, 32);
    const words16 q = (words16)__builtin_shufflevector(
        bytes, zero, 3, 32, 11, 32, 4, 32, 12, 32, 5, 32, 13, 32, 32, 32, 32, 32,
        19, 32, 27, 32, 20, 32, 28, 32, 21, 32, 29, 32, 32, 32, 32, 32);
    words16 weight;
    memcpy(&weight, weights, sizeof weight);
    const products16 product =
        __builtin_convertvector((q - p) << 7, products16) * __builtin_convertvector(weight, products16);
    *result = (pairs8)(((p + q) << 6) + __builtin_convertvector(product >> 16, words16));
}

BODY yoloq_scale_columns_body(
    const uint8_t *source, const yoloq_columns *columns, size_t count, int16_t *target, size_t capacity) {
    for (size_t i = 0; i < count; i++, target += 8) {
        pairs8 a, b;
        scale4(source, columns[i].offsets, columns[i].weights, &a);
        scale4(source, columns[i].offsets + 4, columns[i].weights + 16, &b);
        const pairs4 red = __builtin_shufflevector(a, b, 0, 4, 8, 12);
        const pairs4 green = __builtin_shufflevector(a, b, 1, 5, 9, 13);
        const pairs4 blue = __builtin_shufflevector(a, b, 2, 6, 10, 14);
        memcpy(target, &red, sizeof red);
        memcpy(target + capacity, &green, sizeof green);
        memcpy(target + 2 * capacity, &blue, sizeof blue);
    }
}

FOR_EACH_PROCESSOR(
    yoloq_scale_columns,
    (const uint8_t *source, const yoloq_columns *columns, size_t count, int16_t *target, size_t capacity),
    (source, columns, count, target, capacity))

BODY yoloq_blend_rows_body(
    const int16_t *first, const int16_t *second, int16_t first_weight, int16_t second_weight, size_t count,
    uint8_t *restrict target) {
    for (size_t i = 0; i < count; i++) {
        const int16_t upper = (int16_t)((first[i] * first_weight) >> 16);
        const int16_t lower = (int16_t)((second[i] * second_weight) >> 16);
        target[i] = (uint8_t)((int16_t)(upper + lower + 2) >> 2);
    }
}

FOR_EACH_PROCESSOR(
    yoloq_blend_rows,
    (const int16_t *first, const int16_t *second, int16_t first_weight, int16_t second_weight, size_t count,
     uint8_t *restrict target),
    (first, second, first_weight, second_weight, count, target))

BODY yoloq_bytes_to_floats_body(
    const uint8_t *bytes, size_t count, float high, float low, float *restrict target) {
#pragma STDC FP_CONTRACT OFF
    for (size_t i = 0; i < count; i++) target[i] = (float)bytes[i] * high + (float)bytes[i] * low;
}

FOR_EACH_PROCESSOR(
    yoloq_bytes_to_floats, (const uint8_t *bytes, size_t count, float high, float low, float *restrict target),
    (bytes, count, high, low, target))
