/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Connections of the front over streams made of memory: the test defines socket_stream_new_as in the place of src/net,
 * so an accepted "descriptor" is a number that finds its mem_stream. Requests are dispatched by their path:
 *
 *     /reply      200, "hello\n"           /body/N     200 and a streamed body of N bytes
 *     /404        404                      /fail/N     the same, whose source fails after N bytes of more
 *     /hold       nothing yet              /short/N    the same, whose source ends after N bytes of more
 *     /accept     accepts at once          /304        304 without a body
 */
#ifndef WSBRIDGE_TESTS_FRONT_RIG_H
#define WSBRIDGE_TESTS_FRONT_RIG_H

#include "unit.h"

#include <math.h>

#include "front/conn.h"
#include "mem_stream.h"
#include "net_help.h"
#include "obs/log.h"

#define FRONT_FD 100000 /* no descriptor of this process */
#define FRONT_CONNS 64

struct front_rig {
    struct bench b;
    struct worker_env env;
    atomic_uint connections;
    struct listener_settings listener;
    struct ref snapshot;
    struct mem_stream streams[FRONT_CONNS];
    unsigned n;
    unsigned ended;
    struct http_exchange *held;
    struct http_exchange_owner owner;
    unsigned gone;
    unsigned dispatched;
    unsigned bodies; /* made and not freed */
    bool no_stream;
    bool long_names;
    struct http_accepted accepted;
    bool was_accepted;
    char log_path[64];
    char text[1 << 16];
};

static struct front_rig *front_rig; /* of the running test */

struct stream *socket_stream_new_as(struct loop *l, int fd, int family, struct stream_owner *owner)
{
    struct front_rig *r = front_rig;

    assert_true(fd >= FRONT_FD && fd < FRONT_FD + FRONT_CONNS);
    if (r->no_stream)
        return NULL;
    r->streams[fd - FRONT_FD].s.owner = owner;
    return &r->streams[fd - FRONT_FD].s;
}

/* --- handlers ------------------------------------------------------------------------------------------------------
 */

struct test_body {
    struct http_body b;
    struct front_rig *rig;
    uint64_t at, ends, fails;
};

static inline ssize_t test_pull(struct http_body *b, uint8_t *p, size_t cap)
{
    struct test_body *t = container_of(b, struct test_body, b);
    uint64_t n = MIN_OF((uint64_t)cap, t->ends - t->at);

    n = MIN_OF(n, 1 + (t->at * 7 + 5000) % 9000);
    if (t->at >= t->fails)
        return -1;
    for (uint64_t i = 0; i < n; i++)
        p[i] = (uint8_t)('a' + (t->at + i) % 26);
    t->at += n;
    return (ssize_t)n;
}

static inline void test_body_free(struct http_body *b)
{
    struct test_body *t = container_of(b, struct test_body, b);

    t->rig->bodies--;
    free(t);
}

static inline void respond(struct front_rig *r, struct http_exchange *x, uint64_t length, uint64_t ends, uint64_t fails)
{
    static const struct http_field fields[] = {{{"Content-Type", 12}, {"text/x-test", 11}}};
    struct test_body *t = calloc(1, sizeof *t);

    *t = (struct test_body){.b = {length, test_pull, test_body_free}, .rig = r, .ends = ends, .fails = fails};
    r->bodies++;
    x->ops->respond(x, 200, fields, 1, &t->b);
}

static inline void held_gone(struct http_exchange_owner *o)
{
    struct front_rig *r = container_of(o, struct front_rig, owner);

    assert_non_null(r->held);
    r->held = NULL;
    r->gone++;
}

static inline int front_accept_exchange(struct front_rig *r, struct http_exchange *x)
{
    static char long_value[600];
    struct http_field fields[] = {{{"Upgrade", 7}, {"websocket", 9}}, {{"X-Long", 6}, {long_value, 600}}};

    memset(long_value, 'l', sizeof long_value);
    int rc = x->ops->accept(x, fields, r->long_names ? 2 : 1, &r->accepted);
    r->was_accepted = rc == 0;
    if (rc == 0) { /* ours now */
        r->accepted.stream->owner = NULL;
        stream_want(r->accepted.stream, 0);
    }
    return rc;
}

static inline void front_dispatch(struct worker_env *env, struct http_exchange *x)
{
    struct front_rig *r = container_of(env, struct front_rig, env);
    uint64_t n = 0;
    const char *p = x->path.p;

    assert_true(x->id > 0 && x->snapshot == &r->snapshot && x->listener == &r->listener);
    assert_int_equal(strlen(p), x->path.n);
    r->dispatched++;
    for (const char *d = strrchr(p, '/') + 1; *d >= '0' && *d <= '9'; d++)
        n = n * 10 + (uint64_t)(*d - '0');
    if (strncmp(p, "/reply", 6) == 0) {
        x->ops->reply(x, 200, NULL, 0, SLICE("hello\n"));
    } else if (strncmp(p, "/body/", 6) == 0) {
        respond(r, x, n, n, UINT64_MAX);
    } else if (strncmp(p, "/fail/", 6) == 0) {
        respond(r, x, n + 1000, n + 1000, n);
    } else if (strncmp(p, "/short/", 7) == 0) {
        respond(r, x, n + 1000, n, UINT64_MAX);
    } else if (strcmp(p, "/304") == 0) {
        x->ops->respond(x, 304, NULL, 0, NULL);
    } else if (strcmp(p, "/hold") == 0) {
        assert_null(r->held);
        r->held = x;
        r->owner.gone = held_gone;
        x->owner = &r->owner;
    } else if (strcmp(p, "/accept") == 0) {
        front_accept_exchange(r, x);
    } else {
        x->ops->reply(x, 404, NULL, 0, SLICE("no\n"));
    }
}

