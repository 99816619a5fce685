/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Sockets and the streams over them.
 */
#ifndef WSBRIDGE_NET_SOCKET_H
#define WSBRIDGE_NET_SOCKET_H

#include <sys/types.h>

#include "base/addr.h"
#include "net/loop.h"
#include "net/stream.h"

struct socket_options {
    int notsent_lowat;     /* TCP_NOTSENT_LOWAT in bytes; 0: leave it */
    unsigned user_timeout; /* TCP_USER_TIMEOUT in milliseconds; 0: leave it */
    unsigned keepalive;    /* seconds of silence before TCP keep-alive probes; 0: off */
    int send_buffer;       /* SO_SNDBUF; 0: the kernel's own tuning */
    int receive_buffer;    /* SO_RCVBUF; 0: the kernel's own tuning */
};

/* TCP_NODELAY always (no effect on unix sockets), and the rest. Failures are not fatal and not reported: a transport
 * without an option works without it. */
void socket_tune(int fd, const struct socket_options *opt);

/* The stream over a connected descriptor (TCP or unix); takes fd. NULL when out of memory: fd is closed then. */
struct stream *socket_stream_new(struct loop *l, int fd, struct stream_owner *owner);

/* A stream that connects to `to` when started. NULL with errno when no socket can be made. */
struct stream *socket_connect_new(struct loop *l, const struct addr *to, const struct socket_options *opt,
                                  struct stream_owner *owner);

/* The descriptor under a socket stream, -1 for any other stream. For tuning and for layers on top; it still belongs to
 * the stream. */
int socket_stream_fd(const struct stream *s);
/* Gives the descriptor out of a socket stream and frees the stream without closing it (a layer on top takes it over).
 */
int socket_stream_detach(struct stream *s);

/* A bound and listening socket, non-blocking, close-on-exec. -1 with errno and a sentence in `why`. */
struct listen_options {
    bool reuse_port; /* not for unix */
    int backlog;     /* 0: SOMAXCONN */
    bool has_mode;   /* unix: mode of the socket file */
    mode_t mode;
    bool v6_only; /* IPv6 sockets are IPv6 only when set */
};
MUST_CHECK int socket_listen(const struct addr *a, const struct listen_options *opt, char *why, size_t cap);

/* Accepts on one listening descriptor in one loop. It accepts at most LISTENER_BATCH a turn, so that a flood does not
 * starve the sessions. At the limit of descriptors or memory it pauses, says so once through paused, and tries again by
 * itself every 100 ms and when listener_kick is called. */
#define LISTENER_BATCH 16
struct listener;
struct listener_owner {
    void (*accepted)(struct listener_owner *o, int fd, const struct addr *peer); /* takes fd */
    void (*paused)(struct listener_owner *o, int err);                           /* once per pause */
    void (*resumed)(struct listener_owner *o);
};
struct listener *listener_new(struct loop *l, int fd,
                              struct listener_owner *owner); /* takes fd; NULL when out of memory (fd closed) */
void listener_pause(struct listener *l, bool on);            /* by the owner's wish (connection limit) */
/* Stops: accepts what already waits in the kernel's queue (bounded), closes the descriptor, frees. */
void listener_free(struct listener *l);

#endif
