/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The classes of bytes, in one table for parser and writer.
 */
#include "http/chars.h"

/* One row for sixteen bytes. '#' is a token character but begins a fragment in a URI, hence K. */
/* clang-format off */
#define V HTTP_VALUE
#define R (HTTP_VALUE | HTTP_TARGET)
#define A (HTTP_VALUE | HTTP_TARGET | HTTP_TOKEN)
#define K (HTTP_VALUE | HTTP_TOKEN)
const uint8_t http_class_of[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, V, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    V, A, V, K, A, A, A, A, R, R, A, A, R, A, A, R, /* space to slash */
    A, A, A, A, A, A, A, A, A, A, R, R, V, R, V, R, /* 0 to ? */
    R, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* @ to O */
    A, A, A, A, A, A, A, A, A, A, A, R, R, R, A, A, /* P to _ */
    A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* ` to o */
    A, A, A, A, A, A, A, A, A, A, A, R, A, R, A, 0, /* p to DEL */
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
};
#undef V
#undef R
#undef A
#undef K
/* clang-format on */

bool http_all_are(struct slice s, unsigned class)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http_char_is(s.p[i], class))
            return false;
    return s.n > 0 || class != HTTP_TOKEN;
}
