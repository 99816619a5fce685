/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Paths, queries, authorities and origins, chosen by the first byte. Checked: what is taken has the one meaning that
 * the header promises, and comes back from its canonical spelling.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "http/url.h"

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            abort();                                                                                                   \
    } while (0)

#define ROOM 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool contains(struct slice s, const char *what)
{
    return s.n > 0 && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static void check_clean(struct slice s)
{
    while (s.n > 0) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        CHECK(n > 0 && !utf8_is_control(code));
        s.p += n;
        s.n -= n;
    }
}

/* Every byte but the slash escaped. */
static void encode(struct slice s, struct strbuf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '/')
            strbuf_char(out, '/');
        else
            strbuf_printf(out, "%%%02x", (unsigned)(unsigned char)s.p[i]);
    }
}

static void path(struct slice in)
{
    static char mem[ROOM], encoded_mem[3 * ROOM + 1], again_mem[ROOM];
    struct strbuf out, encoded, again;
    strbuf_init(&out, mem, sizeof(mem));
    if (!http_path_decode(in, &out)) {
        CHECK(out.n == 0);
        return;
    }
    struct slice s = strbuf_slice(&out);
    CHECK(s.n > 0 && s.p[0] == '/' && s.p[s.n] == '\0');
    CHECK(!contains(s, "//") && !contains(s, "/./") && !contains(s, "/../") && !contains(s, "\\"));
    CHECK(!slice_ends_nocase(s, SLICE("/.")) && !slice_ends_nocase(s, SLICE("/..")));
    check_clean(s);
    strbuf_init(&encoded, encoded_mem, sizeof(encoded_mem));
    encode(s, &encoded);
    strbuf_init(&again, again_mem, sizeof(again_mem));
    CHECK(http_path_decode(strbuf_slice(&encoded), &again) && slice_eq(strbuf_slice(&again), s));
}

static void query(struct slice in)
{
    static char mem[ROOM];
    static const char *const names[] = {"token", "a b", "x", ""};
    struct strbuf out;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        strbuf_init(&out, mem, sizeof(mem));
        if (http_query_get(in, names[i], &out))
            check_clean(strbuf_slice(&out));
        else
            CHECK(out.n == 0);
    }
}

static void authority(struct slice in)
{
    char mem[300];
    struct strbuf text;
    struct http_authority a, b;
    if (!http_authority_parse(in, &a))
        return;
    CHECK(a.host.n > 0 && a.host.n <= 253);
    for (size_t i = 0; i < a.host.n; i++)
        CHECK(a.host.p[i] > 0x20 && !strchr("/\\@?#%[]*,;", a.host.p[i]));
    bool v6 = slice_find(a.host, ':') >= 0;
    strbuf_init(&text, mem, sizeof(mem));
    strbuf_printf(&text, v6 ? "[" SLICE_FMT "]" : SLICE_FMT, SLICE_ARG(a.host));
    if (a.port)
        strbuf_printf(&text, ":%u", a.port);
    CHECK(slice_eq(strbuf_slice(&text), in)); /* there was no second spelling */
    CHECK(http_authority_parse(strbuf_slice(&text), &b) && slice_eq(a.host, b.host) && a.port == b.port);
}

static void origin(struct slice in)
{
    struct http_origin o, p;
    struct slice rest = in, text;
    if (!slice_cut(&rest, '\n', &text))
        return;
    bool ok = http_origin_parse(text, &o);
    if (ok) {
        struct http_authority a = {o.host, o.port};
        CHECK(o.port != 0 && o.host.n > 0);
        CHECK(http_origin_pattern_ok(text) && http_origin_matches(&o, text));
        CHECK(http_origin_is_same(&o, slice_eq_nocase(o.scheme, SLICE("https")), &a));
        CHECK(!http_origin_is_same(&o, !slice_eq_nocase(o.scheme, SLICE("https")), &a));
    }
    if (!ok || !rest.p)
        return;
    bool match = http_origin_matches(&o, rest);
    CHECK(!match || http_origin_pattern_ok(rest));
    if (match && http_origin_parse(rest, &p)) /* no wildcard: the very same */
        CHECK(p.port == o.port && slice_eq_nocase(p.host, o.host) && slice_eq_nocase(p.scheme, o.scheme));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct slice) = {path, query, authority, origin};
    if (size == 0 || size > ROOM / 2)
        return 0;
    struct slice in = {(const char *)data + 1, size - 1};
    struct http_url u;
    http_url_split(in, &u);
    CHECK(u.path.n > 0 && slice_find(u.path, '?') < 0);
    targets[data[0] % ARRAY_LEN(targets)](in);
    return 0;
}
