/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Which bytes may stand where in a message (RFC 9110, section 5.6.2, and RFC 9112, section 3.2).
 */
#ifndef WSBRIDGE_HTTP_CHARS_H
#define WSBRIDGE_HTTP_CHARS_H

#include "base/slice.h"

enum {
    HTTP_TOKEN = 1,  /* names: of methods, fields, subprotocols */
    HTTP_TARGET = 2, /* a request target as browsers send it: with \ ^ ` { | } in it */
    HTTP_VALUE = 4,  /* field values: no control characters but HTAB */
};

extern const uint8_t http_class_of[256];

static inline bool http_char_is(char c, unsigned class)
{
    return (http_class_of[(unsigned char)c] & class) != 0;
}

/* Whether all bytes are of one class; a token has at least one. */
bool http_all_are(struct slice s, unsigned class);

#endif
