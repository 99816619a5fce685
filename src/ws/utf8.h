/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * UTF-8 as it streams (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). Pure. Fails in the call
 * that brings the first byte that cannot be part of a valid text; a text may end only where ws_utf8_complete says so.
 */
#ifndef WSBRIDGE_WS_UTF8_H
#define WSBRIDGE_WS_UTF8_H

#include "base/slice.h"

struct ws_utf8 {
    uint8_t state; /* of the automaton in utf8.c: what may come next */
};

void ws_utf8_init(struct ws_utf8 *u);
MUST_CHECK bool ws_utf8_feed(struct ws_utf8 *u, const uint8_t *p, size_t n); /* once false, always false */
bool ws_utf8_complete(const struct ws_utf8 *u);                              /* not inside a character */

#endif
