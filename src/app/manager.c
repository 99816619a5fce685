/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * See manager.h. A sign of life is given four times in the time that the manager allows, so that one worker may be late
 * once. A worker that answers no order for longer than that serves nobody either: the manager then ends the process and
 * starts a new one.
 */
#include "app/manager.h"

#include <stdio.h>

static void set_beat(struct manager *m)
{
    timer_set(&m->beat, (double)m->notify.watchdog_ns / 2 / 1e9);
}

static bool all_answered(struct manager *m)
{
    for (unsigned i = 0; i < m->n_workers; i++) {
        struct worker *w = &m->workers[i];

        if (w->ended || atomic_load(&w->pulse) == m->pulse)
            continue;
        if (!m->missed)
            log_event(w->shared->log, LOG_ERROR, "worker_silent", KV_U("worker", i));
        m->missed = true;
        return false;
    }
    m->missed = false;
    return true;
}

static void on_beat(struct timer *t)
{
    struct manager *m = container_of(t, struct manager, beat);

    if (all_answered(m)) {
        notify_watchdog(&m->notify);
        m->pulse++;
        for (unsigned i = 0; i < m->n_workers; i++)
            if (!m->workers[i].ended)
                worker_order(&m->workers[i], ORDER_PULSE);
    }
    set_beat(m);
}

void manager_init(struct manager *m)
{
    memset(m, 0, sizeof *m);
    notify_init(&m->notify);
}

void manager_start(struct manager *m, struct loop *main_loop, struct worker *workers, unsigned n_workers)
{
    m->workers = workers;
    m->n_workers = n_workers;
    timer_init(&m->beat, main_loop, on_beat);
    if (m->notify.watchdog_ns)
        set_beat(m);
    notify_ready(&m->notify, "serving");
}

void manager_reloading(struct manager *m)
{
    notify_reloading(&m->notify);
}

void manager_reloaded(struct manager *m, const char *why)
{
    char status[300];

    snprintf(status, sizeof status, "serving; the last reload kept the old configuration: %s", why ? why : "");
    notify_ready(&m->notify, why ? status : "serving");
}

void manager_stopping(struct manager *m, const char *why)
{
    notify_stopping(&m->notify, why);
}

void manager_fini(struct manager *m)
{
    if (m->workers)
        timer_cancel(&m->beat);
    notify_fini(&m->notify);
}
