/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The frame decoder and the header writers. The contract is in frame.h.
 *
 *               header whole, data                  left == 0
 *     HEADER ------------------------> PAYLOAD ------------------> HEADER
 *        \----------------------------> CONTROL ------------------> HEADER, or CLOSED behind a Close
 *               header whole, control               payload whole
 *     any ---- a rule broken ----> FAILED
 *
 * A header that lies whole in the input is read where it lies; only one that the input cuts goes through d->gather. The
 * first two bytes of a header are judged as soon as they are there, the length when the header is complete.
 */
#include <assert.h>

#include "ws/close.h"
#include "ws/frame.h"

enum state { HEADER, PAYLOAD, CONTROL, CLOSED, FAILED };

enum flag {
    CLIENT = 1,
    ALLOW_RSV1 = 2,
    CHECK_UTF8 = 4,
    FIN = 8,       /* the current frame is the last of its message */
    BEGIN = 16,    /* no DATA of the current message was given yet */
    RSV1 = 32,     /* the current message is compressed */
    CHECKING = 64, /* the current message is text to be checked */
};

#define OPTION_FLAGS (CLIENT | ALLOW_RSV1 | CHECK_UTF8)

enum fault {
    FINE,
    BAD_RSV,
    BAD_OPCODE,
    NOT_MASKED,
    MASKED,
    CONTROL_FRAGMENTED,
    CONTROL_LONG,
    NO_MESSAGE,
    IN_MESSAGE,
    LENGTH_FORM,
    LENGTH_HUGE,
    MESSAGE_BIG,
    TEXT_BAD,
    CLOSE_SHORT,
    CLOSE_CODE,
    CLOSE_REASON,
};

static const struct {
    uint16_t code;
    const char *why;
} faults[] = {
    [FINE] = {0, NULL},
    [BAD_RSV] = {WS_CLOSE_PROTOCOL, "reserved bit set"},
    [BAD_OPCODE] = {WS_CLOSE_PROTOCOL, "reserved opcode"},
    [NOT_MASKED] = {WS_CLOSE_PROTOCOL, "client frame without mask"},
    [MASKED] = {WS_CLOSE_PROTOCOL, "server frame with mask"},
    [CONTROL_FRAGMENTED] = {WS_CLOSE_PROTOCOL, "fragmented control frame"},
    [CONTROL_LONG] = {WS_CLOSE_PROTOCOL, "control frame above 125 bytes"},
    [NO_MESSAGE] = {WS_CLOSE_PROTOCOL, "continuation without a message"},
    [IN_MESSAGE] = {WS_CLOSE_PROTOCOL, "new message inside a message"},
    [LENGTH_FORM] = {WS_CLOSE_PROTOCOL, "length not in its shortest form"},
    [LENGTH_HUGE] = {WS_CLOSE_PROTOCOL, "length above 63 bits"},
    [MESSAGE_BIG] = {WS_CLOSE_TOO_BIG, "message too big"},
    [TEXT_BAD] = {WS_CLOSE_BAD_DATA, "text is not UTF-8"},
    [CLOSE_SHORT] = {WS_CLOSE_PROTOCOL, "close payload of one byte"},
    [CLOSE_CODE] = {WS_CLOSE_PROTOCOL, "invalid close code"},
    [CLOSE_REASON] = {WS_CLOSE_BAD_DATA, "close reason is not UTF-8"},
};

_Static_assert(sizeof(struct ws_decoder) <= 48, "a session holds a decoder for its life");

void ws_decoder_init(struct ws_decoder *d, const struct ws_decoder_options *opt)
{
    memset(d, 0, sizeof(*d));
    d->message_max = opt->message_max;
    d->flags =
        (opt->role == WS_CLIENT ? CLIENT : 0) | (opt->allow_rsv1 ? ALLOW_RSV1 : 0) | (opt->check_utf8 ? CHECK_UTF8 : 0);
    ws_utf8_init(&d->utf8);
}

bool ws_decoder_idle(const struct ws_decoder *d)
{
    return (d->state == HEADER && d->have == 0 && d->message == 0) || d->state == CLOSED;
}

size_t ws_decoder_need(const struct ws_decoder *d)
{
    return d->state == CONTROL ? (size_t)d->left : 1;
}

static void event_none(struct ws_event *ev)
{
    *ev = (struct ws_event){.type = WS_EV_NONE};
}

