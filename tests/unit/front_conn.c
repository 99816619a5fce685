/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * An accepted connection: heads in any pieces, keep-alive and pipelines, refusals and the linger behind them, bodies,
 * handlers that take their time, clients that leave meanwhile, limits, deadlines, draining.
 */
#include "front_rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define SHORT 0.05

/* --- requests ------------------------------------------------------------------------------------------------------
 */

static void one_request_after_another(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    for (int i = 0; i < 3; i++) {
        front_say(r, m, GET("/reply"));
        const char *text = front_heard(r, m);
        assert_int_equal(strncmp(text, "HTTP/1.1 200 OK\r\n", 17), 0);
        assert_non_null(strstr(text, "Content-Length: 6\r\n"));
        assert_null(strstr(text, "Connection:"));
        assert_string_equal(text + strlen(text) - 10, "\r\n\r\nhello\n");
        assert_int_equal(pool_in_use(r->env.pool), 0); /* between requests it holds nothing */
    }
    assert_false(m->shut);
    mem_stream_finish(m, 0);
    front_settle(r);
    assert_int_equal(m->end, STREAM_END_CLEAN);
    assert_int_equal(front_logged(r, " access request "), 3);
    assert_int_equal(r->env.stats.requests, 3);
    front_close(r);
}

static void one_byte_at_a_time(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);
    static const char text[] = GET("/reply") GET("/404") GET("/body/10");

    for (size_t i = 0; i < sizeof text - 1; i++) {
        mem_stream_feed(m, text + i, 1);
        front_settle(r);
    }
    assert_int_equal(r->dispatched, 3);
    const char *heard = front_heard(r, m);
    assert_int_equal(front_count(heard, "HTTP/1.1 200"), 2);
    assert_int_equal(front_count(heard, "HTTP/1.1 404"), 1);
    assert_string_equal(heard + strlen(heard) - 14, "\r\n\r\nabcdefghij");
    mem_stream_finish(m, 0);
    front_settle(r);
    front_close(r);
}

static void pipeline(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    for (int i = 0; i < 50; i++)
        mem_stream_feed(m, GET("/reply"), strlen(GET("/reply")));
    mem_stream_feed(m, GET("/body/3"), strlen(GET("/body/3")));
    mem_stream_finish(m, 0); /* what came before the end is answered */
    front_settle(r);
    assert_int_equal(r->dispatched, 51);
    const char *heard = front_heard(r, m);
    assert_int_equal(front_count(heard, "hello\n"), 50);
    assert_string_equal(heard + strlen(heard) - 3, "abc");
    front_close(r);
}

/* More than fits into the buffer at once, so heads move while they are read. */
static void pipeline_longer_than_the_buffer(void **state)
{
    struct front_rig *r = front_new();
    static const struct mem_step cuts[] = {{MEM_BYTES, 3000}, {MEM_BYTES, 1777}, {MEM_AGAIN, 0}, {MEM_BYTES, 11}};
    char head[1200];
    size_t n = (size_t)snprintf(head, sizeof head, "GET /reply HTTP/1.1\r\nHost: h\r\nX-Fill: %0*d\r\n\r\n", 1000, 7);

    r->listener.limits.request_header = 2000;
    struct mem_stream *m = front_connect(r);
    m->reads = (struct mem_script){.steps = cuts, .n = 4};
    for (int i = 0; i < 100; i++)
        mem_stream_feed(m, head, n);
    front_settle(r);
    assert_int_equal(r->dispatched, 100);
    mem_stream_finish(m, 0);
    front_settle(r);
    front_close(r);
}

static void slow_reader_of_a_pipeline(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    mem_stream_stall(m, true);
    for (int i = 0; i < 5; i++)
        mem_stream_feed(m, GET("/reply"), strlen(GET("/reply")));
    front_settle(r);
    assert_int_equal(r->dispatched, 1); /* one answer waits, so the next request does */
    mem_stream_stall(m, false);
    front_settle(r);
    assert_int_equal(r->dispatched, 5);
    mem_stream_finish(m, 0);
    front_settle(r);
    front_close(r);
}

