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

/* What both sides of a session have: little of a slow reader's backlog in the kernel, and a kernel that notices a dead
 * peer by itself within `stall` seconds (infinite: not by unacknowledged bytes), because nothing is
 * said of a direction that nobody wants. */
struct socket_options socket_session_options(double stall);

/* TCP_NODELAY always (no effect on unix sockets), SO_OOBINLINE (the urgent byte is part of what a telnet server says,
 * and the kernel would take it out), and the rest. Failures are not fatal and not reported: a transport without an
 * option works without it. Linux copies all of these from a listening socket to what it accepts, so tuning the
 * listening one once saves five system calls with each connection. */
void socket_tune(int fd, const struct socket_options *opt);

/* AF_UNIX or another; one system call. */
int socket_family(int fd);

/* The stream over a connected non-blocking descriptor (TCP or unix); takes fd. NULL when out of memory: fd is closed
 * then. The second form is told the family (AF_UNIX or another) and saves the system call that asks for it. */
struct stream *socket_stream_new(struct loop *l, int fd, struct stream_owner *owner);
struct stream *socket_stream_new_as(struct loop *l, int fd, int family, struct stream_owner *owner);

/* A stream that is connecting to `to`; start says how that goes. NULL with errno when no socket can be made: the reason
 * is on this side then. A unix socket whose backlog is full fails at once with EAGAIN (the kernel reports no readiness
 * for it), and the caller may try again with a new stream. */
struct stream *socket_connect_new(struct loop *l, const struct addr *to, const struct socket_options *opt,
                                  struct stream_owner *owner);

/* The descriptor under a socket stream, -1 for any other stream. For tuning and for layers on top; it still belongs to
 * the stream. */
int socket_stream_fd(const struct stream *s);
/* Gives the descriptor out of a socket stream and frees the stream without closing it (a layer on top takes it over).
 */
int socket_stream_detach(struct stream *s);

/* A bound and listening socket, non-blocking, close-on-exec. -1 with errno and a sentence in `why` (which does not
 * repeat the address). A unix socket's file is replaced when no program answers on it any more; it is not removed at
 * the end.
 */
struct listen_options {
    bool reuse_port; /* not for unix */
    int backlog;     /* 0: SOMAXCONN */
    bool has_mode;   /* unix: mode of the socket file */
    mode_t mode;
    bool v6_only; /* IPv6 sockets are IPv6 only when set */
};
MUST_CHECK int socket_listen(const struct addr *a, const struct listen_options *opt, char *why, size_t cap);

/* Removes the file of a unix socket on which nobody listens any more. Does nothing for other addresses. */
void socket_remove_stale(const struct addr *a);

/* Accepts on one listening descriptor in one loop. It accepts at most LISTENER_BATCH a turn, so that a flood does not
 * starve the sessions. At the limit of descriptors or memory it pauses, says so once through paused, and tries again by
 * itself every 100 ms and when listener_kick is called. The owner may pause, kick and free it from inside accepted. */
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
void listener_kick(struct listener *l);    /* a descriptor was given back: try now if paused by need */
int listener_fd(const struct listener *l); /* still the listener's */
/* Stops: hands over what already waits in the kernel's queue (at most LISTENER_DRAIN), closes the descriptor, frees. */
#define LISTENER_DRAIN 1024
void listener_free(struct listener *l);

#endif
