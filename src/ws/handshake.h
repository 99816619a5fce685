/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The opening handshake (RFC 6455, section 4.2) over a parsed request. Pure, but for SHA-1 from libcrypto. It says what
 * to answer and writes nothing; origin and path are not its business.
 */
#ifndef WSBRIDGE_WS_HANDSHAKE_H
#define WSBRIDGE_WS_HANDSHAKE_H

#include "http/head.h"

#define WS_ACCEPT_LEN 28
#define WS_VERSION "13" /* the one we speak; each 426 says it in Sec-WebSocket-Version */

struct ws_handshake {
    char accept[WS_ACCEPT_LEN + 1]; /* for Sec-WebSocket-Accept */
    struct slice
        subprotocol; /* chosen; empty: none (no header is sent); points into the request or the configuration */
};

/* Whether the client asks for a WebSocket at all: Upgrade has "websocket" (without it, it is a plain request). */
bool ws_handshake_wanted(const struct http_head *h);

/* Checks, in this order: GET (405); HTTP/1.1, "upgrade" in Connection, no body, one Sec-WebSocket-Version at most
 * (400); that version is 13 (426, also without one); one Sec-WebSocket-Key of 16 bytes in canonical base64 (400).
 * Returns 0 and fills out->accept, or the status with *why (500 when libcrypto has no SHA-1 for us). */
MUST_CHECK int ws_handshake_check(const struct http_head *h, struct ws_handshake *out, const char **why);

/* Chooses from what the client offers: the members of all Sec-WebSocket-Protocol fields in order, with or without
 * spaces, empty ones not counted, compared with case. `allowed` empty: "binary" if offered, else the first offered,
 * never "base64". Not empty: the first of `allowed` that is offered. None agreed: empty slice, and the upgrade goes on
 * without one (RFC 6455 lets the client decide). False when an offered name is not a token (400). */
MUST_CHECK bool ws_subprotocol_choose(const struct http_head *h, const char *const *allowed, size_t n,
                                      struct slice *out);

#endif
