/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * How a session begins and how it ends. It begins as an exchange that asks for a WebSocket: the handshake is checked,
 * the Origin, then the backend is connected, and only then does the client get its 101, so that a dead backend is an
 * honest 502 or 504. It ends in session_end, in one order, with one reason.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "obs/log.h"
#include "relay/relay.h"
#include "upstream/proxy_out.h"

#define RECORDED_PATH_MAX ((size_t)1024)

_Static_assert(sizeof(struct session) <= 440, "an idle session is this and two streams");

/* --- refusals ------------------------------------------------------------------------------------------------------
 */

/* Who is turned away most often is a page from elsewhere, or one that a proxy in front made look so: both origins are
 * said, or nobody could tell why they differ. */
static void log_refusal(struct worker_env *env, const struct http_exchange *x, int status, const char *why)
{
    const struct http_field *origin = status == 403 ? http_field_find(x->head, "Origin") : NULL;
    char peer[ADDR_TEXT_MAX];
    char text[300];
    struct strbuf own;

    strbuf_init(&own, text, sizeof text);
    strbuf_str(&own, x->secure ? "https://" : "http://");
    http_authority_put(&own, &x->authority);
    struct kv kv[] = {
        KV_U("id", x->id),
        KV("peer", ip_port_format(&x->peer, peer)),
        KV_S("path", x->url.path),
        KV_I("status", status),
        KV("why", why),
        KV_S("origin", origin ? origin->value : SLICE("-")),
        KV_S("own", strbuf_slice(&own)),
    };
    log_write(env->log, LOG_INFO, "session_refused", kv, ARRAY_LEN(kv) - (origin ? 0 : 2));
}

static void refuse(struct worker_env *env, struct http_exchange *x, int status, const char *why)
{
    static const struct http_field upgrade[] = {
        {{"Sec-WebSocket-Version", 21}, {"13", 2}},
        {{"Upgrade", 7}, {"websocket", 9}},
    };
    static const struct http_field allow[] = {{{"Allow", 5}, {"GET", 3}}};
    char line[256];
    struct strbuf text;

    strbuf_init(&text, line, sizeof line);
    strbuf_printf(&text, "%s\n", why);
    log_refusal(env, x, status, why);
    if (status == 426)
        x->ops->reply(x, status, upgrade, ARRAY_LEN(upgrade), strbuf_slice(&text));
    else
        x->ops->reply(x, status, allow, status == 405 ? 1 : 0, strbuf_slice(&text));
}

static const char *origin_refusal(struct http_exchange *x, const struct route *route)
{
    switch (route_check_origin(route, x->head, x->secure, &x->authority)) {
    case ORIGIN_OK:
        return NULL;
    case ORIGIN_FOREIGN:
        return "This Origin may not open a WebSocket here (the route's `origins` decides).";
    case ORIGIN_MALFORMED:
        return "The Origin is malformed.";
    }
    return NULL;
}

/* 0, or the status to refuse with. */
static int check_request(struct worker_env *env, struct http_exchange *x, const struct route *route,
                         struct ws_handshake *hs, const char **why)
{
    int status = ws_handshake_check(x->head, hs, why);
    const struct cfg_strings *allowed = &route->service->subprotocols;

