/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What a log line looks like, whatever the values are: one line, bounded, well-formed.
 */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "obs/line.h"

static const struct slice unknown = {NULL, 0};

static const struct {
    struct slice in;
    const char *text, *json;
} escapes[] = {
#define CASE(in, text, json)                                                                                           \
    {                                                                                                                  \
        {in, sizeof(in) - 1}, text, json                                                                               \
    }
    CASE("plain-value/1:2[3]=4", "plain-value/1:2[3]=4", "\"plain-value/1:2[3]=4\""),
    CASE("", "\"\"", "\"\""),
    CASE("a b", "\"a b\"", "\"a b\""),
    CASE("\"\\", "\"\\\"\\\\\"", "\"\\\"\\\\\""),
    CASE("a\r\n\tb", "\"a\\r\\n\\tb\"", "\"a\\r\\n\\tb\""),
    CASE("\0\x1b[2J\x7f", "\"\\x00\\x1b[2J\\x7f\"", "\"\\u0000\\u001b[2J\\u007f\""),
    CASE("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"",
         "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\""),
    CASE("\xff"
         "a\xc3",
         "\"\\xffa\\xc3\"", "\"\\u00ffa\\u00c3\""),
    CASE("\xc0\xaf\xed\xa0\x80", "\"\\xc0\\xaf\\xed\\xa0\\x80\"", "\"\\u00c0\\u00af\\u00ed\\u00a0\\u0080\""),
    CASE("\xc2\x9b"
         "31m",
         "\"\\xc2\\x9b31m\"", "\"\\u009b31m\""), /* C1: a terminal's other way to say ESC [ */
    CASE("\xe2\x80\xae"
         "x\xe2\x80\xa8",
         "\"\\xe2\\x80\\xaex\\xe2\\x80\\xa8\"", "\"\\u202ex\\u2028\""),
    CASE("\xef\xbb\xbf", "\"\\xef\\xbb\\xbf\"", "\"\\ufeff\""),
    CASE("x=\"y\"", "\"x=\\\"y\\\"\"", "\"x=\\\"y\\\"\""),
#undef CASE
};

static void values_are_escaped(void **state)
{
    char mem[200];
    struct strbuf b;
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        strbuf_init(&b, mem, sizeof(mem));
        log_escape_text(&b, escapes[i].in);
        assert_string_equal(mem, escapes[i].text);
        strbuf_init(&b, mem, sizeof(mem));
        log_escape_json(&b, escapes[i].in);
        assert_string_equal(mem, escapes[i].json);
    }
    /* Every single byte: what comes out is printable ASCII. */
    for (unsigned c = 0; c < 256; c++) {
        char byte = (char)c;
        strbuf_init(&b, mem, sizeof(mem));
        log_escape_text(&b, (struct slice){&byte, 1});
        log_escape_json(&b, (struct slice){&byte, 1});
        for (size_t i = 0; i < b.n; i++)
            assert_true(mem[i] >= 0x20 && mem[i] < 0x7f);
    }
}

static const char *line(enum log_format format, bool has_time, const struct kv *kv, size_t n)
{
    static char mem[LINE_MAX_BYTES + 1];
    struct line_head head = {
        .format = format, .level = "info", .event = "session_open", .wall_ms = 1769862896789, .has_time = has_time};
    memset(mem, 'Z', sizeof(mem));
    size_t len = line_write(mem, &head, kv, n);
    assert_true(len <= LINE_MAX_BYTES);
    assert_int_equal(mem[len - 1], '\n');
    assert_null(memchr(mem, '\n', len - 1));
    mem[len] = '\0';
    return mem;
}

static void lines_in_both_formats(void **state)
{
    const struct kv kv[] = {
        KV_U("id", UINT64_MAX),  KV("peer", "192.0.2.1:4711"), KV("path", "/a b"),    KV_I("code", -1),
        KV_F("seconds", 1.2346), KV_B("clean", true),          KV_S("user", unknown), KV("why", "")};
    assert_string_equal(line(LOG_TEXT, true, kv, ARRAY_LEN(kv)),
                        "2026-01-31T12:34:56.789Z info session_open id=18446744073709551615 peer=192.0.2.1:4711 "
                        "path=\"/a b\" code=-1 seconds=1.235 clean=true user=- why=\"\"\n");
    assert_string_equal(line(LOG_JSON, true, kv, ARRAY_LEN(kv)),
                        "{\"time\":\"2026-01-31T12:34:56.789Z\",\"level\":\"info\",\"event\":\"session_open\","
                        "\"id\":18446744073709551615,\"peer\":\"192.0.2.1:4711\",\"path\":\"/a b\",\"code\":-1,"
                        "\"seconds\":1.235,\"clean\":true,\"user\":null,\"why\":\"\"}\n");
    assert_string_equal(line(LOG_TEXT, false, kv, 1), "info session_open id=18446744073709551615\n");
    assert_string_equal(line(LOG_TEXT, false, NULL, 0), "info session_open\n");
    static const double odd[] = {(double)INFINITY, (double)NAN, -(double)INFINITY, 1e300};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        const struct kv f = KV_F("s", odd[i]);
        assert_string_equal(line(LOG_TEXT, false, &f, 1), "info session_open s=0.000\n");
    }
}

static bool ends(const char *z, const char *with)
{
    return strlen(z) >= strlen(with) && strcmp(z + strlen(z) - strlen(with), with) == 0;
}

static void long_values_are_cut(void **state)
{
    static char big[10000];
    static const char *const fills[] = {"a", "\x01", "\xc3\xa4", "\"", "\xff", "\xe2\x80\xae"};
    for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
        size_t step = strlen(fills[f]);
        for (size_t i = 0; i < sizeof(big); i++)
            big[i] = fills[f][i % step];
        /* All lengths around the edge, so that every remainder of the escapes is met. */
        for (size_t n = sizeof(big) - 20; n <= sizeof(big); n++) {
            const struct kv kv[] = {KV_S("path", ((struct slice){big, n})), KV_U("after", 7)};
            const char *z = line(LOG_TEXT, true, kv, 2);
            assert_true(ends(z, "...\" after=7 cut=true\n") || ends(z, "... after=7 cut=true\n"));
            z = line(LOG_JSON, true, kv, 2);
            assert_true(ends(z, "...\",\"after\":7,\"cut\":true}\n"));
            struct slice rest = slice_of(z);
            while (rest.n > 0) { /* no character was split */
                uint32_t code;
                size_t used = utf8_next(rest, &code);
                assert_true(used > 0);
                rest.p += used;
                rest.n -= used;
            }
        }
    }
}

static void pairs_that_do_not_fit_are_left_out(void **state)
{
    static char big[1600];
    memset(big, 'x', sizeof(big));
    for (size_t n = 1200; n <= 1600; n++) { /* the end of the line falls on every part of a pair */
        const struct slice v = {big, n};
        const struct kv kv[] = {KV_S("a", v), KV_S("b", v), KV_S("c", v), KV_S("d", v), KV_S("e", v), KV_U("f", 1)};
        assert_true(ends(line(LOG_TEXT, true, kv, ARRAY_LEN(kv)), " cut=true\n"));
        assert_true(ends(line(LOG_JSON, true, kv, ARRAY_LEN(kv)), ",\"cut\":true}\n"));
    }
    struct kv many[500];
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = (struct kv)KV_U("a_rather_long_key", UINT64_MAX - i);
    assert_true(ends(line(LOG_JSON, true, many, ARRAY_LEN(many)), ",\"cut\":true}\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(lines_in_both_formats),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(pairs_that_do_not_fit_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
