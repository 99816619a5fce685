/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * How often each event may be logged: a burst, then a steady rate, counted for each (event, level). Pure: the time
 * comes from the caller, who also keeps threads apart.
 */
#ifndef WSBRIDGE_OBS_RATE_H
#define WSBRIDGE_OBS_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_BURST 20
#define RATE_PER_SECOND 10
#define RATE_SLOTS 64
#define RATE_NAME_MAX 40

struct rate_slot {
    uint64_t full_at;       /* when the burst is whole again; 0 with an empty name: slot unused */
    uint64_t dropped_since; /* time of the first line dropped and not yet told */
    uint64_t dropped;
    uint8_t level;
    char event[RATE_NAME_MAX]; /* cut: events that are the same in 39 characters share a slot */
};

struct rate {
    size_t pending; /* slots with dropped > 0 */
    struct rate_slot slots[RATE_SLOTS];
};

struct rate_report {
    uint64_t dropped;
    uint8_t level;
    char event[RATE_NAME_MAX];
};

/* Whether a line of this event may be written at `now` (nanoseconds); if not, it is counted. More different events than
 * slots: the rest is not limited. */
bool rate_allow(struct rate *r, const char *event, uint8_t level, uint64_t now);

/* Takes one count out that has waited for a second (any, if `all`); false when there is none. */
bool rate_report(struct rate *r, uint64_t now, bool all, struct rate_report *out);

#endif