static void who_keeps_the_connection(void **state)
{
    static const struct {
        const char *text;
        bool kept;
        const char *field;
    } cases[] = {
        {GET("/reply"), true, NULL},
        {GET("/304"), true, NULL},
        {GET("/404"), true, NULL},
        {"GET /reply HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false, "Connection: close"},
        {"GET /reply HTTP/1.0\r\n\r\n", false, "Connection: close"},
        {"GET /reply HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, "Connection: keep-alive"},
        {"POST /reply HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n" GET("/inject"), false, "Connection: close"},
        {"POST /reply HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, "Connection: close"},
        {"GET /reply HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\n" GET("/inject"), false, "Connection: close"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct front_rig *r = front_new();
        struct mem_stream *m = front_connect(r);

        front_say(r, m, cases[i].text);
        assert_int_equal(r->dispatched, 1); /* what hides in a body is no request */
        if (cases[i].field)
            assert_non_null(strstr(front_heard(r, m), cases[i].field));
        assert_int_equal(m->shut, !cases[i].kept);
        assert_false(m->freed);
        front_say(r, m, GET("/reply"));
        assert_int_equal(r->dispatched, cases[i].kept ? 2 : 1);
        mem_stream_finish(m, 0);
        front_settle(r);
        assert_int_equal(m->end, STREAM_END_CLEAN);
        front_close(r);
    }
}

static void head_gets_no_body(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    front_say(r, m, "HEAD /body/100000 HTTP/1.1\r\nHost: h\r\n\r\nHEAD /reply HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *heard = front_heard(r, m);
    assert_int_equal(front_count(heard, "HTTP/1.1 200"), 2);
    assert_non_null(strstr(heard, "Content-Length: 100000\r\n"));
    assert_non_null(strstr(heard, "Content-Length: 6\r\n"));
    assert_null(strstr(heard, "hello"));
    assert_null(strstr(heard, "abc"));
    front_say(r, m, GET("/reply")); /* the next one has its body again */
    assert_non_null(strstr(front_heard(r, m), "hello"));
    mem_stream_finish(m, 0);
    front_settle(r);
    assert_int_equal(front_logged(r, "bytes=0"), 2);
    front_close(r);
}

/* --- refused heads -------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *text;
    int status;
} refusals[] = {
    {"\x16\x03\x01\x02", 400},
    {"GET /\n", 400},
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
    {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"GET /../x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 405},
    {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 405},
    {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
    {"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
};

static void refused_heads(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct front_rig *r = front_new();
        struct mem_stream *m = front_connect(r);
        char line[32];

        front_say(r, m, refusals[i].text);
        snprintf(line, sizeof line, "HTTP/1.1 %d ", refusals[i].status);
        const char *heard = front_heard(r, m);
        if (strncmp(heard, line, strlen(line)) != 0)
            fail_msg("case %zu: %.60s", i, heard);
        assert_non_null(strstr(heard, "Connection: close\r\n"));
        assert_int_equal(r->dispatched, 0);
        assert_true(m->shut);
        front_say(r, m, GET("/reply")); /* read, so that closing does not reset the answer away; not answered */
        assert_int_equal(m->in_at, m->in.n);
        assert_int_equal(m->out.n, 0);
        mem_stream_finish(m, 0);
        front_settle(r);
        assert_int_equal(m->end, STREAM_END_CLEAN);
        assert_int_equal(front_logged(r, "request_refused"), 1);
        assert_int_equal(front_logged(r, " access request "), 1);
        front_close(r);
    }
}

static void heads_too_large(void **state)
{
    static const uint64_t sizes[] = {1 << 10, 16 << 10, 1 << 20}; /* up to the most that may be configured */

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (int fits = 0; fits < 2; fits++) {
            struct front_rig *r = front_new();
            r->listener.limits.request_header = sizes[i];
            struct mem_stream *m = front_connect(r);
            size_t n = (size_t)sizes[i] + !fits;
            char *head = malloc(n + 1);
            static const char start[] = "GET /reply HTTP/1.1\r\nHost: h\r\n";

            memcpy(head, start, sizeof start);
            for (size_t at = sizeof start - 1; at + 4 < n;) { /* fields, none of them too long */
                size_t k = MIN_OF(n - at - 2, sizes[i] / 64);
                if (n - at - 2 - k < 16)
                    k = n - at - 2;
                memset(head + at, 'v', k);
                memcpy(head + at, "X-F: ", 5);
                memcpy(head + at + k - 2, "\r\n", 2);
                at += k;
            }
            memcpy(head + n - 2, "\r\n", 2);
            mem_stream_feed(m, head, n);
            front_settle(r);
            const char *heard = front_heard(r, m);
            if (strncmp(heard, fits ? "HTTP/1.1 200" : "HTTP/1.1 431", 12) != 0)
                fail_msg("%zu bytes: %.80s", n, heard);
            mem_stream_finish(m, 0);
            front_settle(r);
            free(head);
            front_close(r);
        }
    }
}

static void linger_has_an_end(void **state)
{
    for (int flood = 0; flood < 2; flood++) {
        struct front_rig *r = front_new();
        struct mem_stream *m = front_connect(r);
        char *much = calloc(1, 2 << 20);

        r->listener.timeouts.close = SHORT;
        front_say(r, m, refusals[0].text);
        assert_false(m->freed);
        if (flood)
            mem_stream_feed(m, much, 2 << 20);
        WAIT_FOR(&r->b, m->freed);
        assert_int_equal(m->end, STREAM_END_CLEAN);
        free(much);
        front_close(r);
    }
}

static void refused_while_it_does_not_read(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    r->listener.timeouts.write_stall = SHORT;
    mem_stream_stall(m, true);
    front_say(r, m, refusals[0].text);
    WAIT_FOR(&r->b, m->freed);
    assert_int_equal(m->end, STREAM_END_ABORT);
    front_close(r);
}

/* --- bodies --------------------------------------------------------------------------------------------------------
 */

static void bodies_of_any_length(void **state)
{
    static const unsigned sizes[] = {0, 1, 1000, 65535, 65536, 65537, 3000000};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct front_rig *r = front_new();
        struct mem_stream *m = front_connect(r);
        char text[64];

        snprintf(text, sizeof text, "GET /body/%u HTTP/1.1\r\nHost: h\r\n\r\n", sizes[i]);
        front_say(r, m, text);
        uint8_t *body = memmem(m->out.p, m->out.n, "\r\n\r\n", 4);
        assert_non_null(body);
        body += 4;
        assert_int_equal(m->out.p + m->out.n - body, sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++)
            if (body[j] != 'a' + j % 26)
                fail_msg("byte %zu differs", j);
        assert_int_equal(r->bodies, 0);
        mem_stream_finish(m, 0);
        front_settle(r);
        front_close(r);
    }
}

static void large_body_leaves_turns_to_others(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    mem_stream_feed(m, GET("/body/9000000"), strlen(GET("/body/9000000")));
    front_turn(r, 1);
    assert_true(m->out.n < 3000000);
    front_settle(r);
    assert_true(m->out.n > 9000000);
    mem_stream_finish(m, 0);
    front_settle(r);
    front_close(r);
}

static void body_to_a_slow_reader_costs_one_buffer(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    m->stall_after = 3;
    front_say(r, m, GET("/body/3000000"));
    assert_true(pool_in_use(r->env.pool) <= (64 << 10) + (32 << 10) + POOL_MIN); /* the answer, the input, the head */
    assert_int_equal(r->bodies, 1);
    mem_stream_stall(m, false);
    front_settle(r);
    assert_int_equal(r->bodies, 0);
    mem_stream_finish(m, 0);
    front_settle(r);
    front_close(r);
}

/* As with TLS, which has taken the last record but could not send it: that is part of the answer. */
static void last_record_is_waited_for(void **state)
{
    for (int comes = 0; comes < 2; comes++) {
        struct front_rig *r = front_new();
        struct mem_stream *m = front_connect(r);

        r->listener.timeouts.write_stall = 2 * SHORT;
        r->listener.timeouts.close = SHORT / 2;
        m->seals = true;
        mem_stream_stall(m, true);
        front_say(r, m, "GET /reply HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        bench_run(&r->b, SHORT);
        assert_false(m->freed);
        assert_int_equal(front_logged(r, " access request "), 0);
        if (comes) {
            mem_stream_stall(m, false);
            front_settle(r);
            assert_true(m->shut);
            assert_non_null(strstr(front_heard(r, m), "hello\n"));
            assert_int_equal(front_logged(r, "reason="), 0);
        }
        WAIT_FOR(&r->b, m->freed);
        assert_int_equal(m->end, comes ? STREAM_END_CLEAN : STREAM_END_ABORT);
        assert_int_equal(m->lost, 0);
        assert_int_equal(front_logged(r, " access request "), 1);
        front_close(r);
    }
}

static void client_that_does_not_read(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    r->listener.timeouts.write_stall = SHORT;
    m->stall_after = 2;
    front_say(r, m, GET("/body/3000000"));
    for (int i = 0; i < 4; i++) { /* progress puts it off */
        bench_run(&r->b, SHORT / 2);
        assert_false(m->freed);
        m->stall_after = 1;
        mem_stream_stall(m, false);
        front_settle(r);
    }
    WAIT_FOR(&r->b, m->freed);
    assert_int_equal(m->end, STREAM_END_ABORT);
    assert_int_equal(front_logged(r, "client does not read"), 1);
    front_close(r);
}

/* A body that cannot be finished must not look finished. */
static void body_whose_source_fails(void **state)
{
    static const char *const requests[] = {GET("/fail/5000"), GET("/short/5000"), GET("/fail/0"), GET("/short/0")};

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct front_rig *r = front_new();
        struct mem_stream *m = front_connect(r);

        front_say(r, m, requests[i]);
        assert_true(m->freed);
        assert_int_equal(m->end, STREAM_END_ABORT);
        assert_int_equal(front_logged(r, "the file ended early"), 1);
        front_close(r);
    }
}

static void client_leaves_in_the_middle_of_a_body(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);
    static const struct mem_step writes[] = {{MEM_BYTES, 0}, {MEM_BYTES, 100}, {MEM_FAIL, EPIPE}};

    m->writes = (struct mem_script){.steps = writes, .n = 3};
    front_say(r, m, GET("/body/3000000"));
    assert_true(m->freed);
    assert_int_equal(front_logged(r, "as scripted"), 1);
    front_close(r);
}

