/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Bytes in flight: all of them arrive in order through any cuts, neither side that does not read makes buffers grow
 * beyond limits.buffer, an idle session holds none, bulk goes through a pipe with nothing lost around it.
 */
#include "relay_rig.h"

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 253);
}

static void backend_sends(struct rig *r, size_t *sent, size_t n)
{
    uint8_t *p = malloc(n);

    for (size_t i = 0; i < n; i++)
        p[i] = byte_at(*sent + i);
    mem_stream_feed(&r->back, p, n);
    *sent += n;
    free(p);
}

/* As messages of one frame each. */
static void client_sends(struct rig *r, size_t *sent, size_t n, size_t each)
{
    uint8_t *p = malloc(each);

    while (n) {
        size_t k = MIN_OF(n, each);
        for (size_t i = 0; i < k; i++)
            p[i] = byte_at(*sent + i);
        rig_send(r, WS_BINARY, true, p, k);
        *sent += k;
        n -= k;
    }
    free(p);
}

static size_t check_bytes(const uint8_t *p, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte_at(from + i))
            fail_msg("byte %zu differs", from + i);
    return from + n;
}

/* How many bytes of data the client got, all of them right; *frames: in how many messages. */
static size_t client_got(struct rig *r, unsigned *messages)
{
    struct ws_decoder_options opt = {.role = WS_CLIENT, .message_max = UINT64_MAX};
    struct ws_decoder d;
    uint8_t *copy = malloc(r->front.out.n + 1);
    size_t got = 0;

    memcpy(copy, r->front.out.p, r->front.out.n);
    *messages = 0;
    ws_decoder_init(&d, &opt);
    for (size_t at = 4; at < r->front.out.n;) {
        struct ws_event ev;
        at += ws_decode(&d, copy + at, r->front.out.n - at, &ev);
        assert_int_not_equal(ev.type, WS_EV_ERROR);
        if (ev.type == WS_EV_DATA) {
            got = check_bytes(ev.data, ev.n, got);
            *messages += ev.end;
        }
    }
    free(copy);
    return got;
}

static void finish(struct rig *r)
{
    rig_send_close(r, 1000);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    rig_close(r);
}

static void everything_arrives_through_any_cuts(void **state)
{
    static const uint64_t buffers[] = {4096, 65536};

    for (unsigned seed = 1; seed < 40; seed++) {
        struct rig *r = rig_new();
        struct mem_step steps[4][200];
        struct mem_script *scripts[4] = {&r->front.reads, &r->front.writes, &r->back.reads, &r->back.writes};
        size_t up = 0, down = 0;
        unsigned messages;
        uint32_t random = seed * 2654435761u;

        for (size_t i = 0; i < 4; i++) {
            for (size_t j = 0; j < ARRAY_LEN(steps[i]); j++) {
                random = random * 1664525 + 1013904223;
                steps[i][j] = random >> 30 == 0 ? (struct mem_step){MEM_AGAIN, 0}
                                                : (struct mem_step){MEM_BYTES, 1 + (random >> 8) % (seed * 40)};
            }
            *scripts[i] = (struct mem_script){.steps = steps[i], .n = ARRAY_LEN(steps[i])};
        }
        r->route.limits.buffer = buffers[seed & 1];
        rig_open(r);
        client_sends(r, &up, 60000, 1 + seed * 17);
        backend_sends(r, &down, 60000);
        rig_settle(r);
        assert_int_equal(check_bytes(r->back.out.p, r->back.out.n, 0), up);
        assert_int_equal(client_got(r, &messages), down);
        assert_int_equal(pool_in_use(r->env.pool), 0);
        finish(r);
    }
}

static void many_small_frames_leave_as_one_write(void **state)
{
    struct rig *r = rig_open_new();
    size_t up = 0;

    client_sends(r, &up, 600, 6); /* 1200 bytes on the wire: one read */
    rig_settle(r);
    assert_int_equal(r->back.out.n, 600);
    assert_int_equal(r->back.writes_called, 1);
    finish(r);
}

static void header_and_payload_leave_as_one_write(void **state)
{
    struct rig *r = rig_open_new();
    unsigned had = r->front.writes_called;
    size_t down = 0;

    backend_sends(r, &down, 3000);
    rig_settle(r);
    assert_int_equal(r->front.writes_called, had + 1);
    finish(r);
}

