/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The event table of src/README.md, row by row: who may end a session, what still arrives on either side, how each
 * stream is ended, and what is recorded. Deadlines have their own file.
 */
#include "relay_rig.h"

#define BACK_SAYS(r, text) mem_stream_feed(&(r)->back, text, strlen(text))

/* --- the backend ends ----------------------------------------------------------------------------------------------
 */

static void backend_eof_flushes_then_closes(void **state)
{
    struct rig *r = rig_open_new();

    BACK_SAYS(r, "bye");
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(bye) CLOSE(1000 backend ended)");
    assert_false(r->back.freed || r->front.freed);
    rig_say(r, "one "); /* a half-closed backend still hears the client */
    rig_say(r, "two");
    rig_settle(r);
    assert_wrote(&r->back, "one two");
    rig_say(r, "!");
    rig_send_close(r, 1000);
    rig_settle(r);
    assert_wrote(&r->back, "one two!");
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    assert_int_equal(r->front.end, STREAM_END_CLEAN);
    ASSERT_RECORD(r, "code", "1000");
    ASSERT_RECORD(r, "closed_by", "backend");
    ASSERT_RECORD(r, "reason", "backend ended");
    ASSERT_RECORD(r, "bytes_up", "8");
    ASSERT_RECORD(r, "bytes_down", "3");
    ASSERT_RECORD(r, "messages_up", "3");
    ASSERT_RECORD(r, "messages_down", "1");
    rig_close(r);
}

static void backend_eof_waits_for_a_slow_client(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "last words");
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    ASSERT_STORY(r, "101");
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(last words) CLOSE(1000 backend ended)");
    mem_stream_finish(&r->front, 0); /* no Close in answer */
    rig_settle(r);
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    ASSERT_RECORD(r, "code", "1000");
    rig_close(r);
}

static void backend_eof_and_a_client_that_said_close_at_once(void **state)
{
    struct rig *r = rig_open_new();

    rig_say(r, "up");
    rig_send_close(r, 4000);
    BACK_SAYS(r, "down");
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    assert_wrote(&r->back, "up");
    ASSERT_STORY(r, "101 CLOSE(4000)");
    ASSERT_RECORD(r, "closed_by", "client");
    ASSERT_RECORD(r, "code", "4000");
    rig_close(r);
}

/* The backend ended its side while bytes for it still wait: they go out before it is closed. */
static void backend_eof_does_not_drop_what_waits_for_it(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->back, true);
    rig_say(r, "patience");
    rig_settle(r);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    rig_send_close(r, 1000);
    rig_settle(r);
    assert_true(r->front.freed);
    assert_false(r->back.freed);
    mem_stream_stall(&r->back, false);
    rig_settle(r);
    assert_wrote(&r->back, "patience");
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    rig_close(r);
}

static void backend_reset_is_an_internal_error(void **state)
{
    struct rig *r = rig_open_new();

    BACK_SAYS(r, "half a ");
    mem_stream_finish(&r->back, ECONNRESET);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(half a ) CLOSE(1011 as scripted)");
    assert_true(r->back.freed);
    assert_int_equal(r->back.end, STREAM_END_ABORT);
    rig_say(r, "to nobody"); /* goes nowhere, and stops nothing */
    rig_send_close(r, 1011);
    rig_settle(r);
    assert_int_equal(r->front.end, STREAM_END_CLEAN);
    ASSERT_RECORD(r, "code", "1011");
    ASSERT_RECORD(r, "closed_by", "backend");
    ASSERT_RECORD(r, "reason", "as scripted");
    rig_close(r);
}

