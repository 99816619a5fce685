/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Every deadline of a session, on a real loop with short times: what it counts from, what puts it off, what it says.
 * Deadlines that do not matter to a test are unlimited, so nothing but the one under test can end the session.
 */
#include "relay_rig.h"

#define SHORT 0.05
#define TOLERANCE 0.002

#define BACK_SAYS(r, text) mem_stream_feed(&(r)->back, text, strlen(text))

static double now(struct rig *r)
{
    return loop_now(r->b.loop);
}

static void wait_seconds(struct rig *r, double seconds)
{
    bench_run(&r->b, seconds);
}

static bool said(struct rig *r, const char *what)
{
    return strstr(rig_story(r), what) != NULL;
}

static void end_by_both(struct rig *r)
{
    mem_stream_finish(&r->front, 0);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    rig_close(r);
}

/* --- open ----------------------------------------------------------------------------------------------------------
 */

static void unlimited_sets_no_timer(void **state)
{
    struct rig *r = rig_open_new();

    assert_false(timer_is_set(&rig_session(r)->timer));
    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "x");
    rig_settle(r);
    assert_false(timer_is_set(&rig_session(r)->timer));
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    end_by_both(r);
}

static void idle_ends_with_1001(void **state)
{
    struct rig *r = rig_new();
    double moved;

    r->route.timeouts.idle = SHORT;
    rig_open(r);
    for (int i = 0; i < 6; i++) { /* data either way puts it off */
        wait_seconds(r, SHORT / 2);
        assert_false(said(r, "CLOSE"));
        if (i & 1)
            rig_say(r, "x");
        else
            BACK_SAYS(r, "y");
        rig_settle(r);
    }
    moved = now(r);
    WAIT_FOR(&r->b, said(r, "CLOSE(1001 idle for too long)"));
    assert_true(now(r) >= moved + SHORT - TOLERANCE);
    rig_send_close(r, 1001);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    ASSERT_RECORD(r, "closed_by", "wsbridge");
    ASSERT_RECORD(r, "code", "1001");
    rig_close(r);
}

static void pings_are_no_activity(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.idle = SHORT;
    rig_open(r);
    for (int i = 0; i < 100 && !said(r, "CLOSE"); i++) {
        rig_send(r, WS_PING, true, "", 0);
        wait_seconds(r, SHORT / 10);
    }
    assert_true(said(r, "CLOSE(1001 idle for too long)"));
    end_by_both(r);
}

static void lifetime_ends_with_1008(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.lifetime = 2 * SHORT;
    rig_open(r);
    for (int i = 0; i < 200 && !said(r, "CLOSE"); i++) { /* activity does not help */
        rig_say(r, "x");
        wait_seconds(r, SHORT / 10);
    }
    assert_true(said(r, "CLOSE(1008 lifetime is over)"));
    end_by_both(r);
}

/* What waits for the client is no reason to let it stay longer. */
static void lifetime_of_a_client_that_does_not_read(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.lifetime = SHORT;
    r->route.timeouts.close = SHORT;
    rig_open(r);
    mem_stream_stall(&r->front, true);
    mem_stream_feed(&r->back, "never read", 10);
    for (int i = 0; i < 100 && !r->front.freed; i++)
        wait_seconds(r, SHORT / 10);
    assert_true(r->front.freed);
    assert_int_equal(r->front.end, STREAM_END_ABORT);
    ASSERT_RECORD(r, "code", "1008");
    ASSERT_RECORD(r, "reason", "lifetime is over");
    rig_close(r);
}

/* --- ping and pong -------------------------------------------------------------------------------------------------
 */

static void silence_is_asked_and_an_answer_is_life(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.ping = SHORT;
    r->route.timeouts.pong = SHORT;
    rig_open(r);
    for (int i = 0; i < 3; i++) {
        unsigned had = 0;
        for (const char *p = rig_story(r); (p = strstr(p, "PING")); p++)
            had++;
        assert_int_equal(had, i);
        WAIT_FOR(&r->b, strlen(rig_story(r)) == 3 + ((size_t)i + 1) * 7);
        if (i == 1)
            rig_say(r, "any byte counts");
        else
            rig_send(r, WS_PONG, true, "", 0);
        rig_settle(r);
    }
    ASSERT_STORY(r, "101 PING() PING() PING()");
    end_by_both(r);
}

static void no_ping_while_the_client_speaks(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.ping = SHORT;
    rig_open(r);
    for (int i = 0; i < 30; i++) {
        rig_say(r, "x");
        wait_seconds(r, SHORT / 10);
    }
    assert_false(said(r, "PING"));
    end_by_both(r);
}

