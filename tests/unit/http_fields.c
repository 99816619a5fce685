/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Dates, ranges, entity tags, content codings and response heads.
 */
#include "unit.h"

#include <string.h>
#include <time.h>

#include "http/fields.h"
#include "http/write.h"

static void dates_are_written(void **state)
{
    static const struct {
        int64_t t;
        const char *text;
    } cases[] = {
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},  {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},         {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"}, {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},  {-62167219200, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT"},
    };
    char buf[HTTP_DATE_MAX];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(http_date_format(cases[i].t, buf), cases[i].text);
    /* Against libc, over 400 years in odd steps, and back. */
    for (int64_t t = -1000000000; t < 12000000000; t += 86400 * 3 + 12345) {
        char want[64];
        time_t tt = (time_t)t;
        struct tm tm;
        int64_t back;
        strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&tt, &tm));
        assert_string_equal(http_date_format(t, buf), want);
        assert_true(http_date_parse(slice_of(buf), &back));
        assert_int_equal(back, t);
    }
}

static void dates_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t t;
    } cases[] = {
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},   {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Wed Nov 16 08:49:37 1994", 784975777},         {"Thursday, 01-Jan-70 00:00:00 GMT", 0},
        {"Tuesday, 31-Dec-69 00:00:00 GMT", 3155673600}, {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
    };
    static const char *const bad[] = {
        "",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Foo, 06 Nov 1994 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994 GMT",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:3",
    };
    int64_t t;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (!http_date_parse(slice_of(cases[i].text), &t))
            fail_msg("refused: %s", cases[i].text);
        assert_int_equal(t, cases[i].t);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (http_date_parse(slice_of(bad[i]), &t))
            fail_msg("taken: %s", bad[i]);
    }
}

