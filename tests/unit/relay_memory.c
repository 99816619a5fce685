/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Memory that runs out, at the n-th allocation, for every n: the session is refused or ended with a Close that says so,
 * nothing is lost twice, leaked or waited for. malloc and calloc are replaced at link time (tests.mk).
 */
#include <stdlib.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

/* What the test itself needs does not fail. */
#define malloc __real_malloc
#define calloc __real_calloc

#include "relay_rig.h"

static int left = -1; /* allocations until one fails; -1: none fails */
static bool failed;
static bool for_ever; /* and all that follow */

static bool fails(void)
{
    if (left < 0)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    failed = true;
    if (!for_ever)
        left = -1;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

static void arm(int n, bool all)
{
    left = n;
    failed = false;
    for_ever = all;
}

static bool disarm(void)
{
    bool did = failed;

    arm(-1, false);
    return did;
}

/* A session from beginning to end, with everything that allocates in it. */
static void live(struct rig *r, int n, bool all)
{
    char much[6000];

    memset(much, 'm', sizeof much);
    arm(n, all);
    rig_open(r);
    if (rig_over(r))
        return;
    mem_stream_feed(&r->back, "down", 4);
    rig_say(r, "up");
    rig_send(r, WS_PING, true, "p", 1);
    rig_turn(r, 4);
    rig_send(r, WS_BINARY, true, much, sizeof much);
    mem_stream_feed(&r->back, much, sizeof much);
    rig_turn(r, 4);
    if (!r->front.freed)
        rig_send_close(r, 1000);
    rig_turn(r, 4);
    if (!r->front.freed)
        mem_stream_finish(&r->front, 0);
    if (!r->back.freed)
        mem_stream_finish(&r->back, 0);
    rig_turn(r, 8);
}

static void run(enum target_kind kind, bool all)
{
    bool did = true;

    for (int n = 0; did; n++) {
        struct rig *r = rig_new();

        pool_free(r->env.pool);
        r->env.pool = pool_new(0); /* keeps nothing: each buffer is an allocation */
        r->service.to.kind = kind;
        live(r, n, all);
        did = disarm();
        assert_true(n < 100);
        if (!rig_over(r))
            fail_msg("allocation %d failed and the session did not end", n);
        if (r->f.status == 101) {
            rig_story(r); /* well-formed as far as it goes */
            rig_close(r);
        } else {
            assert_int_equal(r->f.status, 503);
            assert_false(r->back_given);
            rig_refused(r, 503);
        }
    }
}

static void any_one_allocation(void **state)
{
    run(TARGET_ADDR, false);
    run(TARGET_ECHO, false);
    run(TARGET_DISCARD, false);
}

static void any_and_all_that_follow(void **state)
{
    run(TARGET_ADDR, true);
    run(TARGET_ECHO, true);
    run(TARGET_DISCARD, true);
}

/* With no buffer to read into, the client is told. */
static void no_buffer_is_told(void **state)
{
    for (int up = 0; up < 2; up++) {
        struct rig *r = rig_new();

        pool_free(r->env.pool);
        r->env.pool = pool_new(0);
        rig_open(r);
        rig_settle(r);
        if (up)
            rig_say(r, "x");
        else
            mem_stream_feed(&r->back, "x", 1);
        arm(0, false);
        rig_settle(r);
        assert_true(disarm());
        ASSERT_STORY(r, "101 CLOSE(1013 out of memory)");
        rig_send_close(r, 1013);
        mem_stream_finish(&r->front, 0);
        mem_stream_finish(&r->back, 0);
        rig_settle(r);
        ASSERT_RECORD(r, "code", "1013");
        ASSERT_RECORD(r, "closed_by", "wsbridge");
        rig_close(r);
    }
}

/* Not even for the Close: the client is cut off, which tells it as well. */
static void no_memory_for_the_close(void **state)
{
    struct rig *r = rig_new();

    rig_open(r);
    rig_settle(r);
    arm(0, true);
    session_drain_all(&r->env, "going away");
    assert_true(disarm());
    mem_stream_finish(&r->front, 0);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_one_allocation),
        cmocka_unit_test(any_and_all_that_follow),
        cmocka_unit_test(no_buffer_is_told),
        cmocka_unit_test(no_memory_for_the_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
