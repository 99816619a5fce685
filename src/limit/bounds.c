/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The option tables of limits and timeouts. Each comes twice: for the whole program, with defaults, and as overrides,
 * where a field that is not given is zero and the `set` bits say which are.
 *
 * The fields of an override table are the first ones of the full table, in the same order, so a bit means the same
 * field in both; what only the whole program has comes last. Merging relies on it.
 */
#include "limit/bounds.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

/* The value where the whole program has a default; NULL where an override has none. */
#define GLOBAL(value) value
#define OVERRIDE(value) NULL

#define LIMIT(member, kind, WHERE, def, flag, low, high, text)                                                         \
    {                                                                                                                  \
        .key = #member, .type = (kind), .offset = offsetof(struct limits, member), .flags = (flag),                    \
        .fallback = WHERE(def), .example = (def), .min = (low), .max = (high), .doc = (text)                           \
    }

#define SHARED_LIMITS(WHERE)                                                                                           \
    LIMIT(request_header, CFG_SIZE, WHERE, "16KiB", 0, KIB, MIB,                                                       \
          "The largest request head that is read; a larger one is answered with 431."),                                \
        LIMIT(message, CFG_SIZE, WHERE, "16MiB", CFG_ALLOW_UNLIMITED, 1, 0,                                            \
              "The largest WebSocket message from a client; a larger one ends the session with close code 1009. "      \
              "Messages are passed on as they arrive, so a high value costs no memory."),                              \
        LIMIT(                                                                                                         \
            buffer, CFG_SIZE, WHERE, "64KiB", 0, 4 * KIB, MIB,                                                         \
            "How many bytes one session may hold in each direction. When it is full, reading from the other side "     \
            "stops until the slow side takes some. An idle session holds nothing. Bulk toward the client may wait in " \
            "a pipe of the kernel as well, up to eight times as much (512KiB at most).")

static const struct cfg_field limits_fields[] = {
    SHARED_LIMITS(GLOBAL),
    LIMIT(connections, CFG_COUNT, GLOBAL, "10000", CFG_ALLOW_UNLIMITED, 1, 0,
          "How many connections the whole program serves at a time; further ones are answered with 503."),
    CFG_TABLE_END,
};

static const struct cfg_field limits_override_fields[] = {
    SHARED_LIMITS(OVERRIDE),
    CFG_TABLE_END,
};

#define TIMEOUT(member, WHERE, def, flag, text)                                                                        \
    {                                                                                                                  \
        .key = #member, .type = CFG_DURATION, .offset = offsetof(struct timeouts, member), .flags = (flag),            \
        .fallback = WHERE(def), .example = (def), .min = 1, .doc = (text)                                              \
    }

#define SHARED_TIMEOUTS(WHERE)                                                                                         \
    TIMEOUT(handshake, WHERE, "10s", 0,                                                                                \
            "How long a client may take for its TLS handshake, and again for its request head."),                      \
        TIMEOUT(connect, WHERE, "5s", 0,                                                                               \
                "How long one attempt to connect to a backend may take, the name look-up included."),                  \
        TIMEOUT(idle, WHERE, "1h", CFG_ALLOW_UNLIMITED,                                                                \
                "A session ends with close code 1001 when no data moved in either direction for so long. "             \
                "Pings and pongs do not count."),                                                                      \
        TIMEOUT(ping, WHERE, "25s", CFG_ALLOW_UNLIMITED,                                                               \
                "A client that was silent for so long is sent a ping. Proxies on the way often drop connections that " \
                "are silent for a minute."),                                                                           \
        TIMEOUT(pong, WHERE, "20s", CFG_ALLOW_UNLIMITED,                                                               \
                "How long a client may take to answer a ping before its connection counts as dead."),                  \
        TIMEOUT(write_stall, WHERE, "60s", CFG_ALLOW_UNLIMITED,                                                        \
                "A peer that takes no byte for so long while bytes are waiting for it is given up."),                  \
        TIMEOUT(lifetime, WHERE, "unlimited", CFG_ALLOW_UNLIMITED,                                                     \
                "The longest that a session may last; it then ends with close code 1008."),                            \
        TIMEOUT(close, WHERE, "2s", 0,                                                                                 \
                "How long the other side may take to answer a close before the connection is cut.")

static const struct cfg_field timeouts_fields[] = {
    SHARED_TIMEOUTS(GLOBAL),
    TIMEOUT(drain, GLOBAL, "30s", CFG_ALLOW_UNLIMITED,
            "How long the program may take to end after it was told to (TERM). Each session gets close code 1001 at "
            "once and has `close` for its answer; what is left after this time is cut off."),
    CFG_TABLE_END,
};

static const struct cfg_field timeouts_override_fields[] = {
    SHARED_TIMEOUTS(OVERRIDE),
    CFG_TABLE_END,
};

const struct cfg_table limits_table = {
    .name = "limits",
    .doc = "Bounds on sizes and counts. Each listener, service and route may override those of a session.",
    .size = sizeof(struct limits),
    .fields = limits_fields,
    .set_offset = offsetof(struct limits, set),
};

const struct cfg_table limits_override_table = {
    .name = "limits",
    .doc = "Limits that differ here; the most specific wins: route, service, listener, then the program's.",
    .size = sizeof(struct limits),
    .fields = limits_override_fields,
    .set_offset = offsetof(struct limits, set),
};

const struct cfg_table timeouts_table = {
    .name = "timeouts",
    .doc = "Bounds on time. Each listener, service and route may override those of a session.",
    .size = sizeof(struct timeouts),
    .fields = timeouts_fields,
    .set_offset = offsetof(struct timeouts, set),
};

const struct cfg_table timeouts_override_table = {
    .name = "timeouts",
    .doc = "Timeouts that differ here; the most specific wins: route, service, listener, then the program's.",
    .size = sizeof(struct timeouts),
    .fields = timeouts_override_fields,
    .set_offset = offsetof(struct timeouts, set),
};

/* Each value of a field is 8 bytes, whichever it is. */
static void merge(const struct cfg_field *fields, void *dst, const void *over, uint64_t set)
{
    _Static_assert(sizeof(double) == sizeof(uint64_t), "sizes, counts and durations are copied alike");
    for (unsigned i = 0; fields[i].key; i++)
        if (set & UINT64_C(1) << i)
            memcpy((char *)dst + fields[i].offset, (const char *)over + fields[i].offset, sizeof(uint64_t));
}

void limits_merge(struct limits *dst, const struct limits *over)
{
    merge(limits_override_fields, dst, over, over->set);
    dst->set = over->set;
}

void timeouts_merge(struct timeouts *dst, const struct timeouts *over)
{
    merge(timeouts_override_fields, dst, over, over->set);
    dst->set = over->set;
}