/* --- handlers that take their time ---------------------------------------------------------------------------------
 */

static void late_reply(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    front_say(r, m, GET("/hold") GET("/reply"));
    assert_int_equal(m->out.n, 0);
    assert_int_equal(r->dispatched, 1);
    struct http_exchange *x = r->held;
    r->held = NULL;
    x->owner = NULL;
    x->ops->reply(x, 200, NULL, 0, SLICE("late\n"));
    front_settle(r);
    assert_int_equal(r->dispatched, 2);
    const char *heard = front_heard(r, m);
    assert_true(strstr(heard, "late\n") < strstr(heard, "hello\n"));
    mem_stream_finish(m, 0);
    front_settle(r);
    assert_int_equal(r->gone, 0);
    front_close(r);
}

static void client_gone_while_pending(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct front_rig *r = front_new();
        struct mem_stream *m = front_connect(r);

        front_say(r, m, GET("/hold"));
        if (how == 2)
            front_abort_all(&r->env);
        else
            mem_stream_finish(m, how ? ECONNRESET : 0);
        front_settle(r);
        assert_int_equal(r->gone, 1);
        assert_true(m->freed);
        assert_int_equal(front_logged(r, "status=499"), 1);
        front_close(r);
    }
}

static void abort_of_a_pending_one(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    front_say(r, m, GET("/hold"));
    struct http_exchange *x = r->held;
    r->held = NULL;
    x->ops->abort(x);
    assert_int_equal(m->end, STREAM_END_ABORT);
    assert_int_equal(r->gone, 0);
    front_close(r);
}

