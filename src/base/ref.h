/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A count of holders for an object shared by threads. The object is freed by the last ref_drop, on whichever thread
 * that is.
 */
#ifndef WSBRIDGE_BASE_REF_H
#define WSBRIDGE_BASE_REF_H

#include <stdatomic.h>

struct ref {
    atomic_uint count;
    void (*free)(struct ref *r);
};

static inline void ref_init(struct ref *r, void (*free_fn)(struct ref *r))
{
    atomic_init(&r->count, 1);
    r->free = free_fn;
}

static inline void ref_take(struct ref *r)
{
    atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}

static inline void ref_give(struct ref *r)
{
    if (atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1)
        r->free(r);
}

#endif
