/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A session between two streams of memory, driven by the input: what the client and the backend say and when, how much
 * each call moves, who stalls, fails, ends, which deadlines are due, when the worker drains. Whatever happens,
 *
 * - what the backend got is the beginning of what the client said in valid messages, and all of it when nobody failed
 *   and no deadline cut it short;
 * - what the client got is well-formed: the beginning of what the backend said, all of it when Close says so, pongs
 *   for pings it sent, nothing behind a Close, no half frame unless it was cut off;
 * - the echo gives back the same messages;
 * - buffers stay within limits.buffer, and everything is given back, once;
 * - the session ends when both sides have ended.
 *
 * The input: options, which deadlines are due at once, length of the early input, seed; then operations of one byte,
 * some with arguments behind.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem_stream.h"
#include "relay/relay.h"

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#define OPS_MAX 200
#define CLIENT_MAX ((size_t)48 << 10)
#define BACKEND_MAX ((size_t)320 << 10) /* it takes some 64 KiB until bulk goes through a pipe */
#define TURNS_MAX 50000

enum {
    DUE_IDLE = 1,
    DUE_PING = 2,
    DUE_PONG = 4,
    DUE_STALL = 8,
    DUE_LIFETIME = 16,
    DUE_CLOSE = 32,
    SPLICE = 64,
    SEALS = 128
};

struct input {
    const uint8_t *p;
    size_t n;
};

struct world {
    struct worker_env env;
    struct ref snapshot;
    struct service service;
    struct route route;
    struct http_head head;
    struct http_exchange x;
    struct mem_stream front, back;
    bool back_given;
    unsigned ended;
    connect_done *done;
    void *done_arg;
    uint64_t random;
    uint8_t chaos[2][2]; /* of front and back, reading and writing: how unruly calls are */
    bool may_fail;
    bool cut; /* somebody failed, or was cut off: what arrived may be less than what was said */
    bool in_message;
    bool client_ended, backend_ended;
    struct mem_bytes backend_said;
    struct mem_bytes early; /* what came with the request */
};

