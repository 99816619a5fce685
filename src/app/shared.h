/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Everything that more than one thread touches. What is not listed here belongs to one thread alone.
 *
 *   log           thread-safe by itself (obs/log.h)
 *   resolver      thread-safe by itself (net/resolver.h)
 *   connections   atomic: how many are open in the whole process
 *   boot          never changes
 *   settings      immutable; held by an atomic count (base/ref.h)
 *   mailboxes     net/loop.h: mailbox_post is the only call into another thread's loop
 *   worker pulse  atomic: written by the worker, read by the main thread (app/manager.h)
 *   worker_stats  relaxed atomics: each written by one worker, read by the main thread for --status (net/stats.h)
 */
#ifndef WSBRIDGE_APP_SHARED_H
#define WSBRIDGE_APP_SHARED_H

#include <stdatomic.h>

#include "net/resolver.h"
#include "obs/log.h"

struct shared {
    struct log *log;
    struct resolver *resolver;
    atomic_uint connections;
    uint64_t boot; /* random; never changes */
};

#endif
