/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The request head parser: every line of the refusal table, each case also byte by byte, with the buffer at a new place
 * every time, so that neither the state nor a kept pointer can hide.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/head.h"

#define MAX_HEAD ((size_t)16384)

struct result {
    enum http_parse parse;
    struct http_bad bad;
    size_t used;
    size_t fed; /* bytes given when the answer came */
};

/* One byte more each time, in fresh memory of exactly that size. The last copy is kept in *keep for the views. */
static struct result feed_slowly(struct slice in, size_t max, struct http_head *h, char **keep)
{
    struct result r = {.parse = HTTP_PARSE_MORE};
    struct http_parser p;
    http_parser_init(&p, max);
    *keep = NULL;
    for (size_t n = 0; n <= in.n && r.parse == HTTP_PARSE_MORE; n++) {
        free(*keep);
        *keep = malloc(n > 0 ? n : 1);
        memcpy(*keep, in.p, n);
        r.parse = http_head_parse(&p, *keep, n, h, &r.used, &r.bad);
        r.fed = n;
    }
    return r;
}

static struct result feed_whole(struct slice in, size_t max, struct http_head *h)
{
    struct result r = {.fed = in.n};
    struct http_parser p;
    http_parser_init(&p, max);
    r.parse = http_head_parse(&p, in.p, in.n, h, &r.used, &r.bad);
    return r;
}

static void assert_same(struct slice a, struct slice b)
{
    if (!slice_eq(a, b))
        fail_msg("\"" SLICE_FMT "\" is not \"" SLICE_FMT "\"", SLICE_ARG(a), SLICE_ARG(b));
}

static void assert_text(struct slice a, const char *want)
{
    assert_same(a, slice_of(want));
}

/* Parses whole and slowly, compares both, and leaves the whole one's views in *h. */
static struct result parse_both(struct slice in, size_t max, struct http_head *h)
{
    static struct http_head slow;
    char *keep;
    struct result b = feed_slowly(in, max, &slow, &keep);
    struct result a = feed_whole(in, max, h);
    assert_int_equal(a.parse, b.parse);
    if (a.parse == HTTP_PARSE_BAD) {
        assert_int_equal(a.bad.status, b.bad.status);
        assert_string_equal(a.bad.why, b.bad.why);
    }
    if (a.parse == HTTP_PARSE_DONE) {
        assert_int_equal(a.used, b.used);
        assert_int_equal(b.fed, b.used);
        assert_int_equal(h->n_fields, slow.n_fields);
        assert_same(h->target, slow.target);
        for (size_t i = 0; i < h->n_fields; i++) {
            assert_same(h->fields[i].name, slow.fields[i].name);
            assert_same(h->fields[i].value, slow.fields[i].value);
        }
    }
    free(keep);
    a.fed = b.fed;
    return a;
}

static struct http_head *good(struct slice in)
{
    static struct http_head h;
    memset(&h, 0xee, sizeof(h)); /* nothing may rest on what was there */
    struct result r = parse_both(in, MAX_HEAD, &h);
    if (r.parse != HTTP_PARSE_DONE)
        fail_msg("refused (%s): %s", r.parse == HTTP_PARSE_BAD ? r.bad.why : "more", in.p);
    return &h;
}

static void a_browser_handshake(void **state)
{
    static const char text[] = "GET /vm/desk%201?token=a+b HTTP/1.1\r\n"
                               "Host: bridge.example.org:8443\r\n"
                               "Connection: keep-alive, Upgrade\r\n"
                               "Upgrade:websocket\r\n"
                               "Sec-WebSocket-Protocol:\t binary , mqtt \t\r\n"
                               "sec-websocket-protocol: base64\r\n"
                               "X-Empty:\r\n"
                               "X-Latin: caf\xe9\r\n"
                               "\r\n";
    char with_frame[sizeof(text) + 4];
    memcpy(with_frame, text, sizeof(text) - 1);
    memcpy(with_frame + sizeof(text) - 1, "\x81\x80\0\0\n", 5); /* the first frame in the same packet */
    static struct http_head whole;
    struct result r = parse_both((struct slice){with_frame, sizeof(with_frame)}, MAX_HEAD, &whole);
    assert_int_equal(r.parse, HTTP_PARSE_DONE);
    assert_int_equal(r.used, sizeof(text) - 1);
    struct http_head *h = good(SLICE(text));
    assert_int_equal(h->method, HTTP_GET);
    assert_text(h->method_text, "GET");
    assert_text(h->target, "/vm/desk%201?token=a+b");
    assert_text(h->authority, "bridge.example.org:8443");
    assert_int_equal(h->minor, 1);
    assert_true(h->keep_alive && h->upgrade);
    assert_false(h->chunked || h->expect_continue);
    assert_int_equal(h->content_length, 0);
    assert_int_equal(h->n_fields, 7);
    assert_text(http_field_find(h, "UPGRADE")->value, "websocket");
    assert_text(http_field_find(h, "Sec-WebSocket-Protocol")->value, "binary , mqtt");
    assert_int_equal(http_field_count(h, "sec-websocket-protocol"), 2);
    assert_text(http_field_find(h, "x-empty")->value, "");
    assert_text(http_field_find(h, "x-latin")->value, "caf\xe9");
    assert_null(http_field_find(h, "x-latinx"));
    assert_true(http_field_has_token(h, "sec-websocket-protocol", "MQTT"));
    assert_true(http_field_has_token(h, "sec-websocket-protocol", "base64"));
    assert_false(http_field_has_token(h, "sec-websocket-protocol", "base"));
    assert_false(http_field_has_token(h, "x-none", "base"));
}

