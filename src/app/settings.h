/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The configuration snapshot: everything that a file (or a command line) says, checked, with names resolved and bounds
 * merged, in one arena. It never changes after it was made; sessions and connections hold the one they began with, and
 * the last holder frees it.
 */
#ifndef WSBRIDGE_APP_SETTINGS_H
#define WSBRIDGE_APP_SETTINGS_H

#include "app/admin_settings.h"
#include "base/ref.h"
#include "config/schema.h"
#include "front/front.h"
#include "obs/log.h"
#include "route/route.h"
#include "upstream/service.h"

struct log_settings {
    struct log_options options;
    const char *to; /* as written */
    int level;
    int format;
    bool access;
};

struct process_settings {
    uint64_t workers; /* 0: one for each core */
};

/* What the TLS sections stand for (app/certificates.h). An entry is NULL only while loading fails. */
struct certificates {
    size_t n_servers;
    struct tls_server **servers; /* of `tls`, in its order, then of listeners with an inline map */
    size_t n_backends;
    struct tls_backend **backends;
};

struct settings {
    struct ref ref;
    struct arena *arena;
    uint64_t version;
    /* the short form */
    struct cfg_strings listen;
    struct cfg_strings origins;
    const char *files;
    const char *index;
    const char *to;
    uint64_t short_set;
    /* the long form */
    struct cfg_items listeners; /* struct listener_settings */
    struct cfg_items tls;       /* struct tls_settings; also in the short form, as the one that is named default */
    struct cfg_items services;  /* struct service */
    struct cfg_items routes;    /* struct route */
    struct limits limits;
    struct timeouts timeouts;
    int errors; /* 0: http, 1: close */
    struct log_settings log;
    struct admin_settings admin;
    struct process_settings process;
    /* made from it */
    struct listener_routes *by_listener; /* one for each listener, in order */
    struct certificates certificates;
};

/* The routes as one listener sees them: with its bounds merged in. */
struct listener_routes {
    struct route *routes;
    struct route_index *index;
};

extern const struct cfg_table settings_table;

struct settings_source {
    const char *const *paths; /* files or directories; or */
    size_t n_paths;
    const char *text; /* a configuration made from the command line */
    bool inetd;       /* the first listener is `inetd_fd`, not its addresses (app/sockets.h) */
    bool inetd_deaf;  /* standard error was that socket, so the log goes to syslog instead */
    int inetd_fd;
    bool reload;                 /* nobody may be kept waiting */
    struct tls_tickets *tickets; /* of the process: they outlive a reload; NULL: none */
};

/* Reads, checks and resolves. NULL when there was any error; errors and warnings are shown through `put` either way. */
struct settings *settings_load(const struct settings_source *src, bool color, cfg_put *put, void *arg);

static inline void settings_give(struct settings *s)
{
    ref_give(&s->ref);
}

/* The route for a request that came in through that listener of this snapshot; NULL when there is none. */
const struct route *settings_find_route(const struct settings *s, const struct listener_settings *listener,
                                        struct slice host, struct slice path);

static inline const struct listener_settings *settings_listener(const struct settings *s, size_t i)
{
    return (const struct listener_settings *)s->listeners.v + i;
}

/* Whether both snapshots listen on the same addresses in the same order: what a reload can take over without new
 * sockets. */
bool settings_same_listeners(const struct settings *a, const struct settings *b);

#endif
