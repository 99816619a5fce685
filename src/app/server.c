/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * See server.h. Start: everything that can fail is done before the first worker runs. End: the workers drain, and the
 * process ends with the last of them or when timeouts.drain is over. What it is asked in between is in server_reload.c
 * and server_admin.c.
 */
#include "app/server.h"

#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/certificates.h"
#include "app/server_inner.h"
#include "base/clock.h"
#include "base/random.h"

#define RESOLVER_THREADS 4

static unsigned cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return n > 0 ? (unsigned)n : 1;
}

/* The soft limit of descriptors is a default for old programs that use select; we can use all that we may have. */
static void raise_descriptor_limit(struct server *sv)
{
    struct rlimit r;
    uint64_t wanted = sv->settings->limits.connections;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) != 0 && getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    wanted = wanted > UINT64_MAX / 4 ? wanted : wanted * 2;
    if (wanted != CFG_UNLIMITED_N && r.rlim_cur < wanted && sv->sockets.connected < 0)
        log_event(
            sv->shared.log, LOG_WARN, "few_descriptors", KV_U("open_files", r.rlim_cur), KV_U("needed", wanted),
            KV("help",
               "limits.connections sessions need two descriptors each: raise the limit (ulimit -Hn, LimitNOFILE=)"));
}

/* --- what is said at start -------------------------------------------------------------------------------------------
 */

static void say_what_is_served(struct server *sv)
{
    const struct settings *s = sv->settings;
    const struct route *routes = s->routes.v;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < sv->sockets.n; i++) {
        const struct socket_place *p = &sv->sockets.places[i];
        const struct listener_settings *l = settings_listener(s, p->which);
        log_always_event(sv->shared.log, LOG_INFO, "listening", KV("listener", l->name),
                         KV("address", addr_format(&p->addr, text)), KV_B("tls", l->server != NULL),
                         KV_B("handed", p->handed != NULL));
    }
    if (sv->admin.listener)
        log_always_event(sv->shared.log, LOG_INFO, "admin", KV("address", s->admin.address));
    certificates_say(s, sv->shared.log);
    for (size_t i = 0; i < s->routes.n; i++) {
        const struct route *r = &routes[i];
        log_always_event(sv->shared.log, LOG_INFO, "route", KV("path", r->path),
                         KV("host", r->hosts.n ? r->hosts.v[0] : "*"),
                         KV("service", r->service ? r->service->name.name : "-"),
                         KV("to", r->service ? r->service->to.text : "-"), KV("files", r->files ? r->files : "-"));
        if (r->service && r->origin_any)
            log_always_event(
                sv->shared.log, LOG_WARN, "origin_any", KV("path", r->path),
                KV("help", "any web page that a user visits can open this service; list the origins that may"));
    }
}

/* --- the end ---------------------------------------------------------------------------------------------------------
 */

static void order_all(struct server *sv, enum worker_order_kind kind)
{
    for (unsigned i = 0; i < sv->n_workers; i++)
        worker_order(&sv->workers[i], kind);
}

static void stop_now(struct server *sv, const char *why)
{
    if (sv->stopping)
        return;
    sv->stopping = true;
    sv->cut = atomic_load(&sv->shared.connections) > 0;
    manager_stopping(&sv->manager, why);
    log_event(sv->shared.log, LOG_INFO, "stopping", KV("why", why),
              KV_U("connections", atomic_load(&sv->shared.connections)));
    order_all(sv, ORDER_STOP);
}

/* Once a second: what nobody's event brings about. */
static void on_tick(struct timer *t)
{
    struct server *sv = container_of(t, struct server, tick);

    sv->ticks++;
    log_tick(sv->shared.log);
    if (sv->source->tickets)
        tls_tickets_tick(sv->source->tickets, (double)clock_mono_ns() / 1e9);
    if (sv->ticks % CERTIFICATES_CHECK_SECONDS == 0)
        certificates_check(sv->settings, sv->shared.log);
    if (sv->ticks % CERTIFICATES_WARN_SECONDS == 0)
        certificates_warn(sv->settings, sv->shared.log);
    timer_set(t, 1);
}

