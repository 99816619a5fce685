/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Sizes and durations: what is read, what is refused, and that what is printed reads back.
 */
#include "unit.h"

#include "config/schema.h"

struct size_case {
    const char *text;
    uint64_t bytes; /* UINT64_MAX: refused */
};

static const struct size_case sizes[] = {
    {"0B", 0},
    {"1B", 1},
    {"64KiB", 65536},
    {"64 KiB", 65536},
    {"16MiB", 16u << 20},
    {"1.5KiB", 1536},
    {"2GiB", 2ull << 30},
    {"1TiB", 1ull << 40},
    {"1kB", 1000},
    {"1KB", 1000},
    {"5MB", 5000000},
    {"1GB", 1000000000},
    {"1TB", 1000000000000},
    {"0.0001KiB", 0},
    {"", UINT64_MAX},
    {"64", UINT64_MAX},
    {"KiB", UINT64_MAX},
    {"64K", UINT64_MAX},
    {"64k", UINT64_MAX},
    {"64kib", UINT64_MAX},
    {"64  KiB", UINT64_MAX},
    {" 64KiB", UINT64_MAX},
    {"64KiB ", UINT64_MAX},
    {"-1KiB", UINT64_MAX},
    {"+1KiB", UINT64_MAX},
    {".5KiB", UINT64_MAX},
    {"1.KiB", UINT64_MAX},
    {"1.2.3KiB", UINT64_MAX},
    {"1e3KiB", UINT64_MAX},
    {"0x10KiB", UINT64_MAX},
    {"1KiB1B", UINT64_MAX},
    {"unlimited", UINT64_MAX},
    {"9999999999TiB", UINT64_MAX},
    {"99999999999999999999B", UINT64_MAX},
};

static void reads_sizes(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint64_t v = 77;
        const char *why = "unset";
        bool ok = cfg_parse_size(slice_of(sizes[i].text), &v, &why);
        if (ok != (sizes[i].bytes != UINT64_MAX))
            fail_msg("size \"%s\": %s", sizes[i].text, ok ? "taken" : "refused");
        if (ok) {
            assert_int_equal(v, sizes[i].bytes);
            assert_null(why);
        } else {
            assert_int_equal(v, 77);
            assert_non_null(why);
        }
    }
}

struct duration_case {
    const char *text;
    double seconds; /* negative: refused */
};

static const struct duration_case durations[] = {
    {"0s", 0},       {"500ms", 0.5},
    {"1ms", 0.001},  {"10s", 10},
    {"10 s", 10},    {"5m", 300},
    {"1h", 3600},    {"7d", 604800},
    {"1.5h", 5400},  {"0.1s", 0.1},
    {"1h30m", 5400}, {"1d1h1m1s1ms", 90061.001},
    {"7ms", 0.007},  {"36500d", 3153600000.0},
    {"", -1},        {"10", -1},
    {"s", -1},       {"10min", -1},
    {"10S", -1},     {"1x", -1},
    {"-1s", -1},     {" 1s", -1},
    {"1s ", -1},     {"30m1h", -1},
    {"1h1h", -1},    {"1h 30m", -1},
    {"0.5ms", -1},   {"1.5", -1},
    {"36501d", -1},  {"99999999999999999d", -1},
    {"off", -1},     {"unlimited", -1},
    {"1h30", -1},    {"1s.5s", -1},
};

static void reads_durations(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        double v = -7;
        const char *why = "unset";
        bool ok = cfg_parse_duration(slice_of(durations[i].text), &v, &why);
        if (ok != (durations[i].seconds >= 0))
            fail_msg("duration \"%s\": %s", durations[i].text, ok ? "taken" : "refused");
        if (ok)
            assert_true(v == durations[i].seconds);
        else
            assert_non_null(why);
    }
}

static void explains(void **state)
{
    uint64_t bytes;
    double seconds;
    const char *why;
    assert_false(cfg_parse_size(SLICE("64"), &bytes, &why));
    assert_non_null(strstr(why, "KiB"));
    assert_false(cfg_parse_size(SLICE("9999999TiB"), &bytes, &why));
    assert_non_null(strstr(why, "large"));
    assert_false(cfg_parse_duration(SLICE("5"), &seconds, &why));
    assert_non_null(strstr(why, "ms"));
    assert_false(cfg_parse_duration(SLICE("0.1ms"), &seconds, &why));
    assert_non_null(strstr(why, "milliseconds"));
    assert_false(cfg_parse_duration(SLICE("99999d"), &seconds, &why));
    assert_non_null(strstr(why, "unlimited"));
}

static const char *size_text(uint64_t v, char *mem, size_t cap)
{
    struct strbuf b;
    strbuf_init(&b, mem, cap);
    cfg_print_size(v, &b);
    return mem;
}

static const char *duration_text(double v, char *mem, size_t cap)
{
    struct strbuf b;
    strbuf_init(&b, mem, cap);
    cfg_print_duration(v, &b);
    return mem;
}

static void prints(void **state)
{
    char mem[64];
    assert_string_equal(size_text(0, mem, sizeof(mem)), "0B");
    assert_string_equal(size_text(1000, mem, sizeof(mem)), "1KB");
    assert_string_equal(size_text(65536, mem, sizeof(mem)), "64KiB");
    assert_string_equal(size_text(65537, mem, sizeof(mem)), "65537B");
    assert_string_equal(size_text(1ull << 40, mem, sizeof(mem)), "1TiB");
    assert_string_equal(size_text(CFG_UNLIMITED_N, mem, sizeof(mem)), "unlimited");
    assert_string_equal(duration_text(0, mem, sizeof(mem)), "0s");
    assert_string_equal(duration_text(90, mem, sizeof(mem)), "90s");
    assert_string_equal(duration_text(3600, mem, sizeof(mem)), "1h");
    assert_string_equal(duration_text(86400, mem, sizeof(mem)), "1d");
    assert_string_equal(duration_text(0.25, mem, sizeof(mem)), "250ms");
    assert_string_equal(duration_text(CFG_UNLIMITED, mem, sizeof(mem)), "unlimited");
}

static void reads_back_what_it_prints(void **state)
{
    char mem[64];
    const char *why;
    for (uint64_t v = 1; v < UINT64_MAX / 6; v = v * 3 + v % 1000) {
        uint64_t again = 0;
        if (v > 999999999999999 && v % 1024) /* more digits than a size may have */
            continue;
        assert_true(cfg_parse_size(slice_of(size_text(v, mem, sizeof(mem))), &again, &why));
        assert_int_equal(again, v);
    }
    for (uint64_t ms = 1; ms < 3000000000000; ms = ms * 2 + ms % 7) {
        double again = 0;
        assert_true(cfg_parse_duration(slice_of(duration_text((double)ms / 1000, mem, sizeof(mem))), &again, &why));
        assert_true(again == (double)ms / 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_sizes), cmocka_unit_test(reads_durations),           cmocka_unit_test(explains),
        cmocka_unit_test(prints),      cmocka_unit_test(reads_back_what_it_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
