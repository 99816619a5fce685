/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Slices, the string builder and base64.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/random.h"
#include "base/strbuf.h"

static const struct slice none = {NULL, 0};

static void slices_compare(void **state)
{
    assert_true(slice_eq(none, SLICE("")));
    assert_true(slice_eq(SLICE("a"), SLICE("a")));
    assert_false(slice_eq(SLICE("a"), SLICE("A")));
    assert_false(slice_eq(SLICE("a"), SLICE("ab")));
    assert_true(slice_eq_nocase(none, none));
    assert_true(slice_eq_nocase(SLICE("Sec-WebSocket"), SLICE("sec-websocKET")));
    /* Letters only: '@' and '`', '[' and '{' differ by the same bit. */
    assert_false(slice_eq_nocase(SLICE("@["), SLICE("`{")));
    assert_false(slice_eq_nocase(SLICE("\xc4"), SLICE("\xe4")));
    assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
    assert_true(slice_starts(SLICE("abc"), none));
    assert_true(slice_starts(none, none));
    assert_false(slice_starts(SLICE("a"), SLICE("ab")));
    assert_true(slice_ends_nocase(SLICE("a.Example.ORG"), SLICE(".example.org")));
    assert_false(slice_ends_nocase(SLICE("org"), SLICE(".org")));
    assert_true(slice_ends_nocase(none, none));
}

static void slices_are_trimmed_and_cut(void **state)
{
    assert_true(slice_eq(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
    assert_true(slice_eq(slice_trim(SLICE("\r\na\v")), SLICE("\r\na\v")));
    assert_int_equal(slice_trim(SLICE("  \t")).n, 0);
    assert_int_equal(slice_trim(none).n, 0);
    assert_int_equal(slice_find(SLICE("abca"), 'a'), 0);
    assert_int_equal(slice_find(SLICE("abc"), 'c'), 2);
    assert_int_equal(slice_find(SLICE("abc"), 'd'), -1);
    assert_int_equal(slice_find(none, 'd'), -1);

    static const char *const want[] = {"a", "b", "", NULL};
    struct slice rest = SLICE("a,b,"), piece;
    for (size_t i = 0; want[i]; i++) {
        assert_true(slice_cut(&rest, ',', &piece));
        assert_true(slice_eq(piece, slice_of(want[i])));
    }
    assert_false(slice_cut(&rest, ',', &piece));
    assert_null(rest.p);
    rest = SLICE("");
    assert_true(slice_cut(&rest, ',', &piece));
    assert_int_equal(piece.n, 0);
    assert_false(slice_cut(&rest, ',', &piece));
}

static void numbers_are_read_strictly(void **state)
{
    uint64_t n;
    assert_true(slice_to_u64(SLICE("0"), 0, &n) && n == 0);
    assert_true(slice_to_u64(SLICE("18446744073709551615"), UINT64_MAX, &n) && n == UINT64_MAX);
    assert_true(slice_to_u64(SLICE("0065535"), 65535, &n) && n == 65535);
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1a",
                                      "0x1",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      "18446744073709551620"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        n = 7;
        assert_false(slice_to_u64(slice_of(bad[i]), UINT64_MAX, &n));
        assert_int_equal(n, 7);
    }
    assert_false(slice_to_u64(SLICE("65536"), 65535, &n));
    assert_false(slice_to_u64(none, 65535, &n));
}

static void strbuf_never_grows_past_its_memory(void **state)
{
    for (size_t cap = 0; cap < 12; cap++) {
        char *mem = malloc(cap > 0 ? cap : 1); /* exactly cap: the sanitizer sees the byte behind it */
        struct strbuf b;
        strbuf_init(&b, cap > 0 ? mem : NULL, cap);
        strbuf_str(&b, "abc");
        strbuf_char(&b, '-');
        strbuf_printf(&b, "%d%s", 12, "xy");
        strbuf_put(&b, none);
        static const char full[] = "abc-12xy";
        size_t fit = cap > sizeof(full) - 1 ? sizeof(full) - 1 : (cap > 0 ? cap - 1 : 0);
        assert_int_equal(b.n, fit);
        assert_int_equal(b.cut, fit < sizeof(full) - 1);
        if (cap > 0) {
            assert_memory_equal(mem, full, fit);
            assert_int_equal(mem[fit], 0);
        }
        assert_true(slice_eq(strbuf_slice(&b), (struct slice){full, fit}));
        free(mem);
    }
}

static void strbuf_leaves_no_hole(void **state)
{
    char mem[6];
    struct strbuf b;
    strbuf_init(&b, mem, sizeof(mem));
    strbuf_str(&b, "ab");
    strbuf_str(&b, "cdefgh");
    assert_true(b.cut);
    b.n = 2; /* as if there were room again: what follows a cut is still dropped */
    mem[2] = '\0';
    strbuf_str(&b, "z");
    strbuf_char(&b, 'z');
    strbuf_printf(&b, "z");
    assert_string_equal(mem, "ab");
}

static void base64_both_ways(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xfb\xff\xbf", "+/+/"}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        char text[16];
        uint8_t back[16];
        size_t n = strlen(pairs[i][0]), got;
        base64_encode((const uint8_t *)pairs[i][0], n, text);
        assert_int_equal(BASE64_LEN(n), strlen(pairs[i][1]));
        assert_memory_equal(text, pairs[i][1], BASE64_LEN(n));
        assert_true(base64_decode(slice_of(pairs[i][1]), back, n, &got));
        assert_int_equal(got, n);
        assert_memory_equal(back, pairs[i][0], n);
        if (n > 0)
            assert_false(base64_decode(slice_of(pairs[i][1]), back, n - 1, &got));
    }
    for (size_t n = 0; n < 300; n++) {
        uint8_t in[300], back[300];
        char text[BASE64_LEN(300)];
        size_t got;
        random_bytes(in, n);
        base64_encode(in, n, text);
        assert_true(base64_decode((struct slice){text, BASE64_LEN(n)}, back, sizeof(back), &got));
        assert_int_equal(got, n);
        assert_memory_equal(in, back, n);
    }
}

static void base64_has_one_spelling(void **state)
{
    static const char *const bad[] = {"Z",     "Zg",       "Zg=",      "Zh==", "Zm9=",   "Z===",
                                      "====",  "=Zg=",     "Zg==Zg==", "Zm-v", "Zm_v",   "Zm9v\n",
                                      "Zm 9v", "Zm9v    ", "Z=9v",     "Zm=v", "\xffm9v"};
    uint8_t out[16];
    size_t got;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(base64_decode(slice_of(bad[i]), out, sizeof(out), &got));
    assert_false(base64_decode((struct slice){"Zm\0v", 4}, out, sizeof(out), &got));
    assert_true(base64_decode(none, out, sizeof(out), &got) && got == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare),
        cmocka_unit_test(slices_are_trimmed_and_cut),
        cmocka_unit_test(numbers_are_read_strictly),
        cmocka_unit_test(strbuf_never_grows_past_its_memory),
        cmocka_unit_test(strbuf_leaves_no_hole),
        cmocka_unit_test(base64_both_ways),
        cmocka_unit_test(base64_has_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
