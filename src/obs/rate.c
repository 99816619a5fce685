/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Rate limits as one time stamp for each event (the generic cell rate algorithm): full_at moves a fixed step into the
 * future with each line, and a line is dropped when it is a whole burst ahead of now. Slots are searched one after the
 * other: there are few event names, and a line costs a system call anyway.
 */
#include "obs/rate.h"

#include <stdio.h>
#include <string.h>

#define SECOND 1000000000ull
#define STEP (SECOND / RATE_PER_SECOND)

static struct rate_slot *slot_find(struct rate *r, const char *event, uint8_t level, uint64_t now)
{
    struct rate_slot *spare = NULL;
    for (size_t i = 0; i < RATE_SLOTS; i++) {
        struct rate_slot *s = &r->slots[i];
        if (s->level == level && s->event[0] && strncmp(s->event, event, RATE_NAME_MAX - 1) == 0)
            return s;
        /* A slot whose burst is whole again knows nothing that a new one would not. */
        if (!spare && s->full_at <= now && s->dropped == 0)
            spare = s;
    }
    if (spare) {
        *spare = (struct rate_slot){.level = level};
        snprintf(spare->event, sizeof(spare->event), "%s", event);
    }
    return spare;
}

bool rate_allow(struct rate *r, const char *event, uint8_t level, uint64_t now)
{
    struct rate_slot *s = slot_find(r, event, level, now);
    if (!s)
        return true;
    if (s->full_at < now)
        s->full_at = now;
    if (s->full_at - now <= (RATE_BURST - 1) * STEP) {
        s->full_at += STEP;
        return true;
    }
    if (s->dropped++ == 0) {
        s->dropped_since = now;
        r->pending++;
    }
    return false;
}

bool rate_report(struct rate *r, uint64_t now, bool all, struct rate_report *out)
{
    for (size_t i = 0; i < RATE_SLOTS && r->pending > 0; i++) {
        struct rate_slot *s = &r->slots[i];
        if (s->dropped == 0 || (!all && now - s->dropped_since < SECOND))
            continue;
        *out = (struct rate_report){.dropped = s->dropped, .level = s->level};
        memcpy(out->event, s->event, sizeof(out->event));
        s->dropped = 0;
        r->pending--;
        return true;
    }
    return false;
}
