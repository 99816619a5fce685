/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The limits of the log, with a clock of the test's own.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "obs/rate.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

static struct rate rate;

static int fresh(void **state)
{
    memset(&rate, 0, sizeof(rate));
    return 0;
}

static unsigned allowed(const char *event, uint8_t level, uint64_t now, unsigned tries)
{
    unsigned n = 0;
    for (unsigned i = 0; i < tries; i++)
        n += rate_allow(&rate, event, level, now);
    return n;
}

static void a_burst_then_a_steady_rate(void **state)
{
    uint64_t now = 5 * SECOND;
    assert_int_equal(allowed("x", 1, now, 1000), RATE_BURST);
    assert_int_equal(allowed("x", 2, now, 1000), RATE_BURST); /* another level, another count */
    assert_int_equal(allowed("y", 1, now, 5), 5);
    assert_int_equal(allowed("x", 1, now + 99 * MS, 10), 0);
    assert_int_equal(allowed("x", 1, now + 100 * MS, 10), 1);
    assert_int_equal(allowed("x", 1, now + 1100 * MS, 1000), RATE_PER_SECOND);
    assert_int_equal(allowed("x", 1, now + 60 * SECOND, 1000), RATE_BURST);
    /* The clock's first moments are no special case. */
    fresh(state);
    assert_int_equal(allowed("x", 1, 0, 1000), RATE_BURST);
}

static void dropped_lines_are_told_once(void **state)
{
    struct rate_report r;
    uint64_t now = SECOND;
    assert_false(rate_report(&rate, now, true, &r));
    allowed("x", 1, now, RATE_BURST + 5);
    assert_false(rate_report(&rate, now + 999 * MS, false, &r));
    allowed("x", 1, now + 50 * MS, 2);
    assert_true(rate_report(&rate, now + SECOND, false, &r));
    assert_int_equal(r.dropped, 7);
    assert_int_equal(r.level, 1);
    assert_string_equal(r.event, "x");
    assert_false(rate_report(&rate, now + SECOND, false, &r));
    allowed("x", 1, now + SECOND, RATE_PER_SECOND + 1);
    assert_false(rate_report(&rate, now + SECOND, false, &r)); /* a new second for the new count */
    allowed("y", 0, now + SECOND, RATE_BURST + 1);
    assert_true(rate_report(&rate, now + SECOND, true, &r)); /* at the end all come out */
    assert_true(rate_report(&rate, now + SECOND, true, &r));
    assert_false(rate_report(&rate, now + SECOND, true, &r));
}

static void more_events_than_slots(void **state)
{
    char event[32];
    for (unsigned i = 0; i < RATE_SLOTS; i++) {
        snprintf(event, sizeof(event), "event_%u", i);
        assert_int_equal(allowed(event, 0, SECOND, RATE_BURST + 1), RATE_BURST);
    }
    assert_int_equal(allowed("one_more", 0, SECOND, 100), 100);
    /* Slots with counts not yet told are kept; told and rested ones are used again. */
    assert_int_equal(allowed("one_more", 0, 60 * SECOND, 100), 100);
    struct rate_report r;
    assert_true(rate_report(&rate, 60 * SECOND, false, &r));
    assert_string_equal(r.event, "event_0");
    assert_int_equal(allowed("one_more", 0, 60 * SECOND, 100), RATE_BURST);
    unsigned told = 0;
    while (rate_report(&rate, 60 * SECOND, true, &r))
        told++;
    assert_int_equal(told, RATE_SLOTS); /* 63 old ones, and one_more */
    static const char very_long[] = "an_event_name_that_is_longer_than_what_a_slot_keeps_of_it";
    assert_int_equal(allowed(very_long, 0, 90 * SECOND, 100), RATE_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_burst_then_a_steady_rate, fresh),
        cmocka_unit_test_setup(dropped_lines_are_told_once, fresh),
        cmocka_unit_test_setup(more_events_than_slots, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
