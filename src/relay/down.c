/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Backend to client: read behind a headroom, write the frame header backwards into it, so header and payload leave in
 * one write and nothing is copied. The backend is read only when nothing waits for the client: that is the
 * backpressure, and it makes every pause a frame boundary.
 */
#include "relay/relay.h"

#define HEADROOM 16 /* WS_SERVER_HEADER_MAX and a bit, so that the payload starts aligned */

/* Nobody is left to hear the backend, but it is read: a backend that blocks in its write would never read our last
 * bytes, and closing a socket with unread input resets it and destroys them. */
static bool down_discard(struct session *s, size_t *budget)
{
    uint8_t waste[16384];
    size_t got = 0;
    enum io io = stream_read(s->back, waste, sizeof waste, &got);

    if (io == IO_AGAIN)
        return false;
    if (io == IO_OK) {
        *budget -= MIN_OF(*budget, got);
        if (s->back_state == BACK_LINGER)
            s->back_at = loop_now(s->env->loop);
        return true;
    }
    s->back_eof = true;
    if (s->back_state == BACK_FLUSH && io == IO_EOF)
        return false; /* it may still read what is on its way up */
    session_back_done(s, STREAM_END_CLEAN);
    return true;
}

/* --- bulk: from socket to socket through a pipe, under a frame header ------------------------------------------------
 */

#define BULK_FROM                                                                                                      \
    ((size_t)16 << 10) /* a read of at least this begins it: below some KiB copying is cheaper than a pipe */
#define BULK_UNTIL ((size_t)8 << 10) /* a splice of less ends it */
#define PIPE_SHARE 8 /* what may be in the pipe, in limits.buffer: the kernel's pages, not the program's */

static bool can_splice(const struct session *s)
{
    return s->back->ops->splice_in && s->front->ops->splice_out && s->front->ops->write_more;
}

static void pipe_done(struct session *s)
{
    if (s->pipe)
        pipes_give(s->env->pipes, s->pipe, s->in_pipe == 0);
    s->pipe = NULL;
    s->in_pipe = 0;
}

void down_drop(struct session *s)
{
    lane_drop(s, &s->down);
    pipe_done(s);
}

/* The header leaves at once with the promise that more follows; what the socket does not take waits in the lane, in
 * front of the pipe. */
static void splice_header(struct session *s, size_t payload)
{
    struct lane *l = &s->down;
    uint8_t room[HEADROOM];
    size_t n = ws_encode_header(room + HEADROOM, WS_BINARY, true, false, payload);
    size_t put = 0;

    /* A failure is told again by the write that follows. */
    if (s->front->ops->write_more(s->front, room + HEADROOM - n, n, &put) != IO_OK)
        put = 0;
    if (put == n)
        return;
    memcpy(l->buf, room + HEADROOM - n + put, n - put);
    l->mark = l->raw = l->tail = (uint32_t)(n - put);
}

static enum io down_copy(struct session *s, size_t *got)
{
    struct lane *l = &s->down;
    size_t room;
    enum io io;

    if (!lane_take(s, l, l->read_size)) {
        session_close(s, END_BY_US, WS_CLOSE_TRY_LATER, "out of memory");
        return IO_AGAIN;
    }
    room = l->cap - HEADROOM;
    io = stream_read(s->back, l->buf + HEADROOM, room, got);
    if (io != IO_OK) {
        lane_drop(s, l);
        return io;
    }
    lane_learn(s, l, room, *got);
    l->head = (uint32_t)(HEADROOM - ws_encode_header(l->buf + HEADROOM, WS_BINARY, true, false, *got));
    l->mark = l->raw = l->tail = (uint32_t)(HEADROOM + *got);
    s->bulk = *got >= BULK_FROM && can_splice(s);
    return IO_OK;
}

static enum io down_splice(struct session *s, size_t *got)
{
    size_t most;
    enum io io;

