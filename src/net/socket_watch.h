/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The readiness of sockets. A worker has thousands of them and each message is an event of two, so they have an epoll
 * set of their own inside the loop's: the kernel is told once of each socket, for all directions and edge-triggered
 * (EPOLLET, epoll(7)), and then it neither looks again at a socket that it has reported nor has to be told what is
 * wanted now. libev sees one descriptor, that of the set.
 *
 * Above, readiness is level-triggered all the same: a direction that was reported stays open until its owner says that
 * a call found it exhausted (socket_watch_spent), and whoever wants an open direction is called. Only when somebody
 * leaves an open direction unused, or wants it later, the kernel is asked again, by one system call.
 */
#ifndef WSBRIDGE_NET_SOCKET_WATCH_H
#define WSBRIDGE_NET_SOCKET_WATCH_H

#include <ev.h>

#include "net/loop.h"
#include "net/stream.h"

/* Embedded, zeroed before the start. Its memory lives to the end of the turn in which it is stopped. */
struct socket_watch {
    void (*ready)(struct socket_watch *w, unsigned dirs); /* NULL: stopped */
    struct loop *loop;
    int fd;
    uint8_t wanted;  /* STREAM_READ | STREAM_WRITE */
    uint8_t open;    /* reported, and not found exhausted since; writing is open from the start */
    bool ended : 1;  /* the peer's FIN, or an error, was reported */
    bool urgent : 1; /* urgent data was in the last report */
    bool asked : 1;  /* the kernel will report what is ready now, whether or not that is new */
    bool local : 1;  /* a unix socket */
};

/* `family` is the descriptor's (AF_UNIX or another). ready is called by the loop alone, with directions that are wanted
 * and open. -1 with errno when the kernel has no
 * room for the watch; the descriptor still belongs to the caller. */
MUST_CHECK int socket_watch_start(struct socket_watch *w, struct loop *l, int fd, int family,
                                  void (*ready)(struct socket_watch *w, unsigned dirs));

/* No ready comes after these two, not even in this turn. The first is for a descriptor that is handed on, the second
 * closes it, also of a watch that was not started. */
void socket_watch_stop(struct socket_watch *w);
void socket_watch_close(struct socket_watch *w);

/* Which directions ready is called for; sticky, and free of system calls unless one of them is open already. */
void socket_watch_want(struct socket_watch *w, unsigned dirs);

/* A call found nothing to read, or no room to write, until the next report. */
static inline void socket_watch_spent(struct socket_watch *w, unsigned dirs)
{
    w->open = (uint8_t)(w->open & ~dirs);
}

/* A read that came back short has emptied the socket: whatever comes later is reported. Not so when the end is behind
 * those bytes, which was reported together with them, or urgent data, before which the kernel cuts a read short; nor on
 * unix sockets, whose reads also end behind descriptors that somebody passes. */
static inline bool socket_watch_short_is_all(const struct socket_watch *w)
{
    return !w->ended && !w->urgent && !w->local;
}

/* The set of one loop; used by loop.c alone. */
struct socket_set {
    ev_io io;                 /* its fd: the epoll set */
    struct socket_watch *now; /* whose ready is running */
    bool served;              /* there were reports since it was cleared */
    bool elsewhere;           /* a descriptor that is libev's was ready since it was cleared */
    bool shared;              /* see loop_share_descriptors */
};
MUST_CHECK int socket_set_open(struct socket_set *s, struct ev_loop *ev);
void socket_set_close(struct socket_set *s, struct ev_loop *ev);

/* Serves what is ready, after waiting for it up to so many milliseconds. False: nothing was. */
bool socket_set_serve(struct socket_set *s, int wait_ms);

/* A descriptor that libev watches shall end such a wait, too; 0 takes it out. */
void socket_set_also(struct socket_set *s, int fd, unsigned dirs);

#endif
