/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The frame decoder on any bytes. The first byte chooses options and what is asked, the next two how the input is cut;
 * the rest is the input. Asked is one of two:
 *
 * - A stream: decoded in one piece in place, cut at random sliding, and byte by byte, it must tell the same story,
 * which is also that of a slow decoder below, written from the RFC with the whole input before it.
 * - A round trip: the bytes are cut into messages and fragments, with pings between, encoded for either side and
 *   decoded; out must come what went in.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ws/close.h"
#include "ws/frame.h"

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { AS_CLIENT = 1, RSV1_AGREED = 2, UTF8 = 4, SMALL = 8, TINY = 16, ROUND_TRIP = 32 };

/* What was told, as bytes. */
struct story {
    uint8_t *p;
    size_t n, cap;
    size_t open; /* where the unfinished message begins, SIZE_MAX between messages */
    bool over;   /* an error was told */
};

static void story_init(struct story *s)
{
    *s = (struct story){.open = SIZE_MAX};
}

static void told(struct story *s, const void *p, size_t n)
{
    if (s->n + n > s->cap) {
        s->cap = (s->n + n) * 2 + 64;
        s->p = realloc(s->p, s->cap);
        CHECK(s->p);
    }
    if (n)
        memcpy(s->p + s->n, p, n);
    s->n += n;
}

static void told_head(struct story *s, char kind, unsigned number, size_t n)
{
    uint64_t head[3] = {(uint64_t)kind, number, n};

    told(s, head, sizeof(head));
}

/* A message stands in the story with its pieces as they come; its length is known, and written, at its end. */
static void told_piece(struct story *s, unsigned kind, bool begin, bool end, const uint8_t *p, size_t n)
{
    CHECK(begin == (s->open == SIZE_MAX));
    CHECK(n > 0 || end);
    if (begin) {
        s->open = s->n;
        told_head(s, 'm', kind, 0);
    }
    told(s, p, n);
    if (end) {
        uint64_t total = s->n - s->open;

        told(s, &total, sizeof(total));
        s->open = SIZE_MAX;
    }
}

/* What an error leaves of an unfinished message depends on the cut; so it does not count. */
static void told_error(struct story *s, unsigned code)
{
    if (s->over)
        return;
    if (s->open != SIZE_MAX)
        s->n = s->open;
    told_head(s, 'e', code, 0);
    s->over = true;
}