    s->pipe = pipes_take(s->env->pipes);
    if (!s->pipe || !lane_take(s, &s->down, POOL_MIN)) { /* room for the header, before it is needed */
        pipe_done(s);
        return down_copy(s, got);
    }
    most = (size_t)MIN_OF((uint64_t)s->pipe->cap, s->route->limits.buffer * PIPE_SHARE);
    io = s->back->ops->splice_in(s->back, s->pipe->write_fd, most, got);
    if (io == IO_OK) {
        s->in_pipe = (uint32_t)*got;
        splice_header(s, *got);
        s->bulk = *got >= BULK_UNTIL;
    }
    if (lane_empty(&s->down))
        lane_drop(s, &s->down);
    if (io != IO_OK)
        pipe_done(s);
    return io == IO_AGAIN ? down_copy(s, got) : io;
}

static enum io pipe_out(struct session *s)
{
    size_t put = 0;
    enum io io = s->front->ops->splice_out(s->front, s->pipe->read_fd, s->in_pipe, &put, 0);

    if (io != IO_OK)
        return io;
    s->in_pipe -= (uint32_t)put;
    s->active_at = s->front_at = loop_now(s->env->loop);
    if (s->in_pipe == 0)
        pipe_done(s);
    return IO_OK;
}

/* --- reading the backend ---------------------------------------------------------------------------------------------
 */

bool down_in(struct session *s, size_t *budget)
{
    size_t got = 0;
    enum io io;

    if (s->back_state == BACK_LINGER || s->back_state == BACK_FLUSH)
        return !s->back_eof && down_discard(s, budget);
    if (s->back_state != BACK_OPEN || s->close_queued || s->front_mute || (s->back->blocked & STREAM_READ) ||
        down_waits(s))
        return false;
    io = s->bulk ? down_splice(s, &got) : down_copy(s, &got);
    switch (io) {
    case IO_OK:
        *budget -= MIN_OF(*budget, got);
        s->bytes_down += got;
        s->messages_down++;
        s->active_at = s->front_at = loop_now(s->env->loop);
        return true;
    case IO_AGAIN:
        return s->close_queued; /* only when there was no buffer to be had */
    case IO_EOF:
        session_backend_eof(s);
        return true;
    default:
        session_backend_failed(s, session_why(s, s->back));
        return true;
    }
}

/* A client that says Close and is gone fails our write before we have read what it said last, so only the down
 * direction is over here; reading goes on to the end that the socket will tell. */
static bool front_deaf(struct session *s)
{
    s->front_mute = true;
    s->close_at = loop_now(s->env->loop);
    down_drop(s);
    control_drop(s);
    if (s->front_state > FRONT_CLOSING || s->input_bad)
        session_front_done(s, STREAM_END_ABORT);
    return true;
}

bool down_out(struct session *s)
{
    struct lane *l = &s->down;
    bool moved = false;
    size_t put = 0;
    enum io io;

    if (s->front_state >= FRONT_LINGER || s->front_mute)
        return false;
    if (s->close_sent)
        return session_front_farewell(s);
    if (!lane_empty(l) && !control_begun(s)) { /* the echo may fill its lane while a pong is half out */
        struct iovec v = {l->buf + l->head, l->tail - l->head};
        io = stream_write(s->front, &v, 1, &put);
        if (io == IO_AGAIN)
            return false;
        if (io != IO_OK)
            return front_deaf(s);
        l->head += (uint32_t)put;
        s->active_at = s->front_at = loop_now(s->env->loop);
        moved = true;
        if (!lane_empty(l))
            return true;
        lane_drop(s, l);
    }
    if (s->in_pipe) {
        io = pipe_out(s);
        if (io == IO_AGAIN)
            return moved;
        if (io != IO_OK)
            return front_deaf(s);
        moved = true;
        if (s->in_pipe)
            return true;
    }
    if (!control_waits(s))
        return moved;
    io = control_out(s, &moved);
    if (io == IO_FAIL || io == IO_EOF)
        return front_deaf(s);
    if (s->close_sent) {
        s->close_at = loop_now(s->env->loop);
        (void)session_front_farewell(s);
    }
    return moved;
}
