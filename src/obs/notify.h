/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Telling the service manager how we are (sd_notify(3)): datagrams of VAR=VALUE lines to the socket that NOTIFY_SOCKET
 * names. Without one every call does nothing. No libsystemd. Main thread only.
 */
#ifndef WSBRIDGE_OBS_NOTIFY_H
#define WSBRIDGE_OBS_NOTIFY_H

#include "base/addr.h"

struct notify {
    int fd; /* -1: nobody wants to know */
    struct addr to;
    uint64_t watchdog_ns; /* send a sign of life this often, half of what is allowed; 0: never */
};

/* From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which are then taken out of the environment. An address that we
 * cannot speak to is the same as none. */
void notify_init(struct notify *n);
void notify_fini(struct notify *n);

/* Each returns false when the manager could not be told. `status` is one line for people, or NULL. */
bool notify_ready(const struct notify *n, const char *status); /* also ends a reload */
bool notify_reloading(const struct notify *n);                 /* with the time that Type=notify-reload wants */
bool notify_stopping(const struct notify *n, const char *status);
bool notify_status(const struct notify *n, const char *status);
bool notify_watchdog(const struct notify *n);
bool notify_main_pid(const struct notify *n, long pid); /* after an upgrade: who is in charge now */

#endif
