/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A worker: one thread with its own loop, listening sockets, pool, connections and sessions. The main thread speaks to
 * it in letters (net/loop.h, mailbox) and hears from it the same way; app/shared.h lists what they share.
 */
#ifndef WSBRIDGE_APP_WORKER_H
#define WSBRIDGE_APP_WORKER_H

#include <pthread.h>

#include "app/settings.h"
#include "app/shared.h"
#include "net/env.h"
#include "net/socket.h"

struct worker;

/* One listening socket of one worker. */
struct worker_socket {
    struct listener_owner owner;
    struct worker *worker;
    struct listener *listener;
    size_t which; /* index into settings->listeners */
    int fd;       /* until the worker starts; -1 afterwards */
};

enum worker_order_kind { ORDER_SETTINGS, ORDER_DRAIN, ORDER_STOP, ORDER_PULSE, ORDER_ADOPT };

/* What the main thread asks for; freed by the worker. */
struct worker_order {
    struct mail mail;
    struct worker *worker;
    enum worker_order_kind kind;
    struct settings *settings; /* ORDER_SETTINGS: one hold passes along */
    int fd;                    /* ORDER_ADOPT */
    bool kept;                 /* part of its worker, not to be freed */
};

struct worker {
    struct worker_env env;
    pthread_t thread;
    bool started;
    struct settings *settings; /* what new connections begin with; one hold */
    struct worker_socket *sockets;
    size_t n_sockets;
    struct shared *shared;
    struct loop *main_loop;
    struct mail done; /* to the main thread: everything here has ended */
    void (*on_done)(struct worker *w);
    void *server;
    bool single;       /* lives for one connection, and ends with it */
    bool ended;        /* main thread: `done` has come */
    atomic_uint pulse; /* how many ORDER_PULSE it has seen: that it is alive */
    /* Orders that must not be lost for want of memory. Each is under way once at a time. */
    struct worker_order drain_order;
    struct worker_order stop_order;
    struct worker_order pulse_order;
};

/* Prepares a worker; its sockets are still to be filled in. 0, or -1 when out of memory or descriptors. */
MUST_CHECK int worker_init(struct worker *w, unsigned id, unsigned workers, struct shared *shared, struct settings *s);
/* Runs it in a thread of its own. 0, or -1 when there is no thread to be had. */
MUST_CHECK int worker_start(struct worker *w);
/* DRAIN and STOP once each, PULSE when the last one was answered: these cannot fail. */
void worker_order(struct worker *w, enum worker_order_kind kind);
/* For worker_give_settings; NULL when out of memory. An order that is not given is freed. */
MUST_CHECK struct worker_order *worker_order_new(void);
/* Takes the order, and a hold of the settings. */
void worker_give_settings(struct worker *w, struct worker_order *order, struct settings *settings);
/* Gives it a connection as if it had accepted that on the first listener; with the end of it the worker ends. Takes fd.
 * 0, or -1 when out of memory. */
MUST_CHECK int worker_adopt(struct worker *w, int fd);
/* Waits for the thread and gives everything back. */
void worker_fini(struct worker *w);

#endif
