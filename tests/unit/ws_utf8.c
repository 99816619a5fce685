/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * UTF-8: every code point, every sequence of up to three bytes, and the borders of four, against a plain decoder that
 * is written from the definition (decode the number, then ask whether this is its one right spelling).
 */
#include "unit.h"

#include "ws/utf8.h"

/* Length of the well-formed character at p, or 0. */
static size_t character(const uint8_t *p, size_t n)
{
    uint32_t c;
    size_t len;

    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    len = p[0] >= 0xf8 ? 0 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
    if (len == 0 || n < len)
        return 0;
    c = p[0] & (0x7f >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < 0x80 || (len > 2 && c < 0x800) || (len > 3 && c < 0x10000) || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    return len;
}

static bool valid(const uint8_t *p, size_t n)
{
    while (n) {
        size_t len = character(p, n);

        if (len == 0)
            return false;
        p += len;
        n -= len;
    }
    return true;
}

static bool checked(const uint8_t *p, size_t n)
{
    struct ws_utf8 u;

    ws_utf8_init(&u);
    return ws_utf8_feed(&u, p, n) && ws_utf8_complete(&u);
}

static void every_short_sequence(void **state)
{
    uint8_t b[3];

    for (unsigned i = 0; i < 1u << 24; i++) {
        b[0] = i >> 16;
        b[1] = i >> 8;
        b[2] = i;
        if (checked(b, 3) != valid(b, 3))
            fail_msg("%02x %02x %02x", b[0], b[1], b[2]);
    }
    for (unsigned i = 0; i < 1u << 16; i++) {
        b[0] = i >> 8;
        b[1] = i;
        assert_int_equal(checked(b, 2), valid(b, 2));
        assert_int_equal(checked(b, 1), valid(b, 1));
    }
    assert_true(checked(b, 0));
    assert_true(checked(NULL, 0));
}

static void borders_of_four(void **state)
{
    static const uint8_t edge[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xf0, 0xff};
    uint8_t b[4];

    for (unsigned lead = 0xe0; lead <= 0xff; lead++) {
        for (size_t i = 0; i < sizeof(edge) * sizeof(edge) * sizeof(edge); i++) {
            b[0] = lead;
            b[1] = edge[i % sizeof(edge)];
            b[2] = edge[i / sizeof(edge) % sizeof(edge)];
            b[3] = edge[i / sizeof(edge) / sizeof(edge)];
            if (checked(b, 4) != valid(b, 4))
                fail_msg("%02x %02x %02x %02x", b[0], b[1], b[2], b[3]);
        }
    }
}

static void every_code_point(void **state)
{
    uint8_t b[4];

    for (uint32_t c = 0x10000; c <= 0x1fffff; c++) {
        b[0] = 0xf0 | c >> 18;
        b[1] = 0x80 | (c >> 12 & 0x3f);
        b[2] = 0x80 | (c >> 6 & 0x3f);
        b[3] = 0x80 | (c & 0x3f);
        assert_int_equal(checked(b, 4), c <= 0x10ffff);
    }
}

/* One character anywhere in ASCII text of many lengths: the block path, its end, and the characters that cross it. */
static void anywhere_in_a_long_text(void **state)
{
    static const struct {
        const char *bytes;
        bool ok;
    } cases[] = {
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\xef\xbf\xbf", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xc0\xaf", false},
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xed\xa0\x80", false},
        {"\xed\xbf\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\x80", false},
        {"\xbf", false},
        {"\xff", false},
        {"\xfe", false},
        {"\xe2\x82", false},
        {"\xf0\x9f\x98", false},
        {"\xc3", false},
        {"\xe2\x28\xa1", false},
    };
    uint8_t text[140];

    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        size_t len = strlen(cases[c].bytes);

        for (size_t n = len; n <= sizeof(text); n++) {
            for (size_t at = 0; at + len <= n; at++) {
                memset(text, 'a', sizeof(text));
                memcpy(text + at, cases[c].bytes, len);
                assert_int_equal(checked(text, n), cases[c].ok);
            }
        }
    }
}

/* The verdict does not depend on how the text is cut. */
static void every_cut(void **state)
{
    static const char text[] = "k\xc3\xb6nnen \xe2\x82\xac \xf0\x9f\x98\x80 and sixty-four more bytes of plain text, "
                               "so that blocks are whole \xed\x9f\xbf\xee\x80\x80 \xf4\x8f\xbf\xbf.";
    const uint8_t *p = (const uint8_t *)text;
    size_t n = sizeof(text) - 1;
    struct ws_utf8 u;

    for (size_t a = 0; a <= n; a++) {
        for (size_t b = a; b <= n; b++) {
            ws_utf8_init(&u);
            assert_true(ws_utf8_feed(&u, p, a));
            assert_int_equal(ws_utf8_complete(&u), valid(p, a));
            assert_true(ws_utf8_feed(&u, p + a, b - a));
            assert_true(ws_utf8_feed(&u, p + b, n - b));
            assert_true(ws_utf8_complete(&u));
        }
    }
}

/* Whole blocks of ASCII inside a character, wherever it stands, are not skipped. */
static void ascii_inside_a_character(void **state)
{
    uint8_t text[160];

    for (size_t at = 0; at < 64; at++) {
        for (size_t gap = 0; gap <= 64; gap++) {
            memset(text, 'a', sizeof(text));
            memcpy(text + at, "\xe2\x82", 2);
            text[at + 2 + gap] = 0xac;
            assert_int_equal(checked(text, sizeof(text)), gap == 0);
        }
    }
}

static void fails_at_the_first_wrong_byte(void **state)
{
    static const struct {
        const char *bytes;
        size_t wrong; /* index of the byte that cannot be */
    } cases[] = {
        {"\xc0\x80", 0},
        {"\xc1", 0},
        {"\xf5", 0},
        {"\xff", 0},
        {"a\x80", 1},
        {"\xe0\x9f\x80", 1},
        {"\xed\xa0\x80", 1},
        {"\xf0\x8f\x80\x80", 1},
        {"\xf4\x90\x80\x80", 1},
        {"\xe2\x82z", 2},
        {"\xf0\x9f\x98z", 3},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80", 12},
    };
    struct ws_utf8 u;

    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        const uint8_t *p = (const uint8_t *)cases[c].bytes;

        ws_utf8_init(&u);
        for (size_t i = 0; i <= cases[c].wrong; i++)
            assert_int_equal(ws_utf8_feed(&u, p + i, 1), i < cases[c].wrong);
        assert_false(ws_utf8_complete(&u));
        assert_false(ws_utf8_feed(&u, (const uint8_t *)"good", 4));
        assert_false(ws_utf8_complete(&u));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_short_sequence),
        cmocka_unit_test(borders_of_four),
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(ascii_inside_a_character),
        cmocka_unit_test(anywhere_in_a_long_text),
        cmocka_unit_test(fails_at_the_first_wrong_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
