/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The frame decoder. Each case of the table is a few frames and the story that they must tell ("text hello; ping x;
 * error 1002"); it is told again for every way to cut the input in two or three, for one byte at a time, decoded in
 * place and sliding. What the table cannot say (which event carries which flag, how early an error comes, what happens
 * afterwards) has tests of its own below.
 */
#include "unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ws/frame.h"

#define STORY_MAX 4096

/* --- building input ----------------------------------------------------------------------------------------------- */

enum form { SHORTEST, LEN16, LEN64 };

struct piece {
    int b0;              /* first byte: FIN 80, RSV 70, opcode */
    const char *payload; /* NULL: `n` bytes of 'z' */
    size_t n;
    enum form form;
    bool no_mask;
};

#define P(first, text)                                                                                                 \
    {                                                                                                                  \
        .b0 = (first), .payload = (text), .n = sizeof(text) - 1                                                        \
    }
#define PIECES_MAX 8

struct input {
    size_t n;
    uint8_t bytes[1024 * 80];
};

static const uint8_t mask_key[4] = {0x37, 0xfa, 0x21, 0x3d};

static void add_byte(struct input *in, unsigned b)
{
    assert_true(in->n < sizeof(in->bytes));
    in->bytes[in->n++] = b;
}

static void add_frame(struct input *in, const struct piece *p, bool masked)
{
    enum form form = p->form ? p->form : p->n < 126 ? SHORTEST : p->n < 65536 ? LEN16 : LEN64;

    masked = masked != p->no_mask;
    add_byte(in, p->b0);
    add_byte(in, (masked ? 0x80 : 0) | (form == LEN16 ? 126 : form == LEN64 ? 127 : p->n));
    for (int shift = form == LEN16 ? 8 : form == LEN64 ? 56 : -8; shift >= 0; shift -= 8)
        add_byte(in, p->n >> shift & 0xff);
    for (size_t i = 0; masked && i < 4; i++)
        add_byte(in, mask_key[i]);
    for (size_t i = 0; i < p->n; i++)
        add_byte(in, (uint8_t)((p->payload ? p->payload[i] : 'z') ^ (masked ? mask_key[i % 4] : 0)));
}

/* --- telling the story -------------------------------------------------------------------------------------------- */

struct teller {
    struct ws_decoder d;
    bool slide;
    bool open;  /* between begin and end */
    bool ended; /* an error or a Close was told */
    uint8_t again[WS_CONTROL_MAX];
    size_t n_again; /* asked for again */
    char story[STORY_MAX];
    size_t n;
    uint8_t message[1024 * 80];
    size_t got;
};

static void tell(struct teller *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void tell(struct teller *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    t->n += vsnprintf(t->story + t->n, sizeof(t->story) - t->n, fmt, ap);
    va_end(ap);
    assert_true(t->n < sizeof(t->story));
}

/* Long runs of 'z' are told by their number. */
static void tell_bytes(struct teller *t, const uint8_t *p, size_t n)
{
    size_t z = 0;

    while (z < n && p[z] == 'z')
        z++;
    if (z == n && n > 8)
        tell(t, "z*%zu", n);
    else
        tell(t, "%.*s", (int)n, (const char *)p);
}

static void tell_data(struct teller *t, const struct ws_event *ev)
{
    assert_int_equal(ev->begin, !t->open);
    assert_true(ev->opcode == WS_TEXT || ev->opcode == WS_BINARY);
    assert_true(ev->n > 0 || ev->end);
    if (ev->begin)
        t->got = 0;
    t->open = !ev->end;
    assert_true(t->got + ev->n <= sizeof(t->message));
    memcpy(t->message + t->got, ev->data, ev->n);
    t->got += ev->n;
    if (!ev->end)
        return;
    tell(t, "%s%s ", ev->opcode == WS_TEXT ? "text" : "binary", ev->rsv1 ? "+rsv1" : "");
    tell_bytes(t, t->message, t->got);
    tell(t, "; ");
}

static void tell_event(struct teller *t, const struct ws_event *ev)
{
    switch (ev->type) {
    case WS_EV_NONE:
    case WS_EV_MORE:
        return;
    case WS_EV_DATA:
        tell_data(t, ev);
        return;
    case WS_EV_PING:
    case WS_EV_PONG:
        tell(t, "%s ", ev->type == WS_EV_PING ? "ping" : "pong");
        tell_bytes(t, ev->data, ev->n);
        tell(t, "; ");
        return;
    case WS_EV_CLOSE:
        assert_false(t->ended);
        tell(t, "close %u ", ev->code);
        tell_bytes(t, ev->data, ev->n);
        tell(t, "; ");
        break;
    case WS_EV_ERROR:
        assert_non_null(ev->why);
        assert_true(strlen(ev->why) <= 123);
        if (!t->ended)
            tell(t, "error %u; ", ev->code);
        break;
    }
    t->ended = true;
}

/* One part of the input behind what was asked for again, in a heap block of its very size so that ASan sees a byte too
 * far. */
static void feed(struct teller *t, const uint8_t *bytes, size_t n)
{
    uint8_t *block = malloc(MAX_OF(t->n_again + n, (size_t)1));
    uint8_t *p = block, *dst = block;
    struct ws_event ev;

    memcpy(block, t->again, t->n_again);
    memcpy(block + t->n_again, bytes, n);
    n += t->n_again;
    t->n_again = 0;
    do {
        size_t used;

        memset(&ev, 0x5a, sizeof(ev));
        used = t->slide ? ws_decode_slide(&t->d, p, n, dst, &ev) : ws_decode(&t->d, p, n, &ev);
        assert_true(used <= n);
        assert_true(n == 0 || used > 0 || ev.type != WS_EV_NONE);
        assert_true(ev.type != WS_EV_NONE || used == n);
        if (ev.type == WS_EV_DATA) {
            if (t->slide) {
                assert_ptr_equal(ev.data, dst);
                dst += ev.n;
            } else {
                assert_ptr_equal(ev.data, p + used - ev.n);
            }
        }
        tell_event(t, &ev);
        p += used;
        n -= used;
        if (ev.type == WS_EV_MORE) {
            assert_true(n > 0 && n < ws_decoder_need(&t->d) && n < sizeof(t->again));
            memcpy(t->again, p, n);
            t->n_again = n;
            break;
        }
        assert_int_equal(n >= ws_decoder_need(&t->d), n > 0);
    } while (n);
    free(block);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

enum { AS_CLIENT = 1, RSV1_AGREED = 2, NO_UTF8 = 4, SMALL = 8 /* message_max 10 */ };

struct frames_case {
    const char *name;
    const char *story;
    int options;
    bool unfinished; /* ends in a message or a frame: not idle */
    struct piece pieces[PIECES_MAX];
};

#define EURO "\xe2\x82\xac"

static const struct frames_case cases[] = {
    {"one text", "text hello; ", 0, false, {P(0x81, "hello")}},
    {"one binary", "binary \xff\xfe; ", 0, false, {P(0x82, "\xff\xfe")}},
    {"empty text", "text ; ", 0, false, {P(0x81, "")}},
    {"empty binary", "binary ; ", 0, false, {P(0x82, "")}},
    {"several", "text a; binary b; text ; text c; ", 0, false, {P(0x81, "a"), P(0x82, "b"), P(0x81, ""), P(0x81, "c")}},
    {"125", "binary z*125; ", 0, false, {{0x82, NULL, 125}}},
    {"126", "binary z*126; ", 0, false, {{0x82, NULL, 126}}},
    {"127", "text z*127; ", 0, false, {{0x81, NULL, 127}}},
    {"fragments", "text hello; ", 0, false, {P(0x01, "he"), P(0x00, "l"), P(0x80, "lo")}},
    {"empty fragments", "text hi; ", 0, false, {P(0x01, ""), P(0x00, ""), P(0x00, "hi"), P(0x00, ""), P(0x80, "")}},
    {"only empty fragments", "binary ; ", 0, false, {P(0x02, ""), P(0x00, ""), P(0x80, "")}},
    {"open fragments", "", 0, true, {P(0x01, "he"), P(0x00, "l")}},
    {"open, empty", "", 0, true, {P(0x01, "")}},
    {"control between fragments",
     "ping p; pong ; text abc; ",
     0,
     false,
     {P(0x01, "a"), P(0x89, "p"), P(0x00, "b"), P(0x8a, ""), P(0x80, "c")}},
    {"close between fragments", "close 1000 ; ", 0, false, {P(0x01, "a"), P(0x88, "\x03\xe8"), P(0x80, "c")}},

    {"ping", "ping hi; ", 0, false, {P(0x89, "hi")}},
    {"pong", "pong hi; ", 0, false, {P(0x8a, "hi")}},
    {"empty ping", "ping ; ", 0, false, {P(0x89, "")}},
    {"ping of 125", "ping z*125; ping ; ", 0, false, {{0x89, NULL, 125}, P(0x89, "")}},
    {"ping of 126", "error 1002; ", 0, true, {{0x89, NULL, 126}}},
    {"ping of 127 form", "error 1002; ", 0, true, {{0x89, "a", 1, LEN64}}},
    {"ping of 126 form", "error 1002; ", 0, true, {{0x89, "a", 1, LEN16}}},
    {"fragmented ping", "error 1002; ", 0, true, {P(0x09, "a")}},
    {"fragmented pong", "error 1002; ", 0, true, {P(0x0a, "a")}},
    {"fragmented close", "error 1002; ", 0, true, {P(0x08, "\x03\xe8")}},

    {"close",
     "close 1000 bye; ",
     0,
     false,
     {P(0x88, "\x03\xe8"
              "bye")}},
    {"close empty", "close 1005 ; ", 0, false, {P(0x88, "")}},
    {"close 4999", "close 4999 ; ", 0, false, {P(0x88, "\x13\x87")}},
    {"close of 125",
     "close 1001 z*123; ",
     0,
     false,
     {P(0x88, "\x03\xe9zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
              "zzzzzzzzzzzzzzzzzzzzzzzzzzzz")}},
    {"close of 126", "error 1002; ", 0, true, {{0x88, NULL, 126}}},
    {"close of 1", "error 1002; ", 0, true, {P(0x88, "\x03")}},
    {"close of 1 behind a ping", "ping \x03\xe8; error 1002; ", 0, true, {P(0x89, "\x03\xe8"), P(0x88, "\x03")}},
    {"close 999", "error 1002; ", 0, true, {P(0x88, "\x03\xe7")}},
    {"close 0", "error 1002; ", 0, true, {P(0x88, "\x00\x00")}},
    {"close 1004", "error 1002; ", 0, true, {P(0x88, "\x03\xec")}},
    {"close 1005", "error 1002; ", 0, true, {P(0x88, "\x03\xed")}},
    {"close 1006", "error 1002; ", 0, true, {P(0x88, "\x03\xee")}},
    {"close 1015", "error 1002; ", 0, true, {P(0x88, "\x03\xf7")}},
    {"close 2999", "error 1002; ", 0, true, {P(0x88, "\x0b\xb7")}},
    {"close 5000", "error 1002; ", 0, true, {P(0x88, "\x13\x88")}},
    {"close reason euro", "close 1000 " EURO "; ", 0, false, {P(0x88, "\x03\xe8" EURO)}},
    {"close reason bad", "error 1007; ", 0, true, {P(0x88, "\x03\xe8\xff")}},
    {"close reason cut", "error 1007; ", 0, true, {P(0x88, "\x03\xe8\xe2\x82")}},
    {"close reason bad, text unchecked", "error 1007; ", NO_UTF8, true, {P(0x88, "\x03\xe8\xff")}},
    {"data after close",
     "close 1000 ; ",
     0,
     false,
     {P(0x88, "\x03\xe8"), P(0x81, "x"), P(0x89, "y"), P(0x88, "\x03\xe9"), P(0xff, "z")}},

    {"rsv1", "error 1002; ", 0, true, {P(0xc1, "a")}},
    {"rsv2", "error 1002; ", 0, true, {P(0xa1, "a")}},
    {"rsv3", "error 1002; ", 0, true, {P(0x91, "a")}},
    {"rsv1 agreed",
     "text+rsv1 a\xff; text b; binary+rsv1 c; ",
     RSV1_AGREED,
     false,
     {P(0xc1, "a\xff"), P(0x81, "b"), P(0xc2, "c")}},
    {"rsv1 agreed, fragments", "text+rsv1 ab; ", RSV1_AGREED, false, {P(0x41, "a"), P(0x80, "b")}},
    {"rsv1 agreed, plain text checked", "error 1007; ", RSV1_AGREED, true, {P(0x81, "b\xff")}},
    {"rsv1 on continuation", "error 1002; ", RSV1_AGREED, true, {P(0x41, "a"), P(0xc0, "b")}},
    {"rsv1 on ping", "error 1002; ", RSV1_AGREED, true, {P(0xc9, "a")}},
    {"rsv2 with rsv1 agreed", "error 1002; ", RSV1_AGREED, true, {P(0xe1, "a")}},
    {"rsv1 set, then clear", "text+rsv1 a; text b; ", RSV1_AGREED, false, {P(0xc1, "a"), P(0x81, "b")}},
    {"opcode 3", "error 1002; ", 0, true, {P(0x83, "a")}},
    {"opcode 4", "error 1002; ", 0, true, {P(0x84, "a")}},
    {"opcode 5", "error 1002; ", 0, true, {P(0x85, "a")}},
    {"opcode 6", "error 1002; ", 0, true, {P(0x86, "a")}},
    {"opcode 7", "error 1002; ", 0, true, {P(0x87, "a")}},
    {"opcode 11", "error 1002; ", 0, true, {P(0x8b, "a")}},
    {"opcode 12", "error 1002; ", 0, true, {P(0x8c, "a")}},
    {"opcode 13", "error 1002; ", 0, true, {P(0x8d, "a")}},
    {"opcode 14", "error 1002; ", 0, true, {P(0x8e, "a")}},
    {"opcode 15", "error 1002; ", 0, true, {P(0x8f, "a")}},
    {"opcode 3 in a message", "error 1002; ", 0, true, {P(0x01, "a"), P(0x03, "a")}},
    {"continuation without message", "error 1002; ", 0, true, {P(0x80, "a")}},
    {"continuation after end", "text a; error 1002; ", 0, true, {P(0x81, "a"), P(0x80, "a")}},
    {"unfinished continuation without message", "error 1002; ", 0, true, {P(0x00, "a")}},
    {"text in text", "error 1002; ", 0, true, {P(0x01, "a"), P(0x81, "b")}},
    {"binary in text", "error 1002; ", 0, true, {P(0x01, "a"), P(0x02, "b")}},
    {"text in text, empty", "error 1002; ", 0, true, {P(0x01, ""), P(0x81, "")}},
    {"text in text, long", "error 1002; ", 0, true, {P(0x01, "a"), P(0x81, "more than a word")}},
    {"binary in text, long", "error 1002; ", 0, true, {P(0x01, "a"), P(0x82, "more than a word")}},
    {"text first, errors later", "text a; ping b; error 1002; ", 0, true, {P(0x81, "a"), P(0x89, "b"), P(0x8f, "")}},

    {"not masked", "error 1002; ", 0, true, {{0x81, "a", 1, SHORTEST, true}}},
    {"not masked, empty", "error 1002; ", 0, true, {{0x81, "", 0, SHORTEST, true}}},
    {"ping not masked", "error 1002; ", 0, true, {{0x89, "a", 1, SHORTEST, true}}},
    {"client side",
     "text hello; ping p; close 1000 ; ",
     AS_CLIENT,
     false,
     {P(0x01, "he"), P(0x80, "llo"), P(0x89, "p"), P(0x88, "\x03\xe8")}},
    {"client side 126", "text z*126; binary ; ", AS_CLIENT, false, {{0x81, NULL, 126}, P(0x82, "")}},
    {"client side, masked", "error 1002; ", AS_CLIENT, true, {{0x81, "a", 1, SHORTEST, true}}},
    {"client side, masked, long", "error 1002; ", AS_CLIENT, true, {{0x81, "more than a word", 16, SHORTEST, true}}},
    {"client side, ping masked", "error 1002; ", AS_CLIENT, true, {{0x89, "a", 1, SHORTEST, true}}},

    {"1 in 16 bits", "error 1002; ", 0, true, {{0x82, "a", 1, LEN16}}},
    {"0 in 16 bits", "error 1002; ", 0, true, {{0x82, "", 0, LEN16}}},
    {"125 in 16 bits", "error 1002; ", 0, true, {{0x82, NULL, 125, LEN16}}},
    {"1 in 64 bits", "error 1002; ", 0, true, {{0x82, "a", 1, LEN64}}},
    {"126 in 64 bits", "error 1002; ", 0, true, {{0x82, NULL, 126, LEN64}}},
    {"300 in 64 bits", "error 1002; ", 0, true, {{0x82, NULL, 300, LEN64}}},

    {"euro", "text " EURO "; ", 0, false, {P(0x81, EURO)}},
    {"euro in fragments", "text " EURO "; ", 0, false, {P(0x01, "\xe2"), P(0x00, "\x82"), P(0x80, "\xac")}},
    {"euro around a ping",
     "ping \xff; text " EURO "; ",
     0,
     false,
     {P(0x01, "\xe2\x82"), P(0x89, "\xff"), P(0x80, "\xac")}},
    {"euro cut at the end", "error 1007; ", 0, true, {P(0x81, "ab\xe2\x82")}},
    {"euro cut at the end of fragments", "error 1007; ", 0, true, {P(0x01, "\xe2"), P(0x80, "\x82")}},
    {"euro cut, empty last fragment", "error 1007; ", 0, true, {P(0x01, "\xe2\x82"), P(0x80, "")}},
    {"euro split over two messages", "error 1007; ", 0, true, {P(0x81, "\xe2"), P(0x81, "\x82\xac")}},
    {"bad byte",
     "error 1007; ",
     0,
     true,
     {P(0x81, "ab\xff"
              "cd")}},
    {"bad byte in second fragment", "error 1007; ", 0, true, {P(0x01, "ab"), P(0x00, "\xc0"), P(0x80, "cd")}},
    {"surrogate", "error 1007; ", 0, true, {P(0x81, "\xed\xa0\x80")}},
    {"bad text unchecked", "text ab\xff; ", NO_UTF8, false, {P(0x81, "ab\xff")}},
    {"bad bytes in binary", "binary ab\xff\xe2; ", 0, false, {P(0x82, "ab\xff\xe2")}},
    {"bad bytes in binary, then text", "binary \xe2; text a; ", 0, false, {P(0x82, "\xe2"), P(0x81, "a")}},

    {"10 of 10", "text 0123456789; text 0123456789; ", SMALL, false, {P(0x81, "0123456789"), P(0x81, "0123456789")}},
    {"11 of 10", "error 1009; ", SMALL, true, {P(0x81, "0123456789a")}},
    {"10 of 10 in fragments", "text 0123456789; ", SMALL, false, {P(0x01, "01234"), P(0x00, "56789"), P(0x80, "")}},
    {"11 of 10 in fragments", "error 1009; ", SMALL, true, {P(0x01, "01234"), P(0x00, "56789"), P(0x80, "a")}},
    {"pings do not count",
     "ping z*100; text 0123456789; ",
     SMALL,
     false,
     {P(0x01, "01234"), {0x89, NULL, 100}, P(0x80, "56789")}},
};

static void teller_init(struct teller *t, int options, bool slide)
{
    const struct ws_decoder_options opt = {
        .role = options & AS_CLIENT ? WS_CLIENT : WS_SERVER,
        .message_max = options & SMALL ? 10 : 1024 * 80,
        .allow_rsv1 = options & RSV1_AGREED,
        .check_utf8 = !(options & NO_UTF8),
    };

    ws_decoder_init(&t->d, &opt);
    t->slide = slide;
    t->open = t->ended = false;
    t->n = t->got = 0;
    t->story[0] = '\0';
}

static void check_told(const struct frames_case *c, struct teller *t, size_t a, size_t b)
{
    if (strcmp(t->story, c->story) != 0)
        fail_msg("%s, cut at %zu and %zu%s: \"%s\", not \"%s\"", c->name, a, b, t->slide ? ", sliding" : "", t->story,
                 c->story);
    if (ws_decoder_idle(&t->d) == c->unfinished)
        fail_msg("%s, cut at %zu and %zu: idle is %d", c->name, a, b, !c->unfinished);
}

static void case_input(const struct frames_case *c, struct input *in)
{
    in->n = 0;
    for (size_t i = 0; i < PIECES_MAX && (c->pieces[i].b0 || c->pieces[i].payload); i++)
        add_frame(in, &c->pieces[i], !(c->options & AS_CLIENT));
}

static void every_case_every_cut(void **state)
{
    static struct input in;
    static struct teller t;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        case_input(&cases[i], &in);
        for (int slide = 0; slide < 2; slide++) {
            for (size_t a = 0; a <= in.n; a++) {
                for (size_t b = a; b <= in.n; b += in.n > 60 ? 17 : 1) {
                    teller_init(&t, cases[i].options, slide);
                    feed(&t, in.bytes, a);
                    feed(&t, in.bytes + a, b - a);
                    feed(&t, in.bytes + b, in.n - b);
                    check_told(&cases[i], &t, a, b);
                }
            }
            teller_init(&t, cases[i].options, slide);
            for (size_t k = 0; k < in.n; k++)
                feed(&t, in.bytes + k, 1);
            check_told(&cases[i], &t, 1, 1);
        }
    }
}

/* 65,535 and 65,536 bytes, and 65,535 in the long form. */
static void long_frames(void **state)
{
    static const struct frames_case big[] = {
        {"65535", "text z*65535; ", 0, false, {{0x81, NULL, 65535}}},
        {"65536", "text z*65536; ", 0, false, {{0x81, NULL, 65536}}},
        {"65535 in 64 bits", "error 1002; ", 0, true, {{0x81, NULL, 65535, LEN64}}},
    };
    static const size_t step[] = {1, 13, 4096, SIZE_MAX};
    static struct input in;
    static struct teller t;

    for (size_t i = 0; i < ARRAY_LEN(big) * ARRAY_LEN(step) * 2; i++) {
        const struct frames_case *c = &big[i % ARRAY_LEN(big)];
        size_t s = step[i / ARRAY_LEN(big) % ARRAY_LEN(step)];

        case_input(c, &in);
        teller_init(&t, c->options, i % 2);
        for (size_t k = 0; k < in.n; k += MIN_OF(s, in.n - k))
            feed(&t, in.bytes + k, MIN_OF(s, in.n - k));
        check_told(c, &t, s, s);
    }
}

/* Masks and payload that look like whole frames, for whatever looks at the input without asking where it stands. */
static void bytes_that_look_like_frames(void **state)
{
    static const uint8_t bytes[] = {
        0x82, 0x82, 0x82, 0x80, 0x81, 0x80, 0xea, 0xe9, /* "hi"; from its second byte on, a frame */
        0x02, 0x90, 0x00, 0x00, 0x00, 0x00,             /* sixteen that look like two frames */
        0x82, 0x82, 0x00, 0x00, 0x00, 0x00, 'x',  'y',  0x81, 0x82, 0x00, 0x00, 0x00, 0x00, 'z',
        'z',  0x89, 0x88, 0x00, 0x00, 0x00, 0x00, /* a ping that looks like one */
        0x82, 0x82, 0x00, 0x00, 0x00, 0x00, 'p',  'p',  0x80, 0x80, 0x82, 0x80, 0x82, 0x80, /* the end of the second
                                                                                               message */
    };
    static struct teller t;

    for (int slide = 0; slide < 2; slide++) {
        for (size_t a = 0; a <= sizeof(bytes); a++) {
            for (size_t b = a; b <= sizeof(bytes); b++) {
                teller_init(&t, 0, slide);
                feed(&t, bytes, a);
                feed(&t, bytes + a, b - a);
                feed(&t, bytes + b, sizeof(bytes) - b);
                assert_true(ws_decoder_idle(&t.d));
                assert_int_equal(t.got, 16);
                assert_memory_equal(t.message, bytes + 14, 16);
                /* a story ends at the first NUL of a payload */
                assert_string_equal(t.story, "binary hi; ping \x82\x82; binary \x82\x82; ");
            }
        }
    }
}

/* --- single questions --------------------------------------------------------------------------------------------- */

static void decoder_init(struct ws_decoder *d, uint64_t message_max)
{
    ws_decoder_init(d, &(struct ws_decoder_options){.role = WS_SERVER, .message_max = message_max, .check_utf8 = true});
}

static void begin_and_end_sit_on_the_right_pieces(void **state)
{
    static struct input in;
    struct ws_decoder d;
    struct ws_event ev;

    in.n = 0;
    add_frame(&in, &(struct piece)P(0x01, ""), true); /* 6 bytes, no event */
    add_frame(&in, &(struct piece)P(0x00, "abc"), true);
    add_frame(&in, &(struct piece)P(0x80, "de"), true);
    decoder_init(&d, 100);
    assert_int_equal(ws_decode(&d, in.bytes, 6, &ev), 6);
    assert_int_equal(ev.type, WS_EV_NONE);
    assert_int_equal(ws_decode(&d, in.bytes + 6, 7, &ev), 7); /* header and one byte */
    assert_int_equal(ev.type, WS_EV_DATA);
    assert_true(ev.begin && !ev.end && ev.n == 1 && ev.opcode == WS_TEXT && !ev.rsv1);
    assert_ptr_equal(ev.data, in.bytes + 12);
    assert_int_equal(ws_decode(&d, in.bytes + 13, in.n - 13, &ev), 2);
    assert_true(ev.type == WS_EV_DATA && !ev.begin && !ev.end && ev.n == 2 && ev.opcode == WS_TEXT);
    assert_int_equal(ws_decode(&d, in.bytes + 15, in.n - 15, &ev), in.n - 15);
    assert_true(ev.type == WS_EV_DATA && !ev.begin && ev.end && ev.n == 2 && ev.opcode == WS_TEXT);
    assert_memory_equal(ev.data, "de", 2);
    assert_int_equal(ev.code, 0);
    assert_null(ev.why);
}

static void slide_closes_the_gaps(void **state)
{
    static struct input in;
    struct ws_decoder d;
    struct ws_event ev;
    size_t at = 0, out = 0;

    in.n = 0;
    for (int i = 0; i < 42; i++)
        add_frame(&in, &(struct piece){.b0 = i % 7 == 3 ? 0x89 : 0x82, .payload = NULL, .n = i * 3}, true);
    decoder_init(&d, 1000);
    while (at < in.n) {
        at += ws_decode_slide(&d, in.bytes + at, in.n - at, in.bytes + out, &ev);
        out += ev.type == WS_EV_DATA ? ev.n : 0;
    }
    at = 0;
    for (int i = 0; i < 42; i++)
        at += i % 7 == 3 ? 0 : i * 3;
    assert_int_equal(out, at);
    for (size_t i = 0; i < out; i++)
        assert_int_equal(in.bytes[i], 'z');
}

/* Control frames and NONE must not touch what lies at dst: finished payload may end right there. */
static void slide_touches_nothing_else(void **state)
{
    static struct input in;
    struct ws_decoder d;
    struct ws_event ev;
    uint8_t before[256];

    in.n = 0;
    for (int i = 0; i < 64; i++)
        add_byte(&in, 0xee);
    add_frame(&in, &(struct piece)P(0x89, "ping"), true);
    add_byte(&in, 0x82);
    memcpy(before, in.bytes, in.n);
    decoder_init(&d, 100);
    assert_int_equal(ws_decode_slide(&d, in.bytes + 64, 7, in.bytes + 5, &ev), 6);
    assert_int_equal(ev.type, WS_EV_MORE);
    assert_memory_equal(in.bytes, before, in.n);
    assert_int_equal(ws_decode_slide(&d, in.bytes + 70, in.n - 70, in.bytes + 5, &ev), 4);
    assert_int_equal(ev.type, WS_EV_PING);
    assert_memory_equal(ev.data, "ping", 4);
    memcpy(before + 70, "ping", 4); /* unmasked where it lies */
    assert_int_equal(ws_decode_slide(&d, in.bytes + 74, 1, in.bytes + 5, &ev), 1);
    assert_memory_equal(in.bytes, before, in.n);
}

static void control_payload_waits_until_it_is_whole(void **state)
{
    static struct input in;
    struct ws_decoder d;
    struct ws_event ev;
    uint8_t before[64];

    in.n = 0;
    add_frame(&in, &(struct piece)P(0x89, "pingpong"), true);
    add_frame(&in, &(struct piece)P(0x82, "data"), true);
    memcpy(before, in.bytes, in.n);
    decoder_init(&d, 100);
    assert_int_equal(ws_decoder_need(&d), 1);
    assert_int_equal(ws_decode(&d, in.bytes, 9, &ev), 6); /* the header */
    assert_int_equal(ev.type, WS_EV_MORE);
    assert_false(ws_decoder_idle(&d));
    for (size_t n = 1; n < 8; n++) {
        assert_int_equal(ws_decoder_need(&d), 8);
        assert_int_equal(ws_decode_slide(&d, in.bytes + 6, n, in.bytes, &ev), 0);
        assert_int_equal(ev.type, WS_EV_MORE);
        assert_memory_equal(in.bytes, before, in.n);
    }
    assert_int_equal(ws_decode_slide(&d, in.bytes + 6, in.n - 6, in.bytes, &ev), 8);
    assert_int_equal(ev.type, WS_EV_PING);
    assert_ptr_equal(ev.data, in.bytes + 6);
    assert_int_equal(ev.n, 8);
    assert_memory_equal(ev.data, "pingpong", 8);
    assert_memory_equal(in.bytes, before, 6);
    assert_int_equal(ws_decoder_need(&d), 1);
    assert_true(ws_decoder_idle(&d));
    assert_int_equal(ws_decode(&d, in.bytes + 14, in.n - 14, &ev), in.n - 14);
    assert_memory_equal(ev.data, "data", 4);
}

static size_t header64(uint8_t *h, uint64_t length)
{
    static const uint8_t mask[4];

    h[0] = 0x82;
    h[1] = 0xff;
    for (int i = 0; i < 8; i++)
        h[2 + i] = length >> (56 - 8 * i) & 0xff;
    memcpy(h + 10, mask, 4);
    return 14;
}

static void lengths_up_to_63_bits(void **state)
{
    static const struct {
        uint64_t length, max;
        int code;
    } lengths[] = {
        {65536, UINT64_MAX, 0},
        {UINT64_C(1) << 32, UINT64_MAX, 0},
        {INT64_MAX, UINT64_MAX, 0},
        {INT64_MAX, INT64_MAX, 0},
        {INT64_MAX, INT64_MAX - 1, 1009},
        {UINT64_C(1) << 32, UINT32_MAX, 1009},
        {65537, 65536, 1009},
        {UINT64_C(1) << 63, UINT64_MAX, 1002},
        {UINT64_MAX, UINT64_MAX, 1002},
        {65535, UINT64_MAX, 1002},
        {0, UINT64_MAX, 1002},
    };
    uint8_t h[14];
    struct ws_decoder d;
    struct ws_event ev;

    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        decoder_init(&d, lengths[i].max);
        assert_int_equal(ws_decode(&d, h, header64(h, lengths[i].length), &ev), 14);
        assert_int_equal(ev.type, lengths[i].code ? WS_EV_ERROR : WS_EV_NONE);
        assert_int_equal(ev.code, lengths[i].code);
    }
}

/* Two frames whose sum passes 64 bits must not wrap around. */
static void the_sum_of_fragments_does_not_wrap(void **state)
{
    uint8_t h[14];
    struct ws_decoder d;
    struct ws_event ev;

    decoder_init(&d, UINT64_MAX);
    d.message_got = 0;
    header64(h, INT64_MAX);
    h[0] = 0x02;
    assert_int_equal(ws_decode(&d, h, 14, &ev), 14);
    d.left = 0; /* as if all of it had come */
    d.state = 0;
    header64(h, INT64_MAX);
    h[0] = 0x00;
    assert_int_equal(ws_decode(&d, h, 14, &ev), 14);
    assert_int_equal(ev.type, WS_EV_NONE);
    d.left = 0;
    d.state = 0;
    header64(h, INT64_MAX);
    h[0] = 0x80;
    assert_int_equal(ws_decode(&d, h, 14, &ev), 14);
    assert_int_equal(ev.type, WS_EV_ERROR);
    assert_int_equal(ev.code, 1009);
}

/* More than 4 GiB pass through, in pieces, with one buffer. */
static void a_message_longer_than_32_bits(void **state)
{
    static uint8_t buf[1 << 20];
    const uint64_t length = (UINT64_C(1) << 32) + 3;
    uint64_t got = 0;
    uint8_t h[14];
    struct ws_decoder d;
    struct ws_event ev;

    decoder_init(&d, UINT64_MAX);
    assert_int_equal(ws_decode(&d, h, header64(h, length), &ev), 14);
    do {
        size_t n = ws_decode(&d, buf, sizeof(buf), &ev);

        if (ev.type != WS_EV_DATA || ev.n != n || ev.begin != (got == 0))
            fail_msg("at %llu", (unsigned long long)got);
        got += n;
    } while (!ev.end);
    assert_true(got == length);
    assert_true(ws_decoder_idle(&d));
}

static void too_big_is_said_before_its_payload(void **state)
{
    uint8_t frame[8] = {0x82, 0xfe, 0x04, 0x01, 1, 2, 3, 4}; /* 1025 bytes to come */
    struct ws_decoder d;
    struct ws_event ev;

    decoder_init(&d, 1024);
    assert_int_equal(ws_decode(&d, frame, 8, &ev), 8);
    assert_int_equal(ev.type, WS_EV_ERROR);
    assert_int_equal(ev.code, 1009);
    assert_string_equal(ev.why, "message too big");
}

static void a_bad_header_is_refused_at_its_second_byte(void **state)
{
    static const uint8_t bad[][2] = {{0x83, 0x81}, {0xc1, 0x81}, {0x81, 0x01},
                                     {0x80, 0x81}, {0x09, 0x80}, {0x89, 0xfe}};
    struct ws_decoder d;
    struct ws_event ev;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t h[2] = {bad[i][0], bad[i][1]};

        decoder_init(&d, 1024);
        assert_int_equal(ws_decode(&d, h, 1, &ev), 1);
        assert_int_equal(ev.type, WS_EV_NONE);
        assert_int_equal(ws_decode(&d, h + 1, 1, &ev), 1);
        assert_int_equal(ev.type, WS_EV_ERROR);
        assert_int_equal(ev.code, 1002);

        decoder_init(&d, 1024);
        assert_int_equal(ws_decode(&d, h, 2, &ev), 2);
        assert_int_equal(ev.type, WS_EV_ERROR);
    }
}

