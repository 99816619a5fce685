/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Client to backend: read behind `tail`, decode in place, slide the payload down to `mark` while it is unmasked, write
 * from `head`. Many small frames in one read leave as one write.
 */
#include <assert.h>

#include "relay/relay.h"

static void up_event(struct session *s, const struct ws_event *ev)
{
    switch (ev->type) {
    case WS_EV_DATA:
        s->active_at = s->heard_at; /* pings and pongs are no activity: they only say that somebody is there */
        s->bytes_up += ev->n;
        s->messages_up += ev->end;
        if (s->builtin)
            builtin_take(s, ev);
        else if (s->back_state != BACK_DONE && !s->back_mute)
            s->up.mark += (uint32_t)ev->n;
        break;
    case WS_EV_PING:
        control_pong(s, ev->data, ev->n);
        break;
    case WS_EV_CLOSE:
        session_client_closed(s, ev->code);
        break;
    case WS_EV_ERROR:
        session_bad_input(s, ev->code, ev->why);
        break;
    case WS_EV_PONG: /* it was heard: that is all a pong is for */
    case WS_EV_MORE:
    case WS_EV_NONE:
        break;
    }
}

/* What is left of the input is the beginning of a control payload, and decoding needs the rest. */
static bool wants_more(const struct session *s)
{
    return s->up.tail - s->up.raw < ws_decoder_need(&s->decoder);
}

/* The beginning of a control payload moves down to where decoded bytes end, so that reading on finds as much room as if
 * it had not come yet. */
static void keep_beginning(struct lane *l)
{
    uint32_t n = l->tail - l->raw;

    memmove(l->buf + l->mark, l->buf + l->raw, n);
    l->raw = l->mark;
    l->tail = l->mark + n;
}

/* Decodes what waits, as far as the built-in echo has room for it. */
static bool up_decode(struct session *s)
{
    struct lane *l = &s->up;
    bool moved = false;

    while (l->raw < l->tail && s->front_state <= FRONT_CLOSING) {
        struct ws_event ev;
        size_t used;
        size_t n = l->tail - l->raw;

        if (s->builtin) {
            size_t need = ws_decoder_need(&s->decoder);
            n = MIN_OF(n, need > 1 ? need : builtin_room(s)); /* a control payload takes none of the echo's room */
        }
        if (n == 0)
            break;
        /* `raw` moves before the event is looked at: an event may end the input and with it the rest. */
        used = ws_decode_slide(&s->decoder, l->buf + l->raw, n, l->buf + l->mark, &ev);
        l->raw += (uint32_t)used;
        moved = moved || used;
        if (UNLIKELY(ev.type == WS_EV_MORE) && wants_more(s))
            break;
        up_event(s, &ev);
        moved = true;
    }
    if (s->front_state > FRONT_CLOSING && l->raw < l->tail) {
        l->raw = l->tail; /* what comes behind a Close, or behind an error, does not count */
        s->input_bad = true;
    }
    if (l->raw == l->tail)
        l->raw = l->tail = l->mark;
    else if (wants_more(s))
        keep_beginning(l);
    if (l->head == l->tail)
        lane_drop(s, l);
    return moved;
}

bool up_has_room(const struct session *s)
{
    const struct lane *l = &s->up;

    /* Decoding waits (for the echo to be read): reading more would not help it. */
    if (l->raw < l->tail && !wants_more(s))
        return false;
    return !l->buf || l->tail < l->cap || l->head > 0;
}

static void up_compact(struct lane *l)
{
    assert(l->raw == l->mark);
    memmove(l->buf, l->buf + l->head, l->tail - l->head);
    l->tail -= l->head;
    l->mark -= l->head;
    l->raw = l->mark;
    l->head = 0;
}

/* After a Close or an error nothing is decoded, but input is still read, so that closing the socket does not reset it.
 */