static void backend_that_does_not_read(void **state)
{
    static const uint64_t buffers[] = {4096, 16384, 65536};

    for (size_t i = 0; i < ARRAY_LEN(buffers); i++) {
        struct rig *r = rig_new();
        size_t up = 0;

        r->route.limits.buffer = buffers[i];
        rig_open(r);
        rig_settle(r);
        mem_stream_stall(&r->back, true);
        client_sends(r, &up, 1000000, 1000);
        rig_settle(r); /* fails if it spins on what it does not take */
        assert_true(r->front.in_at <= buffers[i] + 2000);
        assert_true(pool_in_use(r->env.pool) <= buffers[i]);
        for (int j = 0; j < 500; j++) { /* a byte of room now and then */
            struct mem_step step = {MEM_BYTES, 1 + (size_t)j};
            r->back.writes = (struct mem_script){.steps = &step, .n = 1};
            r->back.stall_after = 1;
            mem_stream_stall(&r->back, false);
            rig_turn(r, 3);
            assert_true(pool_in_use(r->env.pool) <= buffers[i]);
            r->back.writes = (struct mem_script){0};
        }
        r->back.stall_after = 0;
        mem_stream_stall(&r->back, false);
        rig_settle(r);
        assert_int_equal(check_bytes(r->back.out.p, r->back.out.n, 0), up);
        finish(r);
    }
}

static void client_that_does_not_read(void **state)
{
    static const uint64_t buffers[] = {4096, 16384, 65536};

    for (size_t i = 0; i < ARRAY_LEN(buffers); i++) {
        struct rig *r = rig_new();
        size_t down = 0;
        unsigned messages;

        r->route.limits.buffer = buffers[i];
        rig_open(r);
        rig_settle(r);
        mem_stream_stall(&r->front, true);
        backend_sends(r, &down, 1000000);
        rig_settle(r);
        assert_true(r->back.in_at <= buffers[i]);
        assert_true(pool_in_use(r->env.pool) <= buffers[i]);
        mem_stream_stall(&r->front, false);
        rig_settle(r);
        assert_int_equal(client_got(r, &messages), down);
        finish(r);
    }
}

/* Bytes of a session that has the loop for itself are not more than its share of a turn. */
static void a_flood_leaves_turns_to_others(void **state)
{
    struct rig *r = rig_new();
    size_t down = 0;
    unsigned messages;

    rig_open(r);
    rig_settle(r);
    backend_sends(r, &down, 5000000);
    rig_turn(r, 1);
    assert_true(r->back.in_at < 2000000);
    rig_settle(r);
    assert_int_equal(client_got(r, &messages), down);
    finish(r);
}

/* The backend has said FIN while the client's last bytes wait for it: it may still read them. */
static void backend_fin_while_the_clients_last_bytes_wait(void **state)
{
    struct rig *r = rig_open_new();

    mem_stream_stall(&r->back, true);
    rig_say(r, "last");
    rig_send_close(r, 1000);
    rig_settle(r);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    assert_false(r->back.freed);
    mem_stream_stall(&r->back, false);
    rig_settle(r);
    assert_wrote(&r->back, "last");
    assert_int_equal(r->back.end, STREAM_END_CLEAN);
    rig_close(r);
}

/* --- bulk ----------------------------------------------------------------------------------------------------------
 */

static struct rig *bulk_new(size_t *down)
{
    struct rig *r = rig_new();

    mem_stream_splices(&r->front);
    mem_stream_splices(&r->back);
    rig_open(r);
    rig_settle(r);
    backend_sends(r, down, 100000); /* reads grow to the size from which bulk begins */
    rig_settle(r);
    return r;
}

static void bulk_goes_through_a_pipe(void **state)
{
    size_t down = 0;
    struct rig *r = bulk_new(&down);
    unsigned messages;

    mem_stream_stall(&r->front, true);
    backend_sends(r, &down, 2000000);
    rig_settle(r);
    assert_non_null(rig_session(r)->pipe);
    assert_true(pool_in_use(r->env.pool) <= 4096); /* for a header that could not leave */
    assert_true(r->back.in_at <= 100000 + PIPE_BYTES);
    rig_send(r, WS_PING, true, "p", 1);
    rig_settle(r);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    assert_null(rig_session(r)->pipe);
    assert_int_equal(client_got(r, &messages), down);
    backend_sends(r, &down, 100); /* an ordinary message again */
    rig_settle(r);
    backend_sends(r, &down, 50);
    rig_settle(r);
    assert_int_equal(client_got(r, &messages), down);
    finish(r);
}

