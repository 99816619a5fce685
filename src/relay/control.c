/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Control frames toward the client. They leave between two frames of data, ahead of what the backend says next. At most
 * two wait: the one on its way and the newest pong (RFC 6455, section 5.5.3, lets us answer only the latest ping). A
 * Close is built when everything before it has left, and nothing comes after it.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "relay/relay.h"

static void put_frame(struct session *s, uint8_t opcode, const uint8_t *payload, size_t n)
{
    struct control *c = s->control;
    struct control_frame *f;

    if (s->close_queued)
        return; /* nothing after a Close, and no reason to delay it */
    if (!c) {
        c = alloc_zero(sizeof *c);
        if (!c)
            return; /* a ping unanswered: the client asks again, or finds us as dead as we nearly are */
        s->control = c;
        s->front_at = loop_now(s->env->loop);
    }
    f = c->off ? &c->next : &c->now;
    f->n = (uint8_t)ws_encode_control(f->bytes, opcode, payload, n);
}

void control_pong(struct session *s, const uint8_t *payload, size_t n)
{
    put_frame(s, WS_PONG, payload, n);
}

bool control_ping(struct session *s)
{
    if (s->control)
        return false;
    put_frame(s, WS_PING, NULL, 0);
    return s->control;
}

void control_drop(struct session *s)
{
    free(s->control);
    s->control = NULL;
}

/* The next frame into `now`; false when none is left. */
static bool control_next(struct session *s)
{
    struct control *c = s->control;

    if (c && c->now.n)
        return true;
    if (c && c->next.n) {
        c->now = c->next;
        c->next.n = 0;
        c->off = 0;
        return true;
    }
    if (!s->close_queued || s->close_sent) {
        control_drop(s);
        return false;
    }
    if (!c) {
        c = s->control = alloc_zero(sizeof *c);
        if (!c)
            return false;
    }
    c->off = 0;
    /* The client gets our reason when we are the one who ends it; an answer to its own Close only repeats the code. */
    c->now.n = (uint8_t)ws_encode_close(c->now.bytes, s->close_code, s->end_by == END_BY_CLIENT ? NULL : s->end_why);
    return true;
}

/* A Close behind which the connection ends at once (session_front_farewell) leaves in one segment with the FIN. */
static enum io put_out(struct session *s, bool last, const struct iovec *v, size_t *put)
{
    if (last && s->front_state == FRONT_CLOSED && s->front->ops->write_more)
        return s->front->ops->write_more(s->front, v->iov_base, v->iov_len, put);
    return stream_write(s->front, v, 1, put);
}

enum io control_out(struct session *s, bool *moved)
{
    while (control_next(s)) {
        struct control *c = s->control;
        bool closing = (c->now.bytes[0] & 0x0f) == WS_CLOSE;
        struct iovec v = {c->now.bytes + c->off, (size_t)c->now.n - c->off};
        size_t put = 0;
        enum io io = put_out(s, closing, &v, &put);

        if (io != IO_OK)
            return io;
        *moved = true;
        s->front_at = loop_now(s->env->loop);
        c->off = (uint8_t)(c->off + put);
        if (c->off < c->now.n)
            return IO_AGAIN;
        c->now.n = c->off = 0;
        if (closing) {
            control_drop(s);
            s->close_sent = true;
            return IO_OK;
        }
        if (!lane_empty(&s->down))
            return IO_OK; /* only a frame that was half out goes ahead of data */
    }
    return s->control || !s->close_queued || s->close_sent ? IO_OK : IO_FAIL; /* no memory for the Close itself */
}
