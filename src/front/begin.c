/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What comes before the first request: the PROXY header, TLS or not, the handshake; and who the client is when the head
 * is here. While a PROXY header may come or the first byte is awaited there is no stream: bytes are looked at
 * (MSG_PEEK) and only those that certainly belong to a PROXY header are taken, because a TLS hello is for OpenSSL to
 * read.
 *
 * Whoever is turned away here gets no HTTP answer, or one readable line where it spoke HTTP; either way the log names
 * the peer and the cause. A peer that leaves without a word is not worth a line: health checks do that all day.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "front/conn.h"
#include "net/proxy_protocol.h"
#include "obs/log.h"
#include "tls/stream.h"

#define PROXY_SECONDS 3.0         /* for a header to be whole: a proxy sends it at once, in one piece */
#define PROXY_PEEK ((size_t)1024) /* looked at a time: what follows the header is copied in vain */

static void say(struct front_conn *c, const char *event, const char *why)
{
    char peer[ADDR_TEXT_MAX];

    log_event(c->env->log, LOG_INFO, event, KV("peer", ip_port_format(&c->peer, peer)),
              KV("listener", c->listener->name), KV("why", why));
}

static bool turn_away(struct front_conn *c, const char *event, const char *why)
{
    say(c, event, why);
    conn_end(c, STREAM_END_ABORT);
    return false;
}

/* --- streams -------------------------------------------------------------------------------------------------------
 */

/* Gives the descriptor to whoever comes next. */
static int take_fd(struct front_conn *c)
{
    int fd = c->watch.fd;

    socket_watch_stop(&c->watch);
    c->watch.fd = -1;
    return fd;
}

void begin_drop(struct front_conn *c)
{
    if (c->counted && c->watch.fd >= 0)
        socket_watch_close(&c->watch);
    c->watch.fd = -1;
}

static int family_of(const struct front_conn *c)
{
    return c->is_unix ? AF_UNIX : AF_INET;
}

/* The descriptor becomes a clear stream. False when out of memory: the connection is gone. */
static bool go_clear(struct front_conn *c, int fd)
{
    c->stream = socket_stream_new_as(c->env->loop, fd, family_of(c), &c->owner);
    if (!c->stream) {
        conn_end(c, STREAM_END_ABORT);
        return false;
    }
    c->state = CONN_REQUEST;
    return true;
}

static bool go_tls(struct front_conn *c)
{
    struct tls_set *set = tls_server_take(c->listener->server);

    c->stream = tls_server_stream_new(c->env->loop, take_fd(c), set, TLS_ALPN_HTTP1, &c->owner);
    tls_set_give(set);
    if (!c->stream)
        return turn_away(c, "tls_failed", "out of memory");
    tls_stream_count(c->stream, &c->env->stats.tls_front);
    c->state = CONN_TLS;
    return true;
}

static void on_readable(struct socket_watch *w, unsigned dirs)
{
    conn_run(container_of(w, struct front_conn, watch));
}

/* Behind the PROXY header, if any. */
static bool go_on(struct front_conn *c)
{
    timer_set(&c->timer, c->listener->timeouts.handshake);
    if (!c->listener->server)
        return go_clear(c, take_fd(c));
    c->state = CONN_SNIFF;
    return true;
}

void begin_start(struct front_conn *c, int fd)
{
    const struct listener_settings *l = c->listener;
    bool trusted = l->proxy_protocol != LISTENER_PROXY_OFF && forwarded_trusts(&l->trust, &c->peer);

    c->watch.fd = -1;
    if (!l->server && !trusted && l->proxy_protocol != LISTENER_PROXY_REQUIRED) {
        (void)go_clear(c, fd);
        return;
    }
    if (socket_watch_start(&c->watch, c->env->loop, fd, family_of(c), on_readable) != 0) {
        conn_end(c, STREAM_END_ABORT);
        return;
    }
    if (l->proxy_protocol == LISTENER_PROXY_REQUIRED && !trusted) {
        (void)turn_away(c, "proxy_refused", "the peer is not one of trusted_proxies");
        return;
    }
    c->state = trusted ? CONN_PROXY : CONN_SNIFF;
    if (trusted && l->proxy_protocol == LISTENER_PROXY_REQUIRED)
        timer_set(&c->timer, PROXY_SECONDS);
    socket_watch_want(&c->watch, STREAM_READ);
}