/* A stream's reason may live no longer than the stream, which is gone before a slow client gets the Close. */
static void backend_reset_is_told_after_its_stream_is_gone(void **state)
{
    struct rig *r = rig_open_new();
    char *why = strdup("reason of the stream's own");

    mem_stream_stall(&r->front, true);
    mem_stream_finish(&r->back, ECONNRESET);
    r->back.own_why = why;
    rig_settle(r);
    assert_true(r->back.freed);
    memset(why, '#', strlen(why));
    free(why);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 CLOSE(1011 reason of the stream's own)");
    rig_send_close(r, 1011);
    rig_settle(r);
    ASSERT_RECORD(r, "reason", "reason of the stream's own");
    rig_close(r);
}

/* A layer may have taken the last bytes without the kernel having them (a record of TLS): they are waited for. */
static void last_bytes_held_by_a_layer(void **state)
{
    for (int how = 0; how < 4; how++) {
        struct rig *r = rig_open_new();

        r->front.seals = r->back.seals = true;
        switch (how) {
        case 0: /* the echo of the client's Close */
            mem_stream_stall(&r->front, true);
            rig_send_close(r, 1000);
            break;
        case 1: /* our own Close, and the client's crosses it */
            mem_stream_stall(&r->front, true);
            session_drain_all(&r->env, "bye");
            rig_settle(r);
            rig_send_close(r, 1000);
            break;
        case 2: /* the client's last words to a backend that ended before */
            mem_stream_finish(&r->back, 0);
            rig_settle(r);
            mem_stream_stall(&r->back, true);
            rig_say(r, "last");
            rig_send_close(r, 1000);
            break;
        case 3: /* an error's Close */
            mem_stream_stall(&r->front, true);
            mem_stream_feed(&r->front, "\x82\x01x", 3);
            break;
        }
        rig_settle(r);
        assert_false(how == 2 ? r->back.freed : r->front.freed);
        mem_stream_stall(&r->front, false);
        mem_stream_stall(&r->back, false);
        rig_settle(r);
        assert_non_null(strstr(rig_story(r), " CLOSE(1"));
        if (how == 2)
            assert_wrote(&r->back, "last");
        if (how == 3) {
            assert_true(r->front.shut);
            mem_stream_finish(&r->front, 0);
        }
        mem_stream_finish(&r->back, 0);
        rig_settle(r);
        assert_int_equal(r->front.lost + r->back.lost, 0);
        rig_close(r);
    }
}

/* --- the client ends -----------------------------------------------------------------------------------------------
 */

static void client_close_flushes_then_half_closes(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->back, true);
    rig_say(r, "save this");
    rig_send_close(r, 1001);
    rig_settle(r);
    ASSERT_STORY(r, "101 CLOSE(1001)");
    assert_true(r->front.freed);
    assert_int_equal(r->front.end, STREAM_END_CLEAN);
    assert_false(r->back.shut);
    BACK_SAYS(r, "nobody hears this"); /* but it is read, or a backend that blocks would never read ours */
    rig_settle(r);
    assert_int_equal(r->back.in_at, r->back.in.n);
    mem_stream_stall(&r->back, false);
    rig_settle(r);
    assert_wrote(&r->back, "save this");
    assert_true(r->back.shut);
    assert_false(r->back.freed);
    BACK_SAYS(r, "nor this");
    rig_settle(r);
    assert_false(r->back.freed);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    ASSERT_RECORD(r, "code", "1001");
    ASSERT_RECORD(r, "closed_by", "client");
    rig_close(r);
}

/* The Close is written with the promise of more, and the end keeps it in the same run: one segment instead of two. */
static void close_and_fin_leave_together(void **state)
{
    for (int bad = 0; bad < 2; bad++) {
        struct rig *r = rig_open_new();

        mem_stream_splices(&r->front);
        if (bad)
            mem_stream_feed(&r->front, "\x82", 1), mem_stream_feed(&r->front, "", 1); /* no mask */
        else
            rig_send_close(r, 1000);
        rig_settle(r);
        ASSERT_STORY(r, bad ? "101 CLOSE(1002 client frame without mask)" : "101 CLOSE(1000)");
        assert_true(r->front.corked);
        assert_true(bad ? r->front.shut : r->front.freed);
        mem_stream_finish(&r->front, 0);
        mem_stream_finish(&r->back, 0);
        rig_settle(r);
        rig_close(r);

        r = rig_open_new(); /* our own Close is answered first: nothing may hold it back */
        mem_stream_splices(&r->front);
        mem_stream_finish(&r->back, 0);
        rig_settle(r);
        ASSERT_STORY(r, "101 CLOSE(1000 backend ended)");
        assert_false(r->front.corked || r->front.freed);
        rig_send_close(r, 1000);
        rig_settle(r);
        rig_close(r);
    }
}

