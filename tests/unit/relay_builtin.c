/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The services that need no backend. The echo gives back the same messages, type by type and byte by byte, in one
 * buffer however large they are, and takes no more than its reader takes.
 */
#include "relay_rig.h"

static struct rig *echo_new(enum target_kind kind, uint64_t buffer)
{
    struct rig *r = rig_new();

    r->service.to = (struct target){.kind = kind, .text = kind == TARGET_ECHO ? "builtin:echo" : "builtin:discard"};
    r->route.limits.buffer = buffer;
    return r;
}

static struct rig *echo_open(uint64_t buffer)
{
    struct rig *r = rig_open(echo_new(TARGET_ECHO, buffer));

    rig_settle(r);
    return r;
}

static void echo_keeps_type_and_borders(void **state)
{
    struct rig *r = echo_open(65536);

    rig_say(r, "one");
    rig_send(r, WS_TEXT, true, "zw\xc3\xb6lf", 6);
    rig_say(r, "");
    rig_send(r, WS_TEXT, true, "", 0);
    rig_say(r, "two");
    rig_settle(r);
    ASSERT_STORY(r, "101 B(one) T(zw\xc3\xb6lf) B() T() B(two)");
    assert_int_equal(pool_in_use(r->env.pool), 0);
    rig_send_close(r, 1000);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(one) T(zw\xc3\xb6lf) B() T() B(two) CLOSE(1000)");
    ASSERT_RECORD(r, "backend", "builtin:echo");
    ASSERT_RECORD(r, "messages_up", "5");
    ASSERT_RECORD(r, "messages_down", "5");
    ASSERT_RECORD(r, "bytes_up", "12");
    ASSERT_RECORD(r, "bytes_down", "12");
    rig_close(r);
}

static void echo_streams_fragments(void **state)
{
    struct rig *r = echo_open(65536);

    rig_send(r, WS_TEXT, false, "be", 2);
    rig_settle(r);
    ASSERT_STORY(r, "101 T(be"); /* it does not wait for the end */
    rig_send(r, WS_PING, true, "p", 1);
    rig_settle(r);
    ASSERT_STORY(r, "101 T(be PONG(p)");
    rig_send(r, WS_CONTINUATION, false, "", 0);
    rig_send(r, WS_CONTINUATION, true, "gin", 3);
    rig_settle(r);
    ASSERT_STORY(r, "101 T(be PONG(p)gin)");
    rig_send(r, WS_BINARY, false, "no end", 6);
    rig_send_close(r, 1000);
    rig_settle(r);
    ASSERT_STORY(r, "101 T(be PONG(p)gin) B(no end CLOSE(1000)");
    rig_close(r);
}

static void put_message(struct rig *r, size_t n)
{
    uint8_t *p = malloc(n + 1);

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + i / 251);
    rig_send(r, WS_BINARY, true, p, n);
    free(p);
}

/* The payload of all data that the client got, which is one message. */
static void assert_echoed(struct rig *r, size_t n)
{
    struct ws_decoder_options opt = {.role = WS_CLIENT, .message_max = UINT64_MAX};
    struct ws_decoder d;
    size_t got = 0;
    bool end = false;

    ws_decoder_init(&d, &opt);
    for (size_t at = 4; at < r->front.out.n;) {
        struct ws_event ev;
        at += ws_decode(&d, r->front.out.p + at, r->front.out.n - at, &ev);
        assert_true(ev.type == WS_EV_DATA || ev.type == WS_EV_NONE);
        for (size_t i = 0; i < ev.n; i++, got++)
            if (ev.data[i] != (uint8_t)(got * 7 + got / 251))
                fail_msg("byte %zu differs", got);
        end = end || ev.end;
    }
    assert_int_equal(got, n);
    assert_true(end);
}

static void echo_of_a_large_message_costs_one_buffer(void **state)
{
    static const uint64_t buffers[] = {4096, 8192, 65536};
    static const size_t sizes[] = {1, 125, 126, 4000, 4076, 4080, 4096, 65535, 65536, 1000000};

    for (size_t i = 0; i < ARRAY_LEN(buffers); i++) {
        for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
            struct rig *r = echo_open(buffers[i]);

            put_message(r, sizes[j]);
            for (int k = 0; k < 10; k++) {
                rig_turn(r, 1);
                assert_true(pool_in_use(r->env.pool) <= 2 * buffers[i]);
            }
            rig_settle(r);
            assert_echoed(r, sizes[j]);
            session_abort_all(&r->env);
            rig_close(r);
        }
    }
}

