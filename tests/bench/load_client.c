/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The client's side: opens sessions (TCP, TLS, upgrade), sends frames made ahead, counts and checks what comes back.
 */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, WRITES = 4, RECORDS = 16 };

void client_open(struct load *l, int slot)
{
    struct conn *c = conn_new(l, ROLE_CLIENT, connect_to(l->opt.port));

    l->clients[slot] = c;
    l->n_clients++;
    l->connecting++;
    c->share = l->opt.total / (uint64_t)l->opt.sessions * l->opt.size;
    if (l->opt.what == CASE_CONNECT)
        c->stamps[0] = now_ns();
    if (!l->opt.tls)
        return;
    c->ssl = SSL_new(l->tls);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
        fatal("no TLS connection");
    SSL_set_connect_state(c->ssl);
    SSL_SESSION *last = l->resume ? SSL_SESSION_dup(l->resume) : NULL;
    if (last)
        SSL_set_session(c->ssl, last);
    SSL_SESSION_free(last);
}

static void opened(struct load *l, struct conn *c)
{
    c->state = CLIENT_OPEN;
    l->connecting--;
    l->n_open++;
    if (c->ssl) {
        l->handshakes++;
        l->resumed += (uint64_t)SSL_session_reused(c->ssl);
    }
    conn_interest(l, c, false);
    if (l->opt.what == CASE_CONNECT)
        client_send(l, c, c->stamps[0]);
}

/* The states before OPEN. True when there is nothing more to do with this event. */
static bool opening(struct load *l, struct conn *c, bool readable)
{
    if (c->state == CLIENT_CONNECT) {
        int e = 0;
        socklen_t n = sizeof(e);
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0 || e)
            fatal("connect: %s", strerror(e));
        c->state = l->opt.tls ? CLIENT_TLS : CLIENT_UPGRADE;
    }
    if (c->state == CLIENT_TLS) {
        conn_interest(l, c, false);
        int r = conn_handshake(c);
        if (r < 0)
            return true;
        if (r == 0)
            fatal("closed in the TLS handshake");
        c->state = CLIENT_UPGRADE;
    }
    if (!l->opt.ws) {
        opened(l, c);
        return true;
    }
    if (!c->out_goal) { /* the request has not been sent; out_goal only notes that it was */
        char text[512];
        size_t n = upgrade_request(text, sizeof(text), &l->opt);
        if (conn_write(c, text, n) != (long)n)
            fatal("the upgrade request did not fit");
        c->out_goal = 1;
        conn_interest(l, c, false);
        return true;
    }
    if (!readable)
        return true;
    long n = conn_read(c, c->reply + c->reply_len, sizeof(c->reply) - c->reply_len);
    if (n == 0)
        fatal("closed instead of an answer to the upgrade");
    if (n < 0)
        return true;
    c->reply_len += (size_t)n;
    size_t head = upgrade_reply(c->reply, c->reply_len);
    if (!head && c->reply_len == sizeof(c->reply))
        fatal("the answer to the upgrade is too long");
    if (!head)
        return true;
    size_t early = c->reply_len - head;
    c->out_goal = 0;
    opened(l, c);
    if (early)
        fatal("%zu bytes came with the answer to the upgrade before the work began", early);
    return true;
}

static void pump_out(struct load *l, struct conn *c)
{
    const struct ring *r = &l->ring;
    int writes = 0;

    while (c->out < c->out_goal && writes++ < WRITES) {
        size_t off = (size_t)(c->out % r->wire_len);
        size_t n = r->wire_len - off;
        if (n > c->out_goal - c->out)
            n = (size_t)(c->out_goal - c->out);
        if (n > CHUNK)
            n = CHUNK;
        long put = conn_write(c, r->wire + off, n);
        if (put < 0)
            break;
        c->out += (uint64_t)put;
        if ((size_t)put < n && !c->ssl)
            break;
    }
    conn_interest(l, c, c->out < c->out_goal);
}