static void drain_over(struct timer *t)
{
    stop_now(container_of(t, struct server, drain_timer), "timeouts.drain is over");
}

static void begin_drain(struct server *sv)
{
    double limit = sv->settings->timeouts.drain;

    sv->draining = true;
    manager_stopping(&sv->manager, "draining");
    log_event(sv->shared.log, LOG_INFO, "draining", KV_U("connections", atomic_load(&sv->shared.connections)),
              KV_F("within", limit));
    order_all(sv, ORDER_DRAIN);
    if (!isinf(limit))
        timer_set(&sv->drain_timer, limit);
}

static void on_term(struct signal_watch *s, int signum)
{
    struct server *sv = container_of(s, struct server, term);

    if (sv->draining)
        stop_now(sv, "second TERM");
    else
        begin_drain(sv);
}

static void on_int(struct signal_watch *s, int signum)
{
    stop_now(container_of(s, struct server, intr), "INT");
}

static void worker_done(struct mail *m)
{
    struct worker *w = container_of(m, struct worker, done);
    struct server *sv = w->server;

    w->ended = true;
    if (--sv->running == 0)
        loop_stop(sv->loop);
}

/* --- signals that ask for more ---------------------------------------------------------------------------------------
 */

void server_turn_log(const struct server *sv, struct settings *s)
{
    if (sv->source->inetd_deaf && s->log.options.target == LOG_STDERR)
        s->log.options.target = LOG_SYSLOG;
}

static void on_hup(struct signal_watch *s, int signum)
{
    char why[256];

    (void)server_reload(container_of(s, struct server, hup), NULL, why, sizeof why);
}

static void on_usr1(struct signal_watch *s, int signum)
{
    struct server *sv = container_of(s, struct server, usr1);
    char why[256];

    if (log_reopen(sv->shared.log, why, sizeof why) != 0)
        log_event(sv->shared.log, LOG_ERROR, "log_reopen_failed", KV("why", why), KV("kept", "the old file"));
}

static void on_usr2(struct signal_watch *s, int signum)
{
    struct server *sv = container_of(s, struct server, usr2);

    log_event(sv->shared.log, LOG_WARN, "signal_unused", KV("signal", "USR2"),
              KV("help", "HUP reads the configuration again, TERM drains, USR1 opens the log again"));
}

/* --- start -----------------------------------------------------------------------------------------------------------
 */

static int start_workers(struct server *sv)
{
    for (unsigned i = 0; i < sv->n_workers; i++) {
        struct worker *w = &sv->workers[i];

        w->main_loop = sv->loop;
        w->server = sv;
        mail_init(&w->done, worker_done);
        if (worker_start(w) != 0)
            return -1;
        sv->running++;
    }
    return 0;
}

