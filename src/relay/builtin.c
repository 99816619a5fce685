/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Services without a backend. builtin:echo answers each message with the same message: same type, same bytes. It
 * streams: a message that came in pieces goes back as fragments, so an echo of any size needs one buffer; decoding
 * waits while that is full. builtin:discard drops everything.
 */
#include <assert.h>

#include "relay/relay.h"

#define DISCARD_PIECE ((size_t)1 << 20)

size_t builtin_room(const struct session *s)
{
    const struct lane *l = &s->down;

    if (s->builtin == TARGET_DISCARD || s->close_queued || s->front_mute)
        return DISCARD_PIECE;
    if (!l->buf)
        return l->read_size - WS_SERVER_HEADER_MAX;
    return l->cap - l->tail > WS_SERVER_HEADER_MAX ? l->cap - l->tail - WS_SERVER_HEADER_MAX : 0;
}

static size_t header_length(size_t payload)
{
    return payload < 126 ? 2 : payload < 65536 ? 4 : 10;
}

void builtin_take(struct session *s, const struct ws_event *ev)
{
    struct lane *l = &s->down;
    size_t hlen = header_length(ev->n);

    if (s->builtin == TARGET_DISCARD || s->close_queued || s->front_mute)
        return;
    if (!lane_take(s, l, l->read_size)) {
        session_close(s, END_BY_US, WS_CLOSE_TRY_LATER, "out of memory");
        return;
    }
    assert(l->tail + hlen + ev->n <= l->cap);
    ws_encode_header(l->buf + l->tail + hlen, ev->begin ? ev->opcode : WS_CONTINUATION, ev->end, false, ev->n);
    memcpy(l->buf + l->tail + hlen, ev->data, ev->n);
    l->tail += (uint32_t)(hlen + ev->n);
    l->mark = l->raw = l->tail;
    s->bytes_down += ev->n;
    s->messages_down += ev->end;
    lane_learn(s, l, l->cap, l->tail);
}
