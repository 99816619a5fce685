/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A worker's life: accept, dispatch, drain, stop. It ends when it was told to drain or stop and its last connection is
 * gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/dispatch.h"
#include "app/worker.h"
#include "front/front.h"
#include "relay/session.h"

#define POOL_KEEP ((size_t)8 << 20) /* bytes of idle buffers that a worker keeps for reuse */

static void finish_if_empty(struct worker *w)
{
    if ((w->env.draining || w->single) && list_empty(&w->env.conns) && list_empty(&w->env.sessions))
        loop_stop(w->env.loop);
}

static void connection_ended(struct worker_env *env)
{
    struct worker *w = container_of(env, struct worker, env);

    atomic_fetch_sub_explicit(env->connections, 1, memory_order_relaxed);
    stats_move(&env->stats.connections, -1);
    finish_if_empty(w);
}

static void socket_accepted(struct listener_owner *o, int fd, const struct addr *peer)
{
    struct worker_socket *ws = container_of(o, struct worker_socket, owner);
    struct worker *w = ws->worker;

    front_accept(&w->env, fd, peer, settings_listener(w->settings, ws->which), &w->settings->ref);
}

static void socket_paused(struct listener_owner *o, int err)
{
    struct worker_socket *ws = container_of(o, struct worker_socket, owner);

    log_event(ws->worker->shared->log, LOG_WARN, "accept_paused", KV("why", strerrordesc_np(err)),
              KV_U("connections", atomic_load(&ws->worker->shared->connections)),
              KV("help", "raise the limit of open files (ulimit -n, LimitNOFILE=) or lower limits.connections"));
}

static void socket_resumed(struct listener_owner *o)
{
    struct worker_socket *ws = container_of(o, struct worker_socket, owner);

    log_event(ws->worker->shared->log, LOG_INFO, "accept_resumed",
              KV_U("connections", atomic_load(&ws->worker->shared->connections)));
}

int worker_init(struct worker *w, unsigned id, unsigned workers, struct shared *shared, struct settings *s)
{
    memset(w, 0, sizeof *w);
    w->shared = shared;
    w->env.id = id;
    w->env.loop = loop_new();
    w->env.pool = pool_new(POOL_KEEP);
    w->env.pipes = pipes_new();
    w->env.resolver = shared->resolver;
    w->env.log = shared->log;
    w->env.connections = &shared->connections;
    w->env.next_id = id + 1;
    w->env.id_step = workers;
    w->env.boot = shared->boot;
    w->env.dispatch = dispatch_exchange;
    w->env.connection_ended = connection_ended;
    list_init(&w->env.sessions);
    list_init(&w->env.conns);
    w->drain_order.kept = w->stop_order.kept = w->pulse_order.kept = true;
    if (!w->env.loop || !w->env.pool || !w->env.pipes)
        return -1;
    w->settings = s;
    ref_take(&s->ref);
    return 0;
}

static void open_sockets(struct worker *w)
{
    for (size_t i = 0; i < w->n_sockets; i++) {
        struct worker_socket *ws = &w->sockets[i];

        ws->worker = w;
        ws->owner.accepted = socket_accepted;
        ws->owner.paused = socket_paused;
        ws->owner.resumed = socket_resumed;
        ws->listener = listener_new(w->env.loop, ws->fd, &ws->owner);
        ws->fd = -1;
        if (!ws->listener)
            log_event(w->shared->log, LOG_ERROR, "listen_failed", KV("why", "out of memory"),
                      KV("listener", settings_listener(w->settings, ws->which)->name));
    }
}

static void close_sockets(struct worker *w)
{
    for (size_t i = 0; i < w->n_sockets; i++) {
        if (w->sockets[i].listener)
            listener_free(w->sockets[i].listener);
        w->sockets[i].listener = NULL;
    }
}

/* --- orders, on the worker's own thread ------------------------------------------------------------------------------
 */

