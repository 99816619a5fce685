/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The order of what the client gets: control frames leave between frames of data, ahead of what comes next; the newest
 * pong replaces an older one that has not begun to leave; nothing comes behind a Close.
 */
#include "relay_rig.h"

#define BACK_SAYS(r, text) mem_stream_feed(&(r)->back, text, strlen(text))

static void ping(struct rig *r, const char *text)
{
    rig_send(r, WS_PING, true, text, strlen(text));
}

/* Lets so many bytes through, and no more. */
static void let_through(struct rig *r, size_t n)
{
    struct mem_step step = {MEM_BYTES, n};

    r->front.writes = (struct mem_script){.steps = &step, .n = 1};
    r->front.stall_after = 1;
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    r->front.writes = (struct mem_script){0};
    assert_true(r->front.stalled);
}

static void pong_answers_with_the_same_bytes(void **state)
{
    struct rig *r = rig_open_new();
    char most[WS_CONTROL_MAX + 1];

    memset(most, 'm', WS_CONTROL_MAX);
    most[WS_CONTROL_MAX] = '\0';
    ping(r, "");
    rig_settle(r);
    ping(r, "abc");
    rig_settle(r);
    ping(r, most);
    rig_settle(r);
    assert_int_equal(strncmp(rig_story(r), "101 PONG() PONG(abc) PONG(mmm", 29), 0);
    assert_int_equal(strlen(rig_story(r)), 3 + 7 + 10 + 7 + WS_CONTROL_MAX);
    assert_null(rig_session(r)->control); /* held while some wait, not longer */
    session_abort_all(&r->env);
    rig_close(r);
}

static void pong_waits_for_a_frame_boundary(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "first");
    rig_settle(r);
    let_through(r, 4);
    ping(r, "p");
    BACK_SAYS(r, "second");
    rig_settle(r);
    let_through(r, 2);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(first) PONG(p) B(second)"); /* ahead of what the backend says next */
    session_abort_all(&r->env);
    rig_close(r);
}

static void newer_ping_replaces_an_unsent_pong(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->front, true);
    ping(r, "one");
    rig_settle(r);
    ping(r, "two");
    rig_settle(r);
    ping(r, "three");
    rig_settle(r);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 PONG(three)");
    session_abort_all(&r->env);
    rig_close(r);
}

/* One that is half out must be finished; the newest waits behind it. */
static void half_written_pong_is_finished(void **state)
{
    struct rig *r = rig_open_new();

    for (size_t cut = 1; cut < 5; cut++) {
        size_t had = strlen(rig_story(r));
        mem_stream_stall(&r->front, true);
        ping(r, "one");
        rig_settle(r);
        let_through(r, cut);
        ping(r, "two");
        ping(r, "three");
        rig_settle(r);
        if (cut == 3) {
            let_through(r, 2); /* to its end, exactly */
            ping(r, "four");
            rig_settle(r);
        }
        mem_stream_stall(&r->front, false);
        rig_settle(r);
        assert_string_equal(rig_story(r) + had, cut == 3 ? " PONG(one) PONG(four)" : " PONG(one) PONG(three)");
    }
    session_abort_all(&r->env);
    rig_close(r);
}

static void every_cut_of_a_busy_line(void **state)
{
    for (size_t cut = 1; cut < 40; cut++) {
        struct rig *r = rig_open_new();
        struct mem_step steps[64];

        for (size_t i = 0; i < ARRAY_LEN(steps); i++)
            steps[i] = i & 1 ? (struct mem_step){MEM_AGAIN, 0} : (struct mem_step){MEM_BYTES, cut};
        r->front.writes = (struct mem_script){.steps = steps, .n = ARRAY_LEN(steps)};
        BACK_SAYS(r, "0123456789");
        rig_turn(r, 1);
        ping(r, "abcdefghij");
        rig_turn(r, 2);
        BACK_SAYS(r, "klm");
        rig_send_close(r, 1000);
        mem_stream_finish(&r->back, 0);
        rig_settle(r);
        assert_int_equal(strncmp(rig_story(r), "101 B(0123456789)", 17), 0);
        assert_non_null(strstr(rig_story(r), "CLOSE(1000)"));
        rig_close(r);
    }
}

