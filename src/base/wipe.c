/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * See wipe.h. This is the one frame of a size that is known only at run time, because its size is its purpose: with it,
 * and the bound below, the compiler's probes against a stack clash are at work in the program, which is also where
 * tools such as hardening-check(1) look for them.
 */
#include "base/wipe.h"

#include <string.h>

#define WIPE_MAX ((size_t)64 << 10)

void __attribute__((noinline)) stack_wipe(size_t n)
{
    void *frame = __builtin_alloca(n < WIPE_MAX ? n : WIPE_MAX);

    explicit_bzero(frame, n < WIPE_MAX ? n : WIPE_MAX);
}