/* --- PROXY ---------------------------------------------------------------------------------------------------------
 */

static void believe(struct front_conn *c, const struct proxy_header *h)
{
    if (h->local)
        return;
    if (h->src.family == IP_UNIX)
        c->peer = (struct ip_port){.family = IP_UNIX};
    else if (h->src.family != IP_NONE)
        c->peer = h->src;
    c->local = h->dst;
    c->secure = h->ssl.present && (h->ssl.client & PROXY_SSL_USED);
}

/* What the kernel has behind the bytes that were taken already: the count, 0 at the end, -1 for later, -2 when the
 * connection failed. */
static ssize_t look(struct front_conn *c, uint8_t *p, size_t n)
{
    ssize_t got;

    do
        got = recv(c->watch.fd, p, n, MSG_PEEK | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return got;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return -2;
    socket_watch_spent(&c->watch, STREAM_READ);
    return -1;
}

/* Takes bytes that were seen: they are there. */
static bool take(struct front_conn *c, size_t n)
{
    ssize_t got = n ? recv(c->watch.fd, c->in.p + c->in.tail, n, MSG_DONTWAIT) : 0;

    if (got != (ssize_t)n)
        return false;
    c->in.tail += n;
    return true;
}

static void drop_input(struct front_conn *c)
{
    pool_give(c->env->pool, c->in.p, c->in.cap);
    c->in = (struct conn_buf){0};
}

static bool proxy_absent(struct front_conn *c)
{
    if (c->listener->proxy_protocol == LISTENER_PROXY_REQUIRED)
        return turn_away(c, "proxy_refused", "the connection does not begin with a PROXY header");
    if (c->in.tail == 0) /* what was taken, because it could have been one, stays */
        drop_input(c);
    return go_on(c);
}

static bool proxy_done(struct front_conn *c, const struct proxy_header *h)
{
    believe(c, h);
    drop_input(c);
    return go_on(c);
}

static bool step_proxy(struct front_conn *c)
{
    struct conn_buf *b = &c->in;
    struct proxy_header h;
    const char *why = NULL;
    size_t used = 0;
    ssize_t n;

    if (!conn_take_input(c, conn_input_max(c)))
        return turn_away(c, "proxy_refused", "out of memory");
    for (;;) {
        if (b->tail == b->cap)
            return turn_away(c, "proxy_refused", "the PROXY header is longer than limits.request_header");
        n = look(c, b->p + b->tail, MIN_OF(b->cap - b->tail, PROXY_PEEK));
        if (n == -1)
            return false;
        if (n <= 0) {
            if (b->tail)
                say(c, "proxy_refused", "the connection ended inside the PROXY header");
            conn_end(c, STREAM_END_ABORT);
            return false;
        }
        switch (proxy_parse(b->p, b->tail + (size_t)n, &h, &used, &why)) {
        case PROXY_MORE:
            if (b->tail == 0 && c->listener->proxy_protocol == LISTENER_PROXY_OPTIONAL)
                timer_set(&c->timer, PROXY_SECONDS);
            if (!take(c, (size_t)n))
                return turn_away(c, "proxy_refused", "connection lost");
            break;
        case PROXY_DONE:
            if (!take(c, used - b->tail))
                return turn_away(c, "proxy_refused", "connection lost");
            return proxy_done(c, &h);
        case PROXY_ABSENT:
            return proxy_absent(c);
        case PROXY_BAD:
            return turn_away(c, "proxy_refused", why);
        }
    }
}

/* --- TLS or not ----------------------------------------------------------------------------------------------------
 */

static bool clear_first(struct front_conn *c, enum tls_sniff kind)
{
    const struct tls_settings *s = tls_server_settings(c->listener->server);

    if (!s->detect && kind != TLS_SNIFF_HTTP)
        return turn_away(c, "tls_failed", "neither a TLS hello nor HTTP");
    if (!go_clear(c, take_fd(c)))
        return false;
    if (s->detect)
        return true;
    if (s->redirect) {
        c->only_redirect = true;
        return true;
    }
    conn_refuse(c, 400, "This port speaks TLS: use https:// or wss://.");
    return true;
}

static bool step_sniff(struct front_conn *c)
{
    uint8_t p[3];
    ssize_t n;
    enum tls_sniff kind;

    if (c->in.tail > c->in.head) { /* it began like a PROXY header, so it is no TLS */
        kind = tls_sniff(c->in.p + c->in.head, c->in.tail - c->in.head);
        return clear_first(c, kind);
    }
    n = look(c, p, sizeof p);
    if (n == -1)
        return false;
    if (n <= 0) {
        conn_end(c, STREAM_END_CLEAN);
        return false;
    }
    kind = tls_sniff(p, (size_t)n);
    return kind == TLS_SNIFF_TLS ? go_tls(c) : clear_first(c, kind);
}

static bool step_tls(struct front_conn *c)
{
    switch (stream_start(c->stream)) {
    case IO_AGAIN:
        return false;
    case IO_OK:
        c->secure = true;
        c->state = CONN_REQUEST;
        if (!c->env->draining) /* otherwise what is left of a moment has to do */
            timer_set(&c->timer, c->listener->timeouts.handshake);
        return true;
    default:
        say(c, "tls_failed", c->stream->why ? c->stream->why : "the peer ended the connection inside the handshake");
        conn_end(c, STREAM_END_CLEAN); /* an alert may still have to leave */
        return false;
    }
}

bool begin_step(struct front_conn *c)
{
    switch (c->state) {
    case CONN_PROXY:
        return step_proxy(c);
    case CONN_SNIFF:
        return step_sniff(c);
    default:
        assert(c->state == CONN_TLS);
        return step_tls(c);
    }
}

void begin_deadline(struct front_conn *c)
{
    bool silent = c->in.tail == c->in.head;

    if (c->env->draining) {
        conn_end(c, STREAM_END_CLEAN);
        return;
    }
    if (c->state == CONN_PROXY && (!silent || c->listener->proxy_protocol == LISTENER_PROXY_REQUIRED))
        say(c, "proxy_refused",
            silent ? "no PROXY header came within 3 s" : "the PROXY header was not whole within 3 s");
    else if (c->state == CONN_TLS)
        say(c, "tls_failed", "the handshake was not over within timeouts.handshake");
    conn_end(c, STREAM_END_ABORT);
}

/* --- the head is here ----------------------------------------------------------------------------------------------
 */

bool begin_identify(struct front_conn *c)
{
    const struct forwarded_trust *trust = &c->listener->trust;
    struct http_exchange *x = &c->x;
    struct forwarded f;

    if (!trust->n && !trust->unix_peers)
        return true;
    switch (forwarded_read(c->head, &c->peer, trust, FORWARDED_BOTH, &f)) {
    case FORWARDED_NONE:
        return true;
    case FORWARDED_BAD:
        conn_refuse(c, 400, f.why);
        return false;
    case FORWARDED_OK:
        break;
    }
    if (f.has_client)
        x->peer = f.client;
    if (f.has_secure)
        x->secure = f.secure;
    if (f.has_host)
        x->authority = f.host;
    return true;
}

/* A browser follows no redirect of a WebSocket, and a page that asked for ws:// should learn why it gets none. */
void begin_redirect(struct front_conn *c)
{
    const struct http_exchange *x = &c->x;
    const struct http_authority *host = &x->authority;
    const size_t cap = host->host.n + x->url.path.n + x->url.query.n + sizeof "https://[]:65535?";
    struct http_field location = {.name = SLICE("Location")};
    struct strbuf b;
    char *text;

    if (c->head->upgrade) {
        conn_refuse(c, 403, "This port speaks TLS: use wss://.");
        return;
    }
    text = host->host.n ? malloc(cap) : NULL;
    if (!text) {
        conn_refuse(c, 400, "This port speaks TLS: use https://.");
        return;
    }
    strbuf_init(&b, text, cap);
    strbuf_str(&b, "https://");
    http_authority_put(&b, host);
    strbuf_put(&b, x->url.path);
    if (x->url.query.n)
        strbuf_printf(&b, "?" SLICE_FMT, SLICE_ARG(x->url.query));
    location.value = strbuf_slice(&b);
    c->state = CONN_HANDLING;
    c->x.ops->reply(&c->x, 308, &location, 1, SLICE("This port speaks TLS: use https://.\n"));
    free(text);
}
