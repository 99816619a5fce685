/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The life of an accepted connection: see conn.h for the states. Every event ends in conn_run, which cannot be
 * re-entered: a handler that answers at once, from inside dispatch, only makes it go round again. Memory goes through
 * the reaper, so a callback may end the connection that called it.
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "front/conn.h"
#include "http/write.h"
#include "obs/log.h"

#define DRAIN_SECONDS 1.0 /* for a request that is on its way when we are told to go */
#define HEAD_CAP POOL_MIN /* the size of pooled buffer that holds a head */
_Static_assert(sizeof(struct http_head) <= HEAD_CAP, "and of the pool's own sizes");
#define LINGER_BYTES_MAX ((size_t)1 << 20) /* what a refused client may still send before it is cut off */

static void conn_reap(struct loop_task *t)
{
    struct front_conn *c = container_of(t, struct front_conn, reap);
    free(c->path);
    free(c);
}

static bool take_head(struct front_conn *c)
{
    size_t cap = HEAD_CAP;

    if (c->head)
        return true;
    c->head = (void *)pool_take(c->env->pool, HEAD_CAP, &cap);
    if (c->head)
        memset(c->head, 0, offsetof(struct http_head, fields)); /* what was refused has one that is not filled */
    return c->head != NULL;
}

static void drop_head(struct front_conn *c)
{
    pool_give(c->env->pool, (uint8_t *)c->head, HEAD_CAP);
    c->head = NULL;
}

static void buf_drop(struct front_conn *c, struct conn_buf *b)
{
    if (b->p)
        pool_give(c->env->pool, b->p, b->cap);
    *b = (struct conn_buf){0};
}

/* The one way out: timer, stream, buffers, counts, record, memory, in this order. */
void conn_end(struct front_conn *c, enum stream_end how)
{
    struct worker_env *env = c->env;

    if (c->state == CONN_GONE)
        return;
    c->state = CONN_GONE;
    timer_cancel(&c->timer);
    loop_task_cancel(&c->again);
    if (c->body)
        c->body->free(c->body);
    c->body = NULL;
    buf_drop(c, &c->in);
    buf_drop(c, &c->out);
    drop_head(c);
    list_remove(&c->link);
    if (c->stream)
        stream_free(c->stream, how);
    else
        begin_drop(c);
    if (c->counted) /* otherwise a session has the stream, and with it the count */
        env->connection_ended(env);
    ref_give(c->snapshot);
    loop_reap(env->loop, &c->reap);
}

/* The client is gone while a handler holds the exchange. */
static void conn_gone(struct front_conn *c)
{
    struct http_exchange_owner *o = c->x.owner;

    c->status = 499;
    conn_record(c, "client went away");
    c->x.owner = NULL;
    if (o)
        o->gone(o);
    conn_end(c, STREAM_END_ABORT);
}

static void conn_deadline(struct timer *t)
{
    struct front_conn *c = container_of(t, struct front_conn, timer);
    double stall = c->listener->timeouts.write_stall;

    switch (c->state) {
    case CONN_PROXY:
    case CONN_SNIFF:
    case CONN_TLS:
        begin_deadline(c);
        return;
    case CONN_REQUEST:
        if (c->in.tail == c->in.head) {
            conn_end(c, STREAM_END_CLEAN); /* said nothing: an unused spare connection, nothing to answer */
            return;
        }
        conn_refuse(c, 408, "The request head did not come in time.");
        conn_run(c);
        return;
    case CONN_ANSWER:
        if (c->progress_at + stall > loop_now(c->env->loop) + 0.001) {
            timer_set(t, c->progress_at + stall - loop_now(c->env->loop));
            return;
        }
        conn_record(c, "client does not read");
        conn_end(c, STREAM_END_ABORT);
        return;
    case CONN_LINGER:
        conn_end(c, STREAM_END_CLEAN);
        return;
    case CONN_HANDLING: /* the handler has deadlines of its own */
    case CONN_GONE:
        return;
    }
}

size_t conn_input_max(const struct front_conn *c)
{
    return MIN_OF(c->parser.max + 1024, POOL_MAX);
}

bool conn_take_input(struct front_conn *c, size_t want)
{
    struct conn_buf *b = &c->in;

    if (!b->p) {
        b->p = pool_take(c->env->pool, want, &b->cap);
        b->head = b->tail = 0;
    }
    return b->p != NULL;
}

