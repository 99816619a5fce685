/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Base64 (RFC 4648, section 4, with padding, canonical only).
 */
#ifndef WSBRIDGE_BASE_BASE64_H
#define WSBRIDGE_BASE_BASE64_H

#include "base/slice.h"

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(n) characters, no terminator. */
void base64_encode(const uint8_t *in, size_t n, char *out);

/* False on a wrong length, alphabet, padding, non-zero spare bits, or when more than `cap` bytes would come out. */
MUST_CHECK bool base64_decode(struct slice in, uint8_t *out, size_t cap, size_t *got);

#endif