static void bad_text_is_said_before_its_frame_ends(void **state)
{
    static struct input in;
    struct ws_decoder d;
    struct ws_event ev;

    in.n = 0;
    add_frame(&in, &(struct piece)P(0x01, "ab\xed\xa0zzzz"), true);
    decoder_init(&d, 1024);
    assert_int_equal(ws_decode(&d, in.bytes, 9, &ev), 9); /* header, a, b, ed: still possible */
    assert_int_equal(ev.type, WS_EV_DATA);
    assert_int_equal(ev.n, 3);
    assert_int_equal(ws_decode(&d, in.bytes + 9, 1, &ev), 1);
    assert_int_equal(ev.type, WS_EV_ERROR);
    assert_int_equal(ev.code, 1007);
}

static void after_an_error_only_that_error(void **state)
{
    uint8_t bad[2] = {0x81, 0x00};
    uint8_t good[7] = {0x81, 0x81, 0, 0, 0, 0, 'a'};
    struct ws_decoder d;
    struct ws_event first, ev;

    decoder_init(&d, 1024);
    assert_int_equal(ws_decode(&d, bad, 2, &first), 2);
    for (int i = 0; i < 3; i++) {
        memset(&ev, 0x5a, sizeof(ev));
        assert_int_equal(ws_decode(&d, good, 7, &ev), 7);
        assert_int_equal(ev.type, WS_EV_ERROR);
        assert_int_equal(ev.code, first.code);
        assert_ptr_equal(ev.why, first.why);
        assert_null(ev.data);
        assert_int_equal(ws_decode_slide(&d, good, 0, good, &ev), 0);
        assert_int_equal(ev.type, WS_EV_ERROR);
    }
    assert_false(ws_decoder_idle(&d));
}