static uint64_t next_random(struct world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static unsigned take(struct input *in)
{
    if (!in->n)
        return 0;
    in->n--;
    return *in->p++;
}

/* --- what is around a session --------------------------------------------------------------------------------------
 */

struct connecting *connect_start(struct worker_env *env, const struct connect_order *order, connect_done *done,
                                 void *arg)
{
    struct world *w = container_of(env, struct world, env);

    w->done = done;
    w->done_arg = arg;
    return (struct connecting *)(void *)w;
}

void connect_cancel(struct connecting *c)
{
    CHECK(false);
}

static void refused(struct http_exchange *x, int status, const struct http_field *fields, size_t n, struct slice text)
{
    CHECK(false);
}

static int accepted(struct http_exchange *x, const struct http_field *fields, size_t n, struct http_accepted *out)
{
    struct world *w = container_of(x, struct world, x);

    memset(out, 0, sizeof *out);
    out->stream = &w->front.s;
    memcpy(out->preface, "101\n", 4);
    out->preface_len = 4;
    if (w->early.n) {
        out->buf = pool_take(w->env.pool, w->early.n + 7, &out->cap);
        CHECK(out->buf);
        memcpy(out->buf + 7, w->early.p, w->early.n);
        out->head = 7;
        out->tail = 7 + w->early.n;
    }
    return 0;
}

static void connection_ended(struct worker_env *env)
{
    container_of(env, struct world, env)->ended++;
}

static void snapshot_free(struct ref *r)
{
    CHECK(false); /* the world holds it */
}

static struct mem_step unruly(struct mem_stream *m, unsigned dir)
{
    struct world *w = m->arg;
    uint64_t r = next_random(w);
    unsigned how = w->chaos[m == &w->back][dir == STREAM_WRITE];

    if (how >= 1 && r % 4 == 0)
        return (struct mem_step){MEM_AGAIN, 0};
    if (how >= 3 && w->may_fail && r % 64 == 1) {
        w->cut = true;
        return (struct mem_step){MEM_FAIL, 0};
    }
    if (how >= 2)
        return (struct mem_step){MEM_BYTES, 1 + (r >> 8) % (r & 0x80 ? 9 : 3000)};
    return (struct mem_step){MEM_BYTES, 0};
}

/* --- what is said --------------------------------------------------------------------------------------------------
 */

static void client_bytes(struct world *w, const void *p, size_t n)
{
    if (!w->client_ended && w->front.in.n + n <= CLIENT_MAX)
        mem_stream_feed(&w->front, p, n);
}

static void client_frame(struct world *w, uint8_t opcode, bool fin, const uint8_t *p, size_t n)
{
    uint8_t *frame = malloc(n + WS_HEADER_MAX);
    uint32_t mask = (uint32_t)next_random(w);
    size_t h;

    CHECK(frame);
    h = ws_encode_client_header(frame + WS_HEADER_MAX, opcode, fin, n, mask);
    if (n)
        memcpy(frame + WS_HEADER_MAX, p, n);
    ws_unmask(frame + WS_HEADER_MAX, frame + WS_HEADER_MAX, n, mask);
    client_bytes(w, frame + WS_HEADER_MAX - h, h + n);
    free(frame);
}

static void client_data(struct world *w, struct input *in)
{
    unsigned how = take(in);
    size_t n = take(in) * (how & 0x80 ? 257 : how & 0x40 ? 17 : 1);
    bool fin = how & 1;
    uint8_t *p = malloc(n + 1);

    CHECK(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)next_random(w) & (how & 2 ? 0x7f : 0xff);
    client_frame(w, w->in_message ? WS_CONTINUATION : how & 2 ? WS_TEXT : WS_BINARY, fin, p, n);
    w->in_message = !fin;
    free(p);
}

static void client_close(struct world *w, struct input *in)
{
    uint16_t code = (uint16_t)(3000 + take(in));
    uint8_t p[2] = {(uint8_t)(code >> 8), (uint8_t)code};

    client_frame(w, WS_CLOSE, true, p, code & 1 ? 2 : 0);
}

static void client_raw(struct world *w, struct input *in)
{
    size_t n = take(in);

    n = MIN_OF(n, in->n);
    client_bytes(w, in->p, n);
    in->p += n;
    in->n -= n;
}

static void backend_data(struct world *w, struct input *in)
{
    unsigned how = take(in);
    size_t n = 1 + take(in) * (size_t)(how & 0x80 ? 257 : how & 0x40 ? 17 : 1);

    if (w->backend_ended || w->backend_said.n + n > BACKEND_MAX || !w->back_given)
        return;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t some = next_random(w);
        mem_bytes_put(&w->backend_said, &some, MIN_OF(n - i, (size_t)8));
    }
    mem_stream_feed(&w->back, w->backend_said.p + w->backend_said.n - n, n);
}

static void side_ends(struct world *w, struct mem_stream *m, bool *ended, int err)
{
    if (*ended || !w->may_fail)
        err = 0;
    *ended = true;
    w->cut = w->cut || err;
    if (!m->eof && !m->read_err)
        mem_stream_finish(m, err);
}

/* --- what happens --------------------------------------------------------------------------------------------------
 */

static struct session *alive(struct world *w)
{
    return list_empty(&w->env.sessions) ? NULL : container_of(w->env.sessions.next, struct session, link);
}

static size_t class_size(size_t n)
{
    size_t size = POOL_MIN;

    while (size < n)
        size *= 2;
    return size;
}

static void turn(struct world *w, unsigned n)
{
    while (n-- && alive(w)) {
        timer_cancel(&alive(w)->timer); /* deadlines come when the input says so, not when the machine is slow */
        loop_turn(w->env.loop);
        CHECK(pool_in_use(w->env.pool) <= 2 * class_size(w->route.limits.buffer) + class_size(w->early.n + 7));
    }
}

static void deadline(struct world *w)
{
    struct session *s = alive(w);

    timer_cancel(&s->timer);
    if (!isinf(w->route.timeouts.write_stall) || !isinf(w->route.timeouts.close))
        w->cut = true;
    session_deadline(&s->timer);
}

static void stop(struct world *w, struct input *in)
{
    if (take(in) != 0xa5) /* rarely: it ends the game */
        return;
    w->cut = true;
    session_abort_all(&w->env);
}

