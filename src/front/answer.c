/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Answers of HTTP/1.1: a head and a short text in one buffer, or a head and a body pulled piece by piece through that
 * same buffer, so that a client that does not read costs one buffer and nothing else.
 */
#include <assert.h>

#include "base/clock.h"
#include "front/conn.h"
#include "http/fields.h"
#include "http/write.h"
#include "obs/log.h"
#include "tls/stream.h"

#define FIELDS_MAX 24
#define ANSWER_BUFFER ((size_t)64 << 10)

/* Whether head and body fit into the smallest buffer. A redirect repeats the path and query of its request, which may
 * be longer than that alone. */
static bool is_small(const struct http_response *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_fields; i++)
        n += r->fields[i].name.n + r->fields[i].value.n + 4;
    return r->has_length && r->content_length < 2048 && n < 1024;
}

/* Puts the head into an empty out buffer. False when that cannot be done: the connection then ends without an answer.
 */
static bool write_head(struct front_conn *c, const struct http_response *r)
{
    struct strbuf out;

    c->status = r->status;
    if (!c->out.p)
        c->out.p = pool_take(c->env->pool, is_small(r) ? POOL_MIN : ANSWER_BUFFER, &c->out.cap);
    if (!c->out.p)
        return false;
    strbuf_init(&out, (char *)c->out.p, c->out.cap);
    if (!http_write_head(&out, r))
        return false;
    c->out.head = 0;
    c->out.tail = out.n;
    return true;
}

static void start_answer(struct front_conn *c, const struct http_response *r, struct slice text)
{
    c->state = CONN_ANSWER;
    c->x.owner = NULL;
    timer_cancel(&c->timer); /* that of the request */
    c->progress_at = loop_now(c->env->loop);
    c->body_sent = 0;
    if (!write_head(c, r)) {
        c->out.head = c->out.tail = 0;
        c->keep_alive = false;
        c->body_left = 0;
        return;
    }
    if (text.n && !c->head_only) {
        size_t room = c->out.cap - c->out.tail;
        assert(text.n <= room);
        memcpy(c->out.p + c->out.tail, text.p, MIN_OF(text.n, room));
        c->out.tail += MIN_OF(text.n, room);
        c->body_sent = text.n;
    }
}

static struct http_response response(struct front_conn *c, int status, struct http_field *all, size_t n)
{
    return (struct http_response){
        .status = status,
        .keep_alive = c->keep_alive,
        .http10 = c->head && c->head->minor == 0,
        .date = (int64_t)(clock_wall_ms() / 1000),
        .fields = all,
        .n_fields = n,
        .has_length = true,
    };
}

static size_t copy_fields(struct http_field *all, const struct http_field *fields, size_t n)
{
    assert(n < FIELDS_MAX - 2);
    if (n) /* without any, `fields` may be NULL, which memcpy may not be given */
        memcpy(all, fields, n * sizeof *fields);
    return n;
}

static bool has_field(const struct http_field *fields, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(fields[i].name, name))
            return true;
    return false;
}

void conn_exchange_reply(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                         struct slice text)
{
    struct front_conn *c = container_of(x, struct front_conn, x);
    struct http_field all[FIELDS_MAX];
    struct http_response r;

    assert(c->state == CONN_HANDLING || c->state == CONN_REQUEST);
    n = copy_fields(all, fields, n);
    if (text.n && !has_field(all, n, SLICE("Content-Type")))
        all[n++] = (struct http_field){SLICE("Content-Type"), SLICE("text/plain; charset=utf-8")};
    /* Another request may hide in the bytes of one that asked for a WebSocket and was refused: do not look. */
    if (c->head->upgrade || (status >= 400 && status != 404))
        c->keep_alive = false;
    r = response(c, status, all, n);
    r.content_length = text.n;
    start_answer(c, &r, text);
    conn_run(c);
}

void conn_exchange_respond(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                           struct http_body *body)
{
    struct front_conn *c = container_of(x, struct front_conn, x);
    struct http_field all[FIELDS_MAX];
    struct http_response r;

    assert(c->state == CONN_HANDLING);
    n = copy_fields(all, fields, n);
    r = response(c, status, all, n);
    r.content_length = body ? body->length : 0;
    r.has_length = status != 304;
    c->body = body;
    c->body_left = body && !c->head_only ? body->length : 0;
    start_answer(c, &r, (struct slice){0});
    conn_run(c);
}

