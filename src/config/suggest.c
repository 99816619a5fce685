/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * "did you mean": the nearest of some words by the count of letters that were left out, added, changed or swapped.
 * Words beyond 63 bytes are not compared, so the work for one word is bounded.
 */
#include "config/tree.h"

#define WORD_MAX 63

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    return MIN_OF(MIN_OF(a, b), c);
}

/* Optimal string alignment distance, letter case ignored; `limit` + 1 when it is more than that. */
static unsigned distance(struct slice a, struct slice b, unsigned limit)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    size_t gap = a.n > b.n ? a.n - b.n : b.n - a.n;
    if (a.n > WORD_MAX || b.n > WORD_MAX || gap > limit)
        return limit + 1;

    for (unsigned j = 0; j <= b.n; j++)
        above[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            bool same = (a.p[i - 1] | 0x20) == (b.p[j - 1] | 0x20);
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                row[j] = MIN_OF(row[j], before[j - 2] + 1);
        }
        unsigned *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b.n];
}

ptrdiff_t cfg_nearest(const struct cfg_load *l, const char *given, const char *const *candidates, size_t n)
{
    struct slice word = slice_of(given);
    unsigned best = (unsigned)MIN_OF(MAX_OF((word.n + 1) / 3, (size_t)1), (size_t)4);
    ptrdiff_t found = -1;

    /* Ten thousand wrong names against ten thousand right ones would take minutes, for hints that nobody sees. */
    if (l->errors.total > CFG_HINTS_MAX)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct slice c = slice_of(candidates[i]);
        unsigned d = distance(word, c, best);
        /* A word that is changed in every letter is another word. */
        if (d <= best && d < MAX_OF(word.n, c.n) && (found < 0 || d < best)) {
            best = d;
            found = (ptrdiff_t)i;
        }
    }
    return found;
}

const char *cfg_suggest(struct cfg_load *l, const char *given, const char *const *candidates, size_t n)
{
    ptrdiff_t i = cfg_nearest(l, given, candidates, n);
    return i < 0 ? NULL : arena_printf(l->arena, "did you mean \"%s\"?", candidates[i]);
}