/* Most heads fit into the smallest buffer, which is the size that sessions use too: what a burst of connections leaves
 * in the pool is then not lost on an idle process. */
static bool in_grow(struct front_conn *c)
{
    struct conn_buf *b = &c->in;
    size_t cap;
    uint8_t *p = pool_take(c->env->pool, b->cap * 2, &cap);

    if (!p)
        return false;
    memcpy(p, b->p, b->tail);
    pool_give(c->env->pool, b->p, b->cap);
    b->p = p;
    b->cap = cap;
    return true;
}

/* While a handler has the request, its views point into the input, which may not move then. */
static bool in_is_full(const struct front_conn *c)
{
    const struct conn_buf *b = &c->in;

    return b->p && b->tail == b->cap && (c->state == CONN_HANDLING || (b->head == 0 && b->cap >= conn_input_max(c)));
}

/* Makes room behind the input and reads once. */
static enum io conn_fill(struct front_conn *c)
{
    struct conn_buf *b = &c->in;
    size_t got = 0;
    enum io io;

    if (!conn_take_input(c, POOL_MIN))
        return IO_FAIL;
    if (in_is_full(c))
        return IO_AGAIN; /* HANDLING holds early frames; a head as long as this was refused before */
    if (b->tail == b->cap && b->head == 0) {
        if (!in_grow(c))
            return IO_FAIL;
    } else if (b->tail == b->cap) {
        memmove(b->p, b->p + b->head, b->tail - b->head);
        b->tail -= b->head;
        b->head = 0;
    }
    io = stream_read(c->stream, b->p + b->tail, b->cap - b->tail, &got);
    if (io == IO_OK)
        b->tail += got;
    return io;
}

/* --- the exchange --------------------------------------------------------------------------------------------------
 */

static int exchange_accept(struct http_exchange *x, const struct http_field *fields, size_t n,
                           struct http_accepted *out)
{
    struct front_conn *c = container_of(x, struct front_conn, x);
    struct http_response r = {.status = 101, .fields = fields, .n_fields = n};
    struct strbuf head;

    assert(c->state == CONN_HANDLING);
    memset(out, 0, offsetof(struct http_accepted, preface));
    strbuf_init(&head, (char *)out->preface, sizeof out->preface);
    if (!http_write_head(&head, &r)) {
        conn_refuse(c, 400, "The names in the handshake are too long.");
        conn_run(c);
        return -1;
    }
    out->preface_len = head.n;
    out->stream = c->stream;
    c->stream = NULL;
    c->counted = false;
    c->in.head += c->used;
    if (c->in.tail > c->in.head) {
        out->buf = c->in.p;
        out->cap = c->in.cap;
        out->head = c->in.head;
        out->tail = c->in.tail;
        c->in.p = NULL;
    }
    c->x.owner = NULL;
    conn_end(c, STREAM_END_CLEAN);
    return 0;
}

static void exchange_abort(struct http_exchange *x)
{
    struct front_conn *c = container_of(x, struct front_conn, x);

    c->x.owner = NULL;
    conn_end(c, STREAM_END_ABORT);
}

static const struct http_exchange_ops conn_exchange_ops = {
    .reply = conn_exchange_reply,
    .respond = conn_exchange_respond,
    .accept = exchange_accept,
    .abort = exchange_abort,
};

static bool make_exchange(struct front_conn *c)
{
    struct http_exchange *x = &c->x;
    struct strbuf out;

    memset(x, 0, sizeof *x);
    x->ops = &conn_exchange_ops;
    x->head = c->head;
    x->id = worker_env_id(c->env);
    x->listener = c->listener;
    x->snapshot = c->snapshot;
    x->started = loop_now(c->env->loop);
    x->peer = c->peer;
    x->local = c->local;
    x->secure = c->secure;
    x->transport = c->stream;
    http_url_split(c->head->target, &x->url);
    free(c->path);
    c->path = malloc(x->url.path.n + 1);
    if (!c->path) {
        conn_refuse(c, 503, "Out of memory.");
        return false;
    }
    strbuf_init(&out, c->path, x->url.path.n + 1);
    if (c->head->method == HTTP_OPTIONS && slice_eq(c->head->target, SLICE("*"))) {
        conn_refuse(c, 405, "OPTIONS is not answered here.");
        return false;
    }
    if (!http_path_decode(x->url.path, &out)) {
        conn_refuse(c, 400, "The path is malformed.");
        return false;
    }
    x->path = strbuf_slice(&out);
    if (c->head->authority.n && !http_authority_parse(c->head->authority, &x->authority)) {
        conn_refuse(c, 400, "The Host is malformed.");
        return false;
    }
    return begin_identify(c);
}

