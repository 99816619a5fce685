/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * How a session begins: refusals before the backend is touched, what becomes of a connect, the 101, early frames, and
 * every way in which an opening session ends before it was one.
 */
#include "relay_rig.h"

struct refusal {
    const char *method;
    const char *lines;
    int status;
};

static void bad_requests_never_touch_the_backend(void **state)
{
    static const struct refusal cases[] = {
        {"POST", RIG_UPGRADE, 405},
        {"GET", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" RIG_KEY, 400},
        {"GET", "Connection: Upgrade\r\nUpgrade: websocket\r\n" RIG_KEY, 426},
        {"GET", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n" RIG_KEY, 426},
        {"GET", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400},
        {"GET", RIG_UPGRADE "Sec-WebSocket-Protocol: a b\r\n", 400},
        {"GET", RIG_UPGRADE "Origin: https://elsewhere.test\r\n", 403},
        {"GET", RIG_UPGRADE "Origin: null\r\n", 403},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = rig_new();

        r->route.origin_any = false;
        r->route.origin_same = true;
        rig_request(r, cases[i].method, cases[i].lines);
        assert_int_equal(r->conn, RIG_CONN_NONE);
        if (cases[i].status == 426)
            assert_string_equal(fake_field(&r->f, "Sec-WebSocket-Version"), "13");
        if (cases[i].status == 405)
            assert_string_equal(fake_field(&r->f, "Allow"), "GET");
        char *log = rig_log(r);
        assert_non_null(strstr(log, "session_refused"));
        assert_null(strstr(log, "secret")); /* the query is not for the log */
        free(log);
        rig_refused(r, cases[i].status);
    }
}

static void draining_refuses(void **state)
{
    struct rig *r = rig_new();

    r->env.draining = true;
    rig_request(r, "GET", RIG_UPGRADE);
    assert_int_equal(r->conn, RIG_CONN_NONE);
    rig_refused(r, 503);
}

static const struct {
    enum connect_outcome outcome;
    int status;
    const char *story;
} outcomes[] = {
    {CONNECT_NO_NAME, 502, "101 CLOSE(1011 The backend's name has no address.)"},
    {CONNECT_REFUSED, 502, "101 CLOSE(1011 The backend cannot be reached.)"},
    {CONNECT_TIMEOUT, 504, "101 CLOSE(1013 The backend does not answer in time.)"},
    {CONNECT_NO_ROOM, 503, "101 CLOSE(1013 No room for another connection.)"},
};

static void failed_connect_is_an_honest_status(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        struct rig *r = rig_new();

        rig_request(r, "GET", RIG_UPGRADE);
        assert_int_equal(r->f.ends, 0);
        rig_connect_ends(r, outcomes[i].outcome);
        assert_null(r->f.x.owner);
        char *log = rig_log(r);
        assert_non_null(strstr(log, "connect_failed"));
        assert_non_null(strstr(log, "as scripted"));
        free(log);
        rig_refused(r, outcomes[i].status);
    }
}

static void failed_connect_as_a_close(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        struct rig *r = rig_new();

        r->route.errors_close = true;
        rig_request(r, "GET", RIG_UPGRADE);
        rig_connect_ends(r, outcomes[i].outcome);
        rig_settle(r);
        ASSERT_STORY(r, outcomes[i].story);
        rig_say(r, "to nobody");
        rig_send_close(r, 1000);
        rig_settle(r);
        ASSERT_RECORD(r, "closed_by", "backend");
        ASSERT_RECORD(r, "code", i < 2 ? "1011" : "1013");
        rig_close(r);
    }
}

static void failed_connect_as_a_close_to_a_client_that_spoke_early(void **state)
{
    struct rig *r = rig_new();
    uint8_t early[64];
    size_t n = rig_frame(early, WS_BINARY, true, "hello", 5);

    n += rig_frame(early + n, WS_CLOSE, true, NULL, 0);
    r->route.errors_close = true;
    r->early = early;
    r->early_n = n;
    rig_request(r, "GET", RIG_UPGRADE);
    rig_connect_ends(r, CONNECT_REFUSED);
    rig_settle(r);
    ASSERT_STORY(r, outcomes[1].story);
    rig_close(r);
}