static void operate(struct world *w, struct input *in)
{
    unsigned op = take(in);
    unsigned arg = op >> 4;
    uint8_t ping[4];

    switch (op & 15) {
    case 0:
        client_data(w, in);
        break;
    case 1:
        memcpy(ping, &w->random, 4);
        client_frame(w, arg & 1 ? WS_PONG : WS_PING, true, ping, arg >> 2);
        break;
    case 2:
        client_close(w, in);
        break;
    case 3:
        client_raw(w, in);
        break;
    case 4:
    case 5:
        backend_data(w, in);
        break;
    case 6:
        if (arg & 1)
            side_ends(w, &w->front, &w->client_ended, arg & 2 ? ECONNRESET : 0);
        else if (w->back_given)
            side_ends(w, &w->back, &w->backend_ended, arg & 2 ? ECONNRESET : 0);
        break;
    case 7:
        mem_stream_stall(&w->front, arg & 1);
        break;
    case 8:
        mem_stream_stall(&w->back, arg & 1);
        break;
    case 9:
        deadline(w);
        break;
    case 10:
        session_drain_all(&w->env, "going away");
        break;
    case 11:
        w->front.shut_again = arg & 3;
        w->back.shut_again = arg >> 2;
        break;
    case 12:
        w->chaos[0][arg & 1] = (uint8_t)take(in) % 4;
        break;
    case 13:
        w->chaos[1][arg & 1] = (uint8_t)take(in) % 4;
        break;
    case 14:
        stop(w, in);
        break;
    case 15:
        break;
    }
    turn(w, arg);
}

/* Both sides behave from here on, and end: so must the session. */
static void finish(struct world *w)
{
    unsigned turns = 0;

    w->front.reads.next = w->front.writes.next = NULL;
    w->back.reads.next = w->back.writes.next = NULL;
    mem_stream_stall(&w->front, false);
    mem_stream_stall(&w->back, false);
    turn(w, 3);
    side_ends(w, &w->front, &w->client_ended, 0);
    if (w->back_given)
        side_ends(w, &w->back, &w->backend_ended, 0);
    for (; alive(w); turns++) {
        CHECK(turns < TURNS_MAX);
        turn(w, 1);
    }
    loop_turn(w->env.loop);
    loop_turn(w->env.loop);
}

/* --- what came of it -----------------------------------------------------------------------------------------------
 */

struct said {
    struct mem_bytes data;     /* of all messages */
    struct mem_bytes messages; /* for each: opcode, length; the last may be unfinished (opcode | 0x80) */
    struct mem_bytes pings;    /* or pongs: length and bytes */
    size_t message;
    uint16_t close; /* 0: none */
    bool ours;      /* the Close says that the backend ended */
    uint16_t error;
};

static void message_said(struct said *s, uint8_t opcode)
{
    mem_bytes_put(&s->messages, &opcode, 1);
    mem_bytes_put(&s->messages, &s->message, sizeof s->message);
    s->message = 0;
}

static void heard(struct said *s, enum ws_role role, const struct ws_event *ev, uint8_t *open)
{
    uint8_t n = (uint8_t)ev->n;

    switch (ev->type) {
    case WS_EV_DATA:
        mem_bytes_put(&s->data, ev->data, ev->n);
        s->message += ev->n;
        *open = ev->end ? 0 : ev->opcode;
        if (ev->end)
            message_said(s, ev->opcode);
        break;
    case WS_EV_PING:
    case WS_EV_PONG:
        if ((ev->type == WS_EV_PING) == (role == WS_SERVER)) {
            mem_bytes_put(&s->pings, &n, 1);
            mem_bytes_put(&s->pings, ev->data, ev->n);
        }
        break;
    case WS_EV_CLOSE:
        s->close = ev->code;
        s->ours = ev->n == 13 && memcmp(ev->data, "backend ended", 13) == 0;
        break;
    case WS_EV_ERROR:
        s->error = ev->code;
        break;
    case WS_EV_NONE:
    case WS_EV_MORE:
        break;
    }
}