static void client_close_without_a_code(void **state)
{
    struct rig *r = rig_open_new();

    rig_send_close(r, 0);
    rig_say(r, "behind a Close nothing counts");
    mem_stream_finish(&r->front, 0);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    ASSERT_STORY(r, "101 CLOSE(1005)"); /* which is how an empty Close is told */
    assert_wrote(&r->back, "");
    ASSERT_RECORD(r, "code", "1005");
    rig_close(r);
}

/* Closing on input that nobody read would reset the connection, and our Close with it. */
static void client_that_says_more_behind_its_close(void **state)
{
    struct rig *r = rig_open_new();
    uint8_t both[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8, 0x82, 0x81, 0, 0, 0, 0, 'x'};

    mem_stream_feed(&r->front, both, sizeof both);
    rig_settle(r);
    ASSERT_STORY(r, "101 CLOSE(1000)");
    assert_true(r->front.shut);
    assert_false(r->front.freed);
    mem_stream_finish(&r->front, 0);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    assert_int_equal(r->front.end, STREAM_END_CLEAN);
    assert_wrote(&r->back, "");
    ASSERT_RECORD(r, "code", "1000");
    ASSERT_RECORD(r, "closed_by", "client");
    rig_close(r);
}

static void client_close_is_echoed_at_a_frame_boundary(void **state)
{
    struct rig *r = rig_open_new();
    static const struct mem_step writes[] = {{MEM_BYTES, 4}, {MEM_AGAIN, 0}};

    r->front.writes = (struct mem_script){.steps = writes, .n = 2};
    BACK_SAYS(r, "a frame cut in two");
    rig_turn(r, 1);
    assert_int_equal(r->front.out.n, 4 + 4);
    rig_send_close(r, 1000);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(a frame cut in two) CLOSE(1000)");
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    rig_close(r);
}

/* shut_write may take its time, too (TLS has a record to write). */
static void client_close_with_a_slow_fin(void **state)
{
    struct rig *r = rig_open_new();

    r->back.shut_again = 3;
    rig_say(r, "x");
    rig_send_close(r, 1000);
    rig_settle(r);
    assert_true(r->back.shut);
    assert_int_equal(r->back.shut_again, 0);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    rig_close(r);
}

static void client_eof_without_close(void **state)
{
    struct rig *r = rig_open_new();

    rig_say(r, "cut");
    rig_send(r, WS_BINARY, false, "never finished", 14);
    mem_stream_finish(&r->front, 0);
    rig_settle(r);
    assert_true(r->front.freed);
    assert_wrote(&r->back, "cutnever finished");
    assert_true(r->back.shut);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    ASSERT_RECORD(r, "code", "1006");
    ASSERT_RECORD(r, "closed_by", "client");
    rig_close(r);
}

static void client_reset_resets_the_backend(void **state)
{
    struct rig *r = rig_open_new();

    rig_say(r, "x");
    mem_stream_finish(&r->front, ECONNRESET);
    rig_settle(r);
    assert_int_equal(r->front.end, STREAM_END_ABORT);
    assert_int_equal(r->back.end, STREAM_END_ABORT);
    ASSERT_RECORD(r, "code", "1006");
    ASSERT_RECORD(r, "reason", "as scripted");
    rig_close(r);
}

/* --- a write fails: only that direction is over --------------------------------------------------------------------
 */