static void subprotocols_and_record(void **state)
{
    static const struct {
        const char *lines;
        const char *configured;
        const char *chosen;
    } cases[] = {
        {RIG_UPGRADE, NULL, NULL},
        {RIG_UPGRADE "Sec-WebSocket-Protocol: base64,binary\r\n", NULL, "binary"},
        {RIG_UPGRADE "Sec-WebSocket-Protocol: mqttv3, mqtt\r\n", "mqtt", "mqtt"},
        {RIG_UPGRADE "Sec-WebSocket-Protocol: other\r\n", "mqtt", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = rig_new();
        const char *v[] = {cases[i].configured};

        if (cases[i].configured) {
            r->service.subprotocols.n = 1;
            r->service.subprotocols.v = v;
        }
        rig_request(r, "GET", cases[i].lines);
        rig_connect_ends(r, CONNECT_OK);
        const char *got = fake_field(&r->f, "Sec-WebSocket-Protocol");
        if (cases[i].chosen)
            assert_string_equal(got, cases[i].chosen);
        else
            assert_null(got);
        assert_string_equal(fake_field(&r->f, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        rig_send_close(r, 1000);
        mem_stream_finish(&r->back, 0);
        rig_settle(r);
        ASSERT_RECORD(r, "subprotocol", cases[i].chosen ? cases[i].chosen : "-");
        ASSERT_RECORD(r, "path", "/a/path");
        ASSERT_RECORD(r, "service", "rigged");
        ASSERT_RECORD(r, "backend", "192.0.2.7:5900");
        ASSERT_RECORD(r, "listener", "here");
        ASSERT_RECORD(r, "id", "1");
        rig_close(r);
    }
}

/* --- early frames --------------------------------------------------------------------------------------------------
 */

static void early_frames_stay_where_they_are(void **state)
{
    for (size_t cut = 0; cut < 23; cut++) { /* wherever the packet ended */
        struct rig *r = rig_new();
        uint8_t early[64];
        size_t n = rig_frame(early, WS_BINARY, true, "first", 5);

        n += rig_frame(early + n, WS_PING, true, "p", 1);
        n += rig_frame(early + n, WS_BINARY, false, "se", 2);
        n = MIN_OF(n, cut);
        r->early = early;
        r->early_n = n;
        rig_open(r);
        mem_stream_feed(&r->front, early + n, 26 - n);
        rig_send(r, WS_CONTINUATION, true, "cond", 4);
        rig_settle(r);
        assert_wrote(&r->back, "firstsecond");
        ASSERT_STORY(r, "101 PONG(p)");
        assert_int_equal(pool_in_use(r->env.pool), 0);
        session_abort_all(&r->env);
        ASSERT_RECORD(r, "messages_up", "2");
        rig_close(r);
    }
}

static void early_close(void **state)
{
    struct rig *r = rig_new();
    uint8_t early[64];
    size_t n = rig_frame(early, WS_BINARY, true, "hit", 3);

    n += rig_frame(early + n, WS_CLOSE, true, NULL, 0);
    r->early = early;
    r->early_n = n;
    rig_open(r);
    mem_stream_finish(&r->back, 0);
    rig_settle(r);
    assert_wrote(&r->back, "hit");
    ASSERT_STORY(r, "101 CLOSE(1005)");
    rig_close(r);
}

static void early_garbage(void **state)
{
    struct rig *r = rig_new();

    r->early = "GET / HTTP/1.1\r\n\r\n";
    r->early_n = 18;
    rig_open(r);
    mem_stream_finish(&r->back, 0);
    mem_stream_finish(&r->front, 0);
    rig_settle(r);
    ASSERT_STORY(r, "101 CLOSE(1002 client frame without mask)");
    rig_close(r);
}

/* The 101 itself may leave in pieces; data follows behind it. */
static void slow_101(void **state)
{
    struct rig *r = rig_new();
    static const struct mem_step writes[] = {{MEM_BYTES, 1}, {MEM_AGAIN, 0}, {MEM_BYTES, 2}, {MEM_AGAIN, 0}};

    r->front.writes = (struct mem_script){.steps = writes, .n = 4};
    mem_stream_feed(&r->back, "banner", 6);
    rig_open(r);
    rig_settle(r);
    ASSERT_STORY(r, "101 B(banner)");
    session_abort_all(&r->env);
    rig_close(r);
}

/* --- ended before it began -----------------------------------------------------------------------------------------
 */

static void client_gone_while_connecting(void **state)
{
    struct rig *r = rig_new();

    rig_request(r, "GET", RIG_UPGRADE);
    r->f.x.owner->gone(r->f.x.owner);
    assert_int_equal(r->conn, RIG_CONN_CANCELLED);
    r->f.ends = 1; /* the exchange is over, and nobody may end it again */
    rig_refused(r, 0);
}

static void drain_while_connecting(void **state)
{
    struct rig *r = rig_new();

    rig_request(r, "GET", RIG_UPGRADE);
    session_drain_all(&r->env, "server is going away");
    assert_int_equal(r->conn, RIG_CONN_CANCELLED);
    assert_null(r->f.x.owner);
    rig_refused(r, 503);
}

/* The front may end the connection inside reply, and a worker that drains looks at that moment whether anything is
 * left. A session that is refused must not be. */
static bool sessions_left;

static void look_around(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                        struct slice text)
{
    struct rig *r = container_of(container_of(x, struct fake_exchange, x), struct rig, f);

    sessions_left = !rig_over(r);
    fake_record(&r->f, status, fields, n);
}

static int accept_and_look(struct http_exchange *x, const struct http_field *fields, size_t n,
                           struct http_accepted *out)
{
    struct rig *r = container_of(container_of(x, struct fake_exchange, x), struct rig, f);

    sessions_left = !rig_over(r);
    fake_record(&r->f, 400, fields, n);
    return -1;
}

static void refused_session_is_gone_when_the_answer_is_written(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct rig *r = rig_new();

        rig_request(r, "GET", RIG_UPGRADE);
        r->ops.reply = look_around;
        r->ops.accept = accept_and_look;
        sessions_left = true;
        if (how == 0)
            session_drain_all(&r->env, "server is going away");
        else
            rig_connect_ends(r, how == 1 ? CONNECT_REFUSED : CONNECT_OK);
        assert_false(sessions_left);
        if (how == 2) {
            assert_true(r->back.freed);
            assert_int_equal(r->back.end, STREAM_END_ABORT);
        }
        rig_refused(r, how == 0 ? 503 : how == 1 ? 502 : 400);
    }
}

static void abort_while_connecting(void **state)
{
    struct rig *r = rig_new();

    rig_request(r, "GET", RIG_UPGRADE);
    session_abort_all(&r->env);
    assert_int_equal(r->conn, RIG_CONN_CANCELLED);
    rig_refused(r, 0);
}

static void no_memory_to_connect(void **state)
{
    struct rig *r = rig_new();

    r->connect_no_memory = true;
    rig_request(r, "GET", RIG_UPGRADE);
    rig_refused(r, 503);
}

static void accept_that_fails(void **state)
{
    static const enum target_kind kinds[] = {TARGET_ADDR, TARGET_ECHO};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct rig *r = rig_new();

        r->accept_fails = true;
        r->service.to.kind = kinds[i];
        rig_open(r);
        if (kinds[i] == TARGET_ADDR)
            assert_int_equal(r->back.end, STREAM_END_ABORT);
        rig_refused(r, 101);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_requests_never_touch_the_backend),
        cmocka_unit_test(draining_refuses),
        cmocka_unit_test(failed_connect_is_an_honest_status),
        cmocka_unit_test(failed_connect_as_a_close),
        cmocka_unit_test(failed_connect_as_a_close_to_a_client_that_spoke_early),
        cmocka_unit_test(subprotocols_and_record),
        cmocka_unit_test(early_frames_stay_where_they_are),
        cmocka_unit_test(early_close),
        cmocka_unit_test(early_garbage),
        cmocka_unit_test(slow_101),
        cmocka_unit_test(client_gone_while_connecting),
        cmocka_unit_test(drain_while_connecting),
        cmocka_unit_test(refused_session_is_gone_when_the_answer_is_written),
        cmocka_unit_test(abort_while_connecting),
        cmocka_unit_test(no_memory_to_connect),
        cmocka_unit_test(accept_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