void client_send(struct load *l, struct conn *c, uint64_t due)
{
    if (c->stamp_head - c->stamp_tail == STAMPS)
        fatal("a session is %d messages behind: the rate is too high", STAMPS);
    c->stamps[c->stamp_head++ % STAMPS] = due;
    l->sent++;
    c->out_goal += l->ring.frame_len;
    pump_out(l, c);
}

void client_begin(struct load *l, struct conn *c)
{
    switch (l->opt.what) {
    case CASE_UP:
    case CASE_BOTH:
        if (!l->opt.window)
            c->out_goal = c->share / l->opt.size * l->ring.frame_len;
        else
            client_window(l);
        pump_out(l, c);
        break;
    case CASE_ECHO:
        if (l->opt.rate <= 0 && l->sent < l->opt.total)
            client_send(l, c, now_ns());
        break;
    case CASE_DOWN:
    case CASE_CONNECT:
        break;
    }
}

void client_window(struct load *l)
{
    struct conn *c = l->clients[0];
    uint64_t most = c->share / l->opt.size;
    uint64_t may = (l->backends[0] ? l->backends[0]->in / l->opt.size : 0) + l->opt.window;

    c->out_goal = (may < most ? may : most) * l->ring.frame_len;
    pump_out(l, c);
}

static void begin_close(struct load *l, struct conn *c)
{
    uint8_t frame[16];

    c->state = CLIENT_CLOSING;
    if (l->opt.ws) {
        size_t n = close_frame(frame);
        if (conn_write(c, frame, n) != (long)n)
            fatal("the Close frame did not fit");
        return;
    }
    if (c->ssl)
        SSL_shutdown(c->ssl);
    if (shutdown(c->fd, SHUT_WR) != 0)
        fatal("shutdown: %s", strerror(errno));
}

static void echoed(struct load *l, struct conn *c)
{
    uint64_t now = now_ns();

    while (c->stamp_tail != c->stamp_head && c->in >= (uint64_t)(c->stamp_tail + 1) * l->opt.size) {
        histogram_add(&l->latency, now - c->stamps[c->stamp_tail++ % STAMPS]);
        l->received++;
        if (l->opt.what == CASE_CONNECT)
            begin_close(l, c);
        else if (l->opt.rate <= 0 && l->sent < l->opt.total)
            client_send(l, c, now);
    }
}

static void received(struct load *l, struct conn *c, uint8_t *p, size_t n)
{
    if (l->opt.ws)
        n = frames_read(&c->reader, p, n, c->state == CLIENT_CLOSING, &l->pieces);
    if (!n)
        return;
    if (l->opt.check)
        ring_check(&l->ring, c->in, p, n, "client");
    c->in += n;
    l->moved_at = l->now;
    if (l->opt.what == CASE_ECHO || l->opt.what == CASE_CONNECT) {
        echoed(l, c);
    } else if (c->in >= c->share && !c->down_done) {
        c->down_done = true;
        l->done_down++;
    }
    if (l->opt.window && l->opt.what == CASE_DOWN)
        backend_window(l);
}

static void finish(struct load *l, struct conn *c)
{
    int slot = 0;

    if (c->state != CLIENT_CLOSING)
        fatal("the proxy closed in the middle of the work");
    while (l->clients[slot] != c)
        slot++;
    if (c->ssl)
        SSL_shutdown(c->ssl);
    conn_close(c);
    l->n_open--;
    l->done_up++;
    l->moved_at = l->now;
    if ((uint64_t)l->n_clients < l->opt.total)
        client_open(l, slot);
}

static void readable(struct load *l, struct conn *c)
{
    for (int i = 0; i < (c->ssl ? RECORDS : 1); i++) {
        long n = conn_read(c, l->scratch, l->scratch_len);
        if (n < 0)
            return;
        if (n == 0) {
            finish(l, c);
            return;
        }
        l->reads++;
        received(l, c, l->scratch, (size_t)n);
    }
}

void client_event(struct load *l, struct conn *c, bool can_read, bool can_write)
{
    if (c->state < CLIENT_OPEN && opening(l, c, can_read))
        return;
    if (can_write)
        pump_out(l, c);
    if (can_read)
        readable(l, c);
}