static void ranges(void **state)
{
    static const struct {
        const char *value;
        uint64_t size;
        enum http_range_result want;
        size_t n;
        struct http_range r[3];
    } cases[] = {
        {"bytes=0-0", 10, HTTP_RANGE_OK, 1, {{0, 0}}},
        {"bytes=0-", 10, HTTP_RANGE_OK, 1, {{0, 9}}},
        {"Bytes = 0-1", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"BYTES=2-5", 10, HTTP_RANGE_OK, 1, {{2, 5}}},
        {"bytes=9-100", 10, HTTP_RANGE_OK, 1, {{9, 9}}},
        {"bytes=5-99999999999999999999999", 10, HTTP_RANGE_OK, 1, {{5, 9}}},
        {"bytes=-3", 10, HTTP_RANGE_OK, 1, {{7, 9}}},
        {"bytes=-10", 10, HTTP_RANGE_OK, 1, {{0, 9}}},
        {"bytes=-99999999999999999999999", 10, HTTP_RANGE_OK, 1, {{0, 9}}},
        {"bytes= 0-1 ,\t4-5, ,-1", 10, HTTP_RANGE_OK, 3, {{0, 1}, {4, 5}, {9, 9}}},
        {"bytes=8-9,0-1", 10, HTTP_RANGE_OK, 2, {{8, 9}, {0, 1}}},
        {"bytes=0-1,10-11", 10, HTTP_RANGE_OK, 1, {{0, 1}}},
        {"bytes=0-5,3-7", 10, HTTP_RANGE_OK, 2, {{0, 5}, {3, 7}}},
        {"bytes=0-5,3-7,9-9", 10, HTTP_RANGE_OK, 3, {{0, 5}, {3, 7}, {9, 9}}},
        {"bytes=0-,0-,0-", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=0-5,3-7,-1,7-9", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=0-18446744073709551615", UINT64_MAX, HTTP_RANGE_OK, 1, {{0, UINT64_MAX - 1}}},
        {"bytes=18446744073709551614-", UINT64_MAX, HTTP_RANGE_OK, 1, {{UINT64_MAX - 1, UINT64_MAX - 1}}},
        {"bytes=10-", 10, HTTP_RANGE_UNSATISFIABLE, 0, {{0}}},
        {"bytes=10-20,30-", 10, HTTP_RANGE_UNSATISFIABLE, 0, {{0}}},
        {"bytes=99999999999999999999999-", 10, HTTP_RANGE_UNSATISFIABLE, 0, {{0}}},
        {"bytes=-0", 10, HTTP_RANGE_UNSATISFIABLE, 0, {{0}}},
        {"bytes=0-", 0, HTTP_RANGE_UNSATISFIABLE, 0, {{0}}},
        {"bytes=-5", 0, HTTP_RANGE_NONE, 0, {{0}}},
        {"", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=,", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=-", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=5", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=5-4", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=15-14", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=0-1,5-4", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=0-1,x", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=a-b", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=+1-2", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=1 - 2", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=1--2", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=--1", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=0x1-2", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"lines=0-1", 10, HTTP_RANGE_NONE, 0, {{0}}},
        {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15,16-16",
         100,
         HTTP_RANGE_NONE,
         0,
         {{0}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_range out[HTTP_RANGES_MAX];
        size_t n = 99;
        enum http_range_result got = http_range_parse(slice_of(cases[i].value), cases[i].size, out, &n);
        if (got != cases[i].want || (got == HTTP_RANGE_OK && n != cases[i].n))
            fail_msg("%s: %d, %zu", cases[i].value, got, n);
        for (size_t k = 0; got == HTTP_RANGE_OK && k < n; k++) {
            assert_int_equal(out[k].first, cases[i].r[k].first);
            assert_int_equal(out[k].last, cases[i].r[k].last);
        }
    }
    struct http_range out[HTTP_RANGES_MAX];
    size_t n;
    assert_int_equal(http_range_parse(SLICE("bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,"
                                            "14-14,15-15"),
                                      100, out, &n),
                     HTTP_RANGE_OK);
    assert_int_equal(n, 16);
}

static void entity_tags(void **state)
{
    static const struct {
        const char *list, *etag;
        bool strong, weak;
    } cases[] = {
        {"\"a\"", "\"a\"", true, true},
        {"W/\"a\"", "\"a\"", false, true},
        {"\"a\"", "W/\"a\"", false, true},
        {"W/\"a\"", "W/\"a\"", false, true},
        {"\"b\", \"a\"", "\"a\"", true, true},
        {"\"b\",W/\"a\",\t\"a\"", "\"a\"", true, true},
        {",, \"a\" ,", "\"a\"", true, true},
        {"*", "\"a\"", true, true},
        {" * ", "\"a\"", true, true},
        {"\"a,b\"", "\"a,b\"", true, true},
        {"\"a,\"b\"\"", "\"b\"", false, false},
        {"\"*\"", "\"a\"", false, false},
        {"*, \"b\"", "\"a\"", false, false},
        {"\"A\"", "\"a\"", false, false},
        {"w/\"a\"", "\"a\"", false, false},
        {"a", "\"a\"", false, false},
        {"\"a", "\"a\"", false, false},
        {"a\"", "\"a\"", false, false},
        {"W/", "\"a\"", false, false},
        {"\"b\" \"a\"", "\"a\"", false, false},
        {"\"b c\", \"a\"", "\"a\"", false, false},
        {"", "\"a\"", false, false},
        {"\"\"", "\"\"", true, true},
        {"\"a\"", "a", false, false},
        {"\"a\"", "\"a\"x", false, false},
        {"\"a\"", "", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice list = slice_of(cases[i].list), etag = slice_of(cases[i].etag);
        if (http_etag_in_list(list, etag, false) != cases[i].strong ||
            http_etag_in_list(list, etag, true) != cases[i].weak)
            fail_msg("%s in %s", cases[i].etag, cases[i].list);
    }
    assert_false(http_etag_in_list((struct slice){NULL, 0}, SLICE("\"a\""), true));
}

static void content_codings(void **state)
{
    static const struct {
        const char *value;
        int gzip;
    } cases[] = {
        {"gzip", 1000},
        {"br, GZIP", 1000},
        {"gzip;q=0.5", 500},
        {"gzip ; q=0.123 , br", 123},
        {"gzip;Q=1.000", 1000},
        {"gzip;q=0", 0},
        {"gzip;q=0.", 0},
        {"*", 1000},
        {"*;q=0.1, gzip;q=0.2", 200},
        {"gzip;q=0, *", 0},
        {"br;q=1, *;q=0", 0},
        {"gzip;x=y;q=0.3", 300},
        {"", -1},
        {"br", -1},
        {"xgzip", -1},
        {"gzip x", -1},
        {"gzip;q=1.1", -1},
        {"gzip;q=2", -1},
        {"gzip;q=-1", -1},
        {"gzip;q=", -1},
        {"gzip;q=0.1234", -1},
        {"gzip;q=a", -1},
        {"gzip;q=1.001", -1},
        {"gzip;q=05", -1},
        {",,", -1},
        {"gzip;q=x, gzip;q=0.4", 400},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int q = http_accept_encoding(slice_of(cases[i].value), "gzip");
        if (q != cases[i].gzip)
            fail_msg("%s: %d", cases[i].value, q);
    }
    assert_int_equal(http_accept_encoding((struct slice){NULL, 0}, "gzip"), -1);
}

static const char *written(const struct http_response *r)
{
    static char mem[400];
    struct strbuf b;
    strbuf_init(&b, mem, sizeof(mem));
    assert_true(http_write_head(&b, r));
    assert_int_equal(b.n, strlen(mem));
    return mem;
}

#define TEXT_FIELD(name, value)                                                                                        \
    {                                                                                                                  \
        {(name), sizeof(name) - 1},                                                                                    \
        {                                                                                                              \
            (value), sizeof(value) - 1                                                                                 \
        }                                                                                                              \
    }

static void response_heads(void **state)
{
    static const struct http_field fields[] = {TEXT_FIELD("Content-Type", "text/plain"), TEXT_FIELD("X-Y", "a\t\xe9")};
    struct http_response r = {.status = 404,
                              .keep_alive = true,
                              .has_length = true,
                              .content_length = 12,
                              .date = 784111777,
                              .fields = fields,
                              .n_fields = 2};
    assert_string_equal(written(&r), "HTTP/1.1 404 Not Found\r\nServer: wsbridge\r\nDate: Sun, 06 Nov 1994 08:49:37 "
                                     "GMT\r\nContent-Length: 12\r\nContent-Type: text/plain\r\nX-Y: a\t\xe9\r\n\r\n");
    r.n_fields = 0;
    r.http10 = true;
    assert_non_null(strstr(written(&r), "\r\nConnection: keep-alive\r\n\r\n"));
    r.keep_alive = false;
    assert_non_null(strstr(written(&r), "\r\nConnection: close\r\n\r\n"));
    r.http10 = false;
    assert_non_null(strstr(written(&r), "\r\nConnection: close\r\n\r\n"));
    r.status = 204;
    assert_null(strstr(written(&r), "Content-Length"));
    r.status = 299;
    assert_non_null(strstr(written(&r), "HTTP/1.1 299 Unknown\r\n"));

    static const struct http_field upgrade[] = {TEXT_FIELD("Upgrade", "websocket"),
                                                TEXT_FIELD("Connection", "Upgrade")};
    r = (struct http_response){.status = 101, .has_length = true, .fields = upgrade, .n_fields = 2};
    assert_string_equal(written(&r), "HTTP/1.1 101 Switching Protocols\r\nServer: wsbridge\r\nUpgrade: websocket\r\n"
                                     "Connection: Upgrade\r\n\r\n");
}

static void responses_are_not_split(void **state)
{
    static const struct http_field bad[] = {
        TEXT_FIELD("A", "b\r\nSet-Cookie: c"),
        TEXT_FIELD("A", "b\n"),
        TEXT_FIELD("A", "b\r"),
        TEXT_FIELD("A", "b\0c"),
        TEXT_FIELD("A", "\x1b"),
        TEXT_FIELD("", "b"),
        TEXT_FIELD("A:", "b"),
        TEXT_FIELD("A B", "b"),
        TEXT_FIELD("A\r\n", "b"),
        TEXT_FIELD("\xc3\xa4", "b"),
        TEXT_FIELD("A\0", "b"),
    };
    char mem[200];
    struct strbuf b;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_response r = {.status = 200, .fields = &bad[i], .n_fields = 1};
        strbuf_init(&b, mem, sizeof(mem));
        strbuf_str(&b, "kept");
        if (http_write_head(&b, &r))
            fail_msg("taken: case %zu", i);
        assert_string_equal(mem, "kept");
    }
    static const struct http_field fine = TEXT_FIELD("A", "");
    struct http_response r = {.status = 200, .keep_alive = true, .fields = &fine, .n_fields = 1};
    size_t need = strlen(written(&r)) + 1;
    for (size_t cap = 0; cap <= need; cap++) {
        strbuf_init(&b, mem, cap);
        assert_int_equal(http_write_head(&b, &r), cap == need);
        assert_int_equal(b.n, cap == need ? need - 1 : 0);
    }
    r.status = 7;
    strbuf_init(&b, mem, sizeof(mem));
    assert_false(http_write_head(&b, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_written),
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(ranges),
        cmocka_unit_test(entity_tags),
        cmocka_unit_test(content_codings),
        cmocka_unit_test(response_heads),
        cmocka_unit_test(responses_are_not_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
