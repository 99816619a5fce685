/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * UTF-8 as an automaton of nine states over the byte ranges of RFC 3629, section 4. Text that is mostly ASCII is
 * skipped 32 bytes at a time; the rest goes through the automaton, whose whole transition row of one byte is packed
 * into 64 bits: a state is a shift distance, and the next state is what lies at that distance. So a step is a load that
 * does not depend on the step before, and one shift: no branch to mispredict, whatever the language of the text.
 */
#include "ws/utf8.h"

/* States, as shift distances. FAIL is absorbing, because no row has anything at distance 0. */
enum {
    FAIL = 0,
    ACCEPT = 6, /* between characters */
    NEED1 = 12, /* one continuation byte, 80..BF; NEED2 and NEED3: two and three of them */
    NEED2 = 18,
    NEED3 = 24,
    AFTER_E0 = 30, /* A0..BF, then one: below are overlong forms */
    AFTER_ED = 36, /* 80..9F, then one: above are surrogates */
    AFTER_F0 = 42, /* 90..BF, then two: below are overlong forms */
    AFTER_F4 = 48, /* 80..8F, then two: above is beyond U+10FFFF */
};

#define STEP(from, to) ((uint64_t)(to) << (from))
#define TAIL (STEP(NEED1, ACCEPT) | STEP(NEED2, NEED1) | STEP(NEED3, NEED2))

/* C0, C1 and F5 to FF have no row: they are in no text. */
static const uint64_t rows[256] = {
    [0x00 ... 0x7f] = STEP(ACCEPT, ACCEPT),
    [0x80 ... 0x8f] = TAIL | STEP(AFTER_ED, NEED1) | STEP(AFTER_F4, NEED2),
    [0x90 ... 0x9f] = TAIL | STEP(AFTER_ED, NEED1) | STEP(AFTER_F0, NEED2),
    [0xa0 ... 0xbf] = TAIL | STEP(AFTER_E0, NEED1) | STEP(AFTER_F0, NEED2),
    [0xc2 ... 0xdf] = STEP(ACCEPT, NEED1),
    [0xe0] = STEP(ACCEPT, AFTER_E0),
    [0xe1 ... 0xec] = STEP(ACCEPT, NEED2),
    [0xed] = STEP(ACCEPT, AFTER_ED),
    [0xee ... 0xef] = STEP(ACCEPT, NEED2),
    [0xf0] = STEP(ACCEPT, AFTER_F0),
    [0xf1 ... 0xf3] = STEP(ACCEPT, NEED3),
    [0xf4] = STEP(ACCEPT, AFTER_F4),
};

#define BLOCK 32

static inline bool block_is_ascii(const uint8_t *p)
{
    uint64_t w[BLOCK / 8];

    memcpy(w, p, BLOCK);
    return ((w[0] | w[1] | w[2] | w[3]) & 0x8080808080808080u) == 0;
}

/* The upper bits of the result are rubbish: a shift looks at the low six only. */
static inline uint64_t run(uint64_t state, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        state = rows[p[i]] >> (state & 63);
    return state;
}

void ws_utf8_init(struct ws_utf8 *u)
{
    u->state = ACCEPT;
}

bool ws_utf8_feed(struct ws_utf8 *u, const uint8_t *p, size_t n)
{
    uint64_t state = u->state;

    for (; n >= BLOCK; p += BLOCK, n -= BLOCK) {
        if ((state & 63) == ACCEPT && block_is_ascii(p))
            continue;
        state = run(state, p, BLOCK);
        if ((state & 63) == FAIL)
            break;
    }
    if ((state & 63) != FAIL)
        state = run(state, p, n);
    u->state = state & 63;
    return u->state != FAIL;
}

bool ws_utf8_complete(const struct ws_utf8 *u)
{
    return u->state == ACCEPT;
}