static void no_answer_ends_with_1001(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.ping = SHORT;
    r->route.timeouts.pong = SHORT;
    rig_open(r);
    WAIT_FOR(&r->b, said(r, "CLOSE(1001 no answer to a ping)"));
    ASSERT_STORY(r, "101 PING() CLOSE(1001 no answer to a ping)");
    end_by_both(r);
}

/* A client that takes what we send is no dead one; when it takes no more, that is a stall. */
static void bytes_taken_are_life(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.ping = SHORT;
    r->route.timeouts.pong = 2 * SHORT;
    rig_open(r);
    for (int i = 0; i < 40; i++) {
        BACK_SAYS(r, "x");
        wait_seconds(r, SHORT / 5);
    }
    assert_true(said(r, "PING()"));
    assert_false(said(r, "CLOSE"));
    end_by_both(r);
}

/* The answer may wait behind data that we do not read because the backend does not take them. */
static void pong_clock_stops_while_reads_are_paused(void **state)
{
    struct rig *r = rig_new();
    char *much = calloc(1, 50000);

    r->route.limits.buffer = 4096;
    r->route.timeouts.ping = SHORT;
    r->route.timeouts.pong = SHORT;
    rig_open(r);
    rig_settle(r);
    mem_stream_stall(&r->back, true);
    rig_send(r, WS_BINARY, true, much, 50000);
    rig_send(r, WS_PONG, true, "", 0);
    WAIT_FOR(&r->b, said(r, "PING()"));
    wait_seconds(r, 4 * SHORT);
    assert_false(said(r, "CLOSE"));
    mem_stream_stall(&r->back, false);
    rig_settle(r);
    assert_int_equal(r->back.out.n, 50000);
    assert_false(rig_session(r)->ping_waiting);
    free(much);
    end_by_both(r);
}

/* Nor has a client answered whose ping we could not write. */
static void pong_clock_stops_while_the_client_does_not_read(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.ping = SHORT;
    r->route.timeouts.pong = SHORT;
    rig_open(r);
    rig_settle(r);
    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "x");
    wait_seconds(r, 5 * SHORT);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(x) PING()");
    rig_send(r, WS_PONG, true, "", 0);
    rig_settle(r);
    end_by_both(r);
}

/* A ping that finds the slot taken by a pong is not sent, so nobody owes us an answer to it. */
static void ping_that_was_not_sent_is_not_waited_for(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.ping = SHORT;
    r->route.timeouts.pong = SHORT;
    rig_open(r);
    rig_settle(r);
    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "x");
    rig_send(r, WS_PING, true, "p", 1);
    wait_seconds(r, 3 * SHORT);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 PONG(p) B(x)");
    WAIT_FOR(&r->b, strlen(rig_story(r)) > 16);
    ASSERT_STORY(r, "101 PONG(p) B(x) PING()");
    end_by_both(r);
}

/* --- stalls --------------------------------------------------------------------------------------------------------
 */

static void client_that_does_not_read_is_cut_off(void **state)
{
    struct rig *r = rig_new();
    double began;

    r->route.timeouts.write_stall = SHORT;
    rig_open(r);
    rig_settle(r);
    wait_seconds(r, 2 * SHORT); /* with nothing to take, taking nothing is no stall */
    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "x");
    rig_settle(r);
    began = now(r);
    WAIT_FOR(&r->b, rig_over(r));
    assert_true(now(r) >= began + SHORT - TOLERANCE);
    assert_int_equal(r->front.end, STREAM_END_ABORT);
    assert_int_equal(r->back.end, STREAM_END_ABORT);
    ASSERT_RECORD(r, "code", "1008");
    ASSERT_RECORD(r, "closed_by", "wsbridge");
    ASSERT_RECORD(r, "reason", "client does not read");
    rig_close(r);
}

static void client_that_reads_slowly_is_not(void **state)
{
    struct rig *r = rig_new();
    static const struct mem_step byte[] = {{MEM_BYTES, 1}};

    r->route.timeouts.write_stall = SHORT;
    rig_open(r);
    rig_settle(r);
    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "0123456789");
    for (unsigned i = 0; i < 8; i++) {
        r->front.writes = (struct mem_script){.steps = byte, .n = 1};
        r->front.stall_after = 1;
        mem_stream_stall(&r->front, false);
        wait_seconds(r, SHORT / 2);
        assert_int_equal(r->front.out.n, 4 + i + 1);
        assert_false(rig_over(r));
    }
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(0123456789)");
    end_by_both(r);
}