static void take_settings(struct worker *w, struct settings *s)
{
    settings_give(w->settings);
    w->settings = s;
}

static void drain(struct worker *w)
{
    if (w->env.draining)
        return;
    close_sockets(w);
    w->env.draining = true;
    session_drain_all(&w->env, "server is going away");
    front_drain(&w->env);
    finish_if_empty(w);
}

static void stop(struct worker *w)
{
    drain(w);
    session_abort_all(&w->env);
    front_abort_all(&w->env);
    finish_if_empty(w);
}

static void adopt(struct worker *w, int fd)
{
    struct addr peer = {.len = sizeof peer.u};
    struct socket_options tune = front_socket_options(settings_listener(w->settings, 0));
    int flags = fcntl(fd, F_GETFL);

    w->single = true;
    loop_share_descriptors(w->env.loop);
    socket_tune(fd, &tune);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || getpeername(fd, &peer.u.sa, &peer.len) < 0) {
        log_event(w->shared->log, LOG_INFO, "client_gone", KV("why", strerrordesc_np(errno)));
        close(fd);
        finish_if_empty(w);
        return;
    }
    front_accept(&w->env, fd, &peer, settings_listener(w->settings, 0), &w->settings->ref);
}

static void order_deliver(struct mail *m)
{
    struct worker_order *order = container_of(m, struct worker_order, mail);
    bool kept = order->kept; /* the next pulse may be on its way as soon as this one is answered */

    switch (order->kind) {
    case ORDER_SETTINGS:
        take_settings(order->worker, order->settings);
        break;
    case ORDER_ADOPT:
        adopt(order->worker, order->fd);
        break;
    case ORDER_DRAIN:
        drain(order->worker);
        break;
    case ORDER_STOP:
        stop(order->worker);
        break;
    case ORDER_PULSE:
        atomic_fetch_add(&order->worker->pulse, 1);
        break;
    }
    if (!kept)
        free(order);
}

static void post(struct worker *w, struct worker_order *order, enum worker_order_kind kind)
{
    mail_init(&order->mail, order_deliver);
    order->worker = w;
    order->kind = kind;
    mailbox_post(w->env.loop, &order->mail);
}

void worker_order(struct worker *w, enum worker_order_kind kind)
{
    struct worker_order *order = kind == ORDER_DRAIN  ? &w->drain_order
                                 : kind == ORDER_STOP ? &w->stop_order
                                                      : &w->pulse_order;

    post(w, order, kind);
}

struct worker_order *worker_order_new(void)
{
    return calloc(1, sizeof(struct worker_order));
}

void worker_give_settings(struct worker *w, struct worker_order *order, struct settings *settings)
{
    order->settings = settings;
    post(w, order, ORDER_SETTINGS);
}

int worker_adopt(struct worker *w, int fd)
{
    struct worker_order *order = worker_order_new();

    if (!order) {
        close(fd);
        return -1;
    }
    order->fd = fd;
    post(w, order, ORDER_ADOPT);
    return 0;
}

/* --- the thread ------------------------------------------------------------------------------------------------------
 */

static void *worker_main(void *arg)
{
    struct worker *w = arg;

    open_sockets(w);
    loop_run(w->env.loop);
    mailbox_post(w->main_loop, &w->done);
    return NULL;
}

int worker_start(struct worker *w)
{
    sigset_t all;
    sigset_t before;
    int rc;

    /* Signals are the main thread's alone; a thread inherits the mask. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->started = rc == 0;
    return rc == 0 ? 0 : -1;
}

void worker_fini(struct worker *w)
{
    if (w->started)
        pthread_join(w->thread, NULL);
    if (w->env.loop)
        loop_free(w->env.loop);
    if (w->env.pipes)
        pipes_free(w->env.pipes);
    if (w->env.pool)
        pool_free(w->env.pool);
    if (w->settings)
        settings_give(w->settings);
    free(w->sockets);
}
