/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The stream "mem": a peer made of memory, for tests and fuzzers of what sits on streams. The test feeds what the peer
 * sends, looks at what was written to it, and may script each single call: short, AGAIN, EOF, FAIL. When the script has
 * run out, calls move as much as they are asked to.
 *
 * It keeps the contract of net/stream.h and checks that its owner does: ready comes from the loop alone, on the turn
 * after the one that made it possible, for wanted directions alone, again on each turn while it stays possible, and
 * never after free; a call after free, a read of nothing, a write of nothing or after shut_write is an assertion.
 *
 * The struct belongs to the test and outlives stream_free, so that `freed`, `end` and `out` can be looked at.
 */
#ifndef WSBRIDGE_TESTS_MEM_STREAM_H
#define WSBRIDGE_TESTS_MEM_STREAM_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/stream.h"

enum mem_what {
    MEM_BYTES, /* move at most n bytes (0: as many as asked) */
    MEM_AGAIN, /* and ready no earlier than the next turn */
    MEM_EOF,   /* reads alone: the peer's bytes end here, whatever was fed */
    MEM_FAIL,  /* with errno `n`; this direction is dead from here on */
};

struct mem_step {
    enum mem_what what;
    size_t n;
};

struct mem_bytes {
    uint8_t *p;
    size_t n, cap;
};

struct mem_stream;

/* One direction's script: an array, or a function that makes steps up (a fuzzer's). */
struct mem_script {
    const struct mem_step *steps;
    size_t n, at;
    struct mem_step (*next)(struct mem_stream *m, unsigned dir); /* used instead of steps when not NULL */
};

struct mem_stream {
    struct stream s;
    struct loop *loop;
    struct loop_task turn;
    unsigned wanted;
    struct mem_script reads, writes;
    struct mem_bytes in; /* fed; [in_at, in.n) is still to be read */
    size_t in_at;
    bool eof;               /* after the fed bytes the peer ends */
    int read_err;           /* or fails */
    int write_err;          /* writes fail */
    unsigned stall_after;   /* after so many writes that moved bytes it stalls; 0: never */
    bool stalled;           /* writes are AGAIN until this is cleared by mem_stream_stall */
    unsigned start_again;   /* how many times start answers AGAIN first */
    unsigned shut_again;    /* the same for shut_write */
    bool started, reported; /* reported: EOF or the failure of reading was seen by the owner */
    bool shut, freed;
    bool hints;          /* s.blocked is kept, as a socket does */
    enum stream_end end; /* how it was freed */
    struct mem_bytes out;
    bool seals; /* while it is stalled one write is taken and sent on later, as TLS does with a record */
    struct mem_bytes sealed;
    size_t lost; /* sealed bytes that a clean end destroyed */
    bool corked; /* the last bytes came with the promise of more, which writing or an end keeps */
    unsigned reads_called, writes_called, readies;
    const char *own_why; /* what a failure is called, instead of "as scripted" */
    void *arg;           /* the test's */
};

static inline struct mem_stream *mem_stream_of(struct stream *s)
{
    struct mem_stream *m = container_of(s, struct mem_stream, s);
    assert(!m->freed);
    return m;
}

static inline void mem_bytes_put(struct mem_bytes *b, const void *p, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = 2 * (b->n + n);
        b->p = realloc(b->p, b->cap);
        assert(b->p);
    }
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}

/* The directions in which a call could say something else than AGAIN. */
static inline unsigned mem_stream_possible(const struct mem_stream *m)
{
    unsigned dirs = 0;
    bool scripted = m->reads.next || m->reads.at < m->reads.n;
    if (!m->reported && (m->in_at < m->in.n || m->eof || m->read_err || scripted))
        dirs |= STREAM_READ;
    if (!m->shut && !m->stalled)
        dirs |= STREAM_WRITE;
    return dirs;
}

/* Sees to it that ready comes on the next turn if it should. Called after everything that may have changed that. */
static inline void mem_stream_arm(struct mem_stream *m)
{
    if (!m->freed && (!m->started || (m->wanted & mem_stream_possible(m))))
        loop_defer(m->loop, &m->turn);
}

static inline void mem_stream_turn(struct loop_task *t)
{
    struct mem_stream *m = container_of(t, struct mem_stream, turn);
    if (m->started && !(m->wanted & mem_stream_possible(m)))
        return;
    m->readies++;
    m->s.blocked = m->sealed.n ? STREAM_WRITE : 0;
    m->s.owner->ready(m->s.owner, &m->s);
    if (!m->freed && m->started)
        mem_stream_arm(m);
}

static inline struct mem_step mem_stream_step(struct mem_stream *m, struct mem_script *c, unsigned dir)
{
    if (c->next)
        return c->next(m, dir);
    return c->at < c->n ? c->steps[c->at++] : (struct mem_step){MEM_BYTES, 0};
}

