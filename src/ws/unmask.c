/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Masking (RFC 6455, section 5.3), which is the one look that a bridge must take at a client's bytes. 16 bytes at a
 * time through the compiler's vectors, four of them a turn.
 *
 * `dst` may lie anywhere at or below `src`: a store at dst + i never reaches bytes that are still to be loaded, because
 * loads run ahead of stores in the same order. The odd end is not a loop of small steps: the last 16 (or 8, or 4)
 * bytes, counted from the end, are loaded *before* anything is stored, and stored last, over bytes that already have
 * the same value there. So every length costs at most one step more than its whole vectors.
 */
#include "ws/frame.h"

typedef uint32_t v16 __attribute__((vector_size(16)));

/* The mask as it stands `by` bytes further on. */
static inline uint32_t rotate(uint32_t mask, size_t by)
{
    unsigned bits = 8 * (by & 3);

    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        return mask >> bits | mask << (-bits & 31);
    return mask << bits | mask >> (-bits & 31);
}

static inline uint8_t first_byte(uint32_t mask)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? mask & 0xff : mask >> 24;
}

static inline v16 load16(const uint8_t *p)
{
    v16 v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void store16(uint8_t *p, v16 v)
{
    memcpy(p, &v, sizeof(v));
}

static inline uint64_t load8(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t load4(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Fewer than 16 bytes: two overlapping words, the second counted from the end. */
static void unmask_short(uint8_t *dst, const uint8_t *src, size_t n, uint32_t mask)
{
    uint32_t after = rotate(mask, n); /* n - 8 and n - 4 rotate as n does */

    if (n >= 8) {
        uint64_t first = load8(src) ^ ((uint64_t)mask << 32 | mask);
        uint64_t last = load8(src + n - 8) ^ ((uint64_t)after << 32 | after);

        memcpy(dst, &first, 8);
        memcpy(dst + n - 8, &last, 8);
    } else if (n >= 4) {
        uint32_t first = load4(src) ^ mask;
        uint32_t last = load4(src + n - 4) ^ after;

        memcpy(dst, &first, 4);
        memcpy(dst + n - 4, &last, 4);
    } else {
        for (size_t i = 0; i < n; i++, mask = rotate(mask, 1))
            dst[i] = src[i] ^ first_byte(mask);
    }
}

uint32_t ws_unmask(uint8_t *dst, const uint8_t *src, size_t n, uint32_t mask)
{
    uint32_t after = rotate(mask, n);

    if (n < 16) {
        unmask_short(dst, src, n, mask);
        return after;
    }

    const v16 m = {mask, mask, mask, mask};
    const v16 last = load16(src + n - 16) ^ (v16) { after, after, after, after };
    uint8_t *end = dst + n - 16;

    for (; n >= 64; n -= 64, src += 64, dst += 64) {
        v16 a = load16(src), b = load16(src + 16), c = load16(src + 32), d = load16(src + 48);

        store16(dst, a ^ m);
        store16(dst + 16, b ^ m);
        store16(dst + 32, c ^ m);
        store16(dst + 48, d ^ m);
    }
    for (; n >= 16; n -= 16, src += 16, dst += 16)
        store16(dst, load16(src) ^ m);
    store16(end, last);
    return after;
}
