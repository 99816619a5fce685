/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * UTF-8 as it streams (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). Pure. Fails at the first
 * byte that cannot be part of a valid text.
 */
#ifndef WSBRIDGE_WS_UTF8_H
#define WSBRIDGE_WS_UTF8_H

#include "base/slice.h"

struct ws_utf8 {
    uint8_t need; /* continuation bytes still to come */
    uint8_t low;  /* allowed range of the next one */
    uint8_t high;
};

void ws_utf8_init(struct ws_utf8 *u);
MUST_CHECK bool ws_utf8_feed(struct ws_utf8 *u, const uint8_t *p, size_t n);
bool ws_utf8_complete(const struct ws_utf8 *u); /* not inside a character */

#endif
