/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The WebSocket frame codec (RFC 6455, section 5). Pure: it does no I/O, allocates nothing and keeps no pointer of the
 * caller's between calls.
 *
 * Decoding streams. ws_decode looks at some bytes, says how many it consumed and at most one event. Data frames are
 * never gathered: DATA events carry pieces, in place, unmasked; BEGIN and END frame a *message* (not a frame). Control
 * payloads (at most 125 bytes) are gathered in the decoder, so control frames between fragments cost nothing. It always
 * makes progress: with n > 0 it consumes bytes or returns an event other than NONE.
 *
 *     BEGIN, DATA*, END  for each message; PING, PONG, CLOSE between any two of them; ERROR ends everything.
 */
#ifndef WSBRIDGE_WS_FRAME_H
#define WSBRIDGE_WS_FRAME_H

#include "base/slice.h"
#include "ws/utf8.h"

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

#define WS_HEADER_MAX 14        /* longest frame header with a mask */
#define WS_SERVER_HEADER_MAX 10 /* longest without one */
#define WS_CONTROL_MAX 125

enum ws_role {
    WS_SERVER,
    WS_CLIENT
}; /* a server demands masks, a client refuses them (for tests and load generators) */

enum ws_event_type {
    WS_EV_NONE,  /* all consumed; feed more */
    WS_EV_BEGIN, /* a message begins: opcode TEXT or BINARY, rsv1 */
    WS_EV_DATA,  /* a piece of it: data, n (n > 0) */
    WS_EV_END,   /* it is complete */
    WS_EV_PING,  /* control payload: data, n; points into the decoder, good until the next call */
    WS_EV_PONG,
    WS_EV_CLOSE, /* code (1005 when the payload was empty) and reason in data, n; already validated */
    WS_EV_ERROR, /* code 1002, 1007 or 1009 and why; the decoder gives nothing but this from now on */
};

struct ws_event {
    enum ws_event_type type;
    uint8_t opcode; /* BEGIN */
    bool rsv1;      /* BEGIN: compressed (only when allow_rsv1) */
    uint16_t code;  /* CLOSE, ERROR */
    uint8_t *data;
    size_t n;
    const char *why; /* ERROR: static text, fit for the Close reason and the log */
};

struct ws_decoder {
    uint64_t left;        /* payload bytes of the current frame still to come */
    uint64_t message_max; /* 1009 above it */
    uint64_t message_got; /* payload bytes of the current message, announced frames included */
    uint32_t mask;        /* rotated to the next byte, in memory order */
    uint8_t state;
    uint8_t opcode;  /* of the current frame */
    uint8_t message; /* opcode of the current message, 0 between messages */
    uint8_t flags;
    uint8_t need; /* header bytes needed */
    uint8_t have; /* header or control payload bytes gathered */
    struct ws_utf8 utf8;
    uint8_t gather[WS_CONTROL_MAX + 1]; /* a header, or a control payload */
};

struct ws_decoder_options {
    enum ws_role role;
    uint64_t message_max; /* bytes */
    bool allow_rsv1;      /* an extension that uses RSV1 was agreed */
    bool check_utf8; /* check text as it streams; off when the message is compressed (the inflater's owner checks) */
};

void ws_decoder_init(struct ws_decoder *d, const struct ws_decoder_options *opt);

/* Looks at bytes[0..n). Returns how many it consumed; fills *ev. A DATA event's bytes lie inside bytes[0..consumed),
 * unmasked in place; the consumed part may be larger than the data (a header before it). */
MUST_CHECK size_t ws_decode(struct ws_decoder *d, uint8_t *bytes, size_t n, struct ws_event *ev);

/* As ws_decode, but a DATA event's payload is moved to `dst` (dst <= bytes: sliding down over consumed headers) while
 * it is unmasked, one pass; ev->data == dst. For other events dst is not touched. */
MUST_CHECK size_t ws_decode_slide(struct ws_decoder *d, uint8_t *bytes, size_t n, uint8_t *dst, struct ws_event *ev);

/* Whether the decoder stands between two frames of no open message: the input may end here without loss. */
bool ws_decoder_idle(const struct ws_decoder *d);

/* dst[i] = src[i] ^ mask byte (i mod 4), for i < n; dst <= src or no overlap. `mask` is the four bytes in memory order.
 * Returns the mask rotated for the byte after. At memory speed. */
uint32_t ws_unmask(uint8_t *dst, const uint8_t *src, size_t n, uint32_t mask);

/* Writes an unmasked (server) header that ends right before `end`, with at least WS_SERVER_HEADER_MAX bytes of room
 * below it. Returns its length (2, 4 or 10). */
size_t ws_encode_header(uint8_t *end, uint8_t opcode, bool fin, bool rsv1, uint64_t payload);

/* A whole control frame into out (2 + WS_CONTROL_MAX bytes of room); n is cut to what fits. Returns its length. */
size_t ws_encode_control(uint8_t *out, uint8_t opcode, const uint8_t *payload, size_t n);

/* A Close frame; code 1005 gives an empty payload; the reason is cut at a UTF-8 boundary to 123 bytes. */
size_t ws_encode_close(uint8_t *out, uint16_t code, const char *reason);

#endif
