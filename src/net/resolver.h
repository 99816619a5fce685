/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Names to addresses with getaddrinfo (so that /etc/hosts and every name service of the system count) on a small pool
 * of helper threads shared by all workers. Answers arrive through the asking loop's mailbox. A look-up that hangs holds
 * one helper; askers give up by cancelling. Helpers are started when first needed.
 */
#ifndef WSBRIDGE_NET_RESOLVER_H
#define WSBRIDGE_NET_RESOLVER_H

#include "base/addr.h"
#include "net/loop.h"

#define RESOLVER_ADDRS_MAX 16
#define RESOLVER_QUEUE_MAX 4096

struct resolver;
struct resolve; /* one look-up under way */

struct resolve_result {
    int error;                             /* 0, or a gai_strerror code */
    const char *why;                       /* static sentence when error != 0 */
    size_t n;                              /* at least 1 when error == 0 */
    struct addr addrs[RESOLVER_ADDRS_MAX]; /* in the order of RFC 6724 */
};

/* At most `threads` helpers. NULL when out of memory. */
struct resolver *resolver_new(unsigned threads);
/* Every look-up must be done or cancelled; a helper that hangs is left behind, not waited for. */
void resolver_free(struct resolver *r);

typedef void resolve_done(void *arg, const struct resolve_result *res);

/* NULL when out of memory or threads, or the queue is full. `done` is called once, from the loop, unless cancelled
 * before; the look-up is over then. Before its loop is freed every look-up must be done or cancelled; a cancelled one
 * whose answer is in the mailbox already is freed by loop_free. */
struct resolve *resolve_start(struct resolver *r, struct loop *l, struct slice host, uint16_t port, resolve_done *done,
                              void *arg);
void resolve_cancel(struct resolve *q); /* from the loop's thread; done is not called afterwards */

#endif