static void the_rest_of_the_input_dies_with_an_error(void **state)
{
    uint8_t bytes[9] = {0x81, 0x00, 0x81, 0x81, 0, 0, 0, 0, 'a'};
    uint8_t text[10] = {0x81, 0x81, 0, 0, 0, 0, 0xff, 0x81, 0x80, 0};
    uint8_t close[10] = {0x88, 0x81, 0, 0, 0, 0, 0x03, 0x81, 0x80, 0};
    struct ws_decoder d;
    struct ws_event ev;

    decoder_init(&d, 1024);
    assert_int_equal(ws_decode(&d, bytes, 9, &ev), 9);
    assert_int_equal(ev.type, WS_EV_ERROR);
    decoder_init(&d, 1024);
    assert_int_equal(ws_decode(&d, text, 10, &ev), 10);
    assert_int_equal(ev.code, 1007);
    decoder_init(&d, 1024);
    assert_int_equal(ws_decode(&d, close, 10, &ev), 10);
    assert_int_equal(ev.code, 1002);
}

static void after_a_close_nothing(void **state)
{
    uint8_t bytes[15] = {0x88, 0x80, 0, 0, 0, 0, 0x81, 0x81, 0, 0, 0, 0, 'a', 0xff, 0xff};
    struct ws_decoder d;
    struct ws_event ev;

    decoder_init(&d, 1024);
    assert_int_equal(ws_decode(&d, bytes, 15, &ev), 6);
    assert_int_equal(ev.type, WS_EV_CLOSE);
    assert_int_equal(ev.code, 1005);
    assert_int_equal(ev.n, 0);
    assert_true(ws_decoder_idle(&d));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ws_decode(&d, bytes + 6, 9, &ev), 9);
        assert_int_equal(ev.type, WS_EV_NONE);
    }
}