static void conn_dispatch(struct front_conn *c, size_t used)
{
    c->used = used;
    /* A body is nothing that anybody here wants: it is not read, and framing ends with this answer. */
    c->keep_alive = c->head->keep_alive && !c->head->chunked && c->head->content_length == 0 && !c->env->draining;
    c->head_only = c->head->method == HTTP_HEAD;
    timer_cancel(&c->timer);
    if (!make_exchange(c))
        return;
    if (c->over_limit) {
        conn_refuse(c, 503, "Too many connections (limits.connections); try again later.");
        return;
    }
    if (c->only_redirect && !c->x.secure) {
        begin_redirect(c);
        return;
    }
    stats_count(&c->env->stats.requests);
    c->state = CONN_HANDLING;
    c->env->dispatch(c->env, &c->x);
}

/* True when the state moved on. */
static bool step_request(struct front_conn *c)
{
    struct conn_buf *b = &c->in;
    struct http_bad bad;
    size_t used = 0;
    enum io io;

    for (;;) {
        bool first = b->tail == b->head;
        if (!first && !take_head(c)) {
            conn_end(c, STREAM_END_CLEAN);
            return false;
        }
        if (!first) {
            switch (http_head_parse(&c->parser, (char *)b->p + b->head, b->tail - b->head, c->head, &used, &bad)) {
            case HTTP_PARSE_DONE:
                conn_dispatch(c, used);
                return true;
            case HTTP_PARSE_BAD:
                conn_refuse(c, bad.status, bad.why);
                return true;
            case HTTP_PARSE_MORE:
                break;
            }
        }
        io = conn_fill(c);
        if (io == IO_OK) {
            /* The clock of the first head starts with the connection, that of a later one with its first byte; other
             * bytes do not set it anew. */
            if (first && c->served)
                timer_set(&c->timer, c->listener->timeouts.handshake);
            continue;
        }
        if (io != IO_AGAIN)
            conn_end(c, STREAM_END_CLEAN);
        else if (b->tail == b->head)
            buf_drop(c, b); /* an idle connection holds no buffer */
        return false;
    }
}

/* While a handler works, early frames gather behind the head, and an EOF is the client's farewell. */
static void watch_client(struct front_conn *c)
{
    for (;;) {
        switch (conn_fill(c)) {
        case IO_OK:
            continue;
        case IO_AGAIN:
            return;
        case IO_EOF:
        case IO_FAIL:
            conn_gone(c);
            return;
        }
    }
}

static void next_request(struct front_conn *c)
{
    drop_head(c);
    c->in.head += c->used;
    c->used = 0;
    c->served = true;
    http_parser_init(&c->parser, c->listener->limits.request_header);
    c->state = CONN_REQUEST;
    timer_set(&c->timer, c->listener->timeouts.handshake); /* as patient as for a first head */
}

/* The answer, and the FIN behind a last one: a layer (TLS) may have taken bytes that the kernel has not, and says so to
 * shut_write alone. */
static enum io answer_out(struct front_conn *c, bool last)
{
    enum io io = conn_answer_step(c);

    return io == IO_OK && last ? stream_shut_write(c->stream) : io;
}

static bool step_answer(struct front_conn *c)
{
    bool last = !c->keep_alive || c->env->draining;

    switch (answer_out(c, last)) {
    case IO_AGAIN:
        if (!timer_is_set(&c->timer))
            timer_set(&c->timer, c->listener->timeouts.write_stall);
        return false;
    case IO_OK:
        break;
    default:
        conn_record(c, c->stream->why ? c->stream->why : "connection lost");
        conn_end(c, STREAM_END_ABORT);
        return false;
    }
    conn_record(c, NULL);
    timer_cancel(&c->timer);
    buf_drop(c, &c->out);
    if (!last) {
        next_request(c);
        return true;
    }
    c->state = CONN_LINGER;
    c->body_sent = 0; /* counts what is thrown away from here on */
    timer_set(&c->timer, c->listener->timeouts.close);
    return true;
}

