/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The stream over a TCP or unix socket, accepted or connecting. Every byte of every session passes here, so the point
 * of this file is what it does not do: in steady state a wake-up costs one recv and one send, no epoll_ctl and no
 * allocation.
 *
 * `blocked` remembers what the kernel last said. A read that came back short has emptied the socket, so
 * the next one answers AGAIN by itself until the loop reports the descriptor. That is safe because libev's epoll is
 * level-triggered: bytes that arrived in between are reported on the next wait, provided the owner wants them.
 *
 * Invariants: a direction that is done is blocked; `wanted` is what libev watches for us and
 * never has a direction that is done; ready is called from on_event alone.
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

enum phase { PHASE_OPEN, PHASE_CONNECTING, PHASE_REFUSED };

struct socket_stream {
    struct stream s;
    union {
        ev_io w;               /* until free; its `data` is the loop */
        struct loop_task reap; /* from then on */
    } u;
    uint8_t phase;       /* enum phase */
    uint8_t wanted;      /* STREAM_READ | STREAM_WRITE */
    bool read_done : 1;  /* EOF, or failed with read_err */
    bool write_done : 1; /* shut, or failed with write_err */
    union {
        uint16_t read_err; /* errno, 0: none */
        uint16_t port;     /* while connecting: see connected_to_self */
    };
    uint16_t write_err;
};

_Static_assert(sizeof(struct socket_stream) <= 88, "an idle session has two of these");

static const struct stream_ops tcp_ops;
static const struct stream_ops unix_ops;

static inline struct socket_stream *of(struct stream *s)
{
    return container_of(s, struct socket_stream, s);
}

/* A recv may give bytes, a send may take some. */
static inline void may(struct socket_stream *k, unsigned dir, bool yes)
{
    k->s.blocked = (uint8_t)(yes ? k->s.blocked & ~dir : k->s.blocked | dir);
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

/* libev coalesces: stop and start within a turn become at most one epoll_ctl, at the next wait. Stopping also drops an
 * event that this turn has not delivered yet; it is put back, or it would cost the owner a turn. */
static void watch(struct socket_stream *k, unsigned dirs)
{
    struct ev_loop *ev = loop_ev(k->u.w.data);
    unsigned pending = (unsigned)ev_clear_pending(ev, &k->u.w) & dirs;

    ev_io_stop(ev, &k->u.w);
    k->wanted = (uint8_t)dirs;
    if (!dirs)
        return;
    ev_io_modify(&k->u.w, (int)dirs);
    ev_io_start(ev, &k->u.w);
    if (pending)
        ev_feed_event(ev, &k->u.w, (int)pending);
}

static inline void interest(struct socket_stream *k, unsigned dirs)
{
    if (dirs != k->wanted)
        watch(k, dirs);
}

static void socket_want(struct stream *s, unsigned dirs)
{
    struct socket_stream *k = of(s);

    if (k->phase != PHASE_OPEN)
        return;
    if (k->read_done)
        dirs &= ~(unsigned)STREAM_READ;
    if (k->write_done)
        dirs &= ~(unsigned)STREAM_WRITE;
    interest(k, dirs);
}

static void on_event(struct ev_loop *ev, ev_io *w, int revents)
{
    struct socket_stream *k = container_of(w, struct socket_stream, u.w);

    if (revents & EV_READ)
        may(k, STREAM_READ, !k->read_done);
    if (revents & EV_WRITE)
        may(k, STREAM_WRITE, !k->write_done);
    k->s.owner->ready(k->s.owner, &k->s);
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static enum io read_end(struct socket_stream *k, int err)
{
    may(k, STREAM_READ, false);
    k->read_done = true;
    k->read_err = (uint16_t)err;
    interest(k, k->wanted & ~(unsigned)STREAM_READ);
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
    may(k, STREAM_READ, false);
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
        n = call_recv(k->u.w.fd, p, cap, 0);
    while (UNLIKELY(n < 0 && errno == EINTR));
    if (UNLIKELY(n < 0))
        return read_failed(k, errno);
    if (UNLIKELY(n == 0))
        return read_zero(k);
    may(k, STREAM_READ, (size_t)n == cap);
    *got = (size_t)n;
    return IO_OK;
}

/* --- writing -------------------------------------------------------------------------------------------------------
 */

static enum io write_failed(struct socket_stream *k, int err)
{
    may(k, STREAM_WRITE, false);
    if (err == EAGAIN)
        return IO_AGAIN;
    k->write_done = true;
    k->write_err = (uint16_t)err;
    interest(k, k->wanted & ~(unsigned)STREAM_WRITE);
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
            sent = call_send(k->u.w.fd, v->iov_base, all, MSG_NOSIGNAL);
        } else {
            struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};
            sent = sendmsg(k->u.w.fd, &m, MSG_NOSIGNAL);
        }
    } while (UNLIKELY(sent < 0 && errno == EINTR));
    if (UNLIKELY(sent < 0))
        return write_failed(k, errno);
    may(k, STREAM_WRITE, (size_t)sent == all);
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
        sent = call_send(k->u.w.fd, p, n, MSG_NOSIGNAL | MSG_MORE);
    while (UNLIKELY(sent < 0 && errno == EINTR));
    if (UNLIKELY(sent < 0))
        return write_failed(k, errno);
    may(k, STREAM_WRITE, (size_t)sent == n);
    *put = (size_t)sent;
    return IO_OK;
}