static inline enum io mem_stream_fail(struct mem_stream *m, int err)
{
    m->s.err = err;
    m->s.why = m->own_why ? m->own_why : "as scripted";
    return IO_FAIL;
}

static inline enum io mem_stream_start(struct stream *s)
{
    struct mem_stream *m = mem_stream_of(s);
    if (m->start_again > 0) {
        m->start_again--;
        mem_stream_arm(m);
        return IO_AGAIN;
    }
    m->started = true;
    return IO_OK;
}

static inline enum io mem_stream_read_end(struct mem_stream *m)
{
    m->reported = true;
    return m->read_err ? mem_stream_fail(m, m->read_err) : IO_EOF;
}

static inline enum io mem_stream_read_now(struct stream *s, uint8_t *p, size_t cap, size_t *got)
{
    struct mem_stream *m = mem_stream_of(s);
    assert(m->started && cap > 0);
    m->reads_called++;
    if (m->reported)
        return mem_stream_read_end(m);
    struct mem_step step = mem_stream_step(m, &m->reads, STREAM_READ);
    if (step.what == MEM_EOF || step.what == MEM_FAIL) {
        m->in_at = m->in.n;
        m->eof = true;
        m->read_err = step.what == MEM_FAIL ? (step.n ? (int)step.n : ECONNRESET) : 0;
        return mem_stream_read_end(m);
    }
    if (step.what == MEM_AGAIN)
        return IO_AGAIN;
    size_t n = MIN_OF(cap, m->in.n - m->in_at);
    if (n == 0)
        return m->eof || m->read_err ? mem_stream_read_end(m) : IO_AGAIN;
    if (step.n)
        n = MIN_OF(n, step.n);
    memcpy(p, m->in.p + m->in_at, n);
    m->in_at += n;
    *got = n;
    return IO_OK;
}

static inline enum io mem_stream_read(struct stream *s, uint8_t *p, size_t cap, size_t *got)
{
    enum io io = mem_stream_read_now(s, p, cap, got);
    if (mem_stream_of(s)->hints && io != IO_OK)
        s->blocked |= STREAM_READ;
    return io;
}

/* OK: *take of `all` bytes may be moved now. */
static inline enum io mem_stream_room(struct mem_stream *m, size_t all, size_t *take)
{
    assert(m->started && !m->shut && all > 0);
    m->writes_called++;
    if (m->write_err)
        return mem_stream_fail(m, m->write_err);
    if (m->stalled && m->seals && m->sealed.n == 0) {
        *take = all;
        return IO_OK;
    }
    if (m->stalled)
        return IO_AGAIN;
    struct mem_step step = mem_stream_step(m, &m->writes, STREAM_WRITE);
    if (step.what == MEM_FAIL) {
        m->write_err = step.n ? (int)step.n : EPIPE;
        return mem_stream_fail(m, m->write_err);
    }
    if (step.what == MEM_AGAIN)
        return IO_AGAIN;
    *take = step.n ? MIN_OF(all, step.n) : all;
    if (m->stall_after && --m->stall_after == 0)
        m->stalled = true;
    return IO_OK;
}

static inline enum io mem_stream_write_now(struct stream *s, const struct iovec *v, int n, size_t *put)
{
    struct mem_stream *m = mem_stream_of(s);
    size_t all = 0, take = 0, done = 0;
    bool seals = m->stalled;
    for (int i = 0; i < n; i++)
        all += v[i].iov_len;
    enum io io = mem_stream_room(m, all, &take);
    if (io != IO_OK)
        return io;
    m->corked = false;
    for (int i = 0; done < take; i++) {
        size_t k = MIN_OF(v[i].iov_len, take - done);
        mem_bytes_put(seals ? &m->sealed : &m->out, v[i].iov_base, k);
        done += k;
    }
    if (seals)
        s->blocked |= STREAM_WRITE;
    *put = done;
    return IO_OK;
}

static inline enum io mem_stream_write(struct stream *s, const struct iovec *v, int n, size_t *put)
{
    enum io io = mem_stream_write_now(s, v, n, put);
    if (mem_stream_of(s)->hints && io != IO_OK)
        s->blocked |= STREAM_WRITE;
    return io;
}

static inline enum io mem_stream_shut(struct stream *s)
{
    struct mem_stream *m = mem_stream_of(s);
    assert(m->started);
    if (m->sealed.n)
        return IO_AGAIN;
    if (m->shut_again > 0) {
        m->shut_again--;
        return IO_AGAIN;
    }
    if (m->write_err)
        return mem_stream_fail(m, m->write_err);
    m->shut = true;
    return IO_OK;
}

static inline void mem_stream_want(struct stream *s, unsigned dirs)
{
    struct mem_stream *m = mem_stream_of(s);
    assert((dirs & ~(unsigned)(STREAM_READ | STREAM_WRITE)) == 0);
    if (!m->started)
        return;
    m->wanted = dirs;
    mem_stream_arm(m);
}

