/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Clocks and random bytes.
 */
#ifndef WSBRIDGE_BASE_CLOCK_H
#define WSBRIDGE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_mono_ns(void);
uint64_t clock_wall_ms(void); /* since 1970-01-01 UTC */

/* "2026-01-31T12:34:56.789Z" with its terminator (25 bytes). Returns buf. */
#define CLOCK_TEXT_MAX 25
const char *clock_format(uint64_t wall_ms, char *buf);

#endif
