/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The stream over a TCP or unix socket, accepted or connecting. Every byte of every session passes here, so the point
 * of this file is what it does not do: in steady state a wake-up costs one recv and one send, no epoll_ctl and no
 * allocation.
 *
 * `blocked` remembers what the kernel last said. A read that came back short has emptied the socket, so the next one
 * answers AGAIN by itself until the loop reports the descriptor. That is safe because bytes that arrive from then on
 * are reported. Where a short read does not mean that (socket_watch_short_is_all), reading goes on until the kernel
 * says so.
 *
 * Invariants: a direction that is done is blocked, and not wanted of the watch; ready is called from on_event alone.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/calls.h"
#include "net/socket.h"
#include "net/socket_watch.h"

enum phase { PHASE_OPEN, PHASE_CONNECTING, PHASE_REFUSED };

struct socket_stream {
    struct stream s;
    union {
        struct { /* until free */
            struct socket_watch watch;
            uint8_t phase;       /* enum phase */
            bool read_done : 1;  /* EOF, or failed with read_err */
            bool write_done : 1; /* shut, or failed with write_err */
            union {
                uint16_t read_err; /* errno, 0: none */
                uint16_t port;     /* while connecting: see connected_to_self */
            };
            uint16_t write_err;
        };
        struct {                 /* from then on */
            const void *stopped; /* NULL: the watch's ready */
            struct loop_task reap;
        };
    };
};

_Static_assert(sizeof(struct socket_stream) <= 64, "an idle session has two of these");
_Static_assert(offsetof(struct socket_stream, stopped) == offsetof(struct socket_stream, watch.ready),
               "a stopped watch is known to be one");

static const struct stream_ops tcp_ops;
static const struct stream_ops unix_ops;

static inline struct socket_stream *of(struct stream *s)
{
    return container_of(s, struct socket_stream, s);
}

/* No recv will give bytes, no send take some, until the loop says so. */
static inline void block(struct socket_stream *k, unsigned dir)
{
    k->s.blocked = (uint8_t)(k->s.blocked | dir);
    socket_watch_spent(&k->watch, dir);
}

static enum io fail(struct socket_stream *k, int err)
{
    const char *text = strerrordesc_np(err);
    k->s.err = err;
    k->s.why = text ? text : "unknown error";
    return IO_FAIL;
}

/* --- interest ------------------------------------------------------------------------------------------------------
 */

static void socket_want(struct stream *s, unsigned dirs)
{
    struct socket_stream *k = of(s);

    if (k->phase != PHASE_OPEN)
        return;
    if (k->read_done)
        dirs &= ~(unsigned)STREAM_READ;
    if (k->write_done)
        dirs &= ~(unsigned)STREAM_WRITE;
    socket_watch_want(&k->watch, dirs);
}

static void done(struct socket_stream *k, unsigned dir)
{
    block(k, dir);
    if (dir == STREAM_READ)
        k->read_done = true;
    else
        k->write_done = true;
    socket_watch_want(&k->watch, k->watch.wanted & ~dir);
}

static void on_event(struct socket_watch *w, unsigned dirs)
{
    struct socket_stream *k = container_of(w, struct socket_stream, watch);
    unsigned dead = (k->read_done ? STREAM_READ : 0u) | (k->write_done ? STREAM_WRITE : 0u);

    k->s.blocked = (uint8_t)((k->s.blocked & ~(unsigned)w->open) | dead);
    k->s.owner->ready(k->s.owner, &k->s);
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static enum io read_end(struct socket_stream *k, int err)
{
    done(k, STREAM_READ);
    k->read_err = (uint16_t)err;
    return err ? fail(k, err) : IO_EOF;
}

/* The kernel tells an error of the connection once. When send was the one to hear it, the end of the bytes looks like a
 * FIN to recv, and a reset must not pass for an orderly end. EPIPE is no such error: it says that we wrote after the
 * peer had closed, and its FIN was a true one. */
static enum io read_zero(struct socket_stream *k)
{
    return read_end(k, k->write_err == EPIPE ? 0 : k->write_err);
}

static enum io read_none(struct socket_stream *k)
{
    if (!k->read_done)
        return IO_AGAIN;
    return k->read_err ? fail(k, k->read_err) : IO_EOF;
}

static enum io read_failed(struct socket_stream *k, int err)
{
    if (err != EAGAIN)
        return read_end(k, err);
    block(k, STREAM_READ);
    return IO_AGAIN;
}

static enum io socket_read(struct stream *s, uint8_t *p, size_t cap, size_t *got)
{
    struct socket_stream *k = of(s);
    ssize_t n;

    assert(k->phase == PHASE_OPEN && cap > 0);
    if (k->s.blocked & STREAM_READ)
        return read_none(k);
    do
        n = call_recv(k->watch.fd, p, cap, 0);
    while (UNLIKELY(n < 0 && errno == EINTR));
    if (UNLIKELY(n < 0))
        return read_failed(k, errno);
    if (UNLIKELY(n == 0))
        return read_zero(k);
    if ((size_t)n < cap && socket_watch_short_is_all(&k->watch))
        block(k, STREAM_READ);
    *got = (size_t)n;
    return IO_OK;
}

/* --- writing -------------------------------------------------------------------------------------------------------
 */

static enum io write_failed(struct socket_stream *k, int err)
{
    if (err == EAGAIN) {
        block(k, STREAM_WRITE);
        return IO_AGAIN;
    }
    done(k, STREAM_WRITE);
    k->write_err = (uint16_t)err;
    return fail(k, err);
}

static enum io write_none(struct socket_stream *k)
{
    if (!k->write_done)
        return IO_AGAIN;
    return fail(k, k->write_err ? k->write_err : EPIPE);
}

static enum io socket_write(struct stream *s, const struct iovec *v, int n, size_t *put)
{
    struct socket_stream *k = of(s);
    size_t all = 0;
    ssize_t sent;

    assert(k->phase == PHASE_OPEN && n > 0);
    if (k->s.blocked & STREAM_WRITE)
        return write_none(k);
    for (int i = 0; i < n; i++)
        all += v[i].iov_len;
    assert(all > 0);
    do {
        if (n == 1) {
            sent = call_send(k->watch.fd, v->iov_base, all, MSG_NOSIGNAL);
        } else {
            struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};
            sent = sendmsg(k->watch.fd, &m, MSG_NOSIGNAL);
        }
    } while (UNLIKELY(sent < 0 && errno == EINTR));
    if (UNLIKELY(sent < 0))
        return write_failed(k, errno);
    if ((size_t)sent < all)
        block(k, STREAM_WRITE);
    *put = (size_t)sent;
    return IO_OK;
}