static inline void mem_stream_free(struct stream *s, enum stream_end how)
{
    struct mem_stream *m = mem_stream_of(s);
    m->freed = true;
    m->end = how;
    m->lost = how == STREAM_END_CLEAN ? m->sealed.n : 0;
    loop_task_cancel(&m->turn);
}

static inline enum io mem_stream_write_more(struct stream *s, const uint8_t *p, size_t n, size_t *put)
{
    struct iovec v = {(uint8_t *)(uintptr_t)p, n};
    enum io io = mem_stream_write(s, &v, 1, put);
    mem_stream_of(s)->corked = io == IO_OK;
    return io;
}

static inline enum io mem_stream_splice_in(struct stream *s, int pipe_fd, size_t n, size_t *got)
{
    uint8_t *p = malloc(n);
    assert(p);
    enum io io = mem_stream_read(s, p, n, got);
    if (io == IO_OK) {
        ssize_t wrote = write(pipe_fd, p, *got);
        assert(wrote == (ssize_t)*got); /* the caller began with an empty pipe */
    }
    free(p);
    return io;
}

static inline enum io mem_stream_splice_out(struct stream *s, int pipe_fd, size_t n, size_t *put, int more)
{
    struct mem_stream *m = mem_stream_of(s);
    size_t take = 0;
    assert(!m->seals);
    enum io io = mem_stream_room(m, n, &take);
    if (m->hints && io != IO_OK)
        s->blocked |= STREAM_WRITE;
    if (io != IO_OK)
        return io;
    uint8_t *p = malloc(take);
    assert(p);
    ssize_t had = read(pipe_fd, p, take);
    assert(had == (ssize_t)take); /* the caller knows what is inside */
    mem_bytes_put(&m->out, p, take);
    free(p);
    m->corked = false;
    *put = take;
    return IO_OK;
}

static const struct stream_ops mem_stream_ops = {
    .name = "mem",
    .start = mem_stream_start,
    .read = mem_stream_read,
    .write = mem_stream_write,
    .shut_write = mem_stream_shut,
    .want = mem_stream_want,
    .free = mem_stream_free,
};

/* As a socket: with splice. */
static const struct stream_ops mem_splice_ops = {
    .name = "mem",
    .start = mem_stream_start,
    .read = mem_stream_read,
    .write = mem_stream_write,
    .write_more = mem_stream_write_more,
    .shut_write = mem_stream_shut,
    .want = mem_stream_want,
    .free = mem_stream_free,
    .splice_in = mem_stream_splice_in,
    .splice_out = mem_stream_splice_out,
};

/* --- for the test --------------------------------------------------------------------------------------------------
 */

/* Usable at once; a test of start clears `started` and sets start_again. */
static inline struct stream *mem_stream_init(struct mem_stream *m, struct loop *l)
{
    memset(m, 0, sizeof(*m));
    m->s.ops = &mem_stream_ops;
    m->loop = l;
    m->started = true;
    loop_task_init(&m->turn, mem_stream_turn);
    return &m->s;
}

/* To be set before the stream has an owner who looks. */
static inline void mem_stream_splices(struct mem_stream *m)
{
    m->s.ops = &mem_splice_ops;
}

static inline void mem_stream_fini(struct mem_stream *m)
{
    loop_task_cancel(&m->turn);
    free(m->in.p);
    free(m->out.p);
    free(m->sealed.p);
}

/* The peer sends. */
static inline void mem_stream_feed(struct mem_stream *m, const void *p, size_t n)
{
    mem_bytes_put(&m->in, p, n);
    mem_stream_arm(m);
}

/* After what was fed, the peer ends (err 0) or is cut off. */
static inline void mem_stream_finish(struct mem_stream *m, int err)
{
    m->eof = err == 0;
    m->read_err = err;
    mem_stream_arm(m);
}

/* The peer stops taking bytes, or goes on. */
static inline void mem_stream_stall(struct mem_stream *m, bool on)
{
    m->stalled = on;
    if (!on && m->sealed.n) {
        mem_bytes_put(&m->out, m->sealed.p, m->sealed.n);
        m->sealed.n = 0;
    }
    mem_stream_arm(m);
}

static inline bool mem_stream_wrote(const struct mem_stream *m, const void *p, size_t n)
{
    return m->out.n == n && (n == 0 || memcmp(m->out.p, p, n) == 0);
}

#define MEM_SCRIPT(...)                                                                                                \
    {                                                                                                                  \
        .steps = (const struct mem_step[]){__VA_ARGS__},                                                               \
        .n = sizeof((const struct mem_step[]){__VA_ARGS__}) / sizeof(struct mem_step)                                  \
    }

#endif
