/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The buffer pool of one worker: byte buffers in power-of-two classes from POOL_MIN to POOL_MAX, kept for reuse up to a
 * bound and given back to the system beyond it. One thread only. A session takes a buffer when bytes arrive and gives
 * it back when they have left, so an idle session holds none.
 */
#ifndef WSBRIDGE_BASE_POOL_H
#define WSBRIDGE_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define POOL_MIN ((size_t)4 << 10)
#define POOL_MAX ((size_t)1 << 20)

struct pool;

/* `keep` bounds the bytes kept for reuse. NULL when out of memory. */
struct pool *pool_new(size_t keep);
void pool_free(struct pool *p); /* every buffer must be back */

/* A buffer of at least `want` bytes (at most POOL_MAX); its true size goes to *cap. NULL when out of memory. The
 * content is undefined. The caller owns it until pool_give with that same cap. */
MUST_CHECK uint8_t *pool_take(struct pool *p, size_t want, size_t *cap);
void pool_give(struct pool *p, uint8_t *buf, size_t cap);

size_t pool_in_use(const struct pool *p); /* bytes taken and not given back */
size_t pool_kept(const struct pool *p);   /* bytes kept for reuse */

#endif
