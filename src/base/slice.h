/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A slice is a view of bytes that somebody else owns: pointer and length, no terminator. It never outlives the buffer
 * it points into. All functions here are pure.
 */
#ifndef WSBRIDGE_BASE_SLICE_H
#define WSBRIDGE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_FMT "%.*s"
#define SLICE_ARG(s) (int)(s).n, (s).p

static inline struct slice slice_of(const char *z)
{
    return (struct slice){z, z ? strlen(z) : 0};
}

bool slice_eq(struct slice a, struct slice b);
bool slice_same_nocase(const char *a, const char *b, size_t n);
/* ASCII letters only. Most names differ in their length already, which is not worth a call. */
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
    return a.n == b.n && slice_same_nocase(a.p, b.p, a.n);
}
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends_nocase(struct slice s, struct slice suffix);

/* Without leading and trailing SP and HTAB (the OWS of RFC 9110, section 5.6.3). */
struct slice slice_trim(struct slice s);

/* The first index of `c`, or -1. */
ptrdiff_t slice_find(struct slice s, char c);

/* Takes the piece before the next `sep` out of `rest` into `piece`; false when `rest` was used up (rest->p is NULL
 * then). "a,b," gives "a", "b", "". */
bool slice_cut(struct slice *rest, char sep, struct slice *piece);

/* Decimal digits only, at least one, no sign, no space, no more than `max`. */
MUST_CHECK bool slice_to_u64(struct slice s, uint64_t max, uint64_t *out);

#endif