void conn_refuse(struct front_conn *c, int status, const char *why)
{
    char line[256];
    char peer[ADDR_TEXT_MAX];
    struct strbuf text;
    struct http_field all[2];
    struct http_response r;

    if (!c->x.id) { /* the head never became an exchange: it still gets an id for its record */
        c->x.id = worker_env_id(c->env);
        c->x.started = loop_now(c->env->loop);
        c->x.peer = c->peer;
    }
    c->keep_alive = false;
    c->head_only = c->x.head && c->head->method == HTTP_HEAD; /* otherwise nobody knows what was asked */
    if (c->head)
        c->head->minor = 1;
    strbuf_init(&text, line, sizeof line);
    strbuf_printf(&text, "%s\n", why);
    all[0] = (struct http_field){SLICE("Content-Type"), SLICE("text/plain; charset=utf-8")};
    all[1] = (struct http_field){SLICE("Allow"), SLICE("GET, HEAD")};
    r = response(c, status, all, status == 405 ? 2 : 1);
    r.content_length = text.n;
    log_event(c->env->log, LOG_INFO, "request_refused", KV_U("id", c->x.id),
              KV("peer", ip_port_format(&c->x.peer, peer)), KV_I("status", status), KV("why", why));
    start_answer(c, &r, strbuf_slice(&text));
}

/* Refills the empty out buffer from the body. False when the body failed. */
static bool pull_body(struct front_conn *c)
{
    size_t cap = (size_t)MIN_OF((uint64_t)c->out.cap, c->body_left);
    ssize_t n = c->body->pull(c->body, c->out.p, cap);

    if (n <= 0 || (uint64_t)n > c->body_left)
        return false;
    c->out.head = 0;
    c->out.tail = (size_t)n;
    c->body_left -= (uint64_t)n;
    c->body_sent += (uint64_t)n;
    return true;
}

enum io conn_answer_step(struct front_conn *c)
{
    size_t budget =
        (size_t)1 << 20; /* then the other connections have their turn: a fast client must not keep the loop */

    for (;;) {
        struct iovec v = {.iov_len = c->out.tail - c->out.head};
        size_t put = 0;
        enum io io;

        if (v.iov_len == 0) {
            if (c->body_left == 0)
                break;
            if (budget == 0) {
                loop_defer(c->env->loop, &c->again);
                return IO_AGAIN;
            }
            if (!pull_body(c)) {
                c->stream->why = "the file ended early";
                return IO_FAIL;
            }
            continue;
        }
        v.iov_base = c->out.p + c->out.head;
        io = stream_write(c->stream, &v, 1, &put);
        if (io != IO_OK)
            return io == IO_EOF ? IO_FAIL : io;
        c->out.head += put;
        c->progress_at = loop_now(c->env->loop);
        budget -= MIN_OF(budget, put);
    }
    if (c->body)
        c->body->free(c->body);
    c->body = NULL;
    return IO_OK;
}

void conn_record(struct front_conn *c, const char *why)
{
    struct http_exchange *x = &c->x;
    char peer[ADDR_TEXT_MAX];
    struct kv kv[13];
    struct tls_info tls;
    size_t n = 0;

    if (log_wants_access(c->env->log)) {
        kv[n++] = (struct kv)KV_U("id", x->id);
        kv[n++] = (struct kv)KV("peer", ip_port_format(&x->peer, peer));
        kv[n++] = (struct kv)KV("listener", c->listener->name);
        if (x->head) {
            kv[n++] = (struct kv)KV_S("method", c->head->method_text);
            kv[n++] = (struct kv)KV_S("host", c->head->authority);
            kv[n++] = (struct kv)KV_S("path", x->url.path);
        }
        kv[n++] = (struct kv)KV_I("status", c->status);
        kv[n++] = (struct kv)KV_U("bytes", c->body_sent);
        kv[n++] = (struct kv)KV_F("seconds", loop_now(c->env->loop) - x->started);
        if (c->stream && tls_stream_info(c->stream, &tls) && tls.cipher) {
            kv[n++] = (struct kv)KV("tls", tls.version);
            kv[n++] = (struct kv)KV("cipher", tls.cipher);
        }
        if (why)
            kv[n++] = (struct kv)KV("reason", why);
        log_access(c->env->log, "request", kv, n);
    }
    memset(x, 0, sizeof *x);
}
