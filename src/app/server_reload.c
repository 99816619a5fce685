/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Reload: a new snapshot is built beside the old one and handed to the workers only when it is whole. The signal and
 * the admin socket come the same way.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/server_inner.h"
#include "base/clock.h"

/* What a load says, as lines of the log: standard error may be nobody's by now, or a pipe that is full, and the log may
 * be a file or JSON. Only the first line of each message, which names place and cause, fits there: the others (the
 * source and a caret) begin with white space. */
struct said {
    struct log *log;
    FILE *copy; /* all of it; may be NULL */
    size_t n;
    char line[1024];
};

static void said_line(struct said *s)
{
    if (s->n && s->line[0] != ' ') {
        s->line[s->n] = '\0';
        log_always_event(s->log, strstr(s->line, ": warning: ") ? LOG_WARN : LOG_ERROR, "configuration",
                         KV("said", s->line));
    }
    s->n = 0;
}

static void put_said(void *arg, struct slice text)
{
    struct said *s = arg;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n')
            said_line(s);
        else if (s->n < sizeof s->line - 1)
            s->line[s->n++] = text.p[i];
    }
    if (s->copy)
        fwrite(text.p, 1, text.n, s->copy);
}

/* What takes new sockets or threads, which a reload does not make. NULL: nothing. */
static const char *takes_restart(const struct settings *old, const struct settings *fresh)
{
    if (!settings_same_listeners(old, fresh))
        return "the listeners changed, which takes a restart";
    if (!admin_same(&old->admin, &fresh->admin))
        return "admin changed, which takes a restart";
    if (old->process.workers != fresh->process.workers)
        return "process.workers changed, which takes a restart";
    return NULL;
}

/* The whole new snapshot, with the log turned to it; or NULL with `why`. */
static struct settings *load_again(struct server *sv, FILE *copy, char *why, size_t cap)
{
    struct settings_source again = *sv->source;
    struct said said = {.log = sv->shared.log, .copy = copy};
    struct settings *fresh;
    const char *restart;

    again.reload = true;
    fresh = settings_load(&again, false, put_said, &said);
    said_line(&said);
    if (!fresh) {
        snprintf(why, cap, "the new configuration has errors");
        return NULL;
    }
    restart = takes_restart(sv->settings, fresh);
    if (restart)
        snprintf(why, cap, "%s", restart);
    server_turn_log(sv, fresh);
    if (!restart && log_reconfigure(sv->shared.log, &fresh->log.options, why, cap) == 0)
        return fresh;
    settings_give(fresh);
    return NULL;
}

static void orders_free(struct worker_order **orders, unsigned n)
{
    for (unsigned i = 0; orders && i < n; i++)
        free(orders[i]);
    free(orders);
}

/* Made before anything changes: a reload that reaches some workers only would be worse than none. */
static struct worker_order **orders_new(unsigned n)
{
    struct worker_order **orders = calloc(n, sizeof *orders);

    for (unsigned i = 0; orders && i < n; i++) {
        orders[i] = worker_order_new();
        if (!orders[i]) {
            orders_free(orders, n);
            return NULL;
        }
    }
    return orders;
}

/* Takes the orders, but not the array. */
static void take(struct server *sv, struct settings *fresh, struct worker_order **orders)
{
    for (unsigned i = 0; i < sv->n_workers; i++) {
        ref_take(&fresh->ref);
        worker_give_settings(&sv->workers[i], orders[i], fresh);
        orders[i] = NULL;
    }
    settings_give(sv->settings);
    sv->settings = fresh;
    sv->loaded = clock_wall_ms();
    log_event(sv->shared.log, LOG_INFO, "reloaded", KV_U("routes", fresh->routes.n),
              KV_U("services", fresh->services.n));
}

static void record(struct server *sv, const char *why)
{
    struct reload_record *r = &sv->last_reload;

    r->at = clock_wall_ms();
    r->ok = !why;
    snprintf(r->why, sizeof r->why, "%s", why ? why : "");
}

static enum reload_outcome not_now(struct server *sv, const char *why)
{
    log_event(sv->shared.log, LOG_WARN, "reload_failed", KV("why", why), KV("kept", "the old configuration"));
    record(sv, why);
    return RELOAD_NOT_NOW;
}

enum reload_outcome server_reload(struct server *sv, FILE *said, char *why, size_t cap)
{
    struct worker_order **orders;
    struct settings *fresh;

    if (sv->draining || sv->stopping) {
        snprintf(why, cap, "wsbridge is going away");
        return RELOAD_NOT_NOW;
    }
    if (!sv->source->n_paths) {
        snprintf(why, cap, "there is no configuration file to read again");
        return not_now(sv, why);
    }
    orders = orders_new(sv->n_workers);
    if (!orders) {
        snprintf(why, cap, "out of memory");
        return not_now(sv, why);
    }
    manager_reloading(&sv->manager);
    fresh = load_again(sv, said, why, cap);
    record(sv, fresh ? NULL : why);
    if (fresh)
        take(sv, fresh, orders);
    else
        log_event(sv->shared.log, LOG_ERROR, "reload_failed", KV("why", why), KV("kept", "the old configuration"));
    orders_free(orders, sv->n_workers);
    manager_reloaded(&sv->manager, fresh ? NULL : why);
    return fresh ? RELOAD_DONE : RELOAD_REFUSED;
}
