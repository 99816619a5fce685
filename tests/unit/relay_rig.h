/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A session between two streams made of memory. The request is real text read by the real parser; the front is an
 * exchange that gives its mem_stream away; the upstream is the test itself: it defines connect_start in the place of
 * src/upstream, so that it decides when a connect ends and how.
 *
 * What the client got is told as a story, with whole messages and control frames in order:
 *     101 B(hello) T(text) PONG(x) CLOSE(1000 backend ended)
 * A message that is not complete is B(hel.. and bytes of an incomplete frame are not told.
 *
 * rig_settle turns the loop until nothing moves and fails when a stream is still reported then: an owner that wants a
 * direction and does not use it would spin.
 */
#ifndef WSBRIDGE_TESTS_RELAY_RIG_H
#define WSBRIDGE_TESTS_RELAY_RIG_H

#include "unit.h"

#include <math.h>

#include "fake_exchange.h"
#include "mem_stream.h"
#include "net_help.h"
#include "obs/log.h"
#include "relay/relay.h"

#define RIG_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define RIG_UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" RIG_KEY
#define RIG_MASK 0x5ac3f00du

enum rig_conn { RIG_CONN_NONE, RIG_CONN_PENDING, RIG_CONN_DONE, RIG_CONN_CANCELLED };

struct rig {
    struct bench b;
    struct worker_env env;
    struct ref snapshot;
    struct service service;
    struct route route;
    struct fake_exchange f;
    struct http_exchange_ops ops;
    struct mem_stream front;
    struct mem_stream back;
    const void *early; /* bytes behind the request head */
    size_t early_n;
    bool accept_fails;
    atomic_uint connections;
    unsigned ended; /* calls of connection_ended */
    unsigned freed; /* of the snapshot */
    enum rig_conn conn;
    bool connect_no_memory;
    bool back_given; /* the back stream was handed over */
    connect_done *done;
    void *done_arg;
    char log_path[64];
    char story[8192];
    char field[512];
};

static inline struct rig *rig_of(struct worker_env *env)
{
    return container_of(env, struct rig, env);
}

/* --- the upstream --------------------------------------------------------------------------------------------------
 */

struct connecting *connect_start(struct worker_env *env, const struct connect_order *order, connect_done *done,
                                 void *arg)
{
    struct rig *r = rig_of(env);

    assert_int_equal(r->conn, RIG_CONN_NONE);
    assert_ptr_equal(order->to, &r->service.to);
    if (r->connect_no_memory)
        return NULL;
    r->conn = RIG_CONN_PENDING;
    r->done = done;
    r->done_arg = arg;
    return (struct connecting *)(void *)r;
}

void connect_cancel(struct connecting *c)
{
    struct rig *r = (struct rig *)(void *)c;

    assert_int_equal(r->conn, RIG_CONN_PENDING);
    r->conn = RIG_CONN_CANCELLED;
}

static inline void rig_connect_ends(struct rig *r, enum connect_outcome outcome)
{
    struct connect_result res = {.outcome = outcome, .why = "as scripted"};

    assert_int_equal(r->conn, RIG_CONN_PENDING);
    r->conn = RIG_CONN_DONE;
    if (outcome == CONNECT_OK) {
        res.stream = &r->back.s;
        r->back_given = true;
        addr_v4(&res.addr, "192.0.2.7", 5900);
    }
    r->done(r->done_arg, &res);
}

/* --- the front -----------------------------------------------------------------------------------------------------
 */

static inline int rig_accept(struct http_exchange *x, const struct http_field *fields, size_t n,
                             struct http_accepted *out)
{
    struct fake_exchange *f = container_of(x, struct fake_exchange, x);
    struct rig *r = container_of(f, struct rig, f);

    fake_record(f, 101, fields, n);
    assert_null(x->owner);
    if (r->accept_fails)
        return -1;
    memset(out, 0, sizeof *out);
    out->stream = &r->front.s;
    memcpy(out->preface, "101\n", 4);
    out->preface_len = 4;
    if (r->early_n) {
        out->buf = pool_take(r->env.pool, r->early_n + 100, &out->cap);
        assert_non_null(out->buf);
        memset(out->buf, 'H', 100);
        memcpy(out->buf + 100, r->early, r->early_n);
        out->head = 100;
        out->tail = 100 + r->early_n;
    }
    return 0;
}

/* --- the rig -------------------------------------------------------------------------------------------------------
 */

static inline void rig_ended(struct worker_env *env)
{
    rig_of(env)->ended++;
}

static inline void rig_snapshot_free(struct ref *ref)
{
    container_of(ref, struct rig, snapshot)->freed++;
}

static inline void rig_no_ready(struct stream_owner *o, struct stream *s)
{
    fail_msg("ready without an owner");
}

/* Everything is unlimited until the test says otherwise. */
static inline struct rig *rig_new(void)
{
    static struct stream_owner nobody = {rig_no_ready};
    struct rig *r = calloc(1, sizeof *r);
    char why[256];
    int fd;

    assert_non_null(r);
    bench_init(&r->b);
    r->env.loop = r->b.loop;
    r->env.pool = pool_new((size_t)1 << 20);
    assert_non_null(r->env.pool);
    snprintf(r->log_path, sizeof r->log_path, "/tmp/wsbridge_rig_XXXXXX");
    fd = mkstemp(r->log_path);
    assert_true(fd >= 0);
    close(fd);
    struct log_options opt = {
        .target = LOG_FILE, .path = r->log_path, .level = LOG_DEBUG, .format = LOG_TEXT, .access = true};
    r->env.log = log_new(&opt, why, sizeof why);
    assert_non_null(r->env.log);
    r->env.pipes = pipes_new();
    assert_non_null(r->env.pipes);
    r->env.connections = &r->connections;
    r->env.connection_ended = rig_ended;
    r->env.next_id = r->env.id_step = 1;
    list_init(&r->env.sessions);
    list_init(&r->env.conns);
    ref_init(&r->snapshot, rig_snapshot_free);
    r->service.name.name = "rigged";
    r->service.to = (struct target){.kind = TARGET_ADDR, .text = "192.0.2.7:5900"};
    r->route.path = "/";
    r->route.service = &r->service;
    r->route.origin_any = true;
    r->route.limits = (struct limits){.message = UINT64_MAX, .buffer = 64 << 10, .request_header = 16 << 10};
    r->route.timeouts = (struct timeouts){.handshake = 10,
                                          .connect = INFINITY,
                                          .idle = INFINITY,
                                          .ping = INFINITY,
                                          .pong = INFINITY,
                                          .write_stall = INFINITY,
                                          .lifetime = INFINITY,
                                          .close = INFINITY,
                                          .drain = INFINITY};
    mem_stream_init(&r->front, r->b.loop)->owner = &nobody;
    mem_stream_init(&r->back, r->b.loop)->owner = &nobody;
    return r;
}

static inline void rig_request(struct rig *r, const char *method, const char *lines)
{
    assert_true(fake_request(&r->f, method, "/a/path?token=secret", lines));
    r->ops = *r->f.x.ops;
    r->ops.accept = rig_accept;
    r->f.x.ops = &r->ops;
    r->f.x.id = worker_env_id(&r->env);
    r->f.x.snapshot = &r->snapshot;
    r->route.listener_name = "here";
    r->f.x.started = loop_now(r->b.loop);
    session_open(&r->env, &r->f.x, &r->route);
}

static inline struct session *rig_session(struct rig *r)
{
    assert_false(list_empty(&r->env.sessions));
    return container_of(r->env.sessions.next, struct session, link);
}

static inline bool rig_over(const struct rig *r)
{
    return list_empty(&r->env.sessions);
}

static inline void rig_turn(struct rig *r, unsigned turns)
{
    while (turns--)
        loop_turn(r->b.loop);
}

static inline void rig_settle(struct rig *r)
{
    unsigned readies;
    unsigned turns = 0;

    do { /* as long as bytes move; then nothing may be reported any more */
        readies = r->front.readies + r->back.readies;
        rig_turn(r, 8);
        if (++turns > 100000)
            fail_msg("spinning: front wants %u, back wants %u", r->front.wanted, r->back.wanted);
    } while (readies != r->front.readies + r->back.readies);
    if (!rig_over(r) && rig_session(r)->state == SESSION_RELAY)
        session_check(rig_session(r));
}

/* A session that relays, with its 101 out. */
static inline struct rig *rig_open(struct rig *r)
{
    rig_request(r, "GET", RIG_UPGRADE);
    if (r->conn == RIG_CONN_PENDING)
        rig_connect_ends(r, CONNECT_OK);
    return r;
}

static inline struct rig *rig_open_new(void)
{
    struct rig *r = rig_open(rig_new());

    rig_settle(r);
    return r;
}

/* --- the client ----------------------------------------------------------------------------------------------------
 */

static inline size_t rig_frame(uint8_t *out, uint8_t opcode, bool fin, const void *p, size_t n)
{
    uint8_t header[WS_HEADER_MAX];
    size_t h = ws_encode_client_header(header + sizeof header, opcode, fin, n, RIG_MASK);

    memcpy(out, header + sizeof header - h, h);
    if (n) {
        memcpy(out + h, p, n);
        ws_unmask(out + h, out + h, n, RIG_MASK);
    }
    return h + n;
}

static inline void rig_send(struct rig *r, uint8_t opcode, bool fin, const void *p, size_t n)
{
    uint8_t *frame = malloc(n + WS_HEADER_MAX);

    mem_stream_feed(&r->front, frame, rig_frame(frame, opcode, fin, p, n));
    free(frame);
}

static inline void rig_say(struct rig *r, const char *text)
{
    rig_send(r, WS_BINARY, true, text, strlen(text));
}

static inline void rig_send_close(struct rig *r, uint16_t code)
{
    uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};

    rig_send(r, WS_CLOSE, true, payload, code ? 2 : 0);
}

