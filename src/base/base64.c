/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Base64. Decoding is canonical: one text for one sequence of bytes, so a credential or a WebSocket key has no second
 * spelling.
 */
#include "base/base64.h"

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *in, size_t n, char *out)
{
    for (; n >= 3; in += 3, n -= 3) {
        uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = alphabet[v >> 6 & 63];
        *out++ = alphabet[v & 63];
    }
    if (n == 0)
        return;
    uint32_t v = (uint32_t)in[0] << 16 | (n == 2 ? (uint32_t)in[1] << 8 : 0);
    *out++ = alphabet[v >> 18];
    *out++ = alphabet[v >> 12 & 63];
    *out++ = n == 2 ? alphabet[v >> 6 & 63] : '=';
    *out = '=';
}

#define NONE 64

/* The six bits of each character from '+' to 'z', or NONE for one outside the alphabet. */
static const uint8_t sextets['z' - '+' + 1] = {
    62,   NONE, NONE, NONE, 63,                                                                   /* + to / */
    52,   53,   54,   55,   56,   57,   58, 59, 60, 61, NONE, NONE, NONE, NONE, NONE, NONE, NONE, /* 0 to @ */
    0,    1,    2,    3,    4,    5,    6,  7,  8,  9,  10,   11,   12,   13,   14,   15,   16,
    17,   18,   19,   20,   21,   22,   23, 24, 25, /* A to Z */
    NONE, NONE, NONE, NONE, NONE, NONE,             /* [ to ` */
    26,   27,   28,   29,   30,   31,   32, 33, 34, 35, 36,   37,   38,   39,   40,   41,   42,
    43,   44,   45,   46,   47,   48,   49, 50, 51, /* a to z */
};

static unsigned sextet(char c)
{
    unsigned at = (unsigned)(unsigned char)c - '+';

    return at < sizeof(sextets) ? sextets[at] : NONE;
}

bool base64_decode(struct slice in, uint8_t *out, size_t cap, size_t *got)
{
    if (in.n % 4 != 0)
        return false;
    size_t pad = 0;
    if (in.n > 0 && in.p[in.n - 1] == '=')
        pad = in.p[in.n - 2] == '=' ? 2 : 1;
    size_t want = in.n / 4 * 3 - pad;
    if (want > cap)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < in.n; i += 4) {
        size_t skip = i + 4 == in.n ? pad : 0;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            unsigned s = k >= 4 - skip ? 0 : sextet(in.p[i + k]);
            if (s == NONE)
                return false;
            v = v << 6 | s;
        }
        if (v & ((1u << 8 * skip) - 1)) /* bits that the padding says are not there */
            return false;
        for (size_t k = 0; k < 3 - skip; k++)
            out[at++] = (uint8_t)(v >> (16 - 8 * k));
    }
    *got = at;
    return true;
}
