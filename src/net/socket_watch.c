/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Invariants: `asked` is set by EPOLL_CTL_MOD, which queues a report of all that is ready at that moment, and cleared
 * by the next report; what becomes ready later is an edge of its own, so asking twice in between would tell nothing
 * new.
 */
#include "net/socket_watch.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/calls.h"

#define BATCH 256 /* reports taken in one turn; the next turn begins with the rest */

static const uint32_t ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

/* --- asking the kernel ----------------------------------------------------------------------------------------------
 */

static int tell_kernel(struct socket_watch *w, int what)
{
    struct epoll_event e = {.events = ALL, .data.ptr = w};

    return epoll_ctl(loop_sockets(w->loop)->io.fd, what, w->fd, &e);
}

/* What is wanted is open, so the owner is to be called: the kernel knows whether it is still so. */
static void ask(struct socket_watch *w)
{
    if (w->asked || !(w->wanted & w->open))
        return;
    w->asked = true;
    (void)tell_kernel(w, EPOLL_CTL_MOD); /* cannot fail for a descriptor that is in the set */
}

int socket_watch_start(struct socket_watch *w, struct loop *l, int fd, int family,
                       void (*ready)(struct socket_watch *w, unsigned dirs))
{
    w->loop = l;
    w->fd = fd;
    w->wanted = 0;
    w->open = STREAM_WRITE;
    w->ended = w->urgent = w->asked = false;
    w->local = family == AF_UNIX;
    w->ready = ready;
    if (tell_kernel(w, EPOLL_CTL_ADD) == 0)
        return 0;
    w->ready = NULL;
    return -1;
}

void socket_watch_stop(struct socket_watch *w)
{
    if (w->ready)
        (void)tell_kernel(w, EPOLL_CTL_DEL);
    w->ready = NULL;
}

void socket_watch_close(struct socket_watch *w)
{
    /* Closing the last descriptor of a socket takes it out of the set. */
    if (w->ready && loop_sockets(w->loop)->shared)
        socket_watch_stop(w);
    w->ready = NULL;
    close(w->fd);
}

void socket_watch_want(struct socket_watch *w, unsigned dirs)
{
    w->wanted = (uint8_t)dirs;
    if (UNLIKELY(w->wanted & w->open) && w != loop_sockets(w->loop)->now) /* else it may still be used: see report */
        ask(w);
}

/* --- reports --------------------------------------------------------------------------------------------------------
 */

static unsigned dirs_of(uint32_t events)
{
    unsigned dirs = 0;

    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        dirs |= STREAM_READ;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        dirs |= STREAM_WRITE;
    return dirs;
}

static void report(struct socket_set *s, struct socket_watch *w, uint32_t events)
{
    unsigned dirs = dirs_of(events);

    w->asked = false;
    w->open = (uint8_t)(w->open | dirs);
    w->ended = w->ended || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    w->urgent = events & EPOLLPRI;
    dirs &= w->wanted;
    if (!dirs)
        return;
    s->now = w;
    w->ready(w, dirs);
    s->now = NULL;
    if (w->ready && UNLIKELY(w->wanted & w->open))
        ask(w);
}

bool socket_set_serve(struct socket_set *s, int wait_ms)
{
    struct epoll_event e[BATCH];
    int n = call_epoll_wait(s->io.fd, e, BATCH, wait_ms);

    for (int i = 0; i < n; i++) {
        struct socket_watch *w = e[i].data.ptr;

        if (!w)
            s->elsewhere = true;
        else if (w->ready) /* otherwise stopped by a report before it */
            report(s, w, e[i].events);
    }
    s->served = s->served || n > 0;
    return n > 0;
}

void socket_set_also(struct socket_set *s, int fd, unsigned dirs)
{
    struct epoll_event e = {.events = EPOLLET};

    if (dirs & STREAM_READ)
        e.events |= EPOLLIN;
    if (dirs & STREAM_WRITE)
        e.events |= EPOLLOUT;
    /* When the kernel has no room for it, it only ends no wait. */
    if (!dirs)
        (void)epoll_ctl(s->io.fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(s->io.fd, EPOLL_CTL_MOD, fd, &e) < 0 && errno == ENOENT)
        (void)epoll_ctl(s->io.fd, EPOLL_CTL_ADD, fd, &e);
}

static void on_set(struct ev_loop *ev, ev_io *io, int revents)
{
    (void)socket_set_serve(container_of(io, struct socket_set, io), 0);
}

/* --- life -----------------------------------------------------------------------------------------------------------
 */

int socket_set_open(struct socket_set *s, struct ev_loop *ev)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd < 0)
        return -1;
    *s = (struct socket_set){.now = NULL};
    ev_io_init(&s->io, on_set, fd, EV_READ);
    ev_io_start(ev, &s->io);
    return 0;
}

void socket_set_close(struct socket_set *s, struct ev_loop *ev)
{
    ev_io_stop(ev, &s->io);
    close(s->io.fd);
}
