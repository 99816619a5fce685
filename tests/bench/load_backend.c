/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The backend's side: echoes, swallows or sends, as the case wants. A message toward the client is one write.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256 * 1024, WRITES = 64 };

void backend_accept(struct load *l, struct conn *listener)
{
    for (int fd = accept_from(listener->fd); fd >= 0; fd = accept_from(listener->fd)) {
        struct conn *c = conn_new(l, ROLE_BACKEND, fd);
        c->share = l->opt.total / (uint64_t)l->opt.sessions * l->opt.size;
        if (l->opt.what != CASE_CONNECT) {
            if (l->n_backends == l->opt.sessions)
                fatal("more connections to the backend than sessions");
            l->backends[l->n_backends] = c;
        }
        l->n_backends++;
    }
}

static void pump_out(struct load *l, struct conn *c)
{
    const struct ring *r = &l->ring;
    int writes = 0;

    while (c->out < c->out_goal && writes++ < WRITES) {
        size_t off = (size_t)(c->out % r->payload_len);
        size_t n = l->opt.size - off % l->opt.size;
        long put = conn_write(c, r->payload + off, n);
        if (put < 0)
            break;
        c->out += (uint64_t)put;
        if ((size_t)put < n)
            break;
    }
    conn_interest(l, c, c->out < c->out_goal);
}

void backend_begin(struct load *l, struct conn *c)
{
    if (l->opt.what != CASE_DOWN && l->opt.what != CASE_BOTH)
        return;
    c->out_goal = c->share;
    if (l->opt.window)
        backend_window(l);
    pump_out(l, c);
}

void backend_window(struct load *l)
{
    struct conn *c = l->backends[0];
    uint64_t may = l->clients[0]->in / l->opt.size * l->opt.size + l->opt.window * l->opt.size;

    c->out_goal = may < c->share ? may : c->share;
    pump_out(l, c);
}

static void echo_held(struct load *l, struct conn *c)
{
    long put = conn_write(c, c->held + c->held_off, c->held_len - c->held_off);

    if (put > 0)
        c->held_off += (size_t)put;
    if (c->held_off == c->held_len) {
        free(c->held);
        c->held = NULL;
        conn_interest(l, c, false);
    }
}

static void echo(struct load *l, struct conn *c, const uint8_t *p, size_t n)
{
    long put = conn_write(c, p, n);
    size_t done = put > 0 ? (size_t)put : 0;

    if (done == n)
        return;
    c->held = malloc(n - done);
    if (!c->held)
        fatal("no memory");
    memcpy(c->held, p + done, n - done);
    c->held_off = 0;
    c->held_len = n - done;
    conn_interest(l, c, true);
}

void backend_event(struct load *l, struct conn *c, bool readable, bool writable)
{
    if (writable && c->held)
        echo_held(l, c);
    else if (writable)
        pump_out(l, c);
    if (!readable || c->held)
        return;
    long n = conn_read(c, l->scratch, l->scratch_len);
    if (n < 0)
        return;
    if (n == 0) {
        if (l->opt.what != CASE_CONNECT)
            fatal("the proxy closed toward the backend in the middle of the work");
        conn_close(c);
        return;
    }
    l->moved_at = l->now;
    if (l->opt.check)
        ring_check(&l->ring, c->in, l->scratch, (size_t)n, "backend");
    c->in += (uint64_t)n;
    if (l->opt.what == CASE_ECHO || l->opt.what == CASE_CONNECT) {
        echo(l, c, l->scratch, (size_t)n);
        return;
    }
    if (c->in >= c->share && !c->up_done) {
        c->up_done = true;
        l->done_up++;
    }
    if (l->opt.window)
        client_window(l);
}
