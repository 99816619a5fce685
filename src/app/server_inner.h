/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The inside of the control plane, shared by the files that make it up: server.c (start, signals, end),
 * server_reload.c, and server_admin.c (commands of the admin socket). Nobody else includes it.
 */
#ifndef WSBRIDGE_APP_SERVER_INNER_H
#define WSBRIDGE_APP_SERVER_INNER_H

#include "app/admin.h"
#include "app/manager.h"
#include "app/server.h"
#include "app/sockets.h"

/* The last reload, as --status tells it. */
struct reload_record {
    uint64_t at; /* milliseconds since 1970; 0: there was none */
    bool ok;
    char why[256];
};

struct server {
    struct shared shared;
    struct settings *settings; /* the present one; one hold */
    const struct settings_source *source;
    struct loop *loop;
    struct manager manager;
    struct sockets sockets;
    struct admin admin;
    struct worker *workers;
    unsigned n_workers;
    unsigned running;
    uint64_t started; /* milliseconds since 1970 */
    uint64_t loaded;  /* when `settings` were */
    struct reload_record last_reload;
    bool draining;
    bool stopping;
    bool cut; /* connections were open when everything had to stop */
    struct timer drain_timer;
    struct timer tick;
    uint64_t ticks;
    struct signal_watch term;
    struct signal_watch intr;
    struct signal_watch hup;
    struct signal_watch usr1;
    struct signal_watch usr2;
};

enum reload_outcome {
    RELOAD_DONE,
    RELOAD_REFUSED, /* by what the new configuration says; the old one is kept */
    RELOAD_NOT_NOW, /* nothing was read: the server ends, has no file, or no memory */
};

/* Reads the configuration again and, when all of it is good, takes it. The log says how that went, and `why` (capacity
 * `cap`) what was wrong. `said`: where what the load says goes, too, as -t prints it; NULL: nowhere. */
enum reload_outcome server_reload(struct server *sv, FILE *said, char *why, size_t cap);

/* Standard error is not what its name says under inetd: it was the client. */
void server_turn_log(const struct server *sv, struct settings *s);

/* 0, or -1 with the reason on standard error. Nothing is opened when the configuration has no `admin`. */
MUST_CHECK int server_open_admin(struct server *sv);

#endif