static void backend_that_does_not_read_is_1011(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.write_stall = SHORT;
    rig_open(r);
    rig_settle(r);
    mem_stream_stall(&r->back, true);
    rig_say(r, "x");
    WAIT_FOR(&r->b, r->back.freed);
    rig_settle(r);
    assert_int_equal(r->back.end, STREAM_END_ABORT);
    ASSERT_STORY(r, "101 CLOSE(1011 backend does not read)");
    rig_send_close(r, 1011);
    rig_settle(r);
    ASSERT_RECORD(r, "closed_by", "backend");
    rig_close(r);
}

/* The client has left, its last bytes and the FIN have not: that wait has an end, too. */
static void backend_that_takes_no_last_bytes(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.write_stall = SHORT;
    rig_open(r);
    rig_settle(r);
    mem_stream_stall(&r->back, true);
    rig_say(r, "x");
    rig_send_close(r, 1000);
    rig_settle(r);
    assert_true(r->front.freed);
    WAIT_FOR(&r->b, rig_over(r));
    assert_int_equal(r->back.end, STREAM_END_ABORT);
    ASSERT_RECORD(r, "code", "1000"); /* the first reason */
    rig_close(r);
}

static void backend_that_takes_no_fin(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.write_stall = SHORT;
    rig_open(r);
    rig_settle(r);
    r->back.shut_again = 1000000000;
    r->back.hints = true;
    rig_send_close(r, 1000);
    WAIT_FOR(&r->b, r->front.freed);
    WAIT_FOR(&r->b, rig_over(r));
    assert_false(r->back.shut);
    rig_close(r);
}

/* --- closing -------------------------------------------------------------------------------------------------------
 */

static void no_answer_to_our_close(void **state)
{
    struct rig *r = rig_new();
    double began;

    r->route.timeouts.close = SHORT;
    rig_open(r);
    rig_settle(r);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    began = now(r);
    assert_true(said(r, "CLOSE(1000 backend ended)"));
    rig_say(r, "still up"); /* goes up, but is no answer */
    rig_settle(r);
    WAIT_FOR(&r->b, rig_over(r));
    assert_true(now(r) >= began + SHORT - TOLERANCE);
    assert_wrote(&r->back, "still up");
    assert_int_equal(r->front.end, STREAM_END_CLEAN);
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    ASSERT_RECORD(r, "code", "1000");
    rig_close(r);
}

/* Our Close stands behind data; it has its own, shorter time from when it is alone. */
static void close_that_cannot_leave(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.close = SHORT;
    r->route.timeouts.write_stall = 1000;
    rig_open(r);
    rig_settle(r);
    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "slow");
    rig_settle(r);
    session_drain_all(&r->env, "going away");
    wait_seconds(r, 3 * SHORT);
    assert_false(r->front.freed); /* data wait: write_stall counts */
    r->front.stall_after = 1;
    mem_stream_stall(&r->front, false);
    WAIT_FOR(&r->b, r->front.freed);
    assert_false(said(r, "CLOSE"));
    ASSERT_STORY(r, "101 B(slow)");
    assert_int_equal(r->front.end, STREAM_END_ABORT);
    mem_stream_finish(&r->back, 0);
    WAIT_FOR(&r->b, rig_over(r));
    rig_close(r);
}

static void echo_of_a_close_that_cannot_leave(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.close = SHORT;
    r->route.timeouts.write_stall = 1000;
    rig_open(r);
    rig_settle(r);
    mem_stream_stall(&r->front, true);
    rig_say(r, "last");
    rig_send_close(r, 4001);
    rig_settle(r);
    assert_false(r->front.freed);
    mem_stream_finish(&r->back, 0);
    WAIT_FOR(&r->b, rig_over(r));
    assert_wrote(&r->back, "last");
    assert_int_equal(r->back.end, STREAM_END_CLEAN); /* the client was done: its stall is not the backend's matter */
    ASSERT_RECORD(r, "code", "4001");
    rig_close(r);
}

static void linger_after_bad_input_ends(void **state)
{
    struct rig *r = rig_new();
    double began;

    r->route.timeouts.close = SHORT;
    rig_open(r);
    rig_settle(r);
    mem_stream_finish(&r->back, 0);
    mem_stream_feed(&r->front, "\x82\x01x", 3);
    rig_settle(r);
    began = now(r);
    while (!r->front.freed) { /* a client that never stops does not put it off */
        mem_stream_feed(&r->front, "garbage", 7);
        wait_seconds(r, 0.002);
        assert_true(now(r) < began + PATIENCE);
    }
    assert_true(now(r) >= began + SHORT - 2 * TOLERANCE);
    assert_int_equal(r->front.end, STREAM_END_CLEAN);
    WAIT_FOR(&r->b, rig_over(r));
    rig_close(r);
}

