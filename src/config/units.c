/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Sizes and durations: a number with a unit, and back. Pure; independent of the locale.
 *
 * What the printers write, the parsers read to the same value: bytes and milliseconds are whole numbers all the way,
 * and a duration becomes a double only at the end.
 */
#include "config/schema.h"

#define DIGITS_MAX 15
#define DURATION_MAX_MS (100ull * 365 * 86400 * 1000)

static const char size_units[] =
    "a size is a number with a unit: B, KiB, MiB, GiB, TiB (or KB, MB, GB, TB by thousands)";
static const char size_large[] = "this size is too large";
static const char duration_units[] = "a duration is a number with a unit: ms, s, m, h, d";
static const char duration_fine[] = "a duration is counted in whole milliseconds";
static const char duration_large[] = "a duration is at most 100 years; where it may, write \"unlimited\"";

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit sizes[] = {
    {"B", 1},        {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30},   {"TiB", 1ull << 40},
    {"KB", 1000ull}, {"kB", 1000ull},     {"MB", 1000000ull},  {"GB", 1000000000ull}, {"TB", 1000000000000ull},
};

/* In milliseconds. */
static const struct unit times[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

/* A decimal number: digits / 10^places. */
struct number {
    uint64_t digits;
    uint64_t divisor;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes a number from the front of `s`: "12" or "1.5". */
static bool take_number(struct slice *s, struct number *out)
{
    size_t i = 0, seen = 0;
    bool point = false;
    *out = (struct number){0, 1};
    for (; i < s->n && (is_digit(s->p[i]) || (s->p[i] == '.' && !point)); i++) {
        if (s->p[i] == '.') {
            point = true;
            continue;
        }
        if (++seen > DIGITS_MAX)
            return false;
        out->digits = out->digits * 10 + (uint64_t)(s->p[i] - '0');
        out->divisor *= point ? 10 : 1;
    }
    if (!i || !is_digit(s->p[0]) || !is_digit(s->p[i - 1]))
        return false;
    s->p += i;
    s->n -= i;
    return true;
}

static void take_space(struct slice *s)
{
    if (s->n && s->p[0] == ' ') {
        s->p++;
        s->n--;
    }
}

/* Takes the unit name, letters only, from the front of `s`. */
static const struct unit *take_unit(struct slice *s, const struct unit *units, size_t n_units)
{
    size_t n = 0;
    while (n < s->n && ((s->p[n] >= 'A' && s->p[n] <= 'Z') || (s->p[n] >= 'a' && s->p[n] <= 'z')))
        n++;
    for (size_t i = 0; i < n_units; i++) {
        if (slice_eq((struct slice){s->p, n}, slice_of(units[i].name))) {
            s->p += n;
            s->n -= n;
            return &units[i];
        }
    }
    return NULL;
}

bool cfg_parse_size(struct slice s, uint64_t *bytes, const char **why)
{
    struct number number;
    *why = size_units;
    if (!take_number(&s, &number))
        return false;
    take_space(&s);
    const struct unit *u = take_unit(&s, sizes, ARRAY_LEN(sizes));
    if (!u || s.n)
        return false;

    unsigned __int128 v = (unsigned __int128)number.digits * u->factor / number.divisor;
    if (v > UINT64_MAX / 2) { /* room for sums, and clear of CFG_UNLIMITED_N */
        *why = size_large;
        return false;
    }
    *bytes = (uint64_t)v;
    *why = NULL;
    return true;
}

/* "90s", "1.5h", and sums from large to small: "1h30m". */
bool cfg_parse_duration(struct slice s, double *seconds, const char **why)
{
    unsigned __int128 sum = 0;
    uint64_t last = UINT64_MAX;
    *why = duration_units;
    do {
        struct number number;
        if (!take_number(&s, &number))
            return false;
        if (last == UINT64_MAX)
            take_space(&s);
        const struct unit *u = take_unit(&s, times, ARRAY_LEN(times));
        if (!u || u->factor >= last)
            return false;
        last = u->factor;
        unsigned __int128 part = (unsigned __int128)number.digits * u->factor;
        if (part % number.divisor) {
            *why = duration_fine;
            return false;
        }
        sum += part / number.divisor;
    } while (s.n);

    if (sum > DURATION_MAX_MS) {
        *why = duration_large;
        return false;
    }
    *seconds = (double)(uint64_t)sum / 1000.0;
    *why = NULL;
    return true;
}

void cfg_print_size(uint64_t bytes, struct strbuf *out)
{
    if (bytes == CFG_UNLIMITED_N) {
        strbuf_str(out, "unlimited");
        return;
    }
    const struct unit *best = &sizes[0];
    for (size_t i = 1; i < ARRAY_LEN(sizes) && bytes; i++)
        if (bytes % sizes[i].factor == 0 && sizes[i].factor > best->factor)
            best = &sizes[i];
    strbuf_printf(out, "%llu%s", (unsigned long long)(bytes / best->factor), best->name);
}

void cfg_print_duration(double seconds, struct strbuf *out)
{
    if (isinf(seconds)) {
        strbuf_str(out, "unlimited");
        return;
    }
    uint64_t ms = (uint64_t)llrint(seconds * 1000.0);
    for (size_t i = 0; i < ARRAY_LEN(times) && ms; i++) {
        if (ms % times[i].factor == 0) {
            strbuf_printf(out, "%llu%s", (unsigned long long)(ms / times[i].factor), times[i].name);
            return;
        }
    }
    strbuf_str(out, "0s");
}
