/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The bounds of a connection and a session: sizes, counts and times, as the user writes them under `limits` and
 * `timeouts`. A listener, a service and a route may each override some; the more specific wins (route, service,
 * listener, global).
 */
#ifndef WSBRIDGE_LIMIT_BOUNDS_H
#define WSBRIDGE_LIMIT_BOUNDS_H

#include "config/schema.h"

struct limits {
    uint64_t connections;    /* in the whole process; global only */
    uint64_t request_header; /* bytes */
    uint64_t message;        /* bytes of one WebSocket message from the client */
    uint64_t buffer;         /* bytes that one session may hold in each direction */
    uint64_t set;            /* which fields the user gave (bit per field, in table order) */
};

/* Seconds; CFG_UNLIMITED (infinity) where the user says "unlimited" or "off". */
struct timeouts {
    double handshake; /* TLS handshake; request head */
    double connect;
    double idle;        /* no byte either way */
    double ping;        /* silence before we ask */
    double pong;        /* for the answer */
    double write_stall; /* no byte accepted by a peer that has bytes waiting */
    double lifetime;
    double close; /* for the peer's Close */
    double drain; /* global only */
    uint64_t set;
};

extern const struct cfg_table limits_table;          /* all */
extern const struct cfg_table limits_override_table; /* those that a listener, service or route may override */
extern const struct cfg_table timeouts_table;
extern const struct cfg_table timeouts_override_table;

/* dst takes from `over` each field that the user gave there, and `over`'s `set`: so after the last merge it says what
 * was given at the most specific place, and only that is printed there. */
void limits_merge(struct limits *dst, const struct limits *over);
void timeouts_merge(struct timeouts *dst, const struct timeouts *over);

#endif