static void methods_and_versions(void **state)
{
    static const struct {
        struct slice text;
        enum http_method method;
    } methods[] = {
        {{"GET", 3}, HTTP_GET},        {{"HEAD", 4}, HTTP_HEAD},
        {{"POST", 4}, HTTP_POST},      {{"PUT", 3}, HTTP_PUT},
        {{"DELETE", 6}, HTTP_DELETE},  {{"OPTIONS", 7}, HTTP_OPTIONS},
        {{"get", 3}, HTTP_OTHER},      {{"PATCH", 5}, HTTP_OTHER},
        {{"M-SEARCH", 8}, HTTP_OTHER}, {{"!#$%&'*+-.^_`|~0", 16}, HTTP_OTHER},
        {{"CONNECTX", 8}, HTTP_OTHER}, {{"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF", 32}, HTTP_OTHER},
    };
    char text[200];
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        int n = snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: h\r\n\r\n", methods[i].text.p);
        struct http_head *h = good((struct slice){text, (size_t)n});
        assert_int_equal(h->method, methods[i].method);
        assert_same(h->method_text, methods[i].text);
    }
    struct http_head *h = good(SLICE("GET / HTTP/1.0\r\n\r\n"));
    assert_int_equal(h->minor, 0);
    assert_false(h->keep_alive);
    assert_int_equal(h->authority.n, 0);
    assert_true(good(SLICE("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"))->keep_alive);
    assert_false(good(SLICE("GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n"))->keep_alive);
    assert_false(good(SLICE("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: x,close\r\n\r\n"))->keep_alive);
    assert_false(good(SLICE("GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n"))->expect_continue);
    assert_true(good(SLICE("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n\r\n"))->expect_continue);
    assert_false(good(SLICE("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"))->expect_continue);
}

static void targets_and_hosts(void **state)
{
    static const struct {
        const char *head, *target, *authority;
    } cases[] = {
        {"GET /a?b=|^`{}\\ HTTP/1.1\r\nHost: h\r\n\r\n", "/a?b=|^`{}\\", "h"},
        {"GET //x HTTP/1.1\r\nHost: h\r\n\r\n", "//x", "h"},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "*", "h"},
        {"GET http://H:80/p?q HTTP/1.1\r\nHost: h\r\n\r\n", "/p?q", "H:80"},
        {"GET http://h HTTP/1.1\r\nHost: h:80\r\n\r\n", "/", "h"},
        {"GET https://h HTTP/1.1\r\nHost: h:443\r\n\r\n", "/", "h"},
        {"GET wss://[::1]:8443/ws HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n", "/ws", "[::1]:8443"},
        {"GET ws://h?q=/x HTTP/1.1\r\nHost: h\r\n\r\n", "?q=/x", "h"},
        {"OPTIONS HTTP://h HTTP/1.1\r\nHost: h\r\n\r\n", "*", "h"},
        {"GET http://h/ HTTP/1.0\r\n\r\n", "/", "h"},
        {"\r\n\r\nGET / HTTP/1.1\r\nHOST:h\r\n\r\n", "/", "h"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head *h = good(slice_of(cases[i].head));
        assert_text(h->target, cases[i].target);
        assert_text(h->authority, cases[i].authority);
    }
}