static void bulk_through_any_cuts(void **state)
{
    for (size_t cut = 1; cut < 14; cut++) { /* through the header, too */
        size_t down = 0;
        struct rig *r = bulk_new(&down);
        struct mem_step steps[60];
        unsigned messages;

        for (size_t i = 0; i < ARRAY_LEN(steps); i++)
            steps[i] = i & 1 ? (struct mem_step){MEM_AGAIN, 0} : (struct mem_step){MEM_BYTES, i == 0 ? cut : cut * 997};
        backend_sends(r, &down, 300000);
        r->front.writes = (struct mem_script){.steps = steps, .n = ARRAY_LEN(steps)};
        rig_turn(r, 7);
        rig_send(r, WS_PING, true, "p", 1);
        rig_settle(r);
        assert_int_equal(client_got(r, &messages), down);
        finish(r);
    }
}

static void bulk_then_the_end(void **state)
{
    size_t down = 0;
    struct rig *r = bulk_new(&down);
    unsigned messages;

    mem_stream_stall(&r->front, true);
    backend_sends(r, &down, 200000);
    rig_settle(r);
    mem_stream_finish(&r->back, 0);
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    assert_int_equal(client_got(r, &messages), down);
    assert_memory_equal(r->front.out.p + r->front.out.n - 13, "backend ended", 13);
    rig_send_close(r, 1000);
    rig_settle(r);
    rig_close(r);
}

/* Whoever leaves with bytes in the pipe: they go with it, and the pipe is not given to the next session. */
static void bulk_cut_short(void **state)
{
    for (int how = 0; how < 5; how++) {
        size_t down = 0;
        struct rig *r = bulk_new(&down);
        static const struct mem_step fails[] = {{MEM_FAIL, EPIPE}};

        mem_stream_stall(&r->front, true);
        backend_sends(r, &down, 200000);
        rig_settle(r);
        assert_non_null(rig_session(r)->pipe);
        switch (how) {
        case 0:
            mem_stream_finish(&r->front, 0);
            break;
        case 1:
            mem_stream_finish(&r->front, ECONNRESET);
            break;
        case 2:
            session_abort_all(&r->env);
            break;
        case 3: /* the write fails */
            r->front.writes = (struct mem_script){.steps = fails, .n = 1};
            mem_stream_stall(&r->front, false);
            rig_settle(r);
            mem_stream_finish(&r->front, 0);
            break;
        case 4: /* half of it is out */
            r->front.stall_after = 1;
            mem_stream_stall(&r->front, false);
            rig_settle(r);
            mem_stream_finish(&r->front, 0);
            break;
        }
        rig_settle(r);
        if (!r->back.freed)
            mem_stream_finish(&r->back, 0);
        rig_settle(r);
        struct pipe_pair *p = pipes_take(r->env.pipes);
        uint8_t byte;
        assert_non_null(p);
        assert_int_equal(read(p->read_fd, &byte, 1), -1); /* empty */
        pipes_give(r->env.pipes, p, true);
        rig_close(r);
    }
}

/* A drain in the middle of bulk: the frame is finished first. */
static void bulk_then_drain(void **state)
{
    size_t down = 0;
    struct rig *r = bulk_new(&down);
    unsigned messages;

    mem_stream_stall(&r->front, true);
    backend_sends(r, &down, 2000000);
    rig_settle(r);
    size_t taken = r->back.in_at;
    session_drain_all(&r->env, "bye");
    mem_stream_stall(&r->front, false);
    rig_settle(r);
    assert_int_equal(client_got(r, &messages), taken);
    assert_memory_equal(r->front.out.p + r->front.out.n - 3, "bye", 3);
    finish(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_arrives_through_any_cuts),
        cmocka_unit_test(many_small_frames_leave_as_one_write),
        cmocka_unit_test(header_and_payload_leave_as_one_write),
        cmocka_unit_test(backend_that_does_not_read),
        cmocka_unit_test(client_that_does_not_read),
        cmocka_unit_test(a_flood_leaves_turns_to_others),
        cmocka_unit_test(backend_fin_while_the_clients_last_bytes_wait),
        cmocka_unit_test(bulk_goes_through_a_pipe),
        cmocka_unit_test(bulk_through_any_cuts),
        cmocka_unit_test(bulk_then_the_end),
        cmocka_unit_test(bulk_cut_short),
        cmocka_unit_test(bulk_then_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