static void deaf_front_is_still_read(void **state)
{
    struct rig *r = rig_open_new();
    static const struct mem_step writes[] = {{MEM_FAIL, EPIPE}};

    r->front.writes = (struct mem_script){.steps = writes, .n = 1};
    BACK_SAYS(r, "hello?");
    rig_say(r, "last words");
    rig_send_close(r, 1000);
    rig_settle(r);
    assert_wrote(&r->back, "last words");
    assert_true(r->back.shut);
    assert_true(r->front.freed);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    ASSERT_RECORD(r, "code", "1000");
    ASSERT_RECORD(r, "closed_by", "client");
    rig_close(r);
}

static void deaf_front_then_eof(void **state)
{
    struct rig *r = rig_open_new();
    static const struct mem_step writes[] = {{MEM_FAIL, EPIPE}};

    r->front.writes = (struct mem_script){.steps = writes, .n = 1};
    BACK_SAYS(r, "hello?");
    rig_settle(r);
    assert_false(r->front.freed);
    rig_say(r, "late");
    mem_stream_finish(&r->front, 0);
    rig_settle(r);
    assert_wrote(&r->back, "late");
    assert_true(r->back.shut);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    ASSERT_RECORD(r, "code", "1006");
    rig_close(r);
}

/* Bytes wait at both ends of a session whose client hears nothing and whose backend takes nothing: no reason to spin.
 */
static void deaf_front_and_a_full_buffer(void **state)
{
    struct rig *r = rig_new();
    static const struct mem_step writes[] = {{MEM_BYTES, 0}, {MEM_FAIL, EPIPE}};
    char *much = calloc(1, 100000);

    r->route.limits.buffer = 4096;
    r->front.writes = (struct mem_script){.steps = writes, .n = 2};
    rig_open(r);
    rig_settle(r);
    mem_stream_stall(&r->back, true);
    rig_send(r, WS_BINARY, true, much, 100000);
    BACK_SAYS(r, "hello?");
    rig_settle(r);
    assert_true(r->front.in_at < r->front.in.n);
    assert_true(pool_in_use(r->env.pool) <= 4096);
    mem_stream_stall(&r->back, false);
    rig_settle(r);
    assert_int_equal(r->back.out.n, 100000);
    mem_stream_finish(&r->front, 0);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    free(much);
    rig_close(r);
}

static void deaf_back_is_still_read(void **state)
{
    struct rig *r = rig_open_new();
    static const struct mem_step writes[] = {{MEM_FAIL, EPIPE}};

    r->back.writes = (struct mem_script){.steps = writes, .n = 1};
    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "go away"); /* and then it closes without having read */
    rig_settle(r);
    rig_say(r, "request");
    rig_settle(r);
    BACK_SAYS(r, " now");
    mem_stream_finish(&r->back, 0);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(go away) B( now) CLOSE(1000 backend ended)");
    rig_say(r, "more");
    rig_send_close(r, 1000);
    rig_settle(r);
    ASSERT_RECORD(r, "code", "1000");
    ASSERT_RECORD(r, "closed_by", "backend");
    rig_close(r);
}

static void deaf_back_that_was_reset(void **state)
{
    struct rig *r = rig_open_new();
    static const struct mem_step writes[] = {{MEM_FAIL, ECONNRESET}};

    r->back.writes = (struct mem_script){.steps = writes, .n = 1};
    rig_say(r, "request");
    mem_stream_finish(&r->back, ECONNRESET);
    rig_settle(r);
    ASSERT_STORY(r, "101 CLOSE(1011 as scripted)");
    rig_send_close(r, 1011);
    rig_settle(r);
    assert_int_equal(r->back.end, STREAM_END_ABORT);
    rig_close(r);
}

static void deaf_back_after_the_clients_close(void **state)
{
    struct rig *r = rig_open_new();
    static const struct mem_step writes[] = {{MEM_AGAIN, 0}, {MEM_FAIL, EPIPE}};

    r->back.writes = (struct mem_script){.steps = writes, .n = 2};
    rig_say(r, "request");
    rig_send_close(r, 1000);
    rig_settle(r);
    ASSERT_STORY(r, "101 CLOSE(1000)");
    rig_close(r);
}