static enum io socket_shut_write(struct stream *s)
{
    struct socket_stream *k = of(s);

    assert(k->phase == PHASE_OPEN);
    if (k->write_done)
        return k->write_err ? fail(k, k->write_err) : IO_OK;
    if (shutdown(k->u.w.fd, SHUT_WR) < 0)
        return write_failed(k, errno == EAGAIN ? EIO : errno);
    may(k, STREAM_WRITE, false);
    k->write_done = true;
    interest(k, k->wanted & ~(unsigned)STREAM_WRITE);
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
        moved = splice(k->u.w.fd, NULL, pipe_fd, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (UNLIKELY(moved < 0 && errno == EINTR));
    if (UNLIKELY(moved < 0))
        return read_failed(k, errno);
    if (UNLIKELY(moved == 0))
        return read_zero(k);
    may(k, STREAM_READ,
        (size_t)moved == n); /* short may also mean "pipe full": then the next wait reports us at once */
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
        moved = splice(pipe_fd, NULL, k->u.w.fd, NULL, n, flags);
    while (UNLIKELY(moved < 0 && errno == EINTR));
    if (UNLIKELY(moved <= 0)) /* zero: the pipe was empty and has no writer, which the caller rules out */
        return write_failed(k, moved < 0 ? errno : EIO);
    may(k, STREAM_WRITE, (size_t)moved == n);
    *put = (size_t)moved;
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
        interest(k, STREAM_WRITE);
        return IO_AGAIN;
    }
    if (getsockopt(k->u.w.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (!err && connected_to_self(k->u.w.fd, k->port))
        err = ECONNREFUSED;
    interest(k, 0);
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
    struct stream *s = socket_stream_new_as(l, fd, family, owner);
    if (!s) {
        errno = ENOMEM;
        return NULL;
    }
    if (connect(fd, &to->u.sa, to->len) == 0)
        return s;
    struct socket_stream *k = of(s);
    may(k, STREAM_WRITE, false);
    if (errno == EINPROGRESS || errno == EINTR) {
        k->phase = PHASE_CONNECTING;
        k->port = port_of(to);
    } else {
        k->phase = PHASE_REFUSED;
        k->write_err = (uint16_t)errno;
    }
    return s;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

struct stream *socket_stream_new_as(struct loop *l, int fd, int family, struct stream_owner *owner)
{
    struct socket_stream *k = alloc_zero(sizeof(*k));
    if (!k) {
        close(fd);
        return NULL;
    }
    k->s.ops = family == AF_UNIX ? &unix_ops : &tcp_ops;
    k->s.owner = owner;
    k->phase = PHASE_OPEN;
    may(k, STREAM_READ, false); /* until the loop says so: most have nothing yet, and asking is a system call */
    ev_io_init(&k->u.w, on_event, fd, 0);
    k->u.w.data = l;
    return &k->s;
}

struct stream *socket_stream_new(struct loop *l, int fd, struct stream_owner *owner)
{
    int family = AF_INET;
    socklen_t len = sizeof(family);

    (void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
    return socket_stream_new_as(l, fd, family, owner);
}

static void on_reap(struct loop_task *t)
{
    free(container_of(t, struct socket_stream, u.reap));
}

/* The descriptor is ours no more; the memory goes at the end of the turn, because a caller up the stack may be on_event
 * or an owner that still compares pointers. Without ops, a late use fails at once. */
static void retire(struct socket_stream *k)
{
    struct loop *l = k->u.w.data;

    ev_io_stop(loop_ev(l), &k->u.w); /* drops a pending event, too: no ready from here on */
    k->s.ops = NULL;
    k->s.owner = NULL;
    loop_task_init(&k->u.reap, on_reap);
    loop_reap(l, &k->u.reap);
}

static void socket_free(struct stream *s, enum stream_end how)
{
    struct socket_stream *k = of(s);
    int fd = k->u.w.fd;

    retire(k);
    if (how == STREAM_END_ABORT) {
        const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    close(fd);
}

int socket_stream_fd(const struct stream *s)
{
    if (s->ops != &tcp_ops && s->ops != &unix_ops)
        return -1;
    return container_of(s, const struct socket_stream, s)->u.w.fd;
}

int socket_stream_detach(struct stream *s)
{
    int fd = socket_stream_fd(s);

    if (fd >= 0)
        retire(of(s));
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
