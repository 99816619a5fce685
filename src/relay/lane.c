/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Buffers of a session, taken from the worker's pool when bytes come and given back when they have left. The size asked
 * for follows the flow: a terminal reads into the smallest class, a bulk transfer soon into the largest that
 * limits.buffer allows, because each read and each write has a price of its own.
 */
#include "relay/relay.h"

#define SMALL_READS_BEFORE_SHRINKING 16

_Static_assert(POOL_MAX < 1 << 24, "cap has 24 bits");

static uint32_t largest(const struct session *s)
{
    uint64_t max = MIN_OF(s->route->limits.buffer, (uint64_t)POOL_MAX);
    return (uint32_t)MAX_OF(max, (uint64_t)POOL_MIN);
}

/* What is wanted follows lane_learn, which keeps limits.buffer. */
bool lane_take(struct session *s, struct lane *l, size_t want)
{
    size_t cap;

    if (l->buf)
        return true;
    l->buf = pool_take(s->env->pool, want, &cap);
    if (!l->buf)
        return false;
    l->cap = (uint32_t)cap & 0xffffff;
    l->head = l->mark = l->raw = l->tail = 0;
    return true;
}

void lane_drop(struct session *s, struct lane *l)
{
    if (l->buf)
        pool_give(s->env->pool, l->buf, l->cap);
    l->buf = NULL;
    l->cap = l->head = l->mark = l->raw = l->tail = 0;
}

void lane_learn(struct session *s, struct lane *l, size_t room, size_t got)
{
    if (got == room) {
        l->small_reads = 0;
        if (room >= l->read_size / 2)
            l->read_size = MIN_OF(l->read_size * 2, largest(s));
    } else if (got < l->read_size / 4 && l->read_size > POOL_MIN) {
        if (++l->small_reads >= SMALL_READS_BEFORE_SHRINKING) {
            l->small_reads = 0;
            l->read_size /= 2;
        }
    } else {
        l->small_reads = 0;
    }
}
