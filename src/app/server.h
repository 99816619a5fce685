/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The control plane: the main thread with its loop. It opens the log and the sockets, starts the workers, hears the
 * signals, reloads, drains, and ends the process.
 */
#ifndef WSBRIDGE_APP_SERVER_H
#define WSBRIDGE_APP_SERVER_H

#include "app/settings.h"

enum { EXIT_OK = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 64, EXIT_NO_PERMISSION = 77, EXIT_CONFIG = 78 };

/* For the start: until server_run listens, signals would kill the process instead of what they stand for. They wait,
 * but for INT: an impatient user is right. */
void server_hold_signals(void);

/* Runs until the signal to end; takes the hold on `s`. `src` is read again for a reload. Returns the exit code. */
int server_run(struct settings *s, const struct settings_source *src);

#endif