static void story_same(const struct story *a, const struct story *b)
{
    CHECK(a->n == b->n);
    CHECK(a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

static void options_of(uint8_t bits, struct ws_decoder_options *opt)
{
    *opt = (struct ws_decoder_options){
        .role = bits & AS_CLIENT ? WS_CLIENT : WS_SERVER,
        .message_max = bits & TINY    ? 3
                       : bits & SMALL ? 300
                                      : UINT64_MAX,
        .allow_rsv1 = bits & RSV1_AGREED,
        .check_utf8 = bits & UTF8,
    };
}

/* --- the slow decoder --------------------------------------------------------------------------------------------- */

struct slow {
    const struct ws_decoder_options *opt;
    struct story *story;
    const uint8_t *p;
    size_t n;
    unsigned kind; /* of the open message, 0: none */
    bool begun;    /* a piece was told */
    uint64_t got;
    struct ws_utf8 utf8;
};

static unsigned slow_judge(const struct slow *s)
{
    unsigned opcode = s->p[0] & 15, rsv = s->p[0] & 0x70, length = s->p[1] & 127;
    bool masked = s->p[1] & 128, fin = s->p[0] & 128;

    if (masked != (s->opt->role == WS_SERVER))
        return 1002;
    if (opcode >= 8)
        return rsv || !fin || opcode > 10 || length > 125 ? 1002 : 0;
    if (opcode > 2 || (opcode == 0) != (s->kind != 0))
        return 1002;
    return rsv && (rsv != 0x40 || opcode == 0 || !s->opt->allow_rsv1) ? 1002 : 0;
}

static unsigned slow_control(struct slow *s, unsigned opcode, const uint8_t *p, size_t n)
{
    struct ws_utf8 u;
    unsigned code = 1005;

    if (opcode != WS_CLOSE) {
        told_head(s->story, opcode == WS_PING ? 'p' : 'q', 0, n);
        told(s->story, p, n);
        return 0;
    }
    if (n == 1)
        return 1002;
    if (n) {
        code = p[0] * 256 + p[1];
        if (!ws_close_code_ok(code))
            return 1002;
        ws_utf8_init(&u);
        if (!ws_utf8_feed(&u, p + 2, n - 2) || !ws_utf8_complete(&u))
            return 1007;
    }
    told_head(s->story, 'c', code, n ? n - 2 : 0);
    if (n)
        told(s->story, p + 2, n - 2);
    s->n = 0;
    return 0;
}

static unsigned slow_data(struct slow *s, bool fin, const uint8_t *p, size_t n, bool whole)
{
    bool end = fin && whole;

    if (s->opt->check_utf8 && s->kind == WS_TEXT) {
        if (!ws_utf8_feed(&s->utf8, p, n) || (end && !ws_utf8_complete(&s->utf8)))
            return 1007;
    }
    if (n || end) {
        told_piece(s->story, s->kind, !s->begun, end, p, n);
        s->begun = true;
    }
    if (end)
        s->kind = 0;
    return 0;
}

/* One frame, or what there is of it. */
static unsigned slow_frame(struct slow *s)
{
    size_t header = 2 + (s->opt->role == WS_SERVER ? 4 : 0);
    unsigned fault, opcode;
    uint64_t length;
    size_t have;
    uint8_t *payload;

    if (s->n < 2) {
        s->n = 0;
        return 0;
    }
    fault = slow_judge(s);
    if (fault)
        return fault;
    opcode = s->p[0] & 15;
    length = s->p[1] & 127;
    header += length == 126 ? 2 : length == 127 ? 8 : 0;
    if (s->n < header) {
        s->n = 0;
        return 0;
    }
    if (length >= 126) {
        int bytes = length == 126 ? 2 : 8;

        length = 0;
        for (int i = 0; i < bytes; i++)
            length = length * 256 + s->p[2 + i];
        if (length < (bytes == 2 ? 126 : 65536) || length > INT64_MAX)
            return 1002;
    }
    if (opcode == WS_TEXT || opcode == WS_BINARY) {
        s->kind = opcode | (s->p[0] & 0x40);
        s->begun = false;
        s->got = 0;
        ws_utf8_init(&s->utf8);
    }
    if (opcode < 8) {
        if (length > s->opt->message_max - s->got)
            return 1009;
        s->got += length;
    }
    have = length < s->n - header ? (size_t)length : s->n - header;
    payload = malloc(have + 1);
    CHECK(payload);
    for (size_t i = 0; i < have; i++)
        payload[i] = s->p[header + i] ^ (s->opt->role == WS_SERVER ? s->p[header - 4 + i % 4] : 0);
    if (opcode < 8)
        fault = slow_data(s, s->p[0] & 128, payload, have, have == length);
    else if (have == length)
        fault = slow_control(s, opcode, payload, have);
    free(payload);
    s->p += MIN_OF(s->n, header + have);
    s->n -= MIN_OF(s->n, header + have);
    return fault;
}

static void slow_decode(const struct ws_decoder_options *opt, const uint8_t *p, size_t n, struct story *story)
{
    struct slow s = {.opt = opt, .story = story, .p = p, .n = n};

    while (s.n) {
        unsigned fault = slow_frame(&s);

        if (fault) {
            told_error(story, fault);
            return;
        }
    }
}

/* --- the real one ------------------------------------------------------------------------------------------------- */

static void tell(struct story *s, const struct ws_event *ev)
{
    switch (ev->type) {
    case WS_EV_NONE:
    case WS_EV_MORE:
        break;
    case WS_EV_DATA:
        told_piece(s, ev->opcode | (ev->rsv1 ? 0x40 : 0), ev->begin, ev->end, ev->data, ev->n);
        break;
    case WS_EV_PING:
    case WS_EV_PONG:
        told_head(s, ev->type == WS_EV_PING ? 'p' : 'q', 0, ev->n);
        told(s, ev->data, ev->n);
        break;
    case WS_EV_CLOSE:
        told_head(s, 'c', ev->code, ev->n);
        told(s, ev->data, ev->n);
        break;
    case WS_EV_ERROR:
        CHECK(ev->why);
        told_error(s, ev->code);
        break;
    }
}

/* Returns how many bytes it wants to see again. */
static size_t feed(struct ws_decoder *d, const uint8_t *bytes, size_t n, bool slide, struct story *s)
{
    uint8_t *block = malloc(n + 1); /* of its own, so that ASan knows its borders */
    uint8_t *p = block, *dst = block;
    struct ws_event ev;

    CHECK(block);
    memcpy(block, bytes, n);
    while (n) {
        size_t used = slide ? ws_decode_slide(d, p, n, dst, &ev) : ws_decode(d, p, n, &ev);

        CHECK(used <= n && (used > 0 || ev.type != WS_EV_NONE) && (used == n || ev.type != WS_EV_NONE));
        if (ev.type == WS_EV_DATA) {
            CHECK(ev.data == (slide ? dst : p + used - ev.n));
            dst += ev.n;
        }
        tell(s, &ev);
        p += used;
        n -= used;
        CHECK((ev.type == WS_EV_MORE) == (n > 0 && n < ws_decoder_need(d)));
        if (ev.type == WS_EV_MORE) {
            CHECK(memcmp(p, bytes + (p - block), n) == 0);
            break;
        }
    }
    free(block);
    return n;
}

/* most: longest piece; 0: all in one. */
static bool decode(const struct ws_decoder_options *opt, const uint8_t *p, size_t n, uint32_t seed, size_t most,
                   bool slide, struct story *s)
{
    struct ws_decoder d;
    size_t again = 0;

    ws_decoder_init(&d, opt);
    while (n) {
        size_t piece = n;

        if (most) {
            seed = seed * 1664525 + 1013904223;
            piece = 1 + (seed >> 16) % most;
            piece = MIN_OF(piece, n);
        }
        again = feed(&d, p - again, again + piece, slide, s);
        CHECK(again < WS_CONTROL_MAX);
        p += piece;
        n -= piece;
    }
    return ws_decoder_idle(&d);
}

static void ask_stream(uint8_t bits, uint32_t seed, const uint8_t *p, size_t n)
{
    struct ws_decoder_options opt;
    struct story slow, whole, cut, single;
    bool idle;

    options_of(bits, &opt);
    story_init(&slow);
    story_init(&whole);
    story_init(&cut);
    story_init(&single);
    slow_decode(&opt, p, n, &slow);
    idle = decode(&opt, p, n, seed, 0, false, &whole);
    CHECK(idle == decode(&opt, p, n, seed, 1 + seed % 40, true, &cut));
    CHECK(idle == decode(&opt, p, n, seed, 1, seed & 1, &single));
    story_same(&slow, &whole);
    story_same(&whole, &cut);
    story_same(&whole, &single);
    free(slow.p);
    free(whole.p);
    free(cut.p);
    free(single.p);
}

/* --- the round trip ----------------------------------------------------------------------------------------------- */

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void add_frame(struct story *wire, bool client, unsigned opcode, bool fin, const uint8_t *p, size_t n,
                      uint32_t mask)
{
    uint8_t head[WS_HEADER_MAX];
    uint8_t *end = head + sizeof(head);
    size_t length =
        client ? ws_encode_client_header(end, opcode, fin, n, mask) : ws_encode_header(end, opcode, fin, false, n);

    told(wire, end - length, length);
    told(wire, p, n);
    if (client)
        ws_unmask(wire->p + wire->n - n, wire->p + wire->n - n, n, mask);
}

static void ask_round_trip(uint8_t bits, uint32_t seed, const uint8_t *p, size_t n)
{
    struct ws_decoder_options opt = {.role = bits & AS_CLIENT ? WS_CLIENT : WS_SERVER, .message_max = UINT64_MAX};
    struct story wire, want, got;
    uint32_t random = seed;
    uint8_t control[2 + WS_CONTROL_MAX];
    bool first = true;

    story_init(&wire);
    story_init(&want);
    story_init(&got);
    while (n || !first) {
        size_t piece = next(&random) % 8 ? next(&random) % 200 : n;
        bool fin = n == 0 || next(&random) % 3 == 0;
        unsigned kind = seed & 1 ? WS_TEXT : WS_BINARY;

        piece = MIN_OF(piece, n);
        add_frame(&wire, opt.role == WS_SERVER, first ? kind : WS_CONTINUATION, fin, p, piece, next(&random));
        if (want.open == SIZE_MAX && (piece || fin))
            told_piece(&want, kind, true, fin, p, piece);
        else if (piece || fin)
            told_piece(&want, kind, false, fin, p, piece);
        first = fin;
        p += piece;
        n -= piece;
        if (opt.role == WS_CLIENT && next(&random) % 4 == 0) {
            size_t some = next(&random) % 140;

            some = MIN_OF(some, n);
            told(&wire, control, ws_encode_control(control, WS_PING, p, some));
            told_head(&want, 'p', 0, MIN_OF(some, WS_CONTROL_MAX));
            told(&want, p, MIN_OF(some, WS_CONTROL_MAX));
        }
    }
    CHECK(decode(&opt, wire.p, wire.n, seed, seed % 300, seed & 2, &got));
    story_same(&want, &got);
    free(wire.p);
    free(want.p);
    free(got.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t seed;

    if (size < 3)
        return 0;
    seed = data[1] << 8 | data[2];
    if (data[0] & ROUND_TRIP)
        ask_round_trip(data[0], seed, data + 3, size - 3);
    else
        ask_stream(data[0], seed, data + 3, size - 3);
    return 0;
}