/* What the client said is decoded byte by byte, so that a piece with an error in it counts as far as it is good. */
static void hear(struct said *s, enum ws_role role, uint64_t max, uint8_t *p, size_t n)
{
    struct ws_decoder_options opt = {.role = role, .message_max = max, .check_utf8 = true};
    struct ws_decoder d;
    struct ws_event ev;
    uint8_t open = 0;

    memset(s, 0, sizeof *s);
    ws_decoder_init(&d, &opt);
    for (size_t i = 0; i < n && !s->error;) {
        CHECK(role == WS_SERVER || !s->close); /* nothing behind our Close */
        if (s->close)
            break;
        size_t give = role == WS_SERVER ? MIN_OF(ws_decoder_need(&d), n - i) : n - i;
        i += ws_decode(&d, p + i, give, &ev);
        if (ev.type == WS_EV_MORE && n - i < ws_decoder_need(&d))
            break;
        heard(s, role, &ev, &open);
    }
    if (open)
        message_said(s, open | 0x80);
}

static void said_free(struct said *s)
{
    free(s->data.p);
    free(s->messages.p);
    free(s->pings.p);
}

static bool begins(const struct mem_bytes *all, const struct mem_bytes *part)
{
    return part->n <= all->n && (part->n == 0 || memcmp(all->p, part->p, part->n) == 0);
}

/* Pongs answer pings in order, but need not answer each. */
static bool answered(const struct mem_bytes *pings, const struct mem_bytes *pongs)
{
    size_t at = 0;

    for (size_t i = 0; i < pongs->n; i += 1u + pongs->p[i]) {
        while (at < pings->n && (pings->p[at] != pongs->p[i] || memcmp(pings->p + at, pongs->p + i, 1u + pongs->p[i])))
            at += 1u + pings->p[at];
        if (at >= pings->n)
            return false;
        at += 1u + pings->p[at];
    }
    return true;
}

static bool front_was_cut(const struct world *w)
{
    return w->cut || w->front.end == STREAM_END_ABORT;
}

/* The echo's whole messages are the client's, one for one. */
static void check_echo(const struct world *w, struct said *client, struct said *heard)
{
    const size_t each = 1 + sizeof client->message;
    size_t whole = heard->messages.n;

    CHECK(begins(&client->data, &heard->data));
    if (whole && (heard->messages.p[whole - each] & 0x80))
        whole -= each;
    CHECK(begins(&client->messages, &(struct mem_bytes){.p = heard->messages.p, .n = whole}));
    if (client->close && heard->close == client->close && !w->cut && !w->env.draining)
        CHECK(heard->data.n == client->data.n);
}

static void check(struct world *w)
{
    struct mem_bytes all = {0};
    struct said client, got;

    CHECK(w->ended == 1 && w->front.freed && w->back.freed == w->back_given);
    CHECK(pool_in_use(w->env.pool) == 0 && w->env.stats.sessions == 0);
    CHECK(atomic_load(&w->snapshot.count) == 1);
    mem_bytes_put(&all, w->early.p, w->early.n);
    mem_bytes_put(&all, w->front.in.p, w->front.in.n);
    hear(&client, WS_SERVER, w->route.limits.message, all.p, all.n);
    CHECK(w->front.out.n < 4 || memcmp(w->front.out.p, "101\n", 4) == 0);
    hear(&got, WS_CLIENT, UINT64_MAX, w->front.out.p + 4, w->front.out.n < 4 ? 0 : w->front.out.n - 4);
    CHECK(!got.error);
    CHECK(w->cut || w->back.lost == 0); /* a client that left without a Close has given up what was for it */
    CHECK(w->cut || !client.close || w->front.lost == 0);
    CHECK(answered(&client.pings, &got.pings));
    if (w->service.to.kind == TARGET_ECHO) {
        check_echo(w, &client, &got);
    } else {
        CHECK(begins(&client.data, &w->back.out));
        CHECK(begins(&w->backend_said, &got.data));
        if (!w->cut && w->back_given && client.error != WS_CLOSE_BAD_DATA)
            CHECK(w->back.out.n == client.data.n && w->back.end == STREAM_END_CLEAN);
        if (got.ours && !w->cut)
            CHECK(got.data.n == w->backend_said.n);
    }
    if (!front_was_cut(w) && got.close)
        CHECK(got.messages.n == 0 || w->service.to.kind == TARGET_ECHO ||
              !(got.messages.p[got.messages.n - 1 - sizeof got.message] & 0x80));
    said_free(&client);
    said_free(&got);
    free(all.p);
}

/* --- one life ------------------------------------------------------------------------------------------------------
 */

