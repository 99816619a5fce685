/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Tells AddressSanitizer that memory which is kept for reuse must not be touched; nothing at all in a normal build.
 */
#ifndef WSBRIDGE_BASE_POISON_H
#define WSBRIDGE_BASE_POISON_H

#include <stddef.h>

#ifdef __has_feature /* clang; gcc has the macro instead */
#if __has_feature(address_sanitizer)
#define WSBRIDGE_POISON 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define WSBRIDGE_POISON 1
#endif

#ifdef WSBRIDGE_POISON
#include <sanitizer/asan_interface.h>
static inline void poison_set(const void *p, size_t n)
{
    __asan_poison_memory_region(p, n);
}
static inline void poison_clear(const void *p, size_t n)
{
    __asan_unpoison_memory_region(p, n);
}
#else
static inline void poison_set(const void *p, size_t n)
{
    (void)p;
    (void)n;
}
static inline void poison_clear(const void *p, size_t n)
{
    (void)p;
    (void)n;
}
#endif

#endif
