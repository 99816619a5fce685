/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The request head parser. The first two bytes choose the limit and how the rest is cut into pieces. Checked: the
 * answer does not depend on the pieces; what is taken has no byte that could mean something else to another parser; and
 * written out again from its views, it is read as the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/strbuf.h"
#include "http/head.h"

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(const struct http_head *h)
{
    CHECK(h->n_fields <= HTTP_FIELDS_MAX && h->target.n > 0 && h->method != HTTP_CONNECT);
    CHECK(!(h->chunked && h->content_length > 0));
    CHECK(h->minor == 0 || http_field_count(h, "host") == 1);
    CHECK(http_field_count(h, "content-length") <= 1);
    CHECK(!http_field_find(h, "content-length") || !http_field_find(h, "transfer-encoding"));
    for (size_t i = 0; i < h->n_fields; i++) {
        const struct http_field *f = &h->fields[i];
        CHECK(f->name.n > 0 && slice_find(f->name, ' ') < 0 && slice_find(f->name, ':') < 0);
        CHECK(slice_eq(slice_trim(f->value), f->value));
        for (size_t k = 0; k < f->value.n; k++)
            CHECK((unsigned char)f->value.p[k] >= 0x20 || f->value.p[k] == '\t');
    }
}

static void check_rewritten(const struct http_head *h)
{
    static char mem[1 << 17];
    static struct http_head again;
    struct strbuf b;
    struct http_parser p;
    struct http_bad bad;
    size_t used;
    if (h->target.p[0] == '?') /* has no origin-form to be written as */
        return;
    strbuf_init(&b, mem, sizeof(mem));
    strbuf_put(&b, h->method_text);
    strbuf_char(&b, ' ');
    strbuf_put(&b, h->target);
    strbuf_printf(&b, " HTTP/1.%u\r\n", h->minor);
    for (size_t i = 0; i < h->n_fields; i++) {
        strbuf_put(&b, h->fields[i].name);
        strbuf_str(&b, ": ");
        strbuf_put(&b, h->fields[i].value);
        strbuf_str(&b, "\r\n");
    }
    strbuf_str(&b, "\r\n");
    CHECK(!b.cut);
    http_parser_init(&p, b.n);
    CHECK(http_head_parse(&p, b.p, b.n, &again, &used, &bad) == HTTP_PARSE_DONE && used == b.n);
    CHECK(again.n_fields == h->n_fields && slice_eq(again.target, h->target));
    CHECK(again.keep_alive == h->keep_alive && again.upgrade == h->upgrade && again.chunked == h->chunked);
    CHECK(again.content_length == h->content_length && again.method == h->method);
    for (size_t i = 0; i < h->n_fields; i++)
        CHECK(slice_eq(again.fields[i].name, h->fields[i].name) && slice_eq(again.fields[i].value, h->fields[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head whole, pieces;
    struct http_parser p;
    struct http_bad bad = {0}, bad2 = {0};
    size_t used = 0, used2 = 0;
    if (size < 2 || size > 60000)
        return 0;
    size_t max = data[0] < 128 ? 16384 : (size_t)data[0];
    unsigned step = data[1] | 1u;
    const char *text = (const char *)data + 2;
    size -= 2;

    http_parser_init(&p, max);
    enum http_parse a = http_head_parse(&p, text, size, &whole, &used, &bad);

    http_parser_init(&p, max);
    enum http_parse b = HTTP_PARSE_MORE;
    for (size_t n = 0; b == HTTP_PARSE_MORE && n <= size; n = n < size ? MIN_OF(n + step, size) : size + 1) {
        char *copy = malloc(n + 1); /* a new place each time */
        memcpy(copy, text, n);
        b = http_head_parse(&p, copy, n, &pieces, &used2, &bad2);
        CHECK(b != HTTP_PARSE_MORE || n < max);
        free(copy);
        step = step * 5 % 251 + 1;
    }
    CHECK(a == b);
    if (a == HTTP_PARSE_BAD)
        CHECK(bad.status == bad2.status && bad.why == bad2.why && bad.status >= 400);
    if (a != HTTP_PARSE_DONE)
        return 0;
    CHECK(used == used2 && used <= size && used <= max);
    CHECK(pieces.n_fields == whole.n_fields);
    check_table(&whole);
    check_rewritten(&whole);
    return 0;
}
