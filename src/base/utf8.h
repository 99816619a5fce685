/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * UTF-8 one character at a time (RFC 3629), for texts that are whole: paths and log values. The check that goes along
 * with a stream of frames is in ws/utf8.h.
 */
#ifndef WSBRIDGE_BASE_UTF8_H
#define WSBRIDGE_BASE_UTF8_H

#include "base/slice.h"

/* The length (1 to 4) of the well-formed character at the start of `s`, or 0: s is empty, cut short, overlong, a
 * surrogate or beyond U+10FFFF. The code point goes to *code. */
size_t utf8_next(struct slice s, uint32_t *code);

/* C0, DEL and C1: what a terminal might obey. */
static inline bool utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

#endif
