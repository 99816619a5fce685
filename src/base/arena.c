/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The arena: a chain of chunks, each twice as large as the one before up to CHUNK_MAX, filled from the front. What is
 * larger than a quarter of the next chunk gets a chunk of its own, so that one long text does not waste the rest of a
 * half-filled one. Chunks come from calloc and are never reused, so memory is zero without a memset of ours.
 *
 * One thread fills it; afterwards it is only read.
 */
#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGN ((size_t)16)
#define CHUNK_MIN ((size_t)4 << 10)
#define CHUNK_MAX ((size_t)256 << 10)

struct chunk {
    struct chunk *next;
    size_t cap;
    size_t used;
    size_t pad; /* keeps mem at a multiple of ALIGN */
    char mem[];
};

_Static_assert(sizeof(struct chunk) % ALIGN == 0, "chunk memory must be aligned");

struct arena {
    struct chunk *chunks; /* the one being filled is the first */
    size_t max;
    size_t used;
    size_t next_cap;
};

struct arena *arena_new(size_t max)
{
    struct arena *a = calloc(1, sizeof(*a));
    if (a) {
        a->max = max;
        a->next_cap = CHUNK_MIN;
    }
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

static struct chunk *chunk_new(size_t cap)
{
    struct chunk *c = calloc(1, sizeof(*c) + cap);
    if (c)
        c->cap = cap;
    return c;
}

/* A chunk with room for `n` bytes, linked in. A chunk of one piece goes behind the one being filled, which stays first.
 */
static struct chunk *chunk_for(struct arena *a, size_t n)
{
    struct chunk *c = a->chunks;
    if (c && c->cap - c->used >= n)
        return c;
    bool alone = n > a->next_cap / 4;
    c = chunk_new(alone ? n : a->next_cap);
    if (!c)
        return NULL;
    if (alone && a->chunks) {
        c->next = a->chunks->next;
        a->chunks->next = c;
        return c;
    }
    c->next = a->chunks;
    a->chunks = c;
    if (!alone)
        a->next_cap = MIN_OF(a->next_cap * 2, CHUNK_MAX);
    return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > PTRDIFF_MAX / 2)
        return NULL;
    n = (MAX_OF(n, (size_t)1) + ALIGN - 1) & ~(ALIGN - 1);
    if (a->max > 0 && n > a->max - a->used)
        return NULL;
    struct chunk *c = chunk_for(a, n);
    if (!c)
        return NULL;
    void *out = c->mem + c->used;
    c->used += n;
    a->used += n;
    assert(c->used <= c->cap);
    return out;
}

char *arena_dup(struct arena *a, struct slice s)
{
    if (s.n == SIZE_MAX)
        return NULL;
    char *out = arena_alloc(a, s.n + 1);
    if (out && s.n > 0)
        memcpy(out, s.p, s.n);
    return out;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *out = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!out)
        return NULL;
    va_start(args, fmt);
    vsnprintf(out, (size_t)n + 1, fmt, args);
    va_end(args);
    return out;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
