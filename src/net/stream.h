/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A transport is a stream, and it is pulled. Its owner is told "progress may be possible" (ready) and then reads and
 * writes until IO_AGAIN; nothing is pushed. ready is always called from the loop, never from inside a call that the
 * owner makes.
 *
 * A stream remembers what the kernel last said: after a short read or write it answers IO_AGAIN without a system call
 * until the loop reports the descriptor again, so an owner may simply loop until AGAIN and still costs one recv and one
 * send per wake-up. A new stream has not been reported readable yet: its first read is AGAIN until READ was wanted and
 * ready came. Writing is tried at once.
 *
 * start comes first, until it says OK; after AGAIN the stream calls ready by itself when it should be called again, and
 * want has no effect before OK.
 *
 * want(dirs) says which readiness the owner wants to hear of; it is sticky and cheap to call with what is already set.
 * want(STREAM_READ) with bytes already inside a layer (decrypted TLS records, HTTP/2 data) must call ready on the next
 * turn: a stream never sleeps on bytes it holds. Readiness is level-triggered: who wants a direction and does not use
 * it is called again on each turn. A direction that has ended (EOF, FAIL, shut_write) is not reported any more.
 *
 * The two directions fail apart: after write has failed, read still gives the bytes that came before, then EOF or FAIL.
 *
 * free is the only way to end a stream; it takes the descriptor with it. It may be called from inside ready: the memory
 * goes at the end of the loop turn. No ready comes after it.
 */
#ifndef WSBRIDGE_NET_STREAM_H
#define WSBRIDGE_NET_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"

enum io {
    IO_OK,    /* moved at least one byte (or: usable, finished) */
    IO_AGAIN, /* nothing now; ready will be called if the direction is wanted */
    IO_EOF,   /* orderly end of the peer's bytes */
    IO_FAIL,  /* see stream->err and stream->why */
};

enum stream_end {
    STREAM_END_CLEAN, /* FIN, close_notify, END_STREAM */
    STREAM_END_ABORT, /* RST, RST_STREAM */
};

enum { STREAM_READ = 1, STREAM_WRITE = 2 };

struct stream;

struct stream_owner {
    void (*ready)(struct stream_owner *o, struct stream *s);
};

struct stream_ops {
    const char *name; /* "tcp" "unix" "tls" "h2" "mem" */
    /* Drives connect or handshake. OK: usable. */
    enum io (*start)(struct stream *s);
    enum io (*read)(struct stream *s, uint8_t *p, size_t cap, size_t *got);
    enum io (*write)(struct stream *s, const struct iovec *v, int n, size_t *put);
    /* Half-close: no more writes. AGAIN: call again when ready. */
    enum io (*shut_write)(struct stream *s);
    void (*want)(struct stream *s, unsigned dirs);
    void (*free)(struct stream *s, enum stream_end how);
    /* Optional, with splice_out: as write, of one piece, and the rest of a whole follows at once (MSG_MORE). */
    enum io (*write_more)(struct stream *s, const uint8_t *p, size_t n, size_t *put);
    /* Optional (NULL: not possible): moves bytes between the stream and a pipe inside the kernel; same results as read
     * and write, but that AGAIN from splice_in settles nothing, neither an end nor that there are no bytes: read does.
     * The caller sees to it that the pipe has room (splice_in: begin with an empty one) or holds n bytes
     * (splice_out), because the kernel's EAGAIN does not say which end it means. A pipe is full by its number of pages
     * long before n bytes may be in it, so a short splice_in does not mean that the stream is empty. `more`: the caller
     * has more to write right behind it, a last partial segment may wait for that. The program ignores SIGPIPE: splice
     * has no MSG_NOSIGNAL. */
    enum io (*splice_in)(struct stream *s, int pipe_fd, size_t n, size_t *got);
    enum io (*splice_out)(struct stream *s, int pipe_fd, size_t n, size_t *put, int more);
};

struct stream {
    const struct stream_ops *ops;
    struct stream_owner *owner; /* may be changed at any time by who owns the stream */
    const char *why;            /* after FAIL: what happened, for the log; static or living as long as the stream */
    int err;                    /* after FAIL: errno, or 0 when the layer has none */
    /* Directions that would answer AGAIN until ready is called, or whose end was told: an owner may spare itself the
     * preparations. Only a hint: a layer that cannot tell leaves it 0. */
    uint8_t blocked;
};

static inline MUST_CHECK enum io stream_start(struct stream *s)
{
    return s->ops->start(s);
}

static inline MUST_CHECK enum io stream_read(struct stream *s, uint8_t *p, size_t cap, size_t *got)
{
    return s->ops->read(s, p, cap, got);
}

static inline MUST_CHECK enum io stream_write(struct stream *s, const struct iovec *v, int n, size_t *put)
{
    return s->ops->write(s, v, n, put);
}

static inline MUST_CHECK enum io stream_shut_write(struct stream *s)
{
    return s->ops->shut_write(s);
}

static inline void stream_want(struct stream *s, unsigned dirs)
{
    s->ops->want(s, dirs);
}

static inline void stream_free(struct stream *s, enum stream_end how)
{
    if (s)
        s->ops->free(s, how);
}

#endif