static enum io socket_write_more(struct stream *s, const uint8_t *p, size_t n, size_t *put)
{
    struct socket_stream *k = of(s);
    ssize_t sent;

    assert(k->phase == PHASE_OPEN && n > 0);
    if (k->s.blocked & STREAM_WRITE)
        return write_none(k);
    do
        sent = call_send(k->watch.fd, p, n, MSG_NOSIGNAL | MSG_MORE);
    while (UNLIKELY(sent < 0 && errno == EINTR));
    if (UNLIKELY(sent < 0))
        return write_failed(k, errno);
    if ((size_t)sent < n)
        block(k, STREAM_WRITE);
    *put = (size_t)sent;
    return IO_OK;
}

static enum io socket_shut_write(struct stream *s)
{
    struct socket_stream *k = of(s);

    assert(k->phase == PHASE_OPEN);
    if (k->write_done)
        return k->write_err ? fail(k, k->write_err) : IO_OK;
    if (shutdown(k->watch.fd, SHUT_WR) < 0)
        return write_failed(k, errno == EAGAIN ? EIO : errno);
    done(k, STREAM_WRITE);
    return IO_OK;
}

/* --- moving bytes inside the kernel --------------------------------------------------------------------------------
 */

static enum io socket_splice_in(struct stream *s, int pipe_fd, size_t n, size_t *got)
{
    struct socket_stream *k = of(s);
    ssize_t moved;

    assert(k->phase == PHASE_OPEN && n > 0);
    if (k->s.blocked & STREAM_READ)
        return read_none(k);
    do
        moved = splice(k->watch.fd, NULL, pipe_fd, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (UNLIKELY(moved < 0 && errno == EINTR));
    if (moved == 0 || (moved < 0 && errno == EAGAIN))
        return IO_AGAIN; /* but not blocked, nor at its end: the kernel splices nothing that is urgent or behind it */
    if (UNLIKELY(moved < 0))
        return read_failed(k, errno);
    *got = (size_t)moved;
    return IO_OK;
}

static enum io socket_splice_out(struct stream *s, int pipe_fd, size_t n, size_t *put, int more)
{
    struct socket_stream *k = of(s);
    unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0u);
    ssize_t moved;

    assert(k->phase == PHASE_OPEN && n > 0);
    if (k->s.blocked & STREAM_WRITE)
        return write_none(k);
    do
        moved = splice(pipe_fd, NULL, k->watch.fd, NULL, n, flags);
    while (UNLIKELY(moved < 0 && errno == EINTR));
    if (UNLIKELY(moved <= 0)) /* zero: the pipe was empty and has no writer, which the caller rules out */
        return write_failed(k, moved < 0 ? errno : EIO);
    *put = (size_t)moved; /* short may mean that the kernel took one piece of the pipe: only EAGAIN says full */
    return IO_OK;
}

/* --- connecting ----------------------------------------------------------------------------------------------------
 */

/* A connect to a port of this machine that nobody listens on can meet itself: the kernel picks the same port for our
 * end, and TCP's simultaneous open succeeds. The session would echo its own bytes. Only ports that the kernel gives out
 * by itself (ip_local_port_range begins at 32768) can do that, so others are spared the system call. */
#define LOCAL_PORTS_FROM 32768

static uint16_t port_of(const struct addr *a)
{
    if (a->u.sa.sa_family == AF_INET)
        return ntohs(a->u.in4.sin_port);
    return a->u.sa.sa_family == AF_INET6 ? ntohs(a->u.in6.sin6_port) : 0;
}