static inline void rig_tell(struct rig *r, size_t *n, const void *p, size_t len)
{
    for (size_t i = 0; i < len && *n + 1 < sizeof r->story; i++) {
        char c = ((const char *)p)[i];
        r->story[(*n)++] = c;
    }
    r->story[*n] = '\0';
}

static inline void rig_tell_event(struct rig *r, size_t *n, const struct ws_event *ev)
{
    char head[32] = "";

    switch (ev->type) {
    case WS_EV_DATA:
        if (ev->begin)
            snprintf(head, sizeof head, " %c(", ev->opcode == WS_TEXT ? 'T' : 'B');
        break;
    case WS_EV_PING:
        snprintf(head, sizeof head, " PING(");
        break;
    case WS_EV_PONG:
        snprintf(head, sizeof head, " PONG(");
        break;
    case WS_EV_CLOSE:
        snprintf(head, sizeof head, " CLOSE(%u%s", ev->code, ev->n ? " " : "");
        break;
    case WS_EV_ERROR:
        fail_msg("the client got a bad frame: %s", ev->why);
        break;
    case WS_EV_NONE:
    case WS_EV_MORE:
        return;
    }
    rig_tell(r, n, head, strlen(head));
    rig_tell(r, n, ev->data, ev->n);
    if (ev->type != WS_EV_DATA || ev->end)
        rig_tell(r, n, ")", 1);
}

