/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The WebSocket frame codec (RFC 6455, section 5). Pure: it does no I/O, allocates nothing and keeps no pointer of the
 * caller's between calls.
 *
 * Decoding streams. ws_decode looks at some bytes, says how many it consumed and at most one event. Data frames are
 * never gathered: DATA events carry pieces, unmasked, of a *message*: `begin` is on its first piece and `end` on its
 * last, wherever the frames' borders are. A control payload (at most 125 bytes) is given whole and in place; while the
 * input has only a part of it, that part is not consumed and not changed, and MORE asks for the same bytes again with
 * more behind them. The caller has them in its buffer anyway, and a decoder without room for them is a third of the
 * size. It always makes progress: with n > 0 it consumes bytes or returns an event other than NONE, and behind MORE it
 * needs no more than ws_decoder_need bytes.
 *
 *     DATA(begin) DATA* DATA(end)   for each message, one DATA with both flags when it comes in one piece
 *     PING, PONG, CLOSE             between any two of them
 *     MORE                          keep what was not consumed; feed it again when more has come
 *     ERROR                         ends everything
 *
 * A piece is what one call finds, so pieces depend on how the input was cut; their bytes do not. n == 0 happens only
 * with `end` (an empty message, or the end that follows late, as an empty last fragment).
 *
 * After CLOSE all input is consumed without a look: a peer sends nothing after its Close, and if it does it does not
 * count (section 5.5.1). After ERROR all input is consumed and each call gives that same ERROR again. The bytes of a
 * piece with bad UTF-8 are not delivered.
 */
#ifndef WSBRIDGE_WS_FRAME_H
#define WSBRIDGE_WS_FRAME_H

#include "base/slice.h"
#include "ws/utf8.h"

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

#define WS_HEADER_MAX 14        /* longest frame header with a mask */
#define WS_SERVER_HEADER_MAX 10 /* longest without one */
#define WS_CONTROL_MAX 125

/* Which side decodes: a server demands masks, a client (tests and load generators) refuses them. */
enum ws_role { WS_SERVER, WS_CLIENT };

enum ws_event_type {
    WS_EV_NONE,  /* all consumed; feed more */
    WS_EV_MORE,  /* a control payload is not all there: nothing of it is consumed */
    WS_EV_DATA,  /* a piece of a message: opcode, rsv1, begin, end, data, n */
    WS_EV_PING,  /* control payload: data, n; unmasked in place, inside the consumed bytes */
    WS_EV_PONG,  /* as PING */
    WS_EV_CLOSE, /* code (1005 when the payload was empty) and reason in data, n, as PING; already validated */
    WS_EV_ERROR, /* code 1002, 1007 or 1009 and why */
};

/* Every call fills all of it; what an event type does not name is zero. */
struct ws_event {
    enum ws_event_type type;
    uint8_t opcode; /* DATA: of the message, WS_TEXT or WS_BINARY, on every piece */
    bool rsv1;      /* DATA: the message is compressed (only when allow_rsv1), on every piece */
    bool begin;     /* DATA: first piece of the message */
    bool end;       /* DATA: last piece of the message */
    uint16_t code;  /* CLOSE, ERROR */
    uint8_t *data;
    size_t n;
    const char *why; /* ERROR: static text, fit for the Close reason and the log */
};

/* Private; a session holds one for its life. */
struct ws_decoder {
    uint64_t left;        /* payload bytes of the current frame still to come */
    uint64_t message_max; /* 1009 above it */
    uint64_t message_got; /* payload bytes of the current message, announced frames included */
    uint32_t mask;        /* rotated to the next byte, in memory order */
    uint8_t state;
    uint8_t opcode;  /* of the current frame; in the error state: which error */
    uint8_t message; /* opcode of the current message, 0 between messages */
    uint8_t flags;
    uint8_t have; /* header bytes gathered */
    struct ws_utf8 utf8;
    uint8_t gather[WS_HEADER_MAX]; /* a header that the input cuts */
};

struct ws_decoder_options {
    enum ws_role role;
    uint64_t message_max; /* bytes on the wire; UINT64_MAX: no bound */
    bool allow_rsv1;      /* an extension that uses RSV1 was agreed */
    bool check_utf8;      /* check text as it streams; compressed messages are left to the inflater's owner */
};

void ws_decoder_init(struct ws_decoder *d, const struct ws_decoder_options *opt);

/* Looks at bytes[0..n). Returns how many it consumed; fills *ev. A DATA event's bytes lie inside bytes[0..consumed),
 * unmasked in place; the consumed part may be larger than the data (a header before it). Call again while bytes are
 * left. */
MUST_CHECK size_t ws_decode(struct ws_decoder *d, uint8_t *bytes, size_t n, struct ws_event *ev);

/* As ws_decode, but a DATA event's payload is moved to `dst` (dst <= bytes: sliding down over consumed headers) while
 * it is unmasked, one pass; ev->data == dst. Only DATA and ERROR events touch dst; a control payload stays in place. */
MUST_CHECK size_t ws_decode_slide(struct ws_decoder *d, uint8_t *bytes, size_t n, uint8_t *dst, struct ws_event *ev);

/* How many bytes at once the next call must have to consume any: 1, but behind MORE what the control payload has. */
size_t ws_decoder_need(const struct ws_decoder *d);

/* Whether the decoder stands between two frames of no open message, or behind a Close: the input may end here without
 * loss. */
bool ws_decoder_idle(const struct ws_decoder *d);

/* dst[i] = src[i] ^ mask byte (i mod 4), for i < n; dst <= src or no overlap. `mask` is the four bytes in memory order.
 * Returns the mask rotated for the byte after. At memory speed. */
uint32_t ws_unmask(uint8_t *dst, const uint8_t *src, size_t n, uint32_t mask);

/* Writes an unmasked (server) header that ends right before `end`, with at least WS_SERVER_HEADER_MAX bytes of room
 * below it. Returns its length (2, 4 or 10). */
size_t ws_encode_header(uint8_t *end, uint8_t opcode, bool fin, bool rsv1, uint64_t payload);

/* The same with a mask (a client's; for tests and load generators): WS_HEADER_MAX bytes of room, 4 bytes longer. The
 * payload is then masked with ws_unmask. */
size_t ws_encode_client_header(uint8_t *end, uint8_t opcode, bool fin, uint64_t payload, uint32_t mask);

/* A whole control frame into out (2 + WS_CONTROL_MAX bytes of room); n is cut to what fits. Returns its length. */
size_t ws_encode_control(uint8_t *out, uint8_t opcode, const uint8_t *payload, size_t n);

/* A Close frame; code 1005 gives an empty payload; the reason is cut at a UTF-8 boundary to 123 bytes. */
size_t ws_encode_close(uint8_t *out, uint16_t code, const char *reason);

#endif