static double due_at(unsigned due, unsigned which)
{
    return due & which ? 0 : INFINITY;
}

static void set_bounds(struct world *w, unsigned options, unsigned due)
{
    static const enum target_kind kinds[] = {TARGET_ADDR, TARGET_ADDR, TARGET_ECHO, TARGET_DISCARD};
    static const uint64_t buffers[] = {4096, 8192, 65536, 1 << 20};

    w->service.to.kind = kinds[options & 3];
    w->service.to.text = "it";
    w->service.name.name = "it";
    w->route.service = &w->service;
    w->route.origin_any = true;
    w->route.limits.buffer = buffers[options >> 2 & 3];
    w->route.limits.message = options & 16 ? 1000 : UINT64_MAX;
    w->may_fail = options & 32;
    w->route.timeouts = (struct timeouts){
        .connect = INFINITY,
        .idle = due_at(due, DUE_IDLE),
        .ping = due_at(due, DUE_PING),
        .pong = due_at(due, DUE_PONG),
        .write_stall = due_at(due, DUE_STALL),
        .lifetime = due_at(due, DUE_LIFETIME),
        .close = due_at(due, DUE_CLOSE),
    };
}

static void make_request(struct world *w)
{
    static const char text[] = "GET /it HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const struct http_exchange_ops ops = {.reply = refused, .accept = accepted};
    struct http_parser parser;
    struct http_bad bad;
    size_t used;

    http_parser_init(&parser, 4096);
    CHECK(http_head_parse(&parser, text, sizeof text - 1, &w->head, &used, &bad) == HTTP_PARSE_DONE);
    w->x.ops = &ops;
    w->x.head = &w->head;
    http_url_split(w->head.target, &w->x.url);
    w->x.snapshot = &w->snapshot;
    w->route.listener_name = "here";
    w->x.id = 1;
}

static void open_session(struct world *w)
{
    session_open(&w->env, &w->x, &w->route);
    if (!w->done)
        return;
    struct connect_result res = {.outcome = CONNECT_OK, .stream = &w->back.s};
    w->back_given = true;
    w->done(w->done_arg, &res);
}

static void world_init(struct world *w, struct loop *loop, struct pool *pool)
{
    memset(w, 0, sizeof *w);
    w->env.loop = loop;
    w->env.pool = pool;
    w->env.connection_ended = connection_ended;
    w->env.next_id = w->env.id_step = 1;
    list_init(&w->env.sessions);
    list_init(&w->env.conns);
    ref_init(&w->snapshot, snapshot_free);
    mem_stream_init(&w->front, loop);
    mem_stream_init(&w->back, loop);
    w->front.arg = w->back.arg = w;
    w->front.reads.next = w->front.writes.next = unruly;
    w->back.reads.next = w->back.writes.next = unruly;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    static struct pool *pool;
    static struct pipes *pipes;
    struct input in = {data, size};
    struct world *w = malloc(sizeof *w);
    unsigned options, due;
    size_t early;

    if (!loop)
        loop = loop_new();
    if (!pool)
        pool = pool_new(0); /* keeps nothing: a buffer used after it was given back is found */
    if (!pipes)
        pipes = pipes_new();
    CHECK(w && loop && pool && pipes);
    world_init(w, loop, pool);
    w->env.pipes = pipes;
    options = take(&in);
    due = take(&in);
    early = take(&in);
    w->random = 0x9e3779b97f4a7c15u + take(&in);
    set_bounds(w, options, due);
    make_request(w);
    w->front.hints = w->back.hints = options & 128;
    if (due & SPLICE) {
        mem_stream_splices(&w->front);
        mem_stream_splices(&w->back);
    } else {
        w->front.seals = w->back.seals = due & SEALS;
    }
    if (options & 64) {
        early = MIN_OF(early, in.n);
        mem_bytes_put(&w->early, in.p, early);
        in.p += early;
        in.n -= early;
    }
    open_session(w);
    for (unsigned i = 0; i < OPS_MAX && in.n && alive(w); i++)
        operate(w, &in);
    finish(w);
    check(w);
    free(w->backend_said.p);
    free(w->early.p);
    mem_stream_fini(&w->front);
    mem_stream_fini(&w->back);
    free(w);
    return 0;
}