static void accept_passes_stream_and_early_bytes(void **state)
{
    for (int how = 0; how < 3; how++) { /* at once; with early bytes; later, with early bytes before and after */
        struct front_rig *r = front_new();
        struct mem_stream *m = front_connect(r);

        front_say(r, m, GET("/reply"));
        front_heard(r, m);
        if (how == 2) {
            front_say(r, m, "GET /hold HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\nearly");
            front_say(r, m, " frames");
            assert_int_equal(front_accept_exchange(r, r->held), 0);
        } else {
            mem_stream_feed(m, "GET /accept HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\nearly frames",
                            strlen("GET /accept HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\n") + (how ? 12 : 0));
            front_turn(r, 1);
        }
        assert_true(r->was_accepted);
        assert_false(m->freed);
        assert_ptr_equal(r->accepted.stream, &m->s);
        assert_int_equal(strncmp((char *)r->accepted.preface, "HTTP/1.1 101 Switching Protocols\r\n", 34), 0);
        if (how == 0)
            assert_null(r->accepted.buf);
        else
            assert_memory_equal(r->accepted.buf + r->accepted.head, "early frames", 12);
        assert_int_equal(r->accepted.tail - r->accepted.head, how ? 12 : 0);
        assert_int_equal(m->out.n, 0);
        front_close(r);
    }
}

static void accept_that_does_not_fit(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    r->long_names = true;
    front_say(r, m, "GET /accept HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\n");
    assert_false(r->was_accepted);
    assert_int_equal(strncmp(front_heard(r, m), "HTTP/1.1 400", 12), 0);
    assert_true(m->shut);
    mem_stream_finish(m, 0);
    front_settle(r);
    front_close(r);
}