/* The echo stops taking when its own words are not taken: in the kernel, where they belong, the client's wait. */
static void echo_waits_for_its_reader(void **state)
{
    struct rig *r = echo_open(4096);

    mem_stream_stall(&r->front, true);
    put_message(r, 100000);
    rig_settle(r);
    assert_true(pool_in_use(r->env.pool) <= 2 * 4096);
    assert_true(r->front.in_at <= 3 * 4096);
    size_t had = r->front.in_at;
    rig_settle(r);
    assert_int_equal(r->front.in_at, had);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    assert_echoed(r, 100000);
    assert_int_equal(pool_in_use(r->env.pool), 0);
    session_abort_all(&r->env);
    rig_close(r);
}

static void echo_through_small_cuts(void **state)
{
    for (size_t cut = 1; cut < 20; cut++) {
        struct rig *r = echo_open(4096);
        struct mem_step steps[256];

        for (size_t i = 0; i < ARRAY_LEN(steps); i++)
            steps[i] = i % 3 == 2 ? (struct mem_step){MEM_AGAIN, 0} : (struct mem_step){MEM_BYTES, cut * (1 + i % 5)};
        r->front.reads = (struct mem_script){.steps = steps, .n = ARRAY_LEN(steps)};
        r->front.writes = (struct mem_script){.steps = steps + 1, .n = ARRAY_LEN(steps) - 1};
        put_message(r, 9000);
        rig_settle(r);
        assert_echoed(r, 9000);
        session_abort_all(&r->env);
        rig_close(r);
    }
}

/* A Close, and the drain, wait for the echo of what came before; nothing is echoed behind them. */
static void echo_then_close_of_a_slow_reader(void **state)
{
    struct rig *r = echo_open(4096);

    mem_stream_stall(&r->front, true);
    rig_say(r, "before");
    rig_send_close(r, 1000);
    rig_settle(r);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(before) CLOSE(1000)");
    rig_close(r);
}

static void echo_then_drain(void **state)
{
    struct rig *r = echo_open(4096);

    rig_send(r, WS_TEXT, false, "half", 4);
    rig_settle(r);
    session_drain_all(&r->env, "bye");
    rig_send(r, WS_CONTINUATION, true, " of it", 6);
    rig_say(r, "more");
    rig_settle(r);
    ASSERT_STORY(r, "101 T(half CLOSE(1001 bye)");
    rig_send_close(r, 1001);
    rig_settle(r);
    rig_close(r);
}

static void echo_to_a_deaf_client(void **state)
{
    struct rig *r = echo_open(4096);
    static const struct mem_step writes[] = {{MEM_FAIL, EPIPE}};

    r->front.writes = (struct mem_script){.steps = writes, .n = 1};
    put_message(r, 50000);
    rig_settle(r);
    assert_int_equal(r->front.in_at, r->front.in.n);
    assert_int_equal(pool_in_use(r->env.pool), 0);
    mem_stream_finish(&r->front, 0);
    rig_settle(r);
    rig_close(r);
}

static void echo_eof(void **state)
{
    struct rig *r = echo_open(4096);

    rig_say(r, "x");
    mem_stream_finish(&r->front, 0);
    rig_settle(r);
    ASSERT_RECORD(r, "code", "1006");
    rig_close(r);
}

static void echo_checks_text(void **state)
{
    struct rig *r = echo_open(4096);

    rig_send(r, WS_TEXT, true, "\xff", 1);
    rig_settle(r);
    ASSERT_STORY(r, "101 CLOSE(1007 text is not UTF-8)");
    mem_stream_finish(&r->front, 0);
    rig_settle(r);
    rig_close(r);
}

static void discard_takes_everything(void **state)
{
    struct rig *r = rig_open(echo_new(TARGET_DISCARD, 4096));

    put_message(r, 3000000);
    rig_send(r, WS_PING, true, "p", 1);
    rig_settle(r);
    ASSERT_STORY(r, "101 PONG(p)");
    assert_int_equal(r->front.in_at, r->front.in.n);
    assert_int_equal(pool_in_use(r->env.pool), 0);
    rig_send_close(r, 1000);
    rig_settle(r);
    ASSERT_RECORD(r, "bytes_up", "3000000");
    ASSERT_RECORD(r, "bytes_down", "0");
    ASSERT_RECORD(r, "backend", "builtin:discard");
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_keeps_type_and_borders),
        cmocka_unit_test(echo_streams_fragments),
        cmocka_unit_test(echo_of_a_large_message_costs_one_buffer),
        cmocka_unit_test(echo_waits_for_its_reader),
        cmocka_unit_test(echo_through_small_cuts),
        cmocka_unit_test(echo_then_close_of_a_slow_reader),
        cmocka_unit_test(echo_then_drain),
        cmocka_unit_test(echo_to_a_deaf_client),
        cmocka_unit_test(echo_eof),
        cmocka_unit_test(echo_checks_text),
        cmocka_unit_test(discard_takes_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
