/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Accepting on one listening descriptor. It hands each connection to its owner and keeps none.
 *
 * Two things can stop it: the owner's wish, and need (no descriptors or memory left). A level-triggered listener that
 * kept asking in need would spin, so it stops asking and tries again by a timer.
 *
 *      LISTENING --EMFILE and the like--> NEED --a try finds room--> LISTENING
 *                                          | every 100 ms, or a kick
 *
 * accept4 that finds nothing costs far more than it looks (the kernel makes a socket and a file before it asks the
 * queue), so we do not accept until EAGAIN: one a turn, and more only while the queue has shown a backlog by waking us
 * on two turns in a row.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/socket.h"

#define RETRY_SECONDS 0.1

struct listener {
    struct fd_watch watch;
    struct timer retry;
    struct loop_task reap;
    struct loop *loop;
    struct listener_owner *owner;
    unsigned batch;     /* to accept at the next report: 1 to LISTENER_BATCH */
    unsigned last_turn; /* ev_iteration of the last report */
    bool wished_off;
    bool need;
    bool closed;
};

enum accepted { ACCEPTED_ONE, ACCEPTED_NONE, ACCEPTED_NO_ROOM };

/* Errors of a connection that died in the queue, which accept(2) says to pass over. */
static bool is_theirs(int err)
{
    switch (err) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

static enum accepted accept_one(struct listener *l)
{
    struct addr peer;

    for (unsigned tries = 0; tries < LISTENER_BATCH; tries++) {
        peer.len = sizeof(peer.u);
        int fd = accept4(l->watch.w.fd, &peer.u.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            l->owner->accepted(l->owner, fd, &peer);
            return ACCEPTED_ONE;
        }
        if (errno == EAGAIN)
            return ACCEPTED_NONE;
        if (!is_theirs(errno)) /* EMFILE, ENFILE, ENOMEM, ENOBUFS; and for the unheard of, waiting beats spinning */
            return ACCEPTED_NO_ROOM;
    }
    return ACCEPTED_NONE;
}

static void update(struct listener *l)
{
    fd_watch_want(&l->watch, l->wished_off || l->need ? 0 : STREAM_READ);
}

static void enter_need(struct listener *l, int err)
{
    timer_set(&l->retry, RETRY_SECONDS);
    if (l->need)
        return;
    l->need = true;
    update(l);
    l->owner->paused(l->owner, err);
}

static void leave_need(struct listener *l)
{
    if (!l->need)
        return;
    l->need = false;
    timer_cancel(&l->retry);
    update(l);
    l->owner->resumed(l->owner);
}

static void accept_some(struct listener *l, unsigned most)
{
    for (unsigned i = 0; i < most && !l->closed && !l->wished_off; i++) {
        switch (accept_one(l)) {
        case ACCEPTED_ONE:
            if (!l->closed)
                leave_need(l);
            break;
        case ACCEPTED_NONE:
            /* The kernel takes a descriptor before it looks into the queue: there is room again. */
            l->batch = 1;
            leave_need(l);
            return;
        case ACCEPTED_NO_ROOM:
            enter_need(l, errno);
            return;
        }
    }
}

static void on_ready(struct fd_watch *f, unsigned dirs)
{
    struct listener *l = container_of(f, struct listener, watch);
    unsigned turn = ev_iteration(loop_ev(l->loop));

    if (turn == l->last_turn + 1)
        l->batch = MIN_OF(2 * l->batch, LISTENER_BATCH);
    else
        l->batch = 1;
    l->last_turn = turn;
    accept_some(l, l->batch);
}

static void on_retry(struct timer *t)
{
    struct listener *l = container_of(t, struct listener, retry);

    if (l->need && !l->wished_off)
        accept_some(l, 1);
}

struct listener *listener_new(struct loop *l, int fd, struct listener_owner *owner)
{
    struct listener *n = calloc(1, sizeof(*n));
    if (!n) {
        close(fd);
        return NULL;
    }
    fd_watch_init(&n->watch, l, fd, on_ready);
    timer_init(&n->retry, l, on_retry);
    n->loop = l;
    n->owner = owner;
    n->batch = 1;
    n->last_turn = (unsigned)-2; /* follows on no turn */
    update(n);
    return n;
}

void listener_pause(struct listener *l, bool on)
{
    if (l->closed)
        return;
    l->wished_off = on;
    update(l);
    if (!on && l->need && !timer_is_set(&l->retry))
        timer_set(&l->retry, RETRY_SECONDS); /* it had run out while the owner wished for quiet */
}

void listener_kick(struct listener *l)
{
    if (!l->closed && l->need)
        timer_set(&l->retry, 0.); /* by the loop: the caller may be in the middle of an ending session */
}

int listener_fd(const struct listener *l)
{
    return l->watch.w.fd;
}

static void on_reap(struct loop_task *t)
{
    free(container_of(t, struct listener, reap));
}

void listener_free(struct listener *l)
{
    if (!l || l->closed)
        return;
    l->closed = true; /* before the owner hears of more connections: it may call us again */
    timer_cancel(&l->retry);
    fd_watch_want(&l->watch, 0);
    for (unsigned i = 0; i < LISTENER_DRAIN; i++)
        if (accept_one(l) != ACCEPTED_ONE)
            break;
    close(l->watch.w.fd);
    loop_task_init(&l->reap, on_reap);
    loop_reap(l->loop, &l->reap);
}
