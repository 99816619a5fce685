/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The buffer pool: one last-in-first-out list of free buffers for each power of two, so that the buffer taken is the
 * one most likely still in the cache. Taking and giving are O(1). The link of a free buffer lies in the buffer itself;
 * the rest of it is poisoned under AddressSanitizer, so that a session that writes into a buffer it gave back is
 * caught.
 *
 * Invariants: kept is the sum of the sizes on all lists, kept <= keep, in_use the sum of the sizes outside.
 */
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/poison.h"

#define MIN_SHIFT 12
#define CLASSES 9

_Static_assert(POOL_MIN == (size_t)1 << MIN_SHIFT, "first class");
_Static_assert(POOL_MAX == POOL_MIN << (CLASSES - 1), "last class");

struct spare {
    struct spare *next;
};

struct pool {
    struct spare *spare[CLASSES];
    size_t keep;
    size_t kept;
    size_t in_use;
};

struct pool *pool_new(size_t keep)
{
    struct pool *p = calloc(1, sizeof(*p));
    if (p)
        p->keep = keep;
    return p;
}

static struct spare *spare_pop(struct pool *p, unsigned class)
{
    struct spare *s = p->spare[class];
    if (!s)
        return NULL;
    size_t cap = POOL_MIN << class;
    poison_clear(s, cap);
    p->spare[class] = s->next;
    p->kept -= cap;
    return s;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    assert(p->in_use == 0);
    for (unsigned class = 0; class < CLASSES; class ++) {
        for (struct spare *s = spare_pop(p, class); s; s = spare_pop(p, class))
            free(s);
    }
    free(p);
}

/* The smallest class that holds `want` bytes. */
static unsigned class_of(size_t want)
{
    if (want <= POOL_MIN)
        return 0;
    return (unsigned)(sizeof(long) * 8) - (unsigned)__builtin_clzl(want - 1) - MIN_SHIFT;
}

uint8_t *pool_take(struct pool *p, size_t want, size_t *cap)
{
    if (want > POOL_MAX)
        return NULL;
    unsigned class = class_of(want);
    size_t size = POOL_MIN << class;
    void *buf = spare_pop(p, class);
    if (!buf)
        buf = malloc(size);
    if (!buf)
        return NULL;
    p->in_use += size;
    *cap = size;
    return buf;
}

void pool_give(struct pool *p, uint8_t *buf, size_t cap)
{
    if (!buf)
        return;
    unsigned class = class_of(cap);
    assert(cap == POOL_MIN << class);
    assert(p->in_use >= cap);
    p->in_use -= cap;
    if (cap > p->keep - p->kept) {
        free(buf);
        return;
    }
    struct spare *s = (void *)buf;
    s->next = p->spare[class];
    p->spare[class] = s;
    p->kept += cap;
    poison_set(buf, cap);
}

size_t pool_in_use(const struct pool *p)
{
    return p->in_use;
}

size_t pool_kept(const struct pool *p)
{
    return p->kept;
}