/* --- protocol errors -----------------------------------------------------------------------------------------------
 */

struct bad {
    const char *name;
    const char *bytes;
    size_t n;
    const char *story;
    uint64_t message_max;
};

static const struct bad bads[] = {
    {"unmasked", "\x82\x01x", 3, "101 CLOSE(1002 client frame without mask)", UINT64_MAX},
    {"reserved bit", "\xc2\x81\0\0\0\0x", 7, "101 CLOSE(1002 reserved bit set)", UINT64_MAX},
    {"text", "\x81\x81\0\0\0\0\xff", 7, "101 CLOSE(1007 text is not UTF-8)", UINT64_MAX},
    {"too big", "\x82\x8b\0\0\0\0", 6, "101 CLOSE(1009 message too big)", 10},
    {"close code", "\x88\x82\0\0\0\0\x03\xed", 8, "101 CLOSE(1002 invalid close code)", UINT64_MAX},
};

static struct rig *open_and_err(const struct bad *bad)
{
    struct rig *r = rig_new();

    r->route.limits.message = bad->message_max;
    rig_open(r);
    rig_settle(r);
    rig_say(r, "good");
    mem_stream_feed(&r->front, bad->bytes, bad->n);
    rig_say(r, "not looked at");
    rig_settle(r);
    ASSERT_STORY(r, bad->story);
    return r;
}

static void bad_input_is_told_and_discarded(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        struct rig *r = open_and_err(&bads[i]);

        assert_wrote(&r->back, "good"); /* what came before the error counts */
        assert_true(r->back.shut);
        assert_true(r->front.shut);
        assert_false(r->front.freed);
        for (int j = 0; j < 3; j++) { /* what is still on its way must not reset our Close */
            rig_say(r, "on its way");
            rig_settle(r);
        }
        assert_int_equal(r->front.in_at, r->front.in.n);
        assert_wrote(&r->back, "good");
        mem_stream_finish(&r->front, i & 1 ? ECONNRESET : 0);
        rig_settle(r);
        assert_true(r->front.freed);
        mem_stream_finish(&r->back, 0);
        rig_settle(r);
        ASSERT_RECORD(r, "closed_by", "wsbridge");
        rig_close(r);
    }
}

static void bad_input_behind_our_close(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    mem_stream_feed(&r->front, bads[0].bytes, bads[0].n);
    rig_settle(r);
    ASSERT_STORY(r, "101 CLOSE(1000 backend ended)");
    assert_true(r->front.shut);
    mem_stream_finish(&r->front, 0);
    rig_settle(r);
    ASSERT_RECORD(r, "code", "1000");
    rig_close(r);
}

static void bad_input_of_a_deaf_client(void **state)
{
    struct rig *r = rig_open_new();
    static const struct mem_step writes[] = {{MEM_FAIL, EPIPE}};

    r->front.writes = (struct mem_script){.steps = writes, .n = 1};
    BACK_SAYS(r, "hello?");
    rig_settle(r);
    rig_say(r, "good");
    mem_stream_feed(&r->front, bads[0].bytes, bads[0].n);
    rig_settle(r);
    assert_wrote(&r->back, "good");
    assert_true(r->front.freed);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    ASSERT_RECORD(r, "code", "1002");
    rig_close(r);
}

/* The Close cannot leave yet; the client goes on talking, which must neither be buffered nor stop the end. */
static void bad_input_while_the_client_does_not_read(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->front, true);
    BACK_SAYS(r, "unread");
    rig_settle(r);
    mem_stream_feed(&r->front, bads[0].bytes, bads[0].n);
    rig_settle(r);
    for (int i = 0; i < 100; i++) {
        rig_say(r, "garbage garbage garbage garbage");
        rig_settle(r);
    }
    assert_int_equal(r->front.in_at, r->front.in.n);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(unread) CLOSE(1002 client frame without mask)");
    mem_stream_finish(&r->front, 0);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    rig_close(r);
}