static void deaf_client_is_waited_for(void **state)
{
    struct rig *r = rig_new();
    static const struct mem_step writes[] = {{MEM_BYTES, 0}, {MEM_FAIL, EPIPE}};

    r->route.timeouts.close = SHORT;
    r->front.writes = (struct mem_script){.steps = writes, .n = 2};
    rig_open(r);
    rig_settle(r);
    BACK_SAYS(r, "hello?");
    rig_settle(r);
    rig_say(r, "last words");
    rig_settle(r);
    assert_false(r->front.freed);
    WAIT_FOR(&r->b, r->front.freed);
    assert_wrote(&r->back, "last words");
    mem_stream_finish(&r->back, 0);
    WAIT_FOR(&r->b, rig_over(r));
    ASSERT_RECORD(r, "code", "1006");
    rig_close(r);
}

/* --- the backend after its FIN -------------------------------------------------------------------------------------
 */

static void silent_backend_after_fin(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.close = SHORT;
    r->route.timeouts.write_stall = 1000;
    rig_open(r);
    wait_seconds(r, 2 * SHORT);
    rig_send_close(r, 1000);
    rig_settle(r);
    assert_true(r->back.shut);
    assert_false(r->back.freed);
    WAIT_FOR(&r->b, rig_over(r));
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    rig_close(r);
}

/* A backend that still answers is still at work on what the client said. Closing on what it sends would reset the
 * connection, and with it what the kernel has not delivered yet. */
static void busy_backend_after_fin(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.close = SHORT;
    r->route.timeouts.write_stall = 1000;
    rig_open(r);
    wait_seconds(r, 2 * SHORT);
    rig_send_close(r, 1000);
    rig_settle(r);
    for (int i = 0; i < 8; i++) {
        BACK_SAYS(r, "at work");
        wait_seconds(r, SHORT / 2);
        assert_false(r->back.freed);
    }
    WAIT_FOR(&r->b, rig_over(r));
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    rig_close(r);
}

static void backend_that_never_heeds_the_fin(void **state)
{
    struct rig *r = rig_new();

    r->route.timeouts.close = SHORT;
    r->route.timeouts.write_stall = 3 * SHORT;
    rig_open(r);
    wait_seconds(r, 4 * SHORT); /* silence before the FIN does not count */
    rig_send_close(r, 1000);
    rig_settle(r);
    assert_false(r->back.freed);
    for (int i = 0; i < 1000 && !rig_over(r); i++) {
        BACK_SAYS(r, "on and on");
        wait_seconds(r, SHORT / 10);
    }
    assert_true(rig_over(r));
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unlimited_sets_no_timer),
        cmocka_unit_test(idle_ends_with_1001),
        cmocka_unit_test(pings_are_no_activity),
        cmocka_unit_test(lifetime_ends_with_1008),
        cmocka_unit_test(lifetime_of_a_client_that_does_not_read),
        cmocka_unit_test(silence_is_asked_and_an_answer_is_life),
        cmocka_unit_test(no_ping_while_the_client_speaks),
        cmocka_unit_test(no_answer_ends_with_1001),
        cmocka_unit_test(bytes_taken_are_life),
        cmocka_unit_test(pong_clock_stops_while_reads_are_paused),
        cmocka_unit_test(pong_clock_stops_while_the_client_does_not_read),
        cmocka_unit_test(ping_that_was_not_sent_is_not_waited_for),
        cmocka_unit_test(client_that_does_not_read_is_cut_off),
        cmocka_unit_test(client_that_reads_slowly_is_not),
        cmocka_unit_test(backend_that_does_not_read_is_1011),
        cmocka_unit_test(backend_that_takes_no_last_bytes),
        cmocka_unit_test(backend_that_takes_no_fin),
        cmocka_unit_test(no_answer_to_our_close),
        cmocka_unit_test(close_that_cannot_leave),
        cmocka_unit_test(echo_of_a_close_that_cannot_leave),
        cmocka_unit_test(linger_after_bad_input_ends),
        cmocka_unit_test(deaf_client_is_waited_for),
        cmocka_unit_test(silent_backend_after_fin),
        cmocka_unit_test(busy_backend_after_fin),
        cmocka_unit_test(backend_that_never_heeds_the_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
