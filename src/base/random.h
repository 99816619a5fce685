/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Unpredictable bytes from the kernel (getrandom(2)); stops the program when the kernel has none, which cannot happen
 * after boot.
 */
#ifndef WSBRIDGE_BASE_RANDOM_H
#define WSBRIDGE_BASE_RANDOM_H

#include <stddef.h>

void random_bytes(void *out, size_t n);

#endif