/* --- the rig -------------------------------------------------------------------------------------------------------
 */

static inline void front_ended(struct worker_env *env)
{
    container_of(env, struct front_rig, env)->ended++;
    atomic_fetch_sub(env->connections, 1);
}

static inline void front_snapshot_free(struct ref *ref)
{
    fail_msg("the snapshot is the test's");
}

static inline struct front_rig *front_new(void)
{
    struct front_rig *r = calloc(1, sizeof *r);
    char why[256];
    int fd;

    assert_non_null(r);
    front_rig = r;
    bench_init(&r->b);
    r->env.loop = r->b.loop;
    r->env.pool = pool_new(0);
    assert_non_null(r->env.pool);
    snprintf(r->log_path, sizeof r->log_path, "/tmp/wsbridge_front_XXXXXX");
    fd = mkstemp(r->log_path);
    assert_true(fd >= 0);
    close(fd);
    struct log_options opt = {
        .target = LOG_FILE, .path = r->log_path, .level = LOG_INFO, .format = LOG_TEXT, .access = true};
    r->env.log = log_new(&opt, why, sizeof why);
    assert_non_null(r->env.log);
    r->env.connections = &r->connections;
    r->env.connection_ended = front_ended;
    r->env.dispatch = front_dispatch;
    r->env.next_id = r->env.id_step = 1;
    list_init(&r->env.sessions);
    list_init(&r->env.conns);
    ref_init(&r->snapshot, front_snapshot_free);
    r->listener.name = "here";
    r->listener.limits = (struct limits){.connections = 1000, .request_header = 16 << 10, .buffer = 64 << 10};
    r->listener.timeouts = (struct timeouts){.handshake = 1000, .write_stall = 1000, .close = 1000};
    for (unsigned i = 0; i < FRONT_CONNS; i++)
        mem_stream_init(&r->streams[i], r->b.loop);
    return r;
}

static inline struct mem_stream *front_connect(struct front_rig *r)
{
    struct addr peer;

    assert_true(r->n < FRONT_CONNS);
    addr_v4(&peer, "192.0.2.1", 4711);
    front_accept(&r->env, FRONT_FD + (int)r->n, &peer, &r->listener, &r->snapshot);
    return &r->streams[r->n++];
}

static inline void front_turn(struct front_rig *r, unsigned turns)
{
    while (turns--)
        loop_turn(r->b.loop);
}

static inline void front_settle(struct front_rig *r)
{
    unsigned before, after = 0, turns = 0;

    do { /* as long as something is reported; it must come to rest */
        before = after;
        front_turn(r, 8);
        after = 0;
        for (unsigned i = 0; i < r->n; i++)
            after += r->streams[i].readies;
        if (++turns > 20000)
            fail_msg("spinning");
    } while (before != after || turns < 2);
}

static inline void front_say(struct front_rig *r, struct mem_stream *m, const char *text)
{
    mem_stream_feed(m, text, strlen(text));
    front_settle(r);
}

/* What was written since the last call, as text. */
static inline const char *front_heard(struct front_rig *r, struct mem_stream *m)
{
    size_t n = MIN_OF(m->out.n, sizeof r->text - 1);

    if (n)
        memcpy(r->text, m->out.p, n);
    r->text[n] = '\0';
    m->out.n = 0;
    return r->text;
}

static inline unsigned front_count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

static inline unsigned front_logged(struct front_rig *r, const char *what)
{
    FILE *f = fopen(r->log_path, "r");
    char *text = calloc(1, 1 << 18);
    unsigned n;

    assert_non_null(f);
    (void)!fread(text, 1, (1 << 18) - 1, f);
    fclose(f);
    n = front_count(text, what);
    free(text);
    return n;
}

/* Every connection is over, and everything given back. */
static inline void front_close(struct front_rig *r)
{
    front_turn(r, 2);
    assert_true(list_empty(&r->env.conns));
    assert_int_equal(r->ended, r->n - r->was_accepted);
    assert_int_equal(atomic_load(&r->connections), r->was_accepted);
    assert_int_equal(r->bodies, 0);
    assert_int_equal(atomic_load(&r->snapshot.count), 1);
    if (r->was_accepted)
        pool_give(r->env.pool, r->accepted.buf, r->accepted.cap);
    bench_fini(&r->b);
    assert_int_equal(pool_in_use(r->env.pool), 0);
    pool_free(r->env.pool);
    log_free(r->env.log);
    unlink(r->log_path);
    for (unsigned i = 0; i < FRONT_CONNS; i++)
        mem_stream_fini(&r->streams[i]);
    free(r);
}

#endif