    if (status)
        return status;
    *why = origin_refusal(x, route);
    if (*why)
        return 403;
    *why = "wsbridge is shutting down.";
    if (env->draining)
        return 503;
    *why = "Sec-WebSocket-Protocol is malformed.";
    return ws_subprotocol_choose(x->head, allowed->v, allowed->n, &hs->subprotocol) ? 0 : 400;
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

static void session_reap(struct loop_task *t)
{
    struct session *s = container_of(t, struct session, turn);

    if (s->end_why_ours)
        free((char *)(uintptr_t)s->end_why);
    free(s);
}

static void opening_free(struct session *s)
{
    free(s->opening);
    s->opening = NULL;
}

/* Before the 101: the session was never born, so it has no record; the request has one. */
static void opening_drop(struct session *s)
{
    s->state = SESSION_GONE;
    if (s->opening->connecting)
        connect_cancel(s->opening->connecting);
    opening_free(s);
    list_remove(&s->link);
    ref_give(s->snapshot);
    loop_task_init(&s->turn, session_reap);
    loop_reap(s->env->loop, &s->turn);
}

static void opening_gone(struct http_exchange_owner *o)
{
    opening_drop(container_of(o, struct opening, owner)->session);
}

/* The session goes first: the answer may be the end of the connection, and a worker that drains then looks whether
 * anything is left. */
static void opening_refuse(struct session *s, int status, const char *why)
{
    struct http_exchange *x = s->opening->x;
    struct worker_env *env = s->env;

    x->owner = NULL;
    opening_drop(s);
    refuse(env, x, status, why);
}

static bool down_preface(struct session *s, const struct http_accepted *acc)
{
    if (acc->preface_len == 0)
        return true;
    if (!lane_take(s, &s->down, POOL_MIN))
        return false;
    memcpy(s->down.buf, acc->preface, acc->preface_len);
    s->down.mark = s->down.raw = s->down.tail = (uint32_t)acc->preface_len;
    return true;
}

/* Answers 101 and takes the stream. The session is alive from here on. False: it is gone. */
static bool session_accept(struct session *s, struct stream *back)
{
    struct opening *op = s->opening;
    struct worker_env *env = s->env;
    struct http_field fields[4] = {
        {SLICE("Upgrade"), SLICE("websocket")},
        {SLICE("Connection"), SLICE("Upgrade")},
        {SLICE("Sec-WebSocket-Accept"), {op->handshake.accept, WS_ACCEPT_LEN}},
        {SLICE("Sec-WebSocket-Protocol"), op->handshake.subprotocol},
    };
    struct ws_decoder_options dec = {.role = WS_SERVER, .message_max = s->route->limits.message, .check_utf8 = true};
    struct http_accepted acc;

    op->x->owner = NULL;
    list_remove(&s->link); /* as in opening_refuse: a failed accept is an answer, too */
    if (op->x->ops->accept(op->x, fields, op->handshake.subprotocol.n ? 4 : 3, &acc) != 0) {
        stream_free(back, STREAM_END_ABORT);
        opening_drop(s);
        return false;
    }
    opening_free(s);
    list_push_back(&env->sessions, &s->link);
    s->state = SESSION_RELAY;
    s->front = acc.stream;
    s->front->owner = &s->owner;
    s->front_state = FRONT_OPEN;
    s->back = back;
    s->back_state = back ? BACK_OPEN : BACK_DONE;
    if (back)
        back->owner = &s->owner;
    s->active_at = s->heard_at = s->front_at = s->back_at = loop_now(env->loop);
    stats_move(&env->stats.sessions, 1);
    stats_count(&env->stats.sessions_total);
    ws_decoder_init(&s->decoder, &dec);
    s->up.read_size = s->down.read_size = (uint32_t)POOL_MIN;
    if (acc.buf) { /* early frames stay where they are */
        s->up.buf = acc.buf;
        s->up.cap = (uint32_t)acc.cap;
        s->up.head = s->up.mark = s->up.raw = (uint32_t)acc.head;
        s->up.tail = (uint32_t)acc.tail;
    }
    if (!down_preface(s, &acc)) {
        session_set_end(s, END_BY_US, WS_CLOSE_TRY_LATER, "out of memory");
        session_front_done(s, STREAM_END_ABORT);
        session_back_done(s, STREAM_END_ABORT);
    }
    return true;
}

static const struct {
    int status;
    uint16_t code;
} outcome_answers[] = {
    [CONNECT_OK] = {101, 0},
    [CONNECT_NO_NAME] = {502, WS_CLOSE_INTERNAL},
    [CONNECT_REFUSED] = {502, WS_CLOSE_INTERNAL},
    [CONNECT_TIMEOUT] = {504, WS_CLOSE_TRY_LATER},
    [CONNECT_NO_ROOM] = {503, WS_CLOSE_TRY_LATER},
};

static const char *const outcome_texts[] = {
    [CONNECT_OK] = "",
    [CONNECT_NO_NAME] = "The backend's name has no address.",
    [CONNECT_REFUSED] = "The backend cannot be reached.",
    [CONNECT_TIMEOUT] = "The backend does not answer in time.",
    [CONNECT_NO_ROOM] = "No room for another connection.",
};

static void session_connect_failed(struct session *s, const struct connect_result *res)
{
    char peer[ADDR_TEXT_MAX];

    /* The client is told what kind of failure it was; addresses and system errors are for the log alone. */
    log_event(s->env->log, LOG_WARN, "connect_failed", KV_U("id", s->id), KV("peer", ip_port_format(&s->peer, peer)),
              KV("service", s->route->service->name.name), KV("to", s->route->service->to.text), KV("why", res->why));
    if (!s->route->errors_close) {
        opening_refuse(s, outcome_answers[res->outcome].status, outcome_texts[res->outcome]);
        return;
    }
    if (!session_accept(s, NULL))
        return;
    session_close(s, END_BY_BACKEND, outcome_answers[res->outcome].code, outcome_texts[res->outcome]);
    session_run(s);
}

static void session_connected(void *arg, const struct connect_result *res)
{
    struct session *s = arg;

    s->opening->connecting = NULL;
    addr_to_ip_port(&res->addr, &s->backend);
    if (res->outcome != CONNECT_OK) {
        session_connect_failed(s, res);
        return;
    }
    if (session_accept(s, res->stream))
        session_run(s);
}

static struct session *session_new(struct worker_env *env, struct http_exchange *x, const struct route *route,
                                   const struct ws_handshake *hs)
{
    size_t path = MIN_OF(x->url.path.n, RECORDED_PATH_MAX);
    char tls[RECORDED_TLS_MAX];
    size_t tls_len = record_tls(x, tls);
    struct session *s = alloc_zero(sizeof *s + path + hs->subprotocol.n + tls_len + 2);

    if (!s)
        return NULL;
    s->opening = alloc_zero(sizeof *s->opening);
    if (!s->opening) {
        free(s);
        return NULL;
    }
    memcpy(s->text, x->url.path.p, path);
    memcpy(s->text + path + 1, hs->subprotocol.p ? hs->subprotocol.p : "", hs->subprotocol.n);
    if (tls_len)
        memcpy(s->text + path + hs->subprotocol.n + 2, tls, tls_len);
    s->has_tls = tls_len > 0;
    s->env = env;
    s->route = route;
    s->snapshot = x->snapshot;
    ref_take(s->snapshot);
    s->owner.ready = session_ready;
    s->id = x->id;
    s->peer = x->peer;
    s->started = loop_now(env->loop);
    s->opening->x = x;
    s->opening->session = s;
    s->opening->handshake = *hs;
    s->opening->owner.gone = opening_gone;
    x->owner = &s->opening->owner;
    loop_task_init(&s->turn, session_turn);
    timer_init(&s->timer, env->loop, session_deadline);
    list_push_back(&env->sessions, &s->link);
    return s;
}

static void connect_backend(struct session *s)
{
    const struct service *service = s->route->service;
    uint8_t preface[PROXY_OUT_MAX];
    struct connect_order order = {
        .to = &service->to,
        .opt = socket_session_options(s->route->timeouts.write_stall),
        .timeout = s->route->timeouts.connect,
        .tls = service->backend,
        .preface = preface,
        .preface_len = proxy_out_write(service, s->opening->x, s->env->boot, preface),
    };

    s->opening->connecting = connect_start(s->env, &order, session_connected, s);
    if (!s->opening->connecting)
        opening_refuse(s, 503, "Out of memory.");
}

void session_open(struct worker_env *env, struct http_exchange *x, const struct route *route)
{
    const struct target *to = &route->service->to;
    struct ws_handshake hs = {0};
    const char *why = NULL;
    int status = check_request(env, x, route, &hs, &why);
    struct session *s;

    if (status) {
        refuse(env, x, status, why);
        return;
    }
    s = session_new(env, x, route, &hs);
    if (!s) {
        refuse(env, x, 503, "Out of memory.");
        return;
    }
    if (to->kind == TARGET_ECHO || to->kind == TARGET_DISCARD) {
        s->builtin = (uint8_t)to->kind;
        if (session_accept(s, NULL))
            session_run(s);
        return;
    }
    connect_backend(s);
}

/* --- what may happen -----------------------------------------------------------------------------------------------
 */

void session_set_end(struct session *s, enum end_by by, uint16_t code, const char *why)
{
    if (s->end_by != END_BY_NOBODY)
        return;
    s->end_by = (uint8_t)by;
    s->end_code = code;
    s->end_why = why;
}

/* A stream's own reason may go with the stream, while a Close and the record still need it. */
const char *session_why(struct session *s, const struct stream *from)
{
    if (from->why && s->end_by == END_BY_NOBODY && !s->end_why_ours) {
        char *copy = strdup(from->why);
        s->end_why = copy;
        s->end_why_ours = copy;
    }
    return s->end_why_ours ? s->end_why : "connection lost";
}

/* No more from the client: what it said is still flushed, then the backend gets its FIN. */
static void up_ends(struct session *s)
{
    if (s->back_state == BACK_OPEN || s->back_state == BACK_ENDED)
        s->back_state = BACK_FLUSH;
}

static void queue_close(struct session *s, uint16_t code)
{
    if (s->close_queued)
        return;
    s->close_queued = true;
    s->close_code = code;
    s->close_at = loop_now(s->env->loop);
}

void session_close(struct session *s, enum end_by by, uint16_t code, const char *why)
{
    session_set_end(s, by, code, why);
    if (s->front_state != FRONT_OPEN)
        return;
    if (s->front_mute) {
        session_front_done(s, STREAM_END_ABORT);
        return;
    }
    s->front_state = FRONT_CLOSING;
    queue_close(s, code);
}

void session_client_closed(struct session *s, uint16_t code)
{
    session_set_end(s, END_BY_CLIENT, code, "client closed");
    queue_close(s, code);
    s->front_state = FRONT_CLOSED;
    up_ends(s);
    if (s->front_mute)
        session_front_done(s, STREAM_END_CLEAN);
    else if (s->close_sent)
        (void)session_front_farewell(s);
}

void session_client_eof(struct session *s)
{
    session_set_end(s, END_BY_CLIENT, WS_CLOSE_ABNORMAL, "client went away without a Close");
    session_front_done(s, STREAM_END_CLEAN);
}

void session_client_failed(struct session *s, const char *why)
{
    session_set_end(s, END_BY_CLIENT, WS_CLOSE_ABNORMAL, why);
    if (s->front_state <= FRONT_CLOSING) /* otherwise it had said Close: its bytes are still to be flushed */
        session_back_done(s, STREAM_END_ABORT);
    session_front_done(s, STREAM_END_ABORT);
}

void session_backend_eof(struct session *s)
{
    s->back_eof = true;
    if (s->back_state == BACK_OPEN)
        s->back_state = BACK_ENDED;
    session_close(s, END_BY_BACKEND, WS_CLOSE_NORMAL, "backend ended");
}

void session_backend_failed(struct session *s, const char *why)
{
    session_set_end(s, END_BY_BACKEND, WS_CLOSE_INTERNAL, why);
    session_back_done(s, STREAM_END_ABORT);
    session_close(s, END_BY_BACKEND, WS_CLOSE_INTERNAL, why);
}

void session_bad_input(struct session *s, uint16_t code, const char *why)
{
    session_set_end(s, END_BY_US, code, why);
    s->input_bad = true;
    queue_close(s, code);
    s->front_state = FRONT_CLOSED;
    up_ends(s);
    if (s->front_mute)
        session_front_done(s, STREAM_END_ABORT);
    else if (s->close_sent)
        (void)session_front_farewell(s);
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

/* Our Close is out, and the input is over as well: the connection ends here and now, but for two things. A layer that
 * has taken bytes which the kernel does not have yet (TLS) is waited for; and behind bad input more may come, which is
 * read after our FIN, because closing on it would reset our Close away. */
bool session_front_farewell(struct session *s)
{
    if (s->front_state != FRONT_CLOSED)
        return false;
    if (!s->input_bad && !(s->front->blocked & STREAM_WRITE)) {
        session_front_done(s, STREAM_END_CLEAN);
        return true;
    }
    switch (stream_shut_write(s->front)) {
    case IO_AGAIN:
        return false;
    case IO_OK:
        if (s->input_bad)
            s->front_state = FRONT_LINGER;
        else
            session_front_done(s, STREAM_END_CLEAN);
        return true;
    default:
        session_front_done(s, STREAM_END_ABORT);
        return true;
    }
}

void session_front_done(struct session *s, enum stream_end how)
{
    if (s->front_state == FRONT_DONE)
        return;
    s->front_state = FRONT_DONE;
    stream_free(s->front, how);
    s->front = NULL;
    down_drop(s);
    control_drop(s);
    s->up.raw = s->up.tail = s->up.mark; /* undecoded input has no reader any more */
    if (lane_empty(&s->up))
        lane_drop(s, &s->up);
    up_ends(s);
}

void session_back_done(struct session *s, enum stream_end how)
{
    if (s->back_state == BACK_DONE)
        return;
    s->back_state = BACK_DONE;
    stream_free(s->back, how);
    s->back = NULL;
    s->up.head = s->up.mark;
    if (lane_empty(&s->up))
        lane_drop(s, &s->up);
}

void session_end(struct session *s)
{
    struct worker_env *env = s->env;

    if (s->state == SESSION_GONE)
        return;
    s->state = SESSION_GONE;
    timer_cancel(&s->timer);
    loop_task_cancel(&s->turn);
    session_back_done(s, STREAM_END_ABORT);
    session_front_done(s, STREAM_END_ABORT);
    lane_drop(s, &s->up);
    record_session(s);
    stats_move(&env->stats.sessions, -1);
    list_remove(&s->link);
    env->connection_ended(env);
    ref_give(s->snapshot);
    loop_task_init(&s->turn, session_reap);
    loop_reap(env->loop, &s->turn);
}

void session_drain_all(struct worker_env *env, const char *reason)
{
    struct list *next;

    for (struct list *l = env->sessions.next; l != &env->sessions; l = next) {
        struct session *s = container_of(l, struct session, link);
        next = l->next;
        if (s->state == SESSION_OPENING) {
            opening_refuse(s, 503, "wsbridge is shutting down.");
            continue;
        }
        session_close(s, END_BY_US, WS_CLOSE_GOING_AWAY, reason);
        session_run(s);
    }
}

void session_abort_all(struct worker_env *env)
{
    while (!list_empty(&env->sessions)) {
        struct session *s = container_of(env->sessions.next, struct session, link);
        if (s->state == SESSION_OPENING) {
            struct http_exchange *x = s->opening->x;
            opening_drop(s);
            x->owner = NULL;
            x->ops->abort(x);
            continue;
        }
        session_set_end(s, END_BY_US, WS_CLOSE_GOING_AWAY, "stopped at once");
        session_end(s);
    }
}