static void pongs_before_a_close_but_not_behind_it(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "data");
    rig_settle(r);
    ping(r, "asked in time");
    rig_settle(r);
    session_drain_all(&r->env, "going away");
    ping(r, "asked too late");
    rig_settle(r);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(data) PONG(asked in time) CLOSE(1001 going away)");
    ping(r, "much too late");
    rig_settle(r);
    ASSERT_STORY(r, "101 B(data) PONG(asked in time) CLOSE(1001 going away)");
    session_abort_all(&r->env);
    rig_close(r);
}

static void half_written_close(void **state)
{
    for (size_t cut = 1; cut < 4; cut++) {
        struct rig *r = rig_open_new();

        mem_stream_stall(&r->front, true);
        session_drain_all(&r->env, "bye");
        rig_settle(r);
        let_through(r, cut);
        rig_send_close(r, 4000); /* the client's own, meanwhile: ours is the answer */
        rig_settle(r);
        assert_false(r->front.freed);
        mem_stream_stall(&r->front, false);
        rig_settle(r);
        ASSERT_STORY(r, "101 CLOSE(1001 bye)");
        assert_true(r->front.freed);
        mem_stream_finish(&r->back, 0);
        rig_settle(r);
        rig_close(r);
    }
}

static void long_reasons_are_cut(void **state)
{
    struct rig *r = rig_open_new();
    char reason[301];

    memset(reason, 'r', 300);
    reason[300] = '\0';
    session_drain_all(&r->env, reason);
    rig_settle(r);
    assert_int_equal(strlen(rig_story(r)), strlen("101 CLOSE(1001 )") + 123);
    session_abort_all(&r->env);
    rig_close(r);
}

/* Control frames inside a fragmented message of the client, and none of their bytes in the data. */
static void control_between_fragments(void **state)
{
    struct rig *r = rig_open_new();

    rig_send(r, WS_TEXT, false, "\xc3", 1);
    ping(r, "p");
    rig_send(r, WS_CONTINUATION, false, "\xa9 ", 2);
    rig_send(r, WS_PONG, true, "unasked", 7);
    rig_send(r, WS_CONTINUATION, true, "", 0);
    rig_settle(r);
    assert_wrote(&r->back, "\xc3\xa9 ");
    ASSERT_STORY(r, "101 PONG(p)");
    session_abort_all(&r->env);
    ASSERT_RECORD(r, "messages_up", "1");
    ASSERT_RECORD(r, "bytes_up", "3");
    rig_close(r);
}

/* Thousands of pings to a client that does not read the answers: one small slot, and no reading stops for it. */
static void flood_of_pings(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->front, true);
    for (int i = 0; i < 5000; i++)
        ping(r, "flood");
    rig_settle(r);
    assert_int_equal(r->front.in_at, r->front.in.n);
    assert_int_equal(pool_in_use(r->env.pool), 0);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 PONG(flood)");
    session_abort_all(&r->env);
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pong_answers_with_the_same_bytes),
        cmocka_unit_test(pong_waits_for_a_frame_boundary),
        cmocka_unit_test(newer_ping_replaces_an_unsent_pong),
        cmocka_unit_test(half_written_pong_is_finished),
        cmocka_unit_test(every_cut_of_a_busy_line),
        cmocka_unit_test(pongs_before_a_close_but_not_behind_it),
        cmocka_unit_test(half_written_close),
        cmocka_unit_test(long_reasons_are_cut),
        cmocka_unit_test(control_between_fragments),
        cmocka_unit_test(flood_of_pings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
