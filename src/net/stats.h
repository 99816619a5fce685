/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What a worker counts. Only its own thread writes, so adding is a plain load and store; others may read at any time,
 * and see each number whole, if not all of them at one moment. Nothing here moves with a message: what is counted is
 * accepted, opened and ended.
 */
#ifndef WSBRIDGE_NET_STATS_H
#define WSBRIDGE_NET_STATS_H

#include <stdatomic.h>
#include <stdint.h>

/* TLS connections behind their handshake. */
struct tls_counts {
    atomic_uint open;
    atomic_uint ktls_send; /* those of them whose records the kernel seals */
    atomic_uint ktls_receive;
};

struct worker_stats {
    atomic_uint connections; /* accepted and not yet ended, sessions included */
    atomic_uint sessions;    /* bridged WebSockets alive */
    _Atomic uint64_t accepted;
    _Atomic uint64_t sessions_total;
    _Atomic uint64_t requests;
    struct tls_counts tls_front;
    struct tls_counts tls_back;
};

static inline void stats_move(atomic_uint *gauge, int by)
{
    atomic_store_explicit(gauge, atomic_load_explicit(gauge, memory_order_relaxed) + (unsigned)by,
                          memory_order_relaxed);
}

static inline void stats_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline unsigned stats_gauge(const atomic_uint *gauge)
{
    return atomic_load_explicit(gauge, memory_order_relaxed);
}

static inline uint64_t stats_total(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
