/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * An arena: memory that is given back all at once. The configuration snapshot lives in one.
 */
#ifndef WSBRIDGE_BASE_ARENA_H
#define WSBRIDGE_BASE_ARENA_H

#include "base/slice.h"

struct arena;

/* `max` bounds the bytes handed out in all; 0 means no bound. NULL when out of memory. */
struct arena *arena_new(size_t max);
void arena_free(struct arena *a); /* NULL is allowed */

/* Zeroed, aligned to 16. NULL when out of memory or over the bound. */
void *arena_alloc(struct arena *a, size_t n);
char *arena_dup(struct arena *a, struct slice s); /* NUL-terminated copy */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
size_t arena_used(const struct arena *a);

#endif