/* While a handler thinks, the client sends more than the buffer takes: no spinning, and the views of the pending
 * request stay what they were, also when the request did not begin the buffer. */
static void flood_while_pending(void **state)
{
    for (int behind = 0; behind < 2; behind++) {
        struct front_rig *r = front_new();
        char *much = calloc(1, 200000);

        memset(much, 'Z', 200000);
        r->listener.limits.request_header = 2000;
        struct mem_stream *m = front_connect(r);
        mem_stream_feed(m, GET("/reply"), behind ? strlen(GET("/reply")) : 0);
        mem_stream_feed(m, "GET /hold HTTP/1.1\r\nHost: host.test\r\nX-Token: value\r\n" UPGRADE "\r\n",
                        strlen("GET /hold HTTP/1.1\r\nHost: host.test\r\nX-Token: value\r\n" UPGRADE "\r\n"));
        front_settle(r);
        assert_non_null(r->held);
        mem_stream_feed(m, much, 200000);
        front_settle(r);
        assert_true(m->in_at < 8192);
        const struct http_field *f = http_field_find(r->held->head, "X-Token");
        assert_non_null(f);
        assert_true(slice_eq(f->value, SLICE("value")));
        assert_true(slice_eq(r->held->authority.host, SLICE("host.test")));
        assert_int_equal(front_accept_exchange(r, r->held), 0);
        for (size_t i = r->accepted.head; i < r->accepted.tail; i++)
            assert_int_equal(r->accepted.buf[i], 'Z');
        free(much);
        front_close(r);
    }
}

/* --- limits, deadlines, the end ------------------------------------------------------------------------------------
 */

static void over_the_limit(void **state)
{
    struct front_rig *r = front_new();

    r->listener.limits.connections = 4;
    for (int i = 0; i < 4 + 1 + 16 + 2; i++)
        front_connect(r);
    front_settle(r);
    assert_int_equal(r->ended, 2); /* beyond what is told so in HTTP */
    for (unsigned i = 0; i < 6; i++)
        front_say(r, &r->streams[i], GET("/reply"));
    assert_int_equal(r->dispatched, 4);
    assert_int_equal(strncmp(front_heard(r, &r->streams[3]), "HTTP/1.1 200", 12), 0);
    assert_int_equal(strncmp(front_heard(r, &r->streams[4]), "HTTP/1.1 503", 12), 0);
    assert_true(r->streams[4].shut);
    front_abort_all(&r->env);
    front_settle(r);
    front_close(r);
}

static void silent_and_slow_heads(void **state)
{
    struct front_rig *r = front_new();

    r->listener.timeouts.handshake = SHORT;
    struct mem_stream *silent = front_connect(r), *slow = front_connect(r), *idle = front_connect(r);
    front_say(r, slow, "GET /re");
    front_say(r, idle, GET("/reply"));
    front_heard(r, idle);
    for (int i = 0; i < 100 && !slow->shut; i++) { /* a byte now and then does not put it off */
        mem_stream_feed(slow, "p", 1);
        bench_run(&r->b, SHORT / 20);
    }
    assert_int_equal(strncmp(front_heard(r, slow), "HTTP/1.1 408", 12), 0);
    WAIT_FOR(&r->b, silent->freed && idle->freed);
    assert_int_equal(silent->out.n, 0);
    assert_int_equal(idle->out.n, 0);
    assert_int_equal(silent->end, STREAM_END_CLEAN);
    mem_stream_finish(slow, 0);
    front_settle(r);
    front_close(r);
}

/* The time of a head begins with its first byte, not with the wait before it. */
static void next_head_has_its_own_time(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    r->listener.timeouts.handshake = 3 * SHORT;
    front_say(r, m, GET("/reply"));
    front_heard(r, m);
    for (int i = 0; i < 4; i++) {
        bench_run(&r->b, 2 * SHORT);
        front_say(r, m, "GET /reply HTTP/1.1\r\n");
        bench_run(&r->b, 2 * SHORT);
        front_say(r, m, "Host: h\r\n\r\n");
        assert_int_equal(strncmp(front_heard(r, m), "HTTP/1.1 200", 12), 0);
    }
    mem_stream_finish(m, 0);
    front_settle(r);
    front_close(r);
}

