/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Slices: comparing, trimming, cutting and reading numbers. No allocation, no locale: ASCII is all that protocols know,
 * and a Turkish locale must not change what a field name is. An empty slice may have a NULL pointer, so memcmp and
 * memchr are never reached with a length of 0.
 */
#include "base/slice.h"

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? u | 0x20 : u;
}

bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_same_nocase(const char *a, const char *b, size_t n)
{
    /* From the end: names of one length that differ most often begin alike (Sec-WebSocket-). */
    for (size_t i = n; i > 0; i--) {
        if (a[i - 1] != b[i - 1] && lower(a[i - 1]) != lower(b[i - 1]))
            return false;
    }
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && slice_eq((struct slice){s.p, prefix.n}, prefix);
}

bool slice_ends_nocase(struct slice s, struct slice suffix)
{
    if (s.n < suffix.n)
        return false;
    return suffix.n == 0 || slice_eq_nocase((struct slice){s.p + (s.n - suffix.n), suffix.n}, suffix);
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
    while (s.n > 0 && is_ows(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_ows(s.p[s.n - 1]))
        s.n--;
    return s;
}

ptrdiff_t slice_find(struct slice s, char c)
{
    const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

bool slice_cut(struct slice *rest, char sep, struct slice *piece)
{
    if (!rest->p)
        return false;
    ptrdiff_t at = slice_find(*rest, sep);
    if (at < 0) {
        *piece = *rest;
        *rest = (struct slice){NULL, 0};
        return true;
    }
    *piece = (struct slice){rest->p, (size_t)at};
    rest->p += at + 1;
    rest->n -= (size_t)at + 1;
    return true;
}

bool slice_to_u64(struct slice s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value) || value > max)
            return false;
    }
    *out = value;
    return true;
}
