/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Secrets that others leave on the stack. What we hold ourselves is wiped where it is (explicit_bzero); but a library
 * that decodes a key leaves pieces of it in frames that are dead by the time it returns, and there they stay until
 * something else happens to be written over them.
 */
#ifndef WSBRIDGE_BASE_WIPE_H
#define WSBRIDGE_BASE_WIPE_H

#include "base/compiler.h"

/* Writes zeros over the `n` bytes below the caller's frame: call it where the library was called. At most 64 KiB. */
void stack_wipe(size_t n);

#endif
