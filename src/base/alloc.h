/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Zeroed memory for what comes and goes with every connection. calloc of glibc does not look into the thread's cache of
 * freed blocks, so it is several times as slow there as malloc.
 */
#ifndef WSBRIDGE_BASE_ALLOC_H
#define WSBRIDGE_BASE_ALLOC_H

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

/* n bytes, all zero, to be freed; NULL when out of memory. */
MUST_CHECK static inline void *alloc_zero(size_t n)
{
    void *p = malloc(n);

    __asm__ volatile("" : : "r"(p) : "memory"); /* or the compiler makes calloc of the two */
    return p ? memset(p, 0, n) : NULL;
}

#endif