static void event_error(const struct ws_decoder *d, struct ws_event *ev)
{
    assert(d->state == FAILED && d->opcode != FINE && d->opcode < ARRAY_LEN(faults));
    *ev = (struct ws_event){.type = WS_EV_ERROR, .code = faults[d->opcode].code, .why = faults[d->opcode].why};
}

static void fail(struct ws_decoder *d, enum fault fault, struct ws_event *ev)
{
    d->state = FAILED;
    d->opcode = fault;
    event_error(d, ev);
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

/* Length of the header that begins with these two bytes; right once header_judge has passed them. */
static inline unsigned header_length(const uint8_t *h)
{
    unsigned len = h[1] & 0x7f;

    return 2 + (len < 126 ? 0 : len == 126 ? 2 : 8) + (h[1] >> 7) * 4;
}

static enum fault control_judge(const uint8_t *h)
{
    if (h[0] & 0x40)
        return BAD_RSV;
    if ((h[0] & 0x0f) > WS_PONG)
        return BAD_OPCODE;
    if (!(h[0] & 0x80))
        return CONTROL_FRAGMENTED;
    return (h[1] & 0x7f) > WS_CONTROL_MAX ? CONTROL_LONG : FINE;
}

/* What the first two bytes say. */
static inline enum fault header_judge(const struct ws_decoder *d, const uint8_t *h)
{
    unsigned opcode = h[0] & 0x0f;

    if (h[0] & 0x30)
        return BAD_RSV;
    if (!(h[1] & 0x80) != !!(d->flags & CLIENT))
        return d->flags & CLIENT ? MASKED : NOT_MASKED;
    if (opcode & 8)
        return control_judge(h);
    if (opcode > WS_BINARY)
        return BAD_OPCODE;
    if ((h[0] & 0x40) && (!(d->flags & ALLOW_RSV1) || opcode == WS_CONTINUATION))
        return BAD_RSV;
    if (opcode == WS_CONTINUATION)
        return d->message ? FINE : NO_MESSAGE;
    return d->message ? IN_MESSAGE : FINE;
}

/* The payload length of a complete header. */
static inline enum fault length_read(const uint8_t *h, uint64_t *len)
{
    *len = h[1] & 0x7f;
    if (*len < 126)
        return FINE;
    if (*len == 126) {
        *len = (uint64_t)h[2] << 8 | h[3];
        return *len < 126 ? LENGTH_FORM : FINE;
    }
    *len = 0;
    for (int i = 2; i < 10; i++)
        *len = *len << 8 | h[i];
    if (*len >> 63)
        return LENGTH_HUGE;
    return *len < 65536 ? LENGTH_FORM : FINE;
}

/* Enters the frame of a complete header whose first two bytes were judged. */
static inline enum fault frame_begin(struct ws_decoder *d, const uint8_t *h, unsigned length)
{
    uint64_t len;
    enum fault fault = length_read(h, &len);

    if (UNLIKELY(fault))
        return fault;
    if (LIKELY(h[1] & 0x80))
        memcpy(&d->mask, h + length - 4, 4);
    d->opcode = h[0] & 0x0f;
    d->left = len;
    d->have = 0;
    if (d->opcode & 8) {
        d->state = CONTROL;
        return FINE;
    }
    if (d->opcode != WS_CONTINUATION) {
        d->message = d->opcode;
        d->message_got = 0;
        d->flags = (d->flags & OPTION_FLAGS) | BEGIN | (h[0] & 0x40 ? RSV1 : 0);
        if (d->opcode == WS_TEXT && (d->flags & (CHECK_UTF8 | RSV1)) == CHECK_UTF8)
            d->flags |= CHECKING;
    }
    if (h[0] & 0x80)
        d->flags |= FIN;
    if (len > d->message_max - d->message_got)
        return MESSAGE_BIG;
    d->message_got += len;
    d->state = PAYLOAD;
    return FINE;
}

/* A header that the input cuts: gathers what is there, first the two bytes that tell the rest. */
static size_t header_gather(struct ws_decoder *d, const uint8_t *p, size_t n, enum fault *fault)
{
    size_t used = 0;

    *fault = FINE;
    for (;;) {
        unsigned need = d->have < 2 ? 2 : header_length(d->gather);

        if (d->have == need) {
            *fault = frame_begin(d, d->gather, need);
            return used;
        }
        if (used == n)
            return used;
        d->gather[d->have++] = p[used++];
        if (d->have == 2) {
            *fault = header_judge(d, d->gather);
            if (*fault)
                return used;
        }
    }
}

/* Consumes a header, or the part of it that is there; d->state has changed when it was whole. */
static inline size_t header_take(struct ws_decoder *d, const uint8_t *p, size_t n, enum fault *fault)
{
    if (LIKELY(d->have == 0 && n >= 2)) {
        unsigned length = header_length(p);

        if (LIKELY(n >= length)) {
            *fault = header_judge(d, p);
            if (LIKELY(*fault == FINE))
                *fault = frame_begin(d, p, length);
            return length;
        }
    }
    return header_gather(d, p, n, fault);
}

/* --- payloads ----------------------------------------------------------------------------------------------------- */

/* Consumes what is there of a data frame's payload; also called with n == 0 for an empty one. */
static inline size_t payload_take(struct ws_decoder *d, uint8_t *p, size_t n, uint8_t *dst, struct ws_event *ev)
{
    size_t take = n < d->left ? n : (size_t)d->left;
    bool end;

    if (LIKELY(!(d->flags & CLIENT)))
        d->mask = ws_unmask(dst, p, take, d->mask);
    else if (dst != p)
        memmove(dst, p, take);
    d->left -= take;
    if (d->left == 0)
        d->state = HEADER;
    end = d->left == 0 && (d->flags & FIN);
    if (d->flags & CHECKING) {
        if (!ws_utf8_feed(&d->utf8, dst, take) || (end && !ws_utf8_complete(&d->utf8))) {
            fail(d, TEXT_BAD, ev);
            return take;
        }
    }
    *ev = (struct ws_event){.type = WS_EV_DATA,
                            .opcode = d->message,
                            .rsv1 = d->flags & RSV1,
                            .begin = d->flags & BEGIN,
                            .end = end,
                            .data = dst,
                            .n = take};
    d->flags &= ~BEGIN;
    if (end)
        d->message = 0;
    return take;
}

static void close_judge(struct ws_decoder *d, uint8_t *p, size_t n, struct ws_event *ev)
{
    struct ws_utf8 utf8;
    uint16_t code = WS_CLOSE_NO_STATUS;

    if (n == 1) {
        fail(d, CLOSE_SHORT, ev);
        return;
    }
    if (n) {
        code = p[0] << 8 | p[1];
        p += 2;
        n -= 2;
        if (!ws_close_code_ok(code)) {
            fail(d, CLOSE_CODE, ev);
            return;
        }
    }
    ws_utf8_init(&utf8);
    if (!ws_utf8_feed(&utf8, p, n) || !ws_utf8_complete(&utf8)) {
        fail(d, CLOSE_REASON, ev);
        return;
    }
    *ev = (struct ws_event){.type = WS_EV_CLOSE, .code = code, .data = p, .n = n};
    d->state = CLOSED;
}

/* Consumes a control frame's payload when all of it is there. */
static size_t control_take(struct ws_decoder *d, uint8_t *p, size_t n, struct ws_event *ev)
{
    size_t take = (size_t)d->left;

    if (n < take) {
        *ev = (struct ws_event){.type = WS_EV_MORE};
        return 0;
    }
    if (!(d->flags & CLIENT))
        ws_unmask(p, p, take, d->mask);
    d->left = 0;
    d->state = HEADER;
    if (d->opcode == WS_CLOSE)
        close_judge(d, p, take, ev);
    else
        *ev = (struct ws_event){.type = d->opcode == WS_PING ? WS_EV_PING : WS_EV_PONG, .data = p, .n = take};
    return take;
}

/* --- decoding ----------------------------------------------------------------------------------------------------- */

/* The common case on its own: a message in one masked frame below 64 KiB, all of it in the input, while nothing else is
 * under way. It leaves no trace in the decoder, so it costs neither loads nor stores there; that halves the price of a
 * short message. Returns the bytes consumed, 0 when it is not that case (or not a valid one: decode() says why). */
static inline size_t message_take(struct ws_decoder *d, uint8_t *p, size_t n, uint8_t *dst, struct ws_event *ev)
{
    size_t header = 6, len;
    uint32_t mask;

    if (n < 8 || (p[0] != (0x80 | WS_BINARY) && p[0] != (0x80 | WS_TEXT)) || p[1] < 0x80 || p[1] == 0xff)
        return 0;
    if (d->state != HEADER || d->have || d->message || (d->flags & CLIENT))
        return 0;
    len = p[1] & 0x7f;
    if (len == 126) {
        len = p[2] << 8 | p[3];
        header = 8;
        if (len < 126)
            return 0;
    }
    if (n - header < len || len > d->message_max)
        return 0;
    memcpy(&mask, p + header - 4, 4);
    if (!dst)
        dst = p + header;
    *ev =
        (struct ws_event){.type = WS_EV_DATA, .opcode = p[0] & 0x0f, .begin = true, .end = true, .data = dst, .n = len};
    ws_unmask(dst, p + header, len, mask);
    if (ev->opcode == WS_TEXT && (d->flags & CHECK_UTF8)) {
        if (!ws_utf8_feed(&d->utf8, dst, len) || !ws_utf8_complete(&d->utf8)) {
            fail(d, TEXT_BAD, ev);
            return n;
        }
    }
    return header + len;
}

/* dst NULL: in place. Two copies of this are compiled, one for each. */
static inline __attribute__((always_inline)) size_t decode(struct ws_decoder *d, uint8_t *bytes, size_t n, uint8_t *dst,
                                                           struct ws_event *ev)
{
    size_t used = message_take(d, bytes, n, dst, ev);
    enum fault fault;

    if (LIKELY(used))
        return used;
    do {
        if (LIKELY(d->state == HEADER)) {
            used += header_take(d, bytes + used, n - used, &fault);
            if (UNLIKELY(fault)) {
                fail(d, fault, ev);
                return n;
            }
        } else if (UNLIKELY(d->state == CLOSED)) {
            event_none(ev);
            return n;
        } else if (UNLIKELY(d->state == FAILED)) {
            event_error(d, ev);
            return n;
        }
        if (d->state == PAYLOAD && d->left == 0 && !(d->flags & FIN))
            d->state = HEADER; /* an empty fragment in the middle says nothing */
    } while (d->state == HEADER && used < n);

    if (d->state == HEADER || (used == n && d->left)) {
        event_none(ev);
        return used;
    }
    if (LIKELY(d->state == PAYLOAD))
        used += payload_take(d, bytes + used, n - used, dst ? dst : bytes + used, ev);
    else
        used += control_take(d, bytes + used, n - used, ev);
    return UNLIKELY(d->state == FAILED) ? n : used;
}

size_t ws_decode(struct ws_decoder *d, uint8_t *bytes, size_t n, struct ws_event *ev)
{
    return decode(d, bytes, n, NULL, ev);
}

size_t ws_decode_slide(struct ws_decoder *d, uint8_t *bytes, size_t n, uint8_t *dst, struct ws_event *ev)
{
    return decode(d, bytes, n, dst, ev);
}

/* --- encoding ----------------------------------------------------------------------------------------------------- */

size_t ws_encode_header(uint8_t *end, uint8_t opcode, bool fin, bool rsv1, uint64_t payload)
{
    size_t length = payload < 126 ? 2 : payload < 65536 ? 4 : 10;
    uint8_t *h = end - length;

    assert(payload >> 63 == 0);
    h[0] = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode;
    h[1] = length == 2 ? payload : length == 4 ? 126 : 127;
    for (size_t i = length - 1; i >= 2; i--, payload >>= 8)
        h[i] = payload & 0xff;
    return length;
}

size_t ws_encode_client_header(uint8_t *end, uint8_t opcode, bool fin, uint64_t payload, uint32_t mask)
{
    size_t length = ws_encode_header(end - 4, opcode, fin, false, payload);

    end[-4 - (ptrdiff_t)length + 1] |= 0x80;
    memcpy(end - 4, &mask, 4);
    return length + 4;
}

size_t ws_encode_control(uint8_t *out, uint8_t opcode, const uint8_t *payload, size_t n)
{
    n = MIN_OF(n, WS_CONTROL_MAX);
    out[0] = 0x80 | opcode;
    out[1] = n;
    if (n)
        memcpy(out + 2, payload, n);
    return 2 + n;
}

size_t ws_encode_close(uint8_t *out, uint16_t code, const char *reason)
{
    uint8_t payload[WS_CONTROL_MAX];
    size_t n = reason ? strlen(reason) : 0;

    if (code == WS_CLOSE_NO_STATUS)
        return ws_encode_control(out, WS_CLOSE, NULL, 0);
    if (n > sizeof(payload) - 2) {
        n = sizeof(payload) - 2;
        while (n && ((uint8_t)reason[n] & 0xc0) == 0x80)
            n--;
    }
    payload[0] = code >> 8;
    payload[1] = code & 0xff;
    if (n)
        memcpy(payload + 2, reason, n);
    return ws_encode_control(out, WS_CLOSE, payload, n + 2);
}
