/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What a worker gives to the layers below the application: its loop, its pool, and the way up. Filled by src/app, one
 * for each worker.
 */
#ifndef WSBRIDGE_NET_ENV_H
#define WSBRIDGE_NET_ENV_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/pool.h"
#include "net/loop.h"
#include "net/pipes.h"
#include "net/resolver.h"
#include "net/stats.h"

struct log;
struct http_exchange;

struct worker_env {
    unsigned id;
    struct loop *loop;
    struct pool *pool;
    struct pipes *pipes;
    struct resolver *resolver; /* shared by all workers, thread-safe */
    struct log *log;           /* shared by all workers, thread-safe */
    atomic_uint *connections;  /* open in the whole process: exact, because limits.connections is; shared */
    struct worker_stats stats; /* written by the worker alone; the main thread reads it while it runs */
    struct list sessions;      /* struct session.link */
    struct list conns;         /* struct front_conn.link */
    bool draining;
    uint64_t next_id; /* ids are unique in the process: they step by the number of workers */
    unsigned id_step;
    uint64_t boot; /* random, the same in all workers: with it an id is unique beyond this process */
    void (*dispatch)(struct worker_env *env, struct http_exchange *x);
    void (*connection_ended)(struct worker_env *env); /* one that was counted in connections is over */
};

static inline uint64_t worker_env_id(struct worker_env *env)
{
    uint64_t id = env->next_id;
    env->next_id += env->id_step;
    return id;
}

#endif