static void idle_only_between_messages(void **state)
{
    static struct input in;
    struct ws_decoder d;
    struct ws_event ev;

    in.n = 0;
    add_frame(&in, &(struct piece)P(0x01, "a"), true);
    add_frame(&in, &(struct piece)P(0x89, "b"), true);
    add_frame(&in, &(struct piece)P(0x80, "c"), true);
    add_frame(&in, &(struct piece)P(0x89, "d"), true);
    decoder_init(&d, 1024);
    assert_true(ws_decoder_idle(&d));
    for (size_t i = 0; i < in.n; i++) {
        assert_int_equal(ws_decode(&d, in.bytes + i, 1, &ev), 1);
        assert_int_equal(ws_decoder_idle(&d), i == 20 || i == 27);
    }
}

static void no_bytes_no_event(void **state)
{
    uint8_t frame[7] = {0x82, 0x81, 0, 0, 0, 0, 'a'};
    struct ws_decoder d;
    struct ws_event ev;

    decoder_init(&d, 1024);
    for (size_t i = 0; i < sizeof(frame); i++) {
        assert_int_equal(ws_decode(&d, frame + i, 0, &ev), 0);
        assert_int_equal(ev.type, WS_EV_NONE);
        assert_int_equal(ws_decode(&d, frame + i, 1, &ev), 1);
    }
    assert_int_equal(ev.type, WS_EV_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_every_cut),
        cmocka_unit_test(long_frames),
        cmocka_unit_test(bytes_that_look_like_frames),
        cmocka_unit_test(begin_and_end_sit_on_the_right_pieces),
        cmocka_unit_test(slide_closes_the_gaps),
        cmocka_unit_test(slide_touches_nothing_else),
        cmocka_unit_test(control_payload_waits_until_it_is_whole),
        cmocka_unit_test(lengths_up_to_63_bits),
        cmocka_unit_test(the_sum_of_fragments_does_not_wrap),
        cmocka_unit_test(a_message_longer_than_32_bits),
        cmocka_unit_test(too_big_is_said_before_its_payload),
        cmocka_unit_test(a_bad_header_is_refused_at_its_second_byte),
        cmocka_unit_test(bad_text_is_said_before_its_frame_ends),
        cmocka_unit_test(after_an_error_only_that_error),
        cmocka_unit_test(the_rest_of_the_input_dies_with_an_error),
        cmocka_unit_test(after_a_close_nothing),
        cmocka_unit_test(idle_only_between_messages),
        cmocka_unit_test(no_bytes_no_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