static void bodies(void **state)
{
    assert_int_equal(good(SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0042\r\n\r\n"))->content_length, 42);
    assert_int_equal(good(SLICE("POST / HTTP/1.0\r\ncontent-length:9223372036854775807\r\n\r\n"))->content_length,
                     INT64_MAX);
    struct http_head *h = good(SLICE("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \tChunked\r\n\r\n"));
    assert_true(h->chunked);
    assert_int_equal(h->content_length, 0);
}

#define REQ "GET / HTTP/1.1\r\nHost: h\r\n"

static const struct refused {
    struct slice head;
    int status;
    size_t at; /* the byte after which it must be known, or 0: only at the end */
} refused[] = {
#define CASE(text, status, at)                                                                                         \
    {                                                                                                                  \
        {text, sizeof(text) - 1}, status, at                                                                           \
    }
    /* lines and bytes */
    CASE("GET / HTTP/1.1\nHost: h\r\n\r\n", 400, 15),
    CASE("GET / HTTP/1.1\r\nHost: h\n\r\n", 400, 24),
    CASE("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, 1),
    CASE("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, 5),
    CASE("\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, 2),
    CASE("GET / HTTP/1.1\r\rHost: h\r\n\r\n", 400, 16),
    CASE("GET / HTTP/1.1\r\nHost: h\rx: y\r\n\r\n", 400, 25),
    CASE(REQ "\n", 400, 26),
    CASE(REQ "\rX", 400, 27),
    CASE(REQ "A: \0\r\n\r\n", 400, 29),
    CASE(REQ "A: b\x7f\r\n\r\n", 400, 30),
    CASE(REQ "A: b\x1b[m\r\n\r\n", 400, 30),
    CASE(REQ "A\0: b\r\n\r\n", 400, 27),
    CASE("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 400, 6),
    CASE("G\0T / HTTP/1.1\r\nHost: h\r\n\r\n", 400, 2),
    CASE("\x16\x03\x01\x02", 400, 1), /* a TLS hello on a clear port */
    /* method */
    CASE(" GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, 1),
    CASE("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400, 2),
    CASE("GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 400, 4),
    CASE("GET\r\n\r\n", 400, 4),
    CASE("\xc3\xa9 / HTTP/1.1\r\nHost: h\r\n\r\n", 400, 1),
    CASE("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: h\r\n\r\n", 501, 33),
    CASE("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 405, 8),
    /* target */
    CASE("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400, 5),
    CASE("GET /  HTTP/1.1\r\nHost: h\r\n\r\n", 400, 7),
    CASE("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400, 8),
    CASE("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400, 7),
    CASE("GET /\"a HTTP/1.1\r\nHost: h\r\n\r\n", 400, 6),
    CASE("GET /<a HTTP/1.1\r\nHost: h\r\n\r\n", 400, 6),
    CASE("GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n", 400, 6),
    CASE("GET /\ta HTTP/1.1\r\nHost: h\r\n\r\n", 400, 6),
    CASE("GET ?q HTTP/1.1\r\nHost: h\r\n\r\n", 400, 5),
    CASE("GET .. HTTP/1.1\r\nHost: h\r\n\r\n", 400, 5),
    CASE("GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    CASE("OPTIONS *x HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    CASE("GET h HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    CASE("GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    CASE("GET http:/h HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    CASE("GET http:///p HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    CASE("GET http:// HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    CASE("GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    CASE("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    CASE("GET http://h:x/ HTTP/1.1\r\nHost: h\r\n\r\n", 400, 0),
    /* version */
    CASE("GET /\r\n\r\n", 400, 6),
    CASE("GET / \r\n\r\n", 400, 7),
    CASE("GET / http/1.1\r\nHost: h\r\n\r\n", 400, 7),
    CASE("GET / HTTP/x.1\r\nHost: h\r\n\r\n", 400, 12),
    CASE("GET / HTTP/1,1\r\nHost: h\r\n\r\n", 400, 13),
    CASE("GET / HTTP/1.\r\nHost: h\r\n\r\n", 400, 14),
    CASE("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400, 15),
    CASE("GET / HTTP/1.10\r\nHost: h\r\n\r\n", 400, 15),
    CASE("GET / HTTP/11.1\r\nHost: h\r\n\r\n", 400, 13),
    CASE("GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505, 14),
    CASE("GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505, 14),
    CASE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 14),
    /* field lines */
    CASE("GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400, 17),
    CASE(REQ " folded\r\n\r\n", 400, 26),
    CASE(REQ "A: b\r\n\tc\r\n\r\n", 400, 32),
    CASE(REQ "A : b\r\n\r\n", 400, 27),
    CASE(REQ "A\t: b\r\n\r\n", 400, 27),
    CASE(REQ "A\r\n\r\n", 400, 27),
    CASE(REQ "A B: c\r\n\r\n", 400, 27),
    CASE(REQ ": b\r\n\r\n", 400, 26),
    CASE(REQ "A(b): c\r\n\r\n", 400, 27),
    CASE(REQ "\xc3\xa4: c\r\n\r\n", 400, 26),
    /* Host */
    CASE("GET / HTTP/1.1\r\n\r\n", 400, 0),
    CASE("GET http://h/ HTTP/1.1\r\n\r\n", 400, 0),
    CASE(REQ "Host: h\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.0\r\nHost: a\r\nhOST: a\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n", 400, 0),
    CASE("GET / HTTP/1.0\r\nHost: ::1\r\n\r\n", 400, 0),
    CASE("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400, 0),
    CASE("GET http://a/ HTTP/1.1\r\nHost: a:81\r\n\r\n", 400, 0),
    CASE("GET https://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", 400, 0),
    /* framing */
    CASE(REQ "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length: 5, 5\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length: +5\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length: -5\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length: 0x5\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length: 5 5\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length:\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length: 9223372036854775808\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length: 18446744073709551621\r\n\r\n", 400, 0),
    CASE(REQ "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 0),
    CASE(REQ "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", 400, 0),
    CASE("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 0),
    CASE(REQ "Transfer-Encoding:\r\n\r\n", 400, 0),
    CASE(REQ "Transfer-Encoding: chunked,\r\n\r\n", 400, 0),
    CASE(REQ "Transfer-Encoding: ,chunked\r\n\r\n", 400, 0),
    CASE(REQ "Transfer-Encoding: chunked, chunked\r\n\r\n", 400, 0),
    CASE(REQ "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 0),
    CASE(REQ "Transfer-Encoding: chunked, gzip\r\n\r\n", 400, 0),
    CASE(REQ "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400, 0),
    CASE(REQ "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, 0),
    CASE(REQ "Transfer-Encoding: identity\r\n\r\n", 501, 0),
    CASE(REQ "Transfer-Encoding: \vchunked\r\n\r\n", 400, 45),
    CASE(REQ "Transfer-Encoding: xchunked\r\n\r\n", 501, 0),
    CASE(REQ "Transfer-Encoding: chunked;q=1\r\n\r\n", 501, 0),
    CASE(REQ "Transfer-Encoding: \"chunked\"\r\n\r\n", 501, 0),
#undef CASE
};

static void wrong_heads_are_refused_at_once(void **state)
{
    static struct http_head h;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const struct refused *c = &refused[i];
        struct result r = parse_both(c->head, MAX_HEAD, &h);
        if (r.parse != HTTP_PARSE_BAD || r.bad.status != c->status || r.fed != (c->at ? c->at : c->head.n))
            fail_msg("case %zu: %d %d after %zu bytes: %s", i, r.parse, r.parse == HTTP_PARSE_BAD ? r.bad.status : 0,
                     r.fed, c->head.p);
        assert_non_null(r.bad.why);
    }
}

static void the_reason_is_the_right_one(void **state)
{
    /* Several rules answer 400; whoever reads the log wants to know which. */
    static const struct {
        const char *head, *why;
    } cases[] = {
        {REQ " folded\r\n\r\n", "folded"},
        {REQ "\tfolded\r\n\r\n", "folded"},
        {REQ "A : b\r\n\r\n", "white space before the colon"},
        {REQ "A\t: b\r\n\r\n", "white space before the colon"},
        {REQ "A: b\n\r\n", "without CR"},
        {REQ "A: b\r\r\n", "does not end a line"},
        {REQ "A: \x01\r\n\r\n", "control character"},
        {"GET / HTTP/1.1\r\n\r\n", "Host field is missing"},
        {"GET /\r\n\r\n", "HTTP version"},
        {REQ "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "more than one Content-Length"},
    };
    static struct http_head h;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct result r = parse_both(slice_of(cases[i].head), MAX_HEAD, &h);
        assert_int_equal(r.parse, HTTP_PARSE_BAD);
        if (!strstr(r.bad.why, cases[i].why))
            fail_msg("%s: %s", cases[i].head, r.bad.why);
    }
}

/* A head of `fields` fields and exactly `size` bytes. */
static struct slice head_of(char *mem, size_t fields, size_t size)
{
    size_t n = (size_t)sprintf(mem, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (size_t i = 1; i < fields; i++)
        n += (size_t)sprintf(mem + n, "A:\r\n");
    if (size > n + 9) {
        size_t fill = size - n - 7;
        n += (size_t)sprintf(mem + n, "B: ");
        memset(mem + n, 'b', fill);
        n += fill;
        n += (size_t)sprintf(mem + n, "\r\n");
    }
    n += (size_t)sprintf(mem + n, "\r\n");
    return (struct slice){mem, n};
}

static void limits_are_exact(void **state)
{
    static char mem[40000];
    static struct http_head h;
    struct slice in = head_of(mem, 1, 2000);
    assert_int_equal(in.n, 2000);
    assert_int_equal(parse_both(in, 2000, &h).parse, HTTP_PARSE_DONE);
    struct result r = parse_both(in, 1999, &h);
    assert_int_equal(r.bad.status, 431);
    assert_int_equal(r.fed, 1999); /* never MORE with a buffer that is full */

    in = head_of(mem, HTTP_FIELDS_MAX, 0);
    assert_int_equal(parse_both(in, MAX_HEAD, &h).parse, HTTP_PARSE_DONE);
    assert_int_equal(h.n_fields, HTTP_FIELDS_MAX);
    in = head_of(mem, HTTP_FIELDS_MAX + 1, 0);
    r = parse_both(in, MAX_HEAD, &h);
    assert_int_equal(r.parse, HTTP_PARSE_BAD);
    assert_int_equal(r.bad.status, 431);
    assert_int_equal(r.fed, in.n - 5); /* at the first letter of the name too many */
}

static void long_targets(void **state)
{
    static char mem[20000];
    static struct http_head h;
    for (size_t n = 7999; n <= 8001; n++) {
        size_t len = (size_t)sprintf(mem, "GET /");
        memset(mem + len, 'a', n - 1);
        len += n - 1;
        len += (size_t)sprintf(mem + len, " HTTP/1.1\r\nHost: h\r\n\r\n");
        struct result r = feed_whole((struct slice){mem, len}, MAX_HEAD, &h);
        if (n <= 8000) {
            assert_int_equal(r.parse, HTTP_PARSE_DONE);
            assert_int_equal(h.target.n, n);
        } else {
            assert_int_equal(r.parse, HTTP_PARSE_BAD);
            assert_int_equal(r.bad.status, 414);
        }
    }
    /* The request line alone is more than the head may be. */
    struct result r = parse_both(SLICE("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: h\r\n\r\n"), 30, &h);
    assert_int_equal(r.bad.status, 414);
    assert_int_equal(r.fed, 30);
}

static void one_parser_takes_requests_in_a_row(void **state)
{
    static const char text[] = "GET /1 HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"
                               "\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
                               "GET /3 HTTP/1.0\r\n\r\n";
    static struct http_head h;
    struct http_parser p;
    struct http_bad bad;
    http_parser_init(&p, MAX_HEAD);
    size_t at = 0, used;
    static const char *const targets[] = {"/1", "/2", "/3"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(http_head_parse(&p, text + at, sizeof(text) - 1 - at, &h, &used, &bad), HTTP_PARSE_DONE);
        assert_text(h.target, targets[i]);
        at += used;
    }
    assert_int_equal(at, sizeof(text) - 1);
    assert_int_equal(http_head_parse(&p, text + at, 0, &h, &used, &bad), HTTP_PARSE_MORE);
}

static void every_byte_in_every_place(void **state)
{
    /* Replaces each byte of a request by every other value: the answer must be an answer, and a refusal must not
     * depend on how the bytes came. */
    static const char text[] = "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
    static struct http_head h;
    char mutant[sizeof(text)];
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        for (unsigned c = 0; c < 256; c++) {
            memcpy(mutant, text, sizeof(text));
            mutant[i] = (char)c;
            struct result r = parse_both((struct slice){mutant, sizeof(text) - 1}, MAX_HEAD, &h);
            bool line_byte = text[i] == '\r' || text[i] == '\n';
            if (line_byte && (char)c != text[i])
                assert_int_not_equal(r.parse, HTTP_PARSE_DONE);
            if (c < 0x20 && c != '\t' && (char)c != text[i])
                assert_int_not_equal(r.parse, HTTP_PARSE_DONE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_browser_handshake),
        cmocka_unit_test(methods_and_versions),
        cmocka_unit_test(targets_and_hosts),
        cmocka_unit_test(bodies),
        cmocka_unit_test(wrong_heads_are_refused_at_once),
        cmocka_unit_test(the_reason_is_the_right_one),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(long_targets),
        cmocka_unit_test(one_parser_takes_requests_in_a_row),
        cmocka_unit_test(every_byte_in_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
