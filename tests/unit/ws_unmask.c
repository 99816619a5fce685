/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Masking byte by byte is the definition; ws_unmask must equal it for every length, alignment and overlap, touch
 * nothing else, and hand on the mask so that pieces join.
 */
#include "unit.h"

#include "ws/frame.h"

#define ROOM 512

static const uint8_t key[4] = {0x12, 0xa5, 0xff, 0x80};

static uint32_t key_mask(void)
{
    uint32_t m;

    memcpy(&m, key, 4);
    return m;
}

static void check(size_t n, size_t from, size_t to)
{
    uint8_t buf[ROOM], want[ROOM];
    uint32_t after;
    uint8_t rotated[4];

    for (size_t i = 0; i < ROOM; i++)
        buf[i] = (uint8_t)(i * 37 + 11);
    memcpy(want, buf, ROOM);
    for (size_t i = 0; i < n; i++)
        want[to + i] = buf[from + i] ^ key[i % 4];
    after = ws_unmask(buf + to, buf + from, n, key_mask());
    /* bytes of the source that the destination does not cover stay as they were */
    if (memcmp(buf, want, ROOM) != 0)
        fail_msg("n %zu from %zu to %zu", n, from, to);
    memcpy(rotated, &after, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rotated[i], key[(n + i) % 4]);
}

static void every_length_alignment_and_slide(void **state)
{
    for (size_t n = 0; n <= 200; n++) {
        for (size_t from = 64; from < 64 + 16; from++) {
            for (size_t down = 0; down <= 24; down++)
                check(n, from, from - down);
            check(n, from, from - 63);
        }
        check(n, 256, 40);
        check(n, 10, 300); /* upwards without overlap */
    }
}

static void pieces_join(void **state)
{
    uint8_t buf[150], want[150];

    for (size_t i = 0; i < sizeof(buf); i++)
        want[i] = (uint8_t)i ^ key[i % 4];
    for (size_t a = 0; a <= sizeof(buf); a++) {
        for (size_t b = a; b <= sizeof(buf); b += 3) {
            uint32_t mask = key_mask();

            for (size_t i = 0; i < sizeof(buf); i++)
                buf[i] = (uint8_t)i;
            mask = ws_unmask(buf, buf, a, mask);
            mask = ws_unmask(buf + a, buf + a, b - a, mask);
            ws_unmask(buf + b, buf + b, sizeof(buf) - b, mask);
            assert_memory_equal(buf, want, sizeof(buf));
        }
    }
}

static void nothing_at_all(void **state)
{
    assert_int_equal(ws_unmask(NULL, NULL, 0, key_mask()), key_mask());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_alignment_and_slide),
        cmocka_unit_test(pieces_join),
        cmocka_unit_test(nothing_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