/* What the client has got so far. */
static inline const char *rig_story(struct rig *r)
{
    struct ws_decoder_options opt = {.role = WS_CLIENT, .message_max = UINT64_MAX, .check_utf8 = true};
    struct ws_decoder d;
    uint8_t *copy = malloc(r->front.out.n + 1);
    size_t told = 0;
    bool closed = false;

    memcpy(copy, r->front.out.p ? (void *)r->front.out.p : "", r->front.out.n);
    r->story[0] = '\0';
    if (r->front.out.n >= 4) {
        assert_memory_equal(copy, "101\n", 4);
        rig_tell(r, &told, "101", 3);
    }
    ws_decoder_init(&d, &opt);
    for (size_t at = 4; at < r->front.out.n;) {
        struct ws_event ev;
        assert_false(closed); /* nothing comes behind a Close */
        at += ws_decode(&d, copy + at, r->front.out.n - at, &ev);
        rig_tell_event(r, &told, &ev);
        if (ev.type == WS_EV_MORE)
            break;
        closed = ev.type == WS_EV_CLOSE;
    }
    free(copy);
    return r->story;
}

#define ASSERT_STORY(r, text) assert_string_equal(rig_story(r), text)

static inline void assert_wrote(const struct mem_stream *m, const char *text)
{
    if (m->out.n != strlen(text) || (m->out.n && memcmp(m->out.p, text, m->out.n) != 0))
        fail_msg("written: \"%.*s\", not \"%s\"", (int)m->out.n, (char *)m->out.p, text);
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

static inline char *rig_log(const struct rig *r)
{
    FILE *f = fopen(r->log_path, "r");
    char *text = calloc(1, 65536);

    assert_non_null(f);
    (void)!fread(text, 1, 65535, f);
    fclose(f);
    return text;
}

static inline unsigned rig_records(const struct rig *r)
{
    char *text = rig_log(r);
    unsigned n = 0;

    for (const char *p = strstr(text, " access session "); p; p = strstr(p + 1, " access session "))
        n++;
    free(text);
    return n;
}

/* A field of the session's record, or "" */
static inline const char *rig_record(struct rig *r, const char *key)
{
    char *text = rig_log(r);
    char name[64];
    const char *p = strstr(text, " access session ");

    assert_non_null(p);
    snprintf(name, sizeof name, " %s=", key);
    p = strstr(p, name);
    r->field[0] = '\0';
    if (p) {
        p += strlen(name);
        const char *stop = *p == '"' ? "\"\n" : " \n";
        p += *p == '"';
        snprintf(r->field, sizeof r->field, "%.*s", (int)strcspn(p, stop), p);
    }
    free(text);
    return r->field;
}

#define ASSERT_RECORD(r, key, value) assert_string_equal(rig_record(r, key), value)

static inline void rig_drop(struct rig *r)
{
    bench_fini(&r->b);
    assert_int_equal(pool_in_use(r->env.pool), 0);
    pool_free(r->env.pool);
    pipes_free(r->env.pipes);
    log_free(r->env.log);
    unlink(r->log_path);
    mem_stream_fini(&r->front);
    mem_stream_fini(&r->back);
    fake_free(&r->f);
    free(r);
}

/* A session that was, and is over: everything given back, once. */
static inline void rig_close(struct rig *r)
{
    assert_true(rig_over(r));
    rig_turn(r, 2);
    assert_int_equal(r->ended, 1);
    assert_int_equal(rig_records(r), 1);
    assert_int_equal(r->f.ends, 1);
    assert_int_equal(r->env.stats.sessions, 0);
    assert_int_equal(r->env.stats.sessions_total, 1);
    assert_int_equal(atomic_load(&r->snapshot.count), 1);
    assert_int_equal(r->freed, 0);
    assert_true(r->front.freed);
    assert_int_equal(r->back.freed, r->back_given);
    rig_drop(r);
}

/* A session that never was: the request was answered with that status, or aborted (0). */
static inline void rig_refused(struct rig *r, int status)
{
    assert_true(rig_over(r));
    rig_turn(r, 2);
    assert_int_equal(r->f.ends, 1);
    assert_int_equal(r->f.status, status);
    assert_int_equal(r->ended, 0); /* the connection is still the front's */
    assert_int_equal(r->env.stats.sessions_total, 0);
    assert_int_equal(rig_records(r), 0);
    assert_int_equal(atomic_load(&r->snapshot.count), 1);
    rig_drop(r);
}

#endif
