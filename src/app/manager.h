/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The service manager (systemd) that started us: it is told when we are ready, read the configuration again or end, and
 * given a sign of life for as long as every worker answers. Main thread only; without a manager nothing happens.
 */
#ifndef WSBRIDGE_APP_MANAGER_H
#define WSBRIDGE_APP_MANAGER_H

#include "app/worker.h"
#include "obs/notify.h"

struct manager {
    struct notify notify;
    struct timer beat;
    struct worker *workers;
    unsigned n_workers;
    unsigned pulse; /* what each worker is to say by the next beat */
    bool missed;    /* a worker did not, and that was logged */
};

/* Before any thread runs: takes the manager's variables out of the environment. */
void manager_init(struct manager *m);
/* When the workers run: says that we are ready, and begins with the signs of life. */
void manager_start(struct manager *m, struct loop *main_loop, struct worker *workers, unsigned n_workers);
void manager_reloading(struct manager *m);
/* The reload is over. `why` is what was wrong with the new configuration, or NULL when it was taken. */
void manager_reloaded(struct manager *m, const char *why);
void manager_stopping(struct manager *m, const char *why);
void manager_fini(struct manager *m);

#endif
