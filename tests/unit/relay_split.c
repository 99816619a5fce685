/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* Control frames that come in pieces: the decoder asks for their beginning again, and the lane keeps it. */
#include "relay_rig.h"

/* Whatever happened before, the session still ends as it should. */
static void end(struct rig *r)
{
    assert_false(rig_over(r));
    assert_int_equal(pool_in_use(r->env.pool), 0);
    rig_send_close(r, 1000);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    rig_close(r);
}

/* One byte a turn. */
static void trickle(struct rig *r, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mem_stream_feed(&r->front, p + i, 1);
        rig_settle(r);
    }
}

static void a_ping_byte_by_byte_between_data(void **state)
{
    struct rig *r = rig_open_new();
    uint8_t text[WS_CONTROL_MAX], frame[WS_CONTROL_MAX + WS_HEADER_MAX];
    char story[WS_CONTROL_MAX + 32];

    memset(text, 'p', sizeof text);
    rig_say(r, "before ");
    rig_settle(r);
    trickle(r, frame, rig_frame(frame, WS_PING, true, text, sizeof text));
    snprintf(story, sizeof story, "101 PONG(%.*s)", (int)sizeof text, (char *)text);
    ASSERT_STORY(r, story);
    assert_int_equal(pool_in_use(r->env.pool), 0);
    rig_say(r, "after");
    rig_settle(r);
    assert_wrote(&r->back, "before after");
    end(r);
}

/* Data and half a ping in one read: the data go on alone, and the half waits without the backend's help. */
static void half_a_ping_behind_data(void **state)
{
    struct rig *r = rig_open_new();
    uint8_t bytes[64];
    size_t n = rig_frame(bytes, WS_BINARY, true, "data", 4);
    size_t all = n + rig_frame(bytes + n, WS_PING, true, "ping", 4);

    all += rig_frame(bytes + all, WS_BINARY, true, "more", 4);
    mem_stream_feed(&r->front, bytes, n + 8);
    rig_settle(r);
    assert_wrote(&r->back, "data");
    ASSERT_STORY(r, "101");
    mem_stream_feed(&r->front, bytes + n + 8, all - n - 8);
    rig_settle(r);
    assert_wrote(&r->back, "datamore");
    ASSERT_STORY(r, "101 PONG(ping)");
    end(r);
}

/* The half ping stands at the very end of a buffer that the backend does not empty, then at the end of one that it has
 * emptied in part: it must not be lost, nor spin. */
static void half_a_ping_at_the_end_of_a_full_buffer(void **state)
{
    for (size_t n = 4000; n < 4100; n++) {
        struct rig *r = rig_open_new();
        uint8_t *bytes = calloc(1, n + 1024);
        uint8_t *zero = calloc(1, n);
        size_t all = rig_frame(bytes, WS_BINARY, true, zero, n);

        all += rig_frame(bytes + all, WS_PING, true, "0123456789", 10);
        all += rig_frame(bytes + all, WS_BINARY, true, "end", 3);
        mem_stream_stall(&r->back, true);
        mem_stream_feed(&r->front, bytes, all - 12);
        rig_settle(r);
        mem_stream_feed(&r->front, bytes + all - 12, 12);
        rig_settle(r);
        mem_stream_stall(&r->back, false);
        rig_settle(r);
        ASSERT_STORY(r, "101 PONG(0123456789)");
        assert_int_equal(r->back.out.n, n + 3);
        assert_memory_equal(r->back.out.p + n, "end", 3);
        free(bytes);
        free(zero);
        end(r);
    }
}

static void a_ping_in_pieces_to_the_echo(void **state)
{
    struct rig *r = rig_new();
    uint8_t text[WS_CONTROL_MAX], bytes[8192];
    static uint8_t z[4096];
    size_t n;

    r->service.to.kind = TARGET_ECHO;
    rig_open(r);
    memset(text, 'p', sizeof text);
    memset(z, 'z', sizeof z);
    mem_stream_stall(&r->front, true); /* the echo's buffer fills up, and has no room when the ping is decoded */
    n = rig_frame(bytes, WS_BINARY, true, z, 4000);
    n += rig_frame(bytes + n, WS_PING, true, text, sizeof text);
    n += rig_frame(bytes + n, WS_BINARY, true, z, 500);
    mem_stream_feed(&r->front, bytes, 4000 + 8 + 40);
    rig_settle(r);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    trickle(r, bytes + 4048, n - 4048);
    assert_non_null(strstr(rig_story(r), "PONG(ppp"));
    end(r);
}

/* A pong that the client took in part, then the echo of a message: it leaves behind the rest of the pong, not inside.
 */
static void a_pong_in_pieces_from_the_echo(void **state)
{
    struct rig *r = rig_new();

    r->service.to.kind = TARGET_ECHO;
    rig_open(r);
    rig_settle(r);
    r->front.writes = (struct mem_script)MEM_SCRIPT({MEM_BYTES, 1}, {MEM_AGAIN}, {MEM_AGAIN});
    rig_send(r, WS_PING, true, "one", 3);
    loop_turn(r->b.loop);
    rig_send(r, WS_PING, true, "two", 3);
    rig_say(r, "data");
    rig_send_close(r, 1000);
    rig_settle(r);
    ASSERT_STORY(r, "101 PONG(one) B(data) PONG(two) CLOSE(1000)");
    rig_close(r);
}

static void a_close_in_pieces(void **state)
{
    struct rig *r = rig_open_new();
    uint8_t bytes[64];
    size_t n = rig_frame(bytes, WS_CLOSE, true, "\x03\xe8why", 5);

    rig_say(r, "last");
    trickle(r, bytes, n);
    ASSERT_STORY(r, "101 CLOSE(1000)");
    assert_wrote(&r->back, "last");
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    assert_true(rig_over(r));
    rig_close(r);
}

static void an_end_inside_a_ping(void **state)
{
    struct rig *r = rig_open_new();
    uint8_t bytes[64];

    rig_say(r, "last");
    (void)rig_frame(bytes, WS_PING, true, "ping", 4);
    mem_stream_feed(&r->front, bytes, 8);
    rig_settle(r);
    mem_stream_finish(&r->front, 0);
    rig_settle(r);
    assert_wrote(&r->back, "last");
    assert_int_equal(pool_in_use(r->env.pool), 0);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    ASSERT_RECORD(r, "code", "1006");
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_byte_by_byte_between_data),
        cmocka_unit_test(half_a_ping_behind_data),
        cmocka_unit_test(half_a_ping_at_the_end_of_a_full_buffer),
        cmocka_unit_test(a_ping_in_pieces_to_the_echo),
        cmocka_unit_test(a_pong_in_pieces_from_the_echo),
        cmocka_unit_test(a_close_in_pieces),
        cmocka_unit_test(an_end_inside_a_ping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