static void drain(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *idle = front_connect(r), *busy = front_connect(r), *begun = front_connect(r);
    struct mem_stream *held = front_connect(r), *fresh = front_connect(r), *spare = front_connect(r);

    r->listener.timeouts.close = 1000;
    front_say(r, idle, GET("/reply"));
    busy->stall_after = 1;
    front_say(r, busy, GET("/body/300000"));
    front_say(r, begun, "GET /reply HTTP/1.1\r\n");
    front_say(r, held, GET("/hold"));
    mem_stream_feed(fresh, GET("/reply"), strlen(GET("/reply"))); /* not read yet when the word comes */
    r->env.draining = true;
    front_drain(&r->env);
    assert_true(idle->freed);
    assert_false(busy->freed || begun->freed || held->freed || fresh->freed);
    mem_stream_stall(busy, false);
    front_say(r, begun, "Host: h\r\n\r\n");
    assert_non_null(strstr(front_heard(r, begun), "Connection: close"));
    assert_non_null(strstr(front_heard(r, fresh), "Connection: close"));
    assert_true(busy->out.n > 300000);
    assert_true(busy->shut && begun->shut && fresh->shut);
    struct http_exchange *x = r->held;
    r->held = NULL;
    x->owner = NULL;
    x->ops->reply(x, 503, NULL, 0, SLICE("going\n"));
    front_settle(r);
    assert_true(held->shut);
    mem_stream_finish(busy, 0);
    mem_stream_finish(begun, 0);
    mem_stream_finish(held, 0);
    mem_stream_finish(fresh, 0);
    mem_stream_finish(spare, 0);
    front_settle(r);
    front_close(r);
}

/* One that never said anything is not waited for longer than for a farewell. */
static void drain_of_a_spare_connection(void **state)
{
    struct front_rig *r = front_new();
    struct mem_stream *m = front_connect(r);

    r->listener.timeouts.close = SHORT;
    front_settle(r);
    r->env.draining = true;
    front_drain(&r->env);
    assert_false(m->freed);
    WAIT_FOR(&r->b, m->freed);
    assert_int_equal(m->out.n, 0);
    front_close(r);
}

static void abort_everything(void **state)
{
    struct front_rig *r = front_new();

    for (int i = 0; i < 5; i++)
        front_connect(r);
    mem_stream_stall(&r->streams[1], true);
    front_say(r, &r->streams[1], GET("/body/1000"));
    front_say(r, &r->streams[2], refusals[0].text);
    front_say(r, &r->streams[3], GET("/hold"));
    front_say(r, &r->streams[4], "GET ");
    front_abort_all(&r->env);
    assert_int_equal(r->gone, 1);
    front_close(r);
}

static void no_stream_to_be_had(void **state)
{
    struct front_rig *r = front_new();

    r->no_stream = true;
    front_connect(r);
    assert_int_equal(r->ended, 1);
    front_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_after_another),
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(pipeline),
        cmocka_unit_test(pipeline_longer_than_the_buffer),
        cmocka_unit_test(slow_reader_of_a_pipeline),
        cmocka_unit_test(who_keeps_the_connection),
        cmocka_unit_test(head_gets_no_body),
        cmocka_unit_test(refused_heads),
        cmocka_unit_test(heads_too_large),
        cmocka_unit_test(linger_has_an_end),
        cmocka_unit_test(refused_while_it_does_not_read),
        cmocka_unit_test(bodies_of_any_length),
        cmocka_unit_test(large_body_leaves_turns_to_others),
        cmocka_unit_test(body_to_a_slow_reader_costs_one_buffer),
        cmocka_unit_test(last_record_is_waited_for),
        cmocka_unit_test(client_that_does_not_read),
        cmocka_unit_test(body_whose_source_fails),
        cmocka_unit_test(client_leaves_in_the_middle_of_a_body),
        cmocka_unit_test(late_reply),
        cmocka_unit_test(client_gone_while_pending),
        cmocka_unit_test(abort_of_a_pending_one),
        cmocka_unit_test(accept_passes_stream_and_early_bytes),
        cmocka_unit_test(accept_that_does_not_fit),
        cmocka_unit_test(flood_while_pending),
        cmocka_unit_test(over_the_limit),
        cmocka_unit_test(silent_and_slow_heads),
        cmocka_unit_test(next_head_has_its_own_time),
        cmocka_unit_test(drain),
        cmocka_unit_test(drain_of_a_spare_connection),
        cmocka_unit_test(abort_everything),
        cmocka_unit_test(no_stream_to_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