static bool up_discard(struct session *s, size_t *budget)
{
    uint8_t waste[4096];
    size_t got = 0;
    enum io io = stream_read(s->front, waste, sizeof waste, &got);

    if (io == IO_AGAIN)
        return false;
    if (io == IO_OK) {
        *budget -= MIN_OF(*budget, got);
        return true;
    }
    session_front_done(s, STREAM_END_CLEAN);
    return true;
}

bool up_in(struct session *s, size_t *budget)
{
    struct lane *l = &s->up;
    size_t got = 0;
    bool moved = false;
    enum io io;

    if (s->front_state == FRONT_DONE)
        return false;
    if (s->front_state == FRONT_LINGER || s->input_bad)
        return up_discard(s, budget);
    if (s->front_state == FRONT_CLOSED)
        return false;
    if (l->raw < l->tail)
        moved = up_decode(s);
    if (s->front_state > FRONT_CLOSING || (s->front->blocked & STREAM_READ) || !up_has_room(s))
        return moved;
    if (!lane_take(s, l, l->read_size)) {
        session_close(s, END_BY_US, WS_CLOSE_TRY_LATER, "out of memory");
        s->input_bad = true;
        return true;
    }
    if (l->tail == l->cap)
        up_compact(l);
    io = stream_read(s->front, l->buf + l->tail, l->cap - l->tail, &got);
    switch (io) {
    case IO_OK:
        lane_learn(s, l, l->cap - l->tail, got);
        l->tail += (uint32_t)got;
        *budget -= MIN_OF(*budget, got);
        s->heard_at = loop_now(s->env->loop);
        s->ping_waiting = false;
        up_decode(s);
        return true;
    case IO_AGAIN:
        break;
    case IO_EOF:
        session_client_eof(s);
        moved = true;
        break;
    case IO_FAIL:
        session_client_failed(s, session_why(s, s->front));
        moved = true;
        break;
    }
    if (lane_empty(l))
        lane_drop(s, l);
    return moved;
}

/* All that the client said is with the backend: say FIN. */
static bool up_finish(struct session *s)
{
    if (s->back_state != BACK_FLUSH || s->back_shut)
        return false;
    /* Nobody listens, or nothing more comes: closing says FIN, and loses nothing but what a layer still holds. */
    if (s->back_mute || (s->back_eof && !(s->back->blocked & STREAM_WRITE))) {
        session_back_done(s, STREAM_END_CLEAN);
        return true;
    }
    switch (stream_shut_write(s->back)) {
    case IO_AGAIN:
        return false;
    case IO_OK:
        s->back_shut = true;
        s->back_state = BACK_LINGER;
        s->active_at = s->back_at = loop_now(s->env->loop);
        if (s->back_eof)
            session_back_done(s, STREAM_END_CLEAN);
        return true;
    default:
        session_back_done(s, STREAM_END_CLEAN);
        return true;
    }
}

/* A backend that answers and goes away without reading on (an error message, then close) fails our write before we have
 * read its answer: what it said is still to be delivered, so only its end of the up direction is over. */
static bool back_deaf(struct session *s)
{
    s->back_mute = true;
    s->up.head = s->up.mark;
    if (lane_empty(&s->up))
        lane_drop(s, &s->up);
    if (s->back_state != BACK_OPEN)
        session_back_done(s, STREAM_END_ABORT);
    return true;
}

bool up_out(struct session *s)
{
    struct lane *l = &s->up;
    struct iovec v;
    size_t put = 0;

    if (s->back_state == BACK_DONE)
        return false;
    if (l->mark == l->head)
        return up_finish(s);
    v = (struct iovec){l->buf + l->head, l->mark - l->head};
    switch (stream_write(s->back, &v, 1, &put)) {
    case IO_OK:
        l->head += (uint32_t)put;
        s->active_at = s->back_at = loop_now(s->env->loop);
        if (lane_empty(l))
            lane_drop(s, l);
        return true;
    case IO_AGAIN:
        return false;
    default:
        return back_deaf(s);
    }
}
