/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Targets, paths, queries, authorities and origins: what decides who comes in and which file is read.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "http/url.h"

static void targets_split(void **state)
{
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        {"/", "/", ""},         {"/a?b=c", "/a", "b=c"}, {"/a?", "/a", ""}, {"/a?b?c", "/a", "b?c"},
        {"?q=/x", "/", "q=/x"}, {"*", "*", ""},          {"", "/", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_url u;
        http_url_split(slice_of(cases[i].target), &u);
        assert_true(slice_eq(u.path, slice_of(cases[i].path)));
        assert_true(slice_eq(u.query, slice_of(cases[i].query)));
    }
}

static void paths_are_decoded_once(void **state)
{
    static const char *const cases[][2] = {
        {"/", "/"},
        {"/a/b.c", "/a/b.c"},
        {"/a//b///", "/a/b/"},
        {"//", "/"},
        {"/%41%62%7e", "/Ab~"},
        {"/a%20b+c", "/a b+c"},
        {"/100%25", "/100%"},
        {"/%252e%252e", "/%2e%2e"}, /* once, not twice */
        {"/%C3%a4", "/\xc3\xa4"},
        {"/\xc3\xa4", "/\xc3\xa4"},
        {"/...", "/..."},
        {"/..a/a../.a", "/..a/a../.a"},
        {"/%3fx", "/?x"},
        {"/a;b=c", "/a;b=c"},
        {"/%F0%9F%98%80", "/\xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char mem[32];
        struct strbuf b;
        strbuf_init(&b, mem, sizeof(mem));
        if (!http_path_decode(slice_of(cases[i][0]), &b))
            fail_msg("refused: %s", cases[i][0]);
        assert_string_equal(mem, cases[i][1]);
    }
}

static void paths_with_two_meanings_are_refused(void **state)
{
    static const char *const bad[] = {
        "",        "a",          "*",        "%2fa",          "/%",      "/%4",         "/%4g",    "/%g4",
        "/% 1",    "/%00",       "/a%0ab",   "/a%1fb",        "/%7f",    "/%C2%85",     "/a\tb",   "/a\x01",
        "/%2f",    "/a%2Fb",     "/\\",      "/a%5cb",        "/a%5Cb",  "/.",          "/..",     "/./a",
        "/../a",   "/a/.",       "/a/..",    "/a/./b",        "/a/../b", "/%2e",        "/%2E%2e", "/.%2e/a",
        "/%2e./a", "/a/%2e/",    "/a//../b", "/a/%2e%2E",     "/..//",   "/%ff",        "/%C3",    "/%C3/%a4",
        "/%c0%ae", "/%ed%a0%80", "/\xff",    "/%f4%90%80%80", "/%c0%af", "/a/%2e%2e/b",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char mem[32];
        struct strbuf b;
        strbuf_init(&b, mem, sizeof(mem));
        strbuf_str(&b, "kept");
        if (http_path_decode(slice_of(bad[i]), &b))
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(mem, "kept");
    }
    char mem[32];
    struct strbuf b;
    strbuf_init(&b, mem, sizeof(mem));
    assert_false(http_path_decode((struct slice){"/a\0b", 4}, &b));
    for (size_t cap = 0; cap <= 5; cap++) { /* room for "/abc" and its terminator, or none at all */
        char *exact = malloc(5);
        strbuf_init(&b, exact, cap);
        assert_int_equal(http_path_decode(SLICE("/a%62c"), &b), cap == 5);
        free(exact);
    }
}

static void queries_give_their_first_value(void **state)
{
    static const struct {
        const char *query, *name, *value; /* NULL: none */
    } cases[] = {
        {"token=abc", "token", "abc"},
        {"a=1&token=x&token=y", "token", "x"},
        {"token", "token", ""},
        {"token=", "token", ""},
        {"&&token=a=b", "token", "a=b"},
        {"tok%65n=%41+%2b%3D", "token", "A +="},
        {"a+b=1", "a b", "1"},
        {"token=%C3%A4", "token", "\xc3\xa4"},
        {"token=a;b", "token", "a;b"},
        {"Token=a", "token", NULL},
        {"tokens=a", "token", NULL},
        {"toke=a", "token", NULL},
        {"=a", "token", NULL},
        {"", "token", NULL},
        {"xtoken=a", "token", NULL},
        {"a%00b=1", "a", NULL},
        {"token=%", "token", NULL},
        {"token=%4", "token", NULL},
        {"token=%zz", "token", NULL},
        {"token=%00", "token", NULL},
        {"token=a%0d%0ab", "token", NULL},
        {"token=%ff", "token", NULL},
        {"token=%zz&token=good", "token", NULL}, /* the first one decides */
        {"tok%zzen=a&token=b", "token", "b"},
        {"token=0123456789abcdef", "token", NULL}, /* no room */
        {"token=0123456789abcde", "token", "0123456789abcde"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char mem[16];
        struct strbuf b;
        strbuf_init(&b, mem, sizeof(mem));
        bool got = http_query_get(slice_of(cases[i].query), cases[i].name, &b);
        if (got != (cases[i].value != NULL))
            fail_msg("%s", cases[i].query);
        assert_string_equal(mem, got ? cases[i].value : "");
    }
    struct strbuf b;
    char mem[8];
    strbuf_init(&b, mem, sizeof(mem));
    assert_false(http_query_get((struct slice){NULL, 0}, "token", &b));
}

static void authorities(void **state)
{
    static const struct {
        const char *text, *host; /* NULL: refused */
        uint16_t port;
    } cases[] = {
        {"example.org", "example.org", 0},
        {"EXAMPLE.org.:8443", "EXAMPLE.org.", 8443},
        {"a_b-c.d:1", "a_b-c.d", 1},
        {"192.0.2.1:80", "192.0.2.1", 80},
        {"[::1]", "::1", 0},
        {"[2001:DB8::1]:443", "2001:DB8::1", 443},
        {"xn--bcher-kva.example:65535", "xn--bcher-kva.example", 65535},
    };
    static const char *const bad[] = {
        "",       ":80",          "a:",      "a:0",  "a:00",    "a:080",     "a:65536", "a:+1",
        "a:1:2",  "u@a",          "u:p@a",   "a b",  "a/b",     "a?b",       "a#b",     "a,b",
        "a%41",   "\xc3\xa4.org", ".a",      "a..b", ".",       "::1",       "[::1",    "::1]",
        "[::1]x", "[::1]:",       "[::1]:0", "[]",   "[a]",     "[1.2.3.4]", "[::1%1]", "[fe80::1%25lo]",
        "[v1.a]", "[::g]",        "a\tb",    " a",   "a ",      "*.a",       "a*",      "a\\b",
        "a'b",    "a(b)",         "a!",      "a:b",  "[[::1]]",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_authority a;
        if (!http_authority_parse(slice_of(cases[i].text), &a))
            fail_msg("refused: %s", cases[i].text);
        assert_true(slice_eq(a.host, slice_of(cases[i].host)));
        assert_int_equal(a.port, cases[i].port);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_authority a;
        if (http_authority_parse(slice_of(bad[i]), &a))
            fail_msg("taken: %s", bad[i]);
    }
    struct http_authority a;
    char name[254];
    memset(name, 'a', sizeof(name));
    assert_true(http_authority_parse((struct slice){name, 253}, &a));
    assert_false(http_authority_parse((struct slice){name, 254}, &a));
    assert_false(http_authority_parse((struct slice){"a\0b", 3}, &a));
    assert_false(http_authority_parse((struct slice){NULL, 0}, &a));
}

static void origins_are_parsed(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } cases[] = {
        {"http://a", "a", 80},
        {"https://a", "a", 443},
        {"HTTPS://A:80", "A", 80},
        {"http://[::1]", "::1", 80},
        {"http://192.0.2.1:6080", "192.0.2.1", 6080},
    };
    static const char *const bad[] = {
        "",
        "null",
        "http://",
        "http:",
        "http:/a",
        "http//a",
        "://a",
        "http://a/",
        "http://a/b",
        "http://a?b",
        "http://a b",
        "http://a, http://a",
        "http://a http://b",
        "ws://a",
        "ftp://a",
        "file://",
        "http://a:",
        "http://a:0",
        "http://u@a",
        "chrome-extension://a",
        "http://*.a",
        "http://a#",
        " http://a",
        "http://a ",
        "http://a:80:80",
        "httpsx://a",
        "//a",
        "a",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_origin o;
        if (!http_origin_parse(slice_of(cases[i].text), &o))
            fail_msg("refused: %s", cases[i].text);
        assert_true(slice_eq(o.host, slice_of(cases[i].host)));
        assert_int_equal(o.port, cases[i].port);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_origin o;
        if (http_origin_parse(slice_of(bad[i]), &o))
            fail_msg("taken: %s", bad[i]);
    }
}

static void same_origin(void **state)
{
    static const struct {
        const char *origin;
        bool secure;
        const char *authority;
        bool same;
    } cases[] = {
        {"http://a", false, "a", true},           {"http://a:80", false, "a", true},
        {"http://a", false, "A:80", true},        {"https://a", true, "a:443", true},
        {"https://a:8443", true, "a:8443", true}, {"http://[::1]:1", false, "[::1]:1", true},
        {"https://a", false, "a", false},         {"http://a", true, "a", false},
        {"http://a", false, "a:81", false},       {"http://a:443", true, "a", false},
        {"https://a", false, "a:443", false}, /* the port fits, the scheme does not */
        {"http://b", false, "a", false},          {"http://a.b", false, "b", false},
        {"http://b", false, "a.b", false},        {"http://a.", false, "a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_origin o;
        struct http_authority a;
        assert_true(http_origin_parse(slice_of(cases[i].origin), &o));
        assert_true(http_authority_parse(slice_of(cases[i].authority), &a));
        if (http_origin_is_same(&o, cases[i].secure, &a) != cases[i].same)
            fail_msg("case %zu", i);
    }
    /* A request that named no host has no origin to be the same as. */
    struct http_authority none = {{NULL, 0}, 0};
    struct http_origin o = {SLICE("http"), {NULL, 0}, 80};
    assert_false(http_origin_is_same(&o, false, &none));
}

static void origin_patterns(void **state)
{
    static const struct {
        const char *origin, *pattern;
        bool match;
    } cases[] = {
        {"https://a.org", "https://a.org", true},
        {"https://A.org", "https://a.ORG:443", true},
        {"https://a.org", "http://a.org", false},
        {"https://a.org:8443", "https://a.org", false},
        {"https://x.a.org", "https://a.org", false},
        {"https://x.a.org", "https://*.a.org", true},
        {"https://y.x.A.org", "https://*.a.org", true},
        {"https://a.org", "https://*.a.org", false},
        {"https://xa.org", "https://*.a.org", false},
        {"https://evil-a.org", "https://*.a.org", false},
        {"https://a.org.evil.net", "https://*.a.org", false},
        {"https://x.a.org:444", "https://*.a.org", false},
        {"https://x.a.org:444", "https://*.a.org:444", true},
        {"http://x.a.org", "https://*.a.org", false},
        {"http://x.a.org:443", "https://*.a.org", false},
        {"http://[::1]", "http://[::1]:80", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_origin o;
        assert_true(http_origin_parse(slice_of(cases[i].origin), &o));
        assert_true(http_origin_pattern_ok(slice_of(cases[i].pattern)));
        if (http_origin_matches(&o, slice_of(cases[i].pattern)) != cases[i].match)
            fail_msg("%s %s", cases[i].origin, cases[i].pattern);
    }
    static const char *const bad[] = {"",
                                      "*",
                                      "null",
                                      "same",
                                      "a.org",
                                      "https://",
                                      "https://*",
                                      "https://*.",
                                      "https://*a.org",
                                      "https://a.*",
                                      "https://*.*.a",
                                      "https://a.*.org",
                                      "https://*.[::1]",
                                      "*.a.org",
                                      "https://a/",
                                      "*://a"};
    struct http_origin o;
    assert_true(http_origin_parse(SLICE("https://a.org"), &o));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (http_origin_pattern_ok(slice_of(bad[i])) || http_origin_matches(&o, slice_of(bad[i])))
            fail_msg("taken: %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_split),
        cmocka_unit_test(paths_are_decoded_once),
        cmocka_unit_test(paths_with_two_meanings_are_refused),
        cmocka_unit_test(queries_give_their_first_value),
        cmocka_unit_test(authorities),
        cmocka_unit_test(origins_are_parsed),
        cmocka_unit_test(same_origin),
        cmocka_unit_test(origin_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