static void step_linger(struct front_conn *c)
{
    enum io io;

    do {
        c->in.head = c->in.tail = 0;
        io = conn_fill(c);
        c->body_sent += c->in.tail;
    } while (io == IO_OK && c->body_sent < LINGER_BYTES_MAX);
    if (io != IO_AGAIN)
        conn_end(c, STREAM_END_CLEAN);
}

static void conn_interest(struct front_conn *c)
{
    if (c->state == CONN_GONE || c->state < CONN_TLS)
        return;
    if (c->state == CONN_ANSWER)
        stream_want(c->stream, STREAM_WRITE); /* pipelined requests wait in the kernel */
    else
        stream_want(c->stream, in_is_full(c) ? 0 : STREAM_READ);
}

void conn_run(struct front_conn *c)
{
    bool more = true;

    c->run_again = true;
    if (c->running)
        return;
    c->running = true;
    for (int budget = 16; c->run_again && c->state != CONN_GONE; budget--) {
        if (budget == 0) { /* a long pipeline: let the others go first */
            loop_defer(c->env->loop, &c->again);
            break;
        }
        c->run_again = false;
        switch (c->state) {
        case CONN_PROXY:
        case CONN_SNIFF:
        case CONN_TLS:
            more = begin_step(c);
            break;
        case CONN_REQUEST:
            more = step_request(c);
            break;
        case CONN_HANDLING:
            watch_client(c);
            more = false;
            break;
        case CONN_ANSWER:
            more = step_answer(c);
            break;
        case CONN_LINGER:
            step_linger(c);
            more = false;
            break;
        case CONN_GONE:
            more = false;
            break;
        }
        c->run_again = c->run_again || more;
    }
    c->running = false;
    conn_interest(c);
}

static void conn_ready(struct stream_owner *o, struct stream *s)
{
    conn_run(container_of(o, struct front_conn, owner));
}

static void conn_again(struct loop_task *t)
{
    conn_run(container_of(t, struct front_conn, again));
}

/* --- from outside ---------------------------------------------------------------------------------------------------
 */

void front_accept(struct worker_env *env, int fd, const struct addr *peer, const struct listener_settings *listener,
                  struct ref *snapshot)
{
    uint64_t limit = listener->limits.connections;
    unsigned open = atomic_fetch_add_explicit(env->connections, 1, memory_order_relaxed) + 1;
    bool room = open <= limit + limit / 4 + 16 && loop_has_room(env->loop, fd);
    struct front_conn *c = room ? alloc_zero(sizeof *c) : NULL;

    stats_count(&env->stats.accepted);
    stats_move(&env->stats.connections, 1);
    if (!c) {
        close(fd);
        env->connection_ended(env);
        return;
    }
    c->owner.ready = conn_ready;
    c->env = env;
    c->counted = true;
    c->over_limit =
        open > limit; /* it is told so in HTTP; beyond some such ones, connections are closed without a word */
    c->is_unix = peer->u.sa.sa_family == AF_UNIX;
    addr_to_ip_port(peer, &c->peer);
    c->listener = listener;
    c->snapshot = snapshot;
    ref_take(snapshot);
    list_push_back(&env->conns, &c->link);
    loop_task_init(&c->again, conn_again);
    loop_task_init(&c->reap, conn_reap);
    timer_init(&c->timer, env->loop, conn_deadline);
    timer_set(&c->timer, listener->timeouts.handshake);
    http_parser_init(&c->parser, listener->limits.request_header);
    begin_start(c, fd);
    conn_run(c);
}

void front_drain(struct worker_env *env)
{
    struct list *next;

    for (struct list *l = env->conns.next; l != &env->conns; l = next) {
        struct front_conn *c = container_of(l, struct front_conn, link);
        next = l->next;
        if (c->state > CONN_REQUEST || c->in.tail > c->in.head)
            c->keep_alive = false;
        else if (c->served)
            conn_end(c, STREAM_END_CLEAN);
        else /* accepted a moment ago, its request may be here but not read: closing would reset it */
            timer_set(&c->timer, MIN_OF(c->listener->timeouts.close, DRAIN_SECONDS));
    }
}

void front_abort_all(struct worker_env *env)
{
    while (!list_empty(&env->conns)) {
        struct front_conn *c = container_of(env->conns.next, struct front_conn, link);
        if (c->state == CONN_HANDLING)
            conn_gone(c);
        else
            conn_end(c, STREAM_END_ABORT);
    }
}