/* --- we end --------------------------------------------------------------------------------------------------------
 */

static void drain_says_going_away(void **state)
{
    struct rig *r = rig_open_new();

    BACK_SAYS(r, "one");
    rig_settle(r);
    session_drain_all(&r->env, "server is going away");
    BACK_SAYS(r, "two"); /* not read any more: the client was told that this is the end */
    rig_settle(r);
    ASSERT_STORY(r, "101 B(one) CLOSE(1001 server is going away)");
    rig_say(r, "still mine");
    session_drain_all(&r->env, "once more");
    rig_send_close(r, 1001);
    rig_settle(r);
    assert_wrote(&r->back, "still mine");
    assert_true(r->back.shut);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    ASSERT_RECORD(r, "code", "1001");
    ASSERT_RECORD(r, "closed_by", "wsbridge");
    ASSERT_RECORD(r, "reason", "server is going away");
    rig_close(r);
}

static void drain_of_a_deaf_front(void **state)
{
    struct rig *r = rig_open_new();
    static const struct mem_step writes[] = {{MEM_FAIL, EPIPE}};

    r->front.writes = (struct mem_script){.steps = writes, .n = 1};
    BACK_SAYS(r, "hello?");
    rig_settle(r);
    session_drain_all(&r->env, "server is going away");
    rig_settle(r);
    assert_true(r->front.freed);
    assert_true(r->back.shut);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    rig_close(r);
}

static void abort_ends_at_once(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->front, true);
    mem_stream_stall(&r->back, true);
    BACK_SAYS(r, "x");
    rig_say(r, "y");
    rig_settle(r);
    session_abort_all(&r->env);
    assert_int_equal(r->front.end, STREAM_END_ABORT);
    assert_int_equal(r->back.end, STREAM_END_ABORT);
    ASSERT_RECORD(r, "reason", "stopped at once");
    rig_close(r);
}

static void abort_in_the_middle_of_an_end(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    session_abort_all(&r->env);
    ASSERT_RECORD(r, "reason", "backend ended"); /* the first reason counts */
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backend_eof_flushes_then_closes),
        cmocka_unit_test(backend_eof_waits_for_a_slow_client),
        cmocka_unit_test(backend_eof_and_a_client_that_said_close_at_once),
        cmocka_unit_test(backend_eof_does_not_drop_what_waits_for_it),
        cmocka_unit_test(backend_reset_is_an_internal_error),
        cmocka_unit_test(backend_reset_is_told_after_its_stream_is_gone),
        cmocka_unit_test(last_bytes_held_by_a_layer),
        cmocka_unit_test(client_close_flushes_then_half_closes),
        cmocka_unit_test(close_and_fin_leave_together),
        cmocka_unit_test(client_that_says_more_behind_its_close),
        cmocka_unit_test(client_close_without_a_code),
        cmocka_unit_test(client_close_is_echoed_at_a_frame_boundary),
        cmocka_unit_test(client_close_with_a_slow_fin),
        cmocka_unit_test(client_eof_without_close),
        cmocka_unit_test(client_reset_resets_the_backend),
        cmocka_unit_test(deaf_front_is_still_read),
        cmocka_unit_test(deaf_front_then_eof),
        cmocka_unit_test(deaf_front_and_a_full_buffer),
        cmocka_unit_test(deaf_back_is_still_read),
        cmocka_unit_test(deaf_back_that_was_reset),
        cmocka_unit_test(deaf_back_after_the_clients_close),
        cmocka_unit_test(bad_input_is_told_and_discarded),
        cmocka_unit_test(bad_input_behind_our_close),
        cmocka_unit_test(bad_input_of_a_deaf_client),
        cmocka_unit_test(bad_input_while_the_client_does_not_read),
        cmocka_unit_test(drain_says_going_away),
        cmocka_unit_test(drain_of_a_deaf_front),
        cmocka_unit_test(abort_ends_at_once),
        cmocka_unit_test(abort_in_the_middle_of_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