void server_hold_signals(void)
{
    static const int held[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        sigaddset(&set, held[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool watch_signals(struct server *sv)
{
    return signal_watch_start(&sv->term, sv->loop, SIGTERM, on_term) &&
           signal_watch_start(&sv->intr, sv->loop, SIGINT, on_int) &&
           signal_watch_start(&sv->hup, sv->loop, SIGHUP, on_hup) &&
           signal_watch_start(&sv->usr1, sv->loop, SIGUSR1, on_usr1) &&
           signal_watch_start(&sv->usr2, sv->loop, SIGUSR2, on_usr2);
}

/* From here on nothing can be asked of us, and a signal that comes now (a rotated log, an impatient user) must not turn
 * an orderly end into a death: they stay blocked. */
static void unwatch_signals(struct server *sv)
{
    sigset_t intr;

    server_hold_signals();
    sigemptyset(&intr);
    sigaddset(&intr, SIGINT);
    pthread_sigmask(SIG_BLOCK, &intr, NULL);
    signal_watch_stop(&sv->term);
    signal_watch_stop(&sv->intr);
    signal_watch_stop(&sv->hup);
    signal_watch_stop(&sv->usr1);
    signal_watch_stop(&sv->usr2);
}

static int no_room(void)
{
    fprintf(stderr, "wsbridge: out of memory or descriptors at start\n");
    return EXIT_RUNTIME;
}

static int server_init(struct server *sv)
{
    char why[256];

    if (sockets_init(&sv->sockets, sv->source->inetd ? sv->source->inetd_fd : -1) != 0)
        return EXIT_RUNTIME;
    server_turn_log(sv, sv->settings);
    sv->shared.log = log_new(&sv->settings->log.options, why, sizeof why);
    if (!sv->shared.log) {
        fprintf(stderr, "wsbridge: %s\n", why);
        return EXIT_RUNTIME;
    }
    sv->loop = loop_new();
    random_bytes(&sv->shared.boot, sizeof sv->shared.boot);
    sv->shared.resolver = resolver_new(RESOLVER_THREADS);
    sv->n_workers = sv->settings->process.workers ? (unsigned)sv->settings->process.workers : cores();
    if (sv->sockets.connected >= 0)
        sv->n_workers = 1;
    sv->workers = calloc(sv->n_workers, sizeof *sv->workers);
    if (sv->loop) { /* server_fini cancels them whenever there is a loop */
        timer_init(&sv->drain_timer, sv->loop, drain_over);
        timer_init(&sv->tick, sv->loop, on_tick);
    }
    if (!sv->loop || !sv->shared.resolver || !sv->workers)
        goto no_memory;
    raise_descriptor_limit(sv);
    for (unsigned i = 0; i < sv->n_workers; i++)
        if (worker_init(&sv->workers[i], i, sv->n_workers, &sv->shared, sv->settings) != 0)
            goto no_memory;
    timer_set(&sv->tick, 1);
    if (sockets_open(&sv->sockets, sv->settings, sv->workers, sv->n_workers) != 0 || server_open_admin(sv) != 0)
        return EXIT_NO_PERMISSION;
    return EXIT_OK;
no_memory:
    return no_room();
}

static void server_fini(struct server *sv)
{
    manager_fini(&sv->manager);
    admin_close(&sv->admin);
    for (unsigned i = 0; sv->workers && i < sv->n_workers; i++) {
        for (size_t j = 0; j < sv->workers[i].n_sockets; j++)
            if (sv->workers[i].sockets[j].fd >= 0)
                close(sv->workers[i].sockets[j].fd);
        worker_fini(&sv->workers[i]);
    }
    free(sv->workers);
    sockets_remove_files(&sv->sockets);
    sockets_fini(&sv->sockets);
    if (sv->shared.resolver)
        resolver_free(sv->shared.resolver);
    if (sv->loop) {
        timer_cancel(&sv->tick);
        timer_cancel(&sv->drain_timer);
        loop_free(sv->loop);
    }
    if (sv->shared.log)
        log_free(sv->shared.log);
    settings_give(sv->settings);
}

static int adopt_connection(struct server *sv)
{
    return sv->sockets.connected >= 0 ? worker_adopt(&sv->workers[0], sv->sockets.connected) : 0;
}

int server_run(struct settings *s, const struct settings_source *src)
{
    struct server sv = {.settings = s, .source = src, .started = clock_wall_ms(), .loaded = clock_wall_ms()};
    int rc;

    signal(SIGPIPE, SIG_IGN);
    manager_init(&sv.manager);
    rc = server_init(&sv);
    if (rc == EXIT_OK && !watch_signals(&sv)) {
        unwatch_signals(&sv);
        rc = no_room();
    } else if (rc == EXIT_OK) {
        if (start_workers(&sv) == 0 && adopt_connection(&sv) == 0) {
            say_what_is_served(&sv);
            manager_start(&sv.manager, sv.loop, sv.workers, sv.n_workers);
        } else {
            log_event(sv.shared.log, LOG_ERROR, "no_thread", KV("why", "the system gives no more threads"));
            rc = EXIT_RUNTIME;
            stop_now(&sv, "start failed");
        }
        if (sv.running)
            loop_run(sv.loop);
        unwatch_signals(&sv);
        log_event(sv.shared.log, LOG_INFO, "stopped", KV_B("orderly", !sv.cut));
    }
    server_fini(&sv);
    return rc;
}