static bool connected_to_self(int fd, uint16_t port)
{
    struct addr here = {.len = sizeof(here.u)}, there = {.len = sizeof(there.u)};

    if (port < LOCAL_PORTS_FROM || getsockname(fd, &here.u.sa, &here.len) < 0 || port_of(&here) != port)
        return false;
    return getpeername(fd, &there.u.sa, &there.len) == 0 && here.len == there.len &&
           memcmp(&here.u, &there.u, here.len) == 0;
}

static enum io socket_start(struct stream *s)
{
    struct socket_stream *k = of(s);
    int err = 0;
    socklen_t len = sizeof(err);

    if (LIKELY(k->phase == PHASE_OPEN))
        return IO_OK;
    if (k->phase == PHASE_REFUSED)
        return fail(k, k->write_err);
    if (k->s.blocked & STREAM_WRITE) {
        socket_watch_want(&k->watch, STREAM_WRITE);
        return IO_AGAIN;
    }
    if (getsockopt(k->watch.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (!err && connected_to_self(k->watch.fd, k->port))
        err = ECONNREFUSED;
    socket_watch_want(&k->watch, 0);
    k->read_err = 0; /* it was the port */
    if (err) {
        k->phase = PHASE_REFUSED;
        k->write_err = (uint16_t)err;
        return fail(k, err);
    }
    k->phase = PHASE_OPEN;
    return IO_OK;
}

struct stream *socket_connect_new(struct loop *l, const struct addr *to, const struct socket_options *opt,
                                  struct stream_owner *owner)
{
    int family = to->u.sa.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    if (!loop_has_room(l, fd)) {
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    socket_tune(fd, opt);
    /* Watched from here on: a socket that was not told to connect yet would report that it hangs up. */
    int err = connect(fd, &to->u.sa, to->len) == 0 ? 0 : errno;
    struct stream *s = socket_stream_new_as(l, fd, family, owner);
    if (!s) {
        errno = ENOMEM;
        return NULL;
    }
    if (!err)
        return s;
    struct socket_stream *k = of(s);
    block(k, STREAM_WRITE);
    if (err == EINPROGRESS || err == EINTR) {
        k->phase = PHASE_CONNECTING;
        k->port = port_of(to);
    } else {
        k->phase = PHASE_REFUSED;
        k->write_err = (uint16_t)err;
    }
    return s;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

struct stream *socket_stream_new_as(struct loop *l, int fd, int family, struct stream_owner *owner)
{
    struct socket_stream *k = alloc_zero(sizeof(*k));
    if (!k || socket_watch_start(&k->watch, l, fd, family, on_event) != 0) {
        free(k);
        close(fd);
        return NULL;
    }
    k->s.ops = family == AF_UNIX ? &unix_ops : &tcp_ops;
    k->s.owner = owner;
    k->phase = PHASE_OPEN;
    block(k, STREAM_READ); /* until the loop says so: most have nothing yet, and asking is a system call */
    return &k->s;
}

struct stream *socket_stream_new(struct loop *l, int fd, struct stream_owner *owner)
{
    return socket_stream_new_as(l, fd, socket_family(fd), owner);
}

static void on_reap(struct loop_task *t)
{
    free(container_of(t, struct socket_stream, reap));
}

/* The descriptor is ours no more, and not watched; the memory goes at the end of the turn, because a caller up the
 * stack may be on_event or an owner that still compares pointers. Without ops, a late use fails at once. */
static void retire(struct socket_stream *k)
{
    struct loop *l = k->watch.loop;

    k->s.ops = NULL;
    k->s.owner = NULL;
    loop_task_init(&k->reap, on_reap);
    loop_reap(l, &k->reap);
}

static void socket_free(struct stream *s, enum stream_end how)
{
    struct socket_stream *k = of(s);

    if (how == STREAM_END_ABORT) {
        const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(k->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    socket_watch_close(&k->watch);
    retire(k);
}

int socket_stream_fd(const struct stream *s)
{
    if (s->ops != &tcp_ops && s->ops != &unix_ops)
        return -1;
    return container_of(s, const struct socket_stream, s)->watch.fd;
}

int socket_stream_detach(struct stream *s)
{
    int fd = socket_stream_fd(s);

    if (fd >= 0) {
        socket_watch_stop(&of(s)->watch);
        retire(of(s));
    }
    return fd;
}

static const struct stream_ops tcp_ops = {
    .name = "tcp",
    .start = socket_start,
    .read = socket_read,
    .write = socket_write,
    .write_more = socket_write_more,
    .shut_write = socket_shut_write,
    .want = socket_want,
    .free = socket_free,
    .splice_in = socket_splice_in,
    .splice_out = socket_splice_out,
};

static const struct stream_ops unix_ops = {
    .name = "unix",
    .start = socket_start,
    .read = socket_read,
    .write = socket_write,
    .write_more = socket_write_more,
    .shut_write = socket_shut_write,
    .want = socket_want,
    .free = socket_free,
    .splice_in = socket_splice_in,
    .splice_out = socket_splice_out,
};
